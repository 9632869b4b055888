"""Where the hub keeps its files: the spool of instances, and each Workitem's working folder."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from urllib.parse import urlparse

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from hub.dicom.object_store import Address, ObjectStore
from hub.dicom.parcels import Parcels
from hub.dicom.remote_spool import RemoteSpool
from hub.dicom.spool import Spool
from routing.models import Workitem


@lru_cache(maxsize=4)
def _spool(url: str, minimum_free_bytes: int, sync: bool) -> Spool:  # noqa: FBT001 (a key)
    if (store := _store(url)) is not None:
        # A folder of this host alone: what lies in it is on its way, or a copy.
        here = Path(settings.HUB_STATE_DIR) / "spool"
        return RemoteSpool(here, store, minimum_free_bytes, sync=sync)
    return Spool(Path(urlparse(url).path), minimum_free_bytes=minimum_free_bytes, sync=sync)


@lru_cache(maxsize=4)
def _store(url: str) -> ObjectStore | None:
    if urlparse(url).scheme == "file":
        return None
    try:
        return ObjectStore(Address.of(url))
    except ValueError as fault:
        raise ImproperlyConfigured(f"HUB_STORAGE_URL: expected {fault}") from fault


def spool() -> Spool:
    """The spool that HUB_STORAGE_URL names."""
    return _spool(
        settings.HUB_STORAGE_URL, settings.HUB_MINIMUM_FREE_BYTES, settings.HUB_SYNC
    )


@lru_cache(maxsize=4)
def _parcels(url: str) -> Parcels:
    store = _store(url)
    return Parcels(Path(urlparse(url).path) if store is None else _carried_here(), store)


def _carried_here() -> Path:
    return Path(settings.HUB_STATE_DIR) / "spool" / "carried"


def parcels() -> Parcels:
    """What runs elsewhere are given and bring; beside the spool, where all hosts see it."""
    return _parcels(settings.HUB_STORAGE_URL)


def work_root() -> Path:
    """The folder that holds the working folders of all Workitems."""
    return Path(settings.HUB_STATE_DIR) / "work"


def warm_root() -> Path:
    """The folder of servers that stay up between runs; of one file system with work_root()."""
    return Path(settings.HUB_STATE_DIR) / "warm"


def prepared_root() -> Path:
    """The folder of copies made ahead; of one file system with work_root()."""
    return Path(settings.HUB_STATE_DIR) / "prepared"


def exclusion_file() -> Path:
    """What whoever copies or deletes files of the spool holds locked; see exclusion.py."""
    return Path(settings.HUB_STATE_DIR) / "spool.lock"


def work_folder(workitem: Workitem) -> Path:
    """The folder of one Workitem: ``input``, ``output`` and the Performer's own ``work``."""
    return work_root() / workitem.uid.hex


def desk(workitem: Workitem) -> Path:
    """Where the present holder of its lease works on the files of a Workitem, and nobody else."""
    return work_root() / f"{workitem.uid.hex}.{workitem.fence}"

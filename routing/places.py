"""Where the hub keeps its files: the spool of instances, and each Workitem's working folder."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from urllib.parse import urlparse

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from hub.dicom.parcels import Parcels
from hub.dicom.spool import Spool
from routing.models import Workitem


@lru_cache(maxsize=4)
def _spool(url: str, minimum_free_bytes: int, sync: bool) -> Spool:  # noqa: FBT001 (a key)
    parts = urlparse(url)
    if parts.scheme != "file":
        raise ImproperlyConfigured(f"HUB_STORAGE_URL: expected file:///folder, found {url}")
    return Spool(Path(parts.path), minimum_free_bytes=minimum_free_bytes, sync=sync)


def spool() -> Spool:
    """The spool that HUB_STORAGE_URL names."""
    return _spool(
        settings.HUB_STORAGE_URL, settings.HUB_MINIMUM_FREE_BYTES, settings.HUB_SYNC
    )


@lru_cache(maxsize=4)
def _parcels(folder: str) -> Parcels:
    return Parcels(Path(folder))


def parcels() -> Parcels:
    """What runs elsewhere are given and bring; beside the spool, where all hosts see it."""
    return _parcels(urlparse(settings.HUB_STORAGE_URL).path)


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

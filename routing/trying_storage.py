"""Tries whether what HUB_STORAGE_URL names can be written and read: folder or store of objects."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from hub.dicom.object_store import NotInStore, ObjectStore, StoreAway
from hub.dicom.remote_spool import RemoteSpool
from routing.places import spool

_PROBE = "probe/manage-storage"
_CONTENT = b"written by manage.py storage"


class StorageRefused(Exception):
    """It cannot; ``str()`` says why and where to look."""


def folder() -> str:
    """Write, read and delete a file in the folder of this host; raises StorageRefused."""
    try:
        place = spool()
        with tempfile.NamedTemporaryFile(dir=place.root, prefix="probe-") as file:
            file.write(_CONTENT)
            file.flush()
    except OSError as fault:
        raise StorageRefused(f"{fault}: look at HUB_STORAGE_URL and HUB_STATE_DIR") from fault
    return f"here: {place.root}, {place.free_bytes()} bytes free above the floor"


def store() -> str:
    """Write, read, list and delete an object; empty where there is no store; StorageRefused."""
    place = spool()
    if not isinstance(place, RemoteSpool):
        return ""
    try:
        _probe(place.store)
    except (StoreAway, NotInStore) as fault:
        raise StorageRefused(
            f"{fault}: look at HUB_STORAGE_URL, at AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
            "and at what they may do in the bucket (PutObject, GetObject, DeleteObject, ListBucket)"
        ) from fault
    return "object store: a file was written, read, found the same and deleted"


def _probe(there: ObjectStore) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "probe"
        path.write_bytes(_CONTENT)
        there.put_file(_PROBE, path, hashlib.sha256(_CONTENT).hexdigest())
    there.fetch(_PROBE, lambda piece: None)
    if _PROBE not in set(there.keys("probe/")):
        raise StoreAway("what was written is not listed")
    there.delete(_PROBE)

"""In charge of what runs elsewhere are given and bring: a tar for each way, while it is needed."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from hub.dicom.durable import DurableFiles, Part

_STEP = 1 << 20
_AREA = "runs"


class Store(Protocol):
    """What is asked of an object store (object_store.py)."""

    def put_file(self, key: str, path: Path, sha256: str) -> None:
        """Keep a file under a key, whole or not at all."""

    def open(self, key: str, start: int = 0) -> BinaryIO:
        """What lies under a key, from a byte on; raises LookupError."""

    def delete(self, key: str) -> None:
        """Take away what lies under a key; nothing there is no error."""

    def keys(self, prefix: str) -> Iterator[str]:
        """The keys that begin so."""


class Parcels:
    """Tars under keys ``owner/name``: in a folder, or in a store that several hosts share.

    What is being written lies in the folder either way, on the disk of who writes it. A parcel can
    be made again: it is whole or not there, and need not outlive a loss of power.
    """

    def __init__(self, root: Path, store: Store | None = None) -> None:
        self._root, self._store = root.absolute(), store
        self._files = DurableFiles(self._root, parts="parts", sync=False)

    def open_part(self) -> Part:
        """A file to write the next parcel to. Raises OSError."""
        return self._files.open_part()

    def free_bytes(self) -> int:
        """Bytes left on the disk where parts are written."""
        return shutil.disk_usage(self._root).free

    def keep(self, key: str, part: Part, sha256: str) -> None:
        """Give a part its key, in place of what has it. Raises OSError."""
        if self._store is None:
            self._files.keep(part, self._path(key))
        else:
            self._store.put_file(f"{_AREA}/{key}", Path(part.path), sha256)

    def open(self, key: str, start: int = 0) -> BinaryIO:
        """A parcel from a byte on; the caller closes it. Raises LookupError where there is none."""
        if self._store is not None:
            return self._store.open(f"{_AREA}/{key}", start)
        try:
            file = self._path(key).open("rb")
        except FileNotFoundError as fault:
            raise LookupError(key) from fault
        file.seek(start)
        return file

    def discard(self, owner: str, name: str = "") -> None:
        """Take a parcel of an owner away, or all; what is not there is no error."""
        if self._store is not None:
            for key in [name] if name else self.names(owner):
                self._store.delete(f"{_AREA}/{owner}/{key}")
            return
        folder = self._root / _AREA / owner
        if not name:
            shutil.rmtree(folder, ignore_errors=True)
            return
        (folder / name).unlink(missing_ok=True)
        with suppress(OSError):  # others are left in it
            folder.rmdir()

    def names(self, owner: str) -> list[str]:
        """What an owner has."""
        if self._store is not None:
            prefix = f"{_AREA}/{owner}/"
            return [key.removeprefix(prefix) for key in self._store.keys(prefix)]
        with suppress(FileNotFoundError):
            return os.listdir(self._root / _AREA / owner)
        return []

    def owners(self) -> set[str]:
        """Who has parcels."""
        if self._store is not None:
            return {key.split("/")[1] for key in self._store.keys(f"{_AREA}/")}
        with suppress(FileNotFoundError):
            return set(os.listdir(self._root / _AREA))
        return set()

    def sweep(self, *, older_than: float) -> None:
        """Remove parts that nobody finished, last written before ``older_than`` (Unix seconds)."""
        for part in (self._root / "parts").glob("*.part"):
            with suppress(FileNotFoundError):
                if part.stat().st_mtime < older_than:
                    part.unlink()

    def _path(self, key: str) -> Path:
        return self._root / _AREA / key

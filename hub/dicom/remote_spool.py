"""A spool whose files come to rest in an object store: this host's disk is where they begin.

A file is written here first, as in any spool, with a mark beside it that says it is to go out. Who
carries it away (`outgoing`, `carry`) takes the mark off once it is there and the row says so; from
then on the file here is a copy, which may go when room is needed (`shrink`), and comes back when
somebody reads it (`fetched`).
"""

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from heapq import merge
from itertools import groupby
from pathlib import Path
from uuid import uuid4

from hub.dicom.durable import Piece
from hub.dicom.object_store import NotInStore, ObjectStore, StoreAway
from hub.dicom.received import Lying
from hub.dicom.spool import NotInSpool, Spool, Stored

_OUTGOING = "outgoing"
_AREAS = ("instances", "objects", "quarantine")
_STEP = 1 << 20


class NotHereYet(StoreAway):
    """The file lies on the disk of another host, which has not brought it to the store yet."""


class RemoteSpool(Spool):
    """As Spool, of which nothing stays on this host but what the store does not have yet."""

    def __init__(
        self, root: Path, store: ObjectStore, minimum_free_bytes: int, *, sync: bool = True
    ) -> None:
        super().__init__(root, minimum_free_bytes, sync=sync)
        self.store = store
        self._marks = root.absolute() / _OUTGOING
        self._marks.mkdir(mode=0o700, exist_ok=True)

    def put_file(self, data: Piece, *, prefix: str, suffix: str) -> Stored:
        """As in Spool; in the store when it returns, for another host may need it next.

        What the hub made itself can be made again, and nobody waits for it at a socket. Raises
        StoreAway.
        """
        stored = super().put_file(data, prefix=prefix, suffix=suffix)
        if not self.store.holds(stored.key, size=stored.size, sha256=stored.digest):
            self.store.put_file(stored.key, self.path(stored.key), stored.digest)
        return stored

    def fetched(self, key: str) -> Path:
        """The file on this disk, brought here if need be. Raises NotInSpool, StoreAway, OSError.

        NotHereYet where the store has none: another host may have it still.
        """
        path = self.path(key)
        with suppress(FileNotFoundError):
            # What was read lately goes last; when it was written stays what it was.
            os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))
            return path
        part = self._files.open_part()
        try:
            self.store.fetch(key, part.write)
            self._files.keep(part, path)
        except NotInStore as fault:
            raise NotHereYet("not in the object store yet") from fault
        finally:
            part.discard()
        # As old as can be: it is not this host that has put it.
        os.utime(path, (time.time(), 0))
        return path

    def delete(self, key: str) -> None:
        """As in Spool, here and in the store."""
        self._unmark(key)
        super().delete(key)
        self.store.delete(key)

    def discard(self, key: str, *, untouched: timedelta) -> bool:
        """As in Spool, here and in the store."""
        if not super().discard(key, untouched=untouched):
            return False
        self._unmark(key)
        self.store.delete(key)
        return True

    def everything(self) -> Iterator[tuple[str, Path]]:
        """As in Spool; what lies in the store alone is brought here for as long as it is held."""
        here = ((key.split("/"), path) for key, path in super().everything())
        there: Iterator[tuple[list[str], None]] = (
            (key.split("/"), None) for area in _AREAS for key in self.store.keys(f"{area}/")
        )
        both = merge(here, there, key=lambda one: one[0])
        for segments, places in groupby(both, key=lambda one: one[0]):
            key, paths = "/".join(segments), [path for _key, path in places]
            path = next(filter(None, paths), None)
            if path is not None:
                yield key, path
                continue
            with suppress(NotHereYet):  # it went meanwhile
                yield key, self.fetched(key)
                self.evict(key)

    def is_empty(self) -> bool:
        """As in Spool, here and in the store."""
        return super().is_empty() and not any(
            key for area in _AREAS for key in self.store.keys(f"{area}/")
        )

    # -- carrying --------------------------------------------------------------------------------
    def mark(self, key: str) -> None:
        """Note that a file is to go out; before it is written, so that none is forgotten."""
        mark = self._marks / _name(key)
        if not mark.exists():
            part = self._marks / f"{mark.name}.{uuid4().hex}"
            part.write_text(key)
            part.replace(mark)

    def outgoing(self) -> list[tuple[str, Path]]:
        """Key and path of the files that are to go out, oldest first; a mark without file ends."""
        found = []
        for mark in self._marks.iterdir():
            with suppress(FileNotFoundError):
                key = mark.read_text() if "." not in mark.name else ""
                if key:
                    found.append((mark.stat().st_mtime, key, self.path(key)))
        return [(key, path) for _at, key, path in sorted(found)]

    def carry(self, key: str) -> tuple[int, str] | None:
        """Bring one file to the store, unless it is there; its size and SHA-256.

        None where the file has gone meanwhile. Raises StoreAway, OSError.
        """
        path = self.path(key)
        try:
            size, sha256 = path.stat().st_size, _sum_of(path)
        except FileNotFoundError:
            return None
        if not self.store.holds(key, size=size, sha256=sha256):
            self.store.put_file(key, path, sha256)
        return size, sha256

    def carried(self, key: str) -> None:
        """Take the mark off: the store has the file, and its row says so."""
        self._unmark(key)

    def is_outgoing(self, key: str) -> bool:
        """Whether the file is still to go out."""
        return (self._marks / _name(key)).exists()

    def marked_for(self, key: str) -> float:
        """Seconds since the file was marked last; 0 where it is not."""
        with suppress(FileNotFoundError):
            return time.time() - (self._marks / _name(key)).stat().st_mtime
        return 0.0

    def evict(self, key: str) -> None:
        """Take the copy here away, unless it is the only one."""
        if not self.is_outgoing(key):
            super().delete(key)

    def here(self) -> Iterator[tuple[str, Path]]:
        """Key and path of every file that lies on this disk."""
        return super().everything()

    def _store(
        self, key: str, digest: str, head: bytes, data: Piece, *, lying: Lying | None = None
    ) -> Stored:
        if self.path(key).parts:  # no key leads out of the spool
            self.mark(key)
        return super()._store(key, digest, head, data, lying=lying)

    def _unmark(self, key: str) -> None:
        (self._marks / _name(key)).unlink(missing_ok=True)


def _name(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _sum_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while step := file.read(_STEP):
            digest.update(step)
    return digest.hexdigest()


__all__ = ["NotHereYet", "NotInSpool", "RemoteSpool"]

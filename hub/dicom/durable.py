"""In charge of files that are whole or not there, and that outlive a loss of power once written."""

import errno
import os
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

# EFBIG: a limit on the size of files is a lack of room too.
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
# A folder may be emptied and removed by another thread between making it and moving a file in.
_ATTEMPTS = 50
_MOST_REMEMBERED = 20_000


class SpoolFull(Exception):  # noqa: N818 (named by what failed)
    """There is no room for so many bytes; nothing of them is left behind."""

    def __init__(self, size: int) -> None:
        super().__init__(f"there is no room for {size} bytes")
        self.size = size


class DurableFiles:
    """Files below one root; safe to use from many threads and processes.

    Without `sync` a file is still whole or not there for other processes, but not after a loss of
    power.
    """

    def __init__(self, root: Path, *, parts: str, sync: bool) -> None:
        self._root = root
        self._parts = root / parts
        self._sync = sync
        # Folders that are known to be durable, so that each is synced once and not at every file.
        self._durable: set[Path] = set()
        # Patients' images: of nobody but the account of the hub.
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.make_folder(self._parts)

    def write(self, path: Path, *pieces: bytes | memoryview) -> None:
        """Write pieces, one after the other, as one file in one step; what is there is replaced.

        Makes the folders on the way. Raises SpoolFull, and OSError for all else that fails.
        """
        part = self._parts / f"{uuid4().hex}.part"
        try:
            with part.open("xb") as file:
                for piece in pieces:
                    file.write(piece)
                file.flush()
                if self._sync:
                    os.fsync(file.fileno())
            self._move(part, path)
        except OSError as error:
            with suppress(OSError):
                self.remove_empty_folders(path)
            if error.errno in _NO_ROOM:
                raise SpoolFull(sum(map(len, pieces))) from error
            raise
        finally:
            part.unlink(missing_ok=True)

    def confirm(self, path: Path) -> None:
        """Make durable what somebody else wrote, who may have died before it was."""
        if self._sync:
            with path.open("rb") as file:
                os.fsync(file.fileno())
            self.make_folder(path.parent)
            self._sync_folder(path.parent)

    def make_folder(self, folder: Path) -> None:
        """Make a folder below the root and those above it, each durable in the one above."""
        if folder == self._root or (folder in self._durable and folder.is_dir()):
            return
        for _ in range(_ATTEMPTS):
            self.make_folder(folder.parent)
            with suppress(FileNotFoundError):
                with suppress(FileExistsError):
                    folder.mkdir()
                # Also where it was there: whoever made it may not have come to this line yet.
                self._sync_folder(folder.parent)
                break
        if len(self._durable) >= _MOST_REMEMBERED:
            self._durable.clear()
        self._durable.add(folder)

    def remove_empty_folders(self, path: Path) -> None:
        """Remove the folders above a path that hold nothing, but for those just below the root."""
        for folder in path.parents:
            if folder.parent == self._root or folder == self._root:
                return
            self._durable.discard(folder)
            try:
                folder.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                return  # it holds something

    def _move(self, part: Path, path: Path) -> None:
        for attempt in range(_ATTEMPTS):
            self.make_folder(path.parent)
            try:
                part.replace(path)
                break
            except FileNotFoundError:
                if attempt == _ATTEMPTS - 1:
                    raise
        self._sync_folder(path.parent)

    def _sync_folder(self, folder: Path) -> None:
        if not self._sync:
            return
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

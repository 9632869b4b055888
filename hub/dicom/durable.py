"""In charge of files that are whole or not there, and that outlive a loss of power once written."""

import ctypes
import errno
import os
import time
from collections.abc import Callable
from contextlib import suppress
from io import BufferedReader
from itertools import count
from pathlib import Path
from secrets import token_hex
from typing import Any

from hub.dicom.streams import FileWindow, steps_of

Piece = bytes | bytearray | memoryview | FileWindow

# EFBIG: a limit on the size of files is a lack of room too.
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
# A folder may be emptied and removed by another thread between making it and moving a file in.
_ATTEMPTS = 50
_MOST_REMEMBERED = 20_000
_STEP = 1 << 20
_MOST_AT_ONCE = 8
_SYNCED_AT_ONCE = 64 << 20
_SYNC_FILE_RANGE_WRITE = 2
_AT_FDCWD, _RENAME_NOREPLACE = -100, 1
# What a file system or a kernel says that cannot move a file only where none is.
_CANNOT = frozenset({errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK})


class SpoolFull(Exception):  # noqa: N818 (named by what failed)
    """There is no room for so many bytes; nothing of them is left behind."""

    def __init__(self, size: int) -> None:
        super().__init__(f"there is no room for {size} bytes")
        self.size = size


class Part:
    """A file that is being written, and is nobody's yet."""

    def __init__(self, path: str, *, sync: bool) -> None:
        self.path = path
        self._sync = sync
        self._unsynced = 0
        self._is_kept = False
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)

    def write(self, *pieces: Piece) -> None:
        """Write pieces at the end, all in one call where they are small. Raises OSError."""
        views: list[memoryview] = []
        for piece in pieces:
            if not isinstance(piece, FileWindow) and len(piece) <= _STEP:
                views.append(memoryview(piece))
                continue
            for step in steps_of(piece, _STEP):
                views.append(step)
                if len(views) == _MOST_AT_ONCE:
                    self._write(views)
                    views = []
        self._write(views)

    def _write(self, views: list[memoryview]) -> None:
        rest = sum(map(len, views))
        self._unsynced += rest
        while rest:
            written = os.writev(self._descriptor, views)
            rest -= written
            while views and written >= len(views[0]):
                written -= len(views.pop(0))
            if written:
                views[0] = views[0][written:]
        if self._unsynced >= _SYNCED_AT_ONCE:
            # Otherwise its sender would wait for gigabytes to be synced after the last of them,
            # and nobody needs them in memory.
            self.sync()
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def begin_sync(self) -> bool:
        """Have what was written begin its way to disk, where sync() will be asked for.

        Gives whether the system does: Linux alone can (sync_file_range(2)). Nothing is durable by
        it, and nothing is lost where it does not.
        """
        if not self._sync or _sync_file_range is None:
            return False
        return _sync_file_range(self._descriptor, 0, 0, _SYNC_FILE_RANGE_WRITE) == 0

    def sync(self) -> None:
        """Make durable what was written, where that is wanted."""
        if self._sync:
            os.fsync(self._descriptor)
        self._unsynced = 0

    def open(self) -> BufferedReader:
        """Open what was written for reading; the caller closes it."""
        return open(self.path, "rb")

    def move(self, path: Path) -> bool:
        """Give it its name; whether none had it. Raises OSError.

        What has it may be somebody's who was told that it is kept: it gives way only to what is
        durable.
        """
        is_first = True
        try:
            _rename_where_none_is(self.path, path)
        except FileExistsError:
            is_first = False
            self.sync()
            os.replace(self.path, path)
        self._is_kept = True
        return is_first

    def take_back(self, path: Path, *, written_at: int) -> None:
        """Take its name away again, unless it is another's or somebody has confirmed it.

        Who confirms gives a file another time than that at which it was written, in ns.
        """
        with suppress(FileNotFoundError):
            # Away first: whoever comes now finds none, and writes it anew.
            os.rename(path, self.path)
            self._is_kept = False
            is_ours = os.path.samestat(os.stat(self.path), os.fstat(self._descriptor))
            if not is_ours or self.written_at() != written_at:
                with suppress(FileExistsError):
                    os.link(self.path, path)

    def written_at(self) -> int:
        """When it was written last, or confirmed; in nanoseconds."""
        return os.fstat(self._descriptor).st_mtime_ns

    def discard(self) -> None:
        """Take it away, unless it was kept. May be called twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            if not self._is_kept:
                with suppress(FileNotFoundError):
                    os.unlink(self.path)


class DurableFiles:
    """Files below one root; safe to use from many threads and processes.

    Without `sync` a file is still whole or not there for other processes, but not after a loss of
    power.
    """

    def __init__(self, root: Path, *, parts: str, sync: bool) -> None:
        self._root = root
        self._parts = root / parts
        self._sync = sync
        # No two processes have the same, nor two that follow one another.
        self._named, self._numbers = token_hex(16), count()
        # Folders that are known to be durable, so that each is synced once and not at every file.
        self._durable: set[Path] = set()
        # Patients' images: of nobody but the account of the hub.
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.make_folder(self._parts)

    def write(self, path: Path, *pieces: Piece) -> None:
        """Write pieces, one after the other, as one file in one step; what is there is replaced.

        Makes the folders on the way. Raises SpoolFull, and OSError for all else that fails.
        """
        part = self.open_part()
        try:
            part.write(*pieces)
            self.keep(part, path)
        except OSError as error:
            if error.errno in NO_ROOM:
                raise SpoolFull(sum(map(len, pieces))) from error
            raise
        finally:
            part.discard()

    def open_part(self) -> Part:
        """Open an empty file that has no place yet. Raises OSError."""
        name = f"{self._parts}/{self._named}-{os.getpid()}-{next(self._numbers)}.part"
        return Part(name, sync=self._sync)

    def keep(self, part: Part, path: Path) -> None:
        """Give a part its place, in one step, and make it durable there; see ADR 20.

        The name is given first: a journal then takes it to disk together with the content.
        """
        try:
            written_at = part.written_at()
            is_first = self._move(part, path)
            try:
                part.sync()
                self._sync_folder(path.parent)
            except OSError:
                # The system may call it written when it is asked again.
                if is_first:
                    part.take_back(path, written_at=written_at)
                raise
        except OSError:
            with suppress(OSError):
                self.remove_empty_folders(path)
            raise

    def confirm(self, path: Path) -> None:
        """Make durable what somebody else wrote, who may have died before it was.

        It has another time then, by which who wrote it learns of this. Raises FileNotFoundError
        where it is no longer there.
        """
        if self._sync:
            with path.open("rb") as file:
                os.fsync(file.fileno())
            self.make_folder(path.parent)
            self._sync_folder(path.parent)
        now = time.time_ns()
        os.utime(path, ns=(now, now))

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

    def _move(self, part: Part, path: Path) -> bool:
        folder = path.parent
        for _ in range(_ATTEMPTS - 1):
            if folder not in self._durable:
                self.make_folder(folder)
            try:
                return part.move(path)
            except FileNotFoundError:
                self._durable.discard(folder)
        self.make_folder(folder)
        return part.move(path)

    def _sync_folder(self, folder: Path) -> None:
        if not self._sync:
            return
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _rename_where_none_is(source: str, target: Path) -> None:
    """Give a file another name, unless that one is taken. Raises FileExistsError, OSError."""
    if _renameat2 is not None:
        names = os.fsencode(source), os.fsencode(target)
        if not _renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_NOREPLACE):
            return
        code = ctypes.get_errno()
        if code not in _CANNOT:
            raise OSError(code, os.strerror(code), source, None, str(target))
    try:
        os.link(source, target)
    except OSError as fault:
        if fault.errno not in _CANNOT:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from fault
        os.rename(source, target)
    else:
        os.unlink(source)


def _of_linux(name: str, *types: type[Any]) -> Callable[..., int] | None:
    call = getattr(ctypes.CDLL(None, use_errno=True), name, None)
    if call is not None:
        call.argtypes = types
    return call


_sync_file_range = _of_linux(
    "sync_file_range", ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint
)
_renameat2 = _of_linux(
    "renameat2", ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint
)

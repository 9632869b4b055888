"""In charge of where instances lie: nothing else knows a path, everything else knows a key."""

import hashlib
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from io import BufferedReader
from pathlib import Path
from uuid import uuid4

from hub.dicom import digests
from hub.dicom.durable import DurableFiles, Part, Piece, SpoolFull
from hub.dicom.file_meta import FileMeta, read_file_meta, write_file_meta
from hub.dicom.headers import Header, read_header
from hub.dicom.received import Lying, ReceivedInstance
from hub.dicom.streams import FileWindow
from hub.passing import is_scarcity

__all__ = ["NotInSpool", "Spool", "SpoolFull", "Spooled", "Stored", "is_place_of"]

_AREAS = _INSTANCES, _OBJECTS, _QUARANTINE = "instances", "objects", "quarantine"
_PARTS = "parts"
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")
_KEY_SEGMENT = re.compile(r"[a-z0-9][a-z0-9_.-]{0,127}")
_INSTANCE_NAME = re.compile(rf"[0-9a-f]{{16}}-({digests.PATTERN})\.dcm")
_STALE_AFTER = timedelta(hours=1)
# A year's studies are more than these; a day's series are not.
_MOST_FOLDERS = 4096
# No disk takes as much in this time.
_MOMENT, _MUCH = 0.1, 4 << 30


class NotInSpool(LookupError):  # noqa: N818 (named by what failed)
    """There is nothing under this key, or it is no key of a spool."""

    def __init__(self, key: str) -> None:
        super().__init__(f"there is nothing in the spool under {key!r}")
        self.key = key


@dataclass(frozen=True, slots=True)
class Stored:
    """What was put: its key (at most 255 characters of ASCII), digest of its content (of what the
    hub made itself the hexadecimal SHA-256 of all of it), and size of the file in bytes. `is_new`
    is False where the same content was there already.
    """

    key: str
    digest: str
    size: int
    is_new: bool


@dataclass(frozen=True, slots=True)
class Spooled:
    """What a file of an instance says about itself, so that a lost row can be written again."""

    key: str
    site: str
    digest: str
    size: int
    calling_ae_title: str
    transfer_syntax_uid: str
    stored_at: datetime


class Spool:
    """Files below one root, on one file system; safe to use from many threads and processes.

    With `sync` (the default) whatever a call returned outlives a loss of power. Every put raises
    SpoolFull, with nothing left behind, when it would leave less than `minimum_free_bytes`.
    """

    def __init__(self, root: Path, minimum_free_bytes: int, *, sync: bool = True) -> None:
        self._root = root.absolute()
        self._minimum_free_bytes = minimum_free_bytes
        self._files = DurableFiles(self._root, parts=_PARTS, sync=sync)
        self._free, self._counted_until = 0, 0.0
        # Of series that something was asked of lately: to make a path takes longer than to open it.
        self._folders: dict[str, Path] = {}
        for area in _AREAS:
            self._files.make_folder(self._root / area)

    @property
    def root(self) -> Path:
        """The folder of all of it."""
        return self._root

    def put(self, *, site: str, received: ReceivedInstance, header: Header | None = None) -> Stored:
        """Write one received instance as a Part 10 file (PS3.10 7), its data set byte for byte.

        The key follows from site, Study, Series and SOP Instance UID, and content: the same again
        is the same file, other content of the same UID lies beside it. `header` spares reading it
        once more. Raises SpoolFull, UnreadableDataset, and ValueError for a site that is no slug.
        """
        if not _SLUG.fullmatch(site):
            raise ValueError("the code of a site must be a slug")
        header = header or read_header(received.dataset, received.transfer_syntax_uid)
        digest = received.digest or digests.content_digest(
            received.transfer_syntax_uid, received.dataset
        )
        meta = write_file_meta(
            sop_class_uid=header.instance.sop_class_uid or received.sop_class_uid,
            sop_instance_uid=header.instance.sop_instance_uid,
            transfer_syntax_uid=received.transfer_syntax_uid,
            calling_ae_title=received.calling_ae_title,
        )
        key = _instance_key(site, header, digest)
        return self._store(key, digest, meta, received.dataset, lying=received.lying)

    def put_file(self, data: Piece, *, prefix: str, suffix: str) -> Stored:
        """Write what the hub itself made, under a key that follows from `prefix` and content.

        `prefix` is made of segments with slashes between them; a segment that is no slug is
        hashed. `suffix` is as in `set_aside`. Raises SpoolFull.
        """
        sha256 = digests.sha256(data)
        folders = [_safe(segment) for segment in prefix.split("/") if segment]
        key = "/".join((_OBJECTS, *folders, f"{sha256}{_safe_suffix(suffix)}"))
        return self._store(key, sha256, b"", data)

    def set_aside(
        self,
        data: Piece,
        *,
        reason: str,
        suffix: str,
        details: Mapping[str, str] | None = None,
    ) -> str:
        """Keep input that cannot be taken in, with a .json beside it that says why and when.

        Each call makes a new pair, whatever was set aside before. `suffix` is like .dcm; what is
        not is .bin. `details` (peer, transfer syntax ...) goes into the .json. Raises SpoolFull.
        """
        now = datetime.now(UTC)
        base = f"{_QUARANTINE}/{now:%Y%m%d}/{now:%H%M%S}-{uuid4().hex}"
        # .json is for the note, which must not take the place of what it is about.
        key = base + (".bin" if suffix == ".json" else _safe_suffix(suffix))
        sha256 = digests.sha256(data)
        note = {
            "reason": reason,
            "set_aside_at": now.isoformat(),
            "size": len(data),
            "sha256": sha256,
            "details": dict(details or {}),
        }
        self._store(key, sha256, b"", data)
        text = json.dumps(note, ensure_ascii=True, indent=2).encode()
        self._store(f"{base}.json", sha256, b"", text)
        return key

    def path(self, key: str) -> Path:
        """Give the path of a key for somebody who needs a file; it need not exist.

        Raises NotInSpool for what is no key: no key leads out of the spool.
        """
        folder, _, name = key.rpartition("/")
        known = self._folders.get(folder)
        if known is None:
            segments = folder.split("/")
            if segments[0] not in _AREAS or not all(map(_KEY_SEGMENT.fullmatch, segments)):
                raise NotInSpool(key)
            if len(self._folders) >= _MOST_FOLDERS:
                self._folders.clear()
            known = self._folders[folder] = self._root.joinpath(*segments)
        if not _KEY_SEGMENT.fullmatch(name):
            raise NotInSpool(key)
        return known / name

    def fetched(self, key: str) -> Path:
        """Give the path of a key for somebody who reads the file, which is there if it is at all.

        Raises NotInSpool for what is no key.
        """
        return self.path(key)

    def open(self, key: str) -> BufferedReader:
        """Open a file for reading in binary; the caller closes it. Raises NotInSpool."""
        try:
            return self.fetched(key).open("rb")
        except (FileNotFoundError, IsADirectoryError) as error:
            raise NotInSpool(key) from error

    def delete(self, key: str) -> None:
        """Take a file away, and the folders it leaves empty. What is not there is no error."""
        path = self.path(key)
        path.unlink(missing_ok=True)
        self._files.remove_empty_folders(path)

    def discard(self, key: str, *, untouched: timedelta) -> bool:
        """Delete a file that no row refers to, unless somebody put it again lately.

        Gives False, with the file where it was, where it was put within ``untouched``: whoever did
        may be about to write its row. What is not there is no error.
        """
        path = self.path(key)
        aside = self._root / _PARTS / f"{uuid4().hex}.part"
        try:
            # Away first: whoever puts it now finds none, and writes it anew.
            path.rename(aside)
        except FileNotFoundError:
            return True
        if aside.stat().st_mtime > (datetime.now(UTC) - untouched).timestamp():
            with suppress(FileExistsError):
                path.hardlink_to(aside)
            aside.unlink()
            return False
        aside.unlink()
        self._files.remove_empty_folders(path)
        return True

    def walk(self) -> Iterator[str]:
        """Give the keys of all instances, for the scan at start-up; the order means nothing.

        Raises OSError where the system lets nobody look now; what is broken is passed over.
        """
        for folder, _, names in os.walk(self._root / _INSTANCES, onerror=_raise_if_scarce):
            base = Path(folder).relative_to(self._root).as_posix()
            yield from (f"{base}/{name}" for name in names if _INSTANCE_NAME.fullmatch(name))

    def everything(self) -> Iterator[tuple[str, Path]]:
        """Give key and path of every file that is whole, ordered by the segments of the keys.

        What comes or goes meanwhile may be given or not.
        """
        for area in _AREAS:
            yield from _files_below(self._root / area, area)

    def is_empty(self) -> bool:
        """Say whether there is no file at all, whole or not. Raises OSError."""
        found = os.walk(self._root, onerror=_raise_unless_gone)
        return not any(names for _folder, _folders, names in found)

    def describe(self, key: str) -> Spooled:
        """Tell what key and file of an instance say about site, sender and content.

        Raises NotInSpool, also for what is not the key of an instance, and for a file that has not
        the content of its name: a loss of power came before it was whole, and before any answer.
        """
        segments = key.split("/")
        name = _INSTANCE_NAME.fullmatch(segments[-1])
        if segments[0] != _INSTANCES or name is None:
            raise NotInSpool(key)
        with self.open(key) as file:
            meta: FileMeta = read_file_meta(file)
            status = os.fstat(file.fileno())
            dataset = FileWindow(file, meta.data_offset)
            if not digests.is_of_content(name[1], meta.transfer_syntax_uid, dataset):
                raise NotInSpool(key)
        return Spooled(
            key=key,
            site=segments[1],
            digest=name[1],
            size=status.st_size,
            calling_ae_title=meta.source_application_entity_title,
            transfer_syntax_uid=meta.transfer_syntax_uid,
            stored_at=datetime.fromtimestamp(status.st_mtime, UTC),
        )

    def has_content(self, key: str, digest: str) -> bool:
        """Say whether a file of an instance has the content of a digest, of whichever kind.

        Raises NotInSpool.
        """
        with self.open(key) as file:
            meta = read_file_meta(file)
            dataset = FileWindow(file, meta.data_offset)
            return digests.is_of_content(digest, meta.transfer_syntax_uid, dataset)

    def sweep(self) -> int:
        """Remove what interrupted writes left more than an hour ago; give how many files."""
        stale_before = (datetime.now(UTC) - _STALE_AFTER).timestamp()
        removed = 0
        for part in (self._root / _PARTS).glob("*.part"):
            try:
                if part.stat().st_mtime < stale_before:
                    part.unlink()
                    removed += 1
            except FileNotFoundError:
                continue  # finished, or swept by another process
        return removed

    def open_part(self) -> Part:
        """Open a file for a data set that is still arriving. Raises OSError."""
        return self._files.open_part()

    def free_bytes(self) -> int:
        """Give the bytes left on the file system above the floor, never less than 0.

        While there is much more than a moment can fill, they are counted anew every moment.
        """
        now = time.monotonic()
        if now > self._counted_until:
            status = os.statvfs(self._root)
            self._free = max(status.f_bavail * status.f_frsize - self._minimum_free_bytes, 0)
            self._counted_until = now + _MOMENT if self._free > _MUCH else 0.0
        return self._free

    def _store(
        self, key: str, digest: str, head: bytes, data: Piece, *, lying: Lying | None = None
    ) -> Stored:
        path, size = self.path(key), len(head) + len(data)
        # Mostly it is not there; an exception takes longer.
        is_there = os.access(path, os.F_OK)
        if is_there and _holds(path, digest, size=len(data), has_meta=bool(head)):
            with suppress(FileNotFoundError):  # discarded at this moment: it is written anew
                self._files.confirm(path)
                there = path.stat().st_size
                return Stored(key=key, digest=digest, size=there, is_new=False)
        if lying is not None and head == lying.file_meta:
            # Its room is taken.
            self._files.keep(lying.part, path)
        elif size > self.free_bytes():
            raise SpoolFull(size)
        else:
            self._files.write(path, head, data)
        return Stored(key=key, digest=digest, size=size, is_new=True)


def _holds(path: Path, digest: str, *, size: int, has_meta: bool) -> bool:
    """Say whether a file is there with this content, after its file meta if it has one.

    A loss of power may have left the name and not the content, or not all of it. The file meta may
    be longer or shorter than ours would be, for another sender.
    """
    try:
        with path.open("rb") as file:
            meta = read_file_meta(file) if has_meta else None
            content = FileWindow(file, meta.data_offset if meta else 0)
            if len(content) != size:
                return False
            if meta is None:
                return digests.sha256(content) == digest
            return digests.is_of_content(digest, meta.transfer_syntax_uid, content)
    except FileNotFoundError:
        return False


def _raise_if_scarce(fault: OSError) -> None:
    if is_scarcity(fault):
        raise fault


def _raise_unless_gone(fault: OSError) -> None:
    if not isinstance(fault, FileNotFoundError):
        raise fault


def _files_below(folder: Path, key: str) -> Iterator[tuple[str, Path]]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except FileNotFoundError:
        return  # the last file in it has gone meanwhile
    for entry in entries:
        below = f"{key}/{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            yield from _files_below(folder / entry.name, below)
        elif entry.is_file(follow_symlinks=False):
            yield below, folder / entry.name


def is_place_of(key: str, *, site: str, header: Header) -> bool:
    """Say whether this is the key of an instance of this site, study and series."""
    study, series = header.study.study_instance_uid, header.series.series_instance_uid
    return key.rpartition("/")[0] == _folder_of_series(site, study, series)


def _instance_key(site: str, header: Header, digest: str) -> str:
    study, series = header.study.study_instance_uid, header.series.series_instance_uid
    instance = _hashed(header.instance.sop_instance_uid)
    return f"{_folder_of_series(site, study, series)}/{instance}-{digest}.dcm"


@lru_cache(maxsize=1024)
def _folder_of_series(site: str, study_instance_uid: str, series_instance_uid: str) -> str:
    # UIDs are what somebody sent: hashed, they are neither a path nor a way to crowd one folder.
    study, series = _hashed(study_instance_uid), _hashed(series_instance_uid)
    return f"{_INSTANCES}/{site}/{study[:2]}/{study}/{series}"


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def _safe(segment: str) -> str:
    return segment if _SLUG.fullmatch(segment) else _hashed(segment)


def _safe_suffix(suffix: str) -> str:
    return suffix if _SUFFIX.fullmatch(suffix) else ".bin"

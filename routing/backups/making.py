"""Makes a backup while the hub runs: the database first, then the files its rows refer to.

A file is in the spool before its row is committed, and never changes; so all that the rows of the
copy refer to is there when the files are copied. Only deletion could take it away, and retention
deletes no file while a backup is made (ADR 26). What a file has and no row is taken in after a
restore, as after a crash.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import structlog
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from hub import audit
from hub.dicom.spool import NotInSpool, Spool
from hub.dumping import FILE_NAMES, DumpFailed, Moment, moment
from routing.backups import manifest
from routing.backups.manifest import FILES, MISSING, REFERRED, SPOOL, BackupRefused, Entry, Manifest
from routing.exclusion import Busy, alone
from routing.models import Arrived, Instance, Result, SetAside
from routing.places import spool

log = structlog.get_logger(__name__)

_PARTIAL = ".partial"
_STEP = 1 << 20
# seconds; whoever deletes files holds the lock for one batch at a time
_PATIENCE = 30.0
_HOLDERS = (Arrived, Instance, SetAside, Result)


@dataclass(frozen=True, slots=True)
class Made:
    """A whole backup, and how many of its files (and bytes) were new since the one before."""

    folder: Path
    manifest: Manifest
    copied: int
    copied_size: int


def make(root: Path, *, is_full: bool = False, actor: str) -> Made:
    """Make a whole backup below ``root``, or none. Raises BackupRefused.

    What has not changed since the newest one there is a hard link to its copy, unless ``is_full``.
    """
    _must_lie_outside(root)
    try:
        with alone(patience=_PATIENCE):
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            for left in root.glob(f"*{_PARTIAL}"):
                shutil.rmtree(left)
            made = _Making(root, is_full=is_full).make()
    except Busy as fault:
        text = "another backup is being made; there is no second one"
        raise BackupRefused(text) from fault
    except DumpFailed as fault:
        raise BackupRefused(f"the database could not be copied: {fault}") from fault
    except OSError as fault:
        text = f"{fault.filename or root}: {fault.strerror}; there is no backup"
        raise BackupRefused(text) from fault
    told = made.manifest
    audit.record(
        "backup.made", actor=actor, subject=told.name, files=told.files, bytes=told.size,
        missing=told.missing,
    )  # fmt: skip
    return made


def remove_older(root: Path, *, keep: int) -> list[Path]:
    """Remove all whole backups but the newest ``keep``; which."""
    old = manifest.whole_ones(root)[keep:]
    for folder in old:
        # Half of a backup must not look like one, should this be interrupted.
        gone = folder.with_name(f"{folder.name}{_PARTIAL}")
        folder.rename(gone)
        shutil.rmtree(gone)
    return old


class _Making:
    def __init__(self, root: Path, *, is_full: bool) -> None:
        now = timezone.now()
        self._made_at = now.isoformat()
        self._name = f"{now:%Y%m%dT%H%M%SZ}"
        self._root = root
        self._folder = root / f"{self._name}{_PARTIAL}"
        self._before = None if is_full else _newest(root)
        self._copied = self._copied_size = self._files = self._size = 0
        self._damaged: set[str] = set()

    def make(self) -> Made:
        if (self._root / self._name).exists():
            raise BackupRefused(f"{self._root / self._name}: it was made in this very second")
        # Patients' images and records: of nobody but the account of the hub.
        self._folder.mkdir(mode=0o700)
        database = self._folder / FILE_NAMES[connection.vendor]
        with moment() as held:
            held.write(database)
            migrations = _migrations(held)
            referred = _write_referred(held, self._folder / REFERRED)
        with (self._folder / FILES).open("w", encoding="ascii") as lines:
            self._copy_all(spool(), lines)
        missing = self._write_missing()
        told = Manifest(
            name=self._name, made_at=self._made_at, vendor=connection.vendor,
            migrations=migrations, files=self._files, size=self._size, referred=referred,
            missing=missing, sums={
                name: manifest.sha256_of(self._folder / name)
                for name in (database.name, FILES, REFERRED, MISSING)
            },
        )  # fmt: skip
        # All of it is on disk before it says that it is whole, and that before it has its name.
        os.sync()
        manifest.write(self._folder, told)
        os.sync()
        whole = self._folder.rename(self._root / self._name)
        os.sync()
        return Made(whole, told, self._copied, self._copied_size)

    def _copy_all(self, source: Spool, lines: TextIO) -> None:
        target = Spool(self._folder / SPOOL, 0, sync=False)
        before = _Before(self._before)
        for key, path in source.everything():
            try:
                entry = self._link(before.entry(key), path) or self._copy(key, path, target)
            except FileNotFoundError:
                continue  # it went meanwhile: no row of the copy can refer to it
            lines.write(f"{entry.sha256} {entry.size} {entry.key}\n")
            self._files += 1
            self._size += entry.size

    def _link(self, before: Entry | None, path: Path) -> Entry | None:
        """Take the copy of the backup before, where it has one and a link can be made."""
        if before is None or self._before is None or path.stat().st_size != before.size:
            return None
        linked, target = (one / SPOOL / before.key for one in (self._before, self._folder))
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            if linked.stat().st_size != before.size:
                return None
            os.link(linked, target)
        except OSError:
            return None  # gone, or more links than the file system allows
        return before

    def _copy(self, key: str, path: Path, target: Spool) -> Entry:
        digest, size, copy = hashlib.sha256(), 0, target.path(key)
        with path.open("rb") as file:
            copy.parent.mkdir(parents=True, exist_ok=True)
            with copy.open("xb") as written:
                while step := file.read(_STEP):
                    digest.update(step)
                    size += written.write(step)
            moments = os.fstat(file.fileno())
        os.utime(copy, ns=(moments.st_atime_ns, moments.st_mtime_ns))
        self._copied += 1
        self._copied_size += size
        if key.startswith("instances/") and not _is_sound(target, key):
            self._damaged.add(key)
        return Entry(key, digest.hexdigest(), size)

    def _write_missing(self) -> int:
        """Look for the file of each row of the copy; how many are not there, or damaged."""
        count = 0
        with (self._folder / MISSING).open("w", encoding="ascii") as lines:
            for key in manifest.keys(self._folder / REFERRED):
                if key in self._damaged or not (self._folder / SPOOL / key).is_file():
                    lines.write(f"{key}\n")
                    count += 1
        return count


class _Before:
    """The files of the backup before, asked for in the order in which they stand there."""

    def __init__(self, folder: Path | None) -> None:
        self._entries: Iterator[Entry] = manifest.entries(folder) if folder else iter(())
        self._missing = set(manifest.keys(folder / MISSING)) if folder else set()
        self._next = next(self._entries, None)

    def entry(self, key: str) -> Entry | None:
        """What it has under a key, but for what was damaged; keys must be asked for in order."""
        wanted = key.split("/")
        while self._next is not None and self._next.key.split("/") < wanted:
            self._next = next(self._entries, None)
        if self._next is None or self._next.key != key or key in self._missing:
            return None
        return self._next


def _newest(root: Path) -> Path | None:
    """The newest whole backup whose lists are as they were written."""
    for folder in manifest.whole_ones(root):
        with suppress(BackupRefused, OSError):
            sums = manifest.read(folder)[0].sums
            if all(manifest.sha256_of(folder / name) == sums[name] for name in (FILES, MISSING)):
                return folder
        log.warning("backup.not_built_upon", backup=folder.name)
    return None


def _migrations(held: Moment) -> list[str]:
    table = MigrationRecorder.Migration._meta.db_table
    rows = held.rows(f"SELECT app, name FROM {table} ORDER BY app, name")  # nosec B608 (a name)
    return [f"{app}.{name}" for app, name in rows]


def _write_referred(held: Moment, path: Path) -> int:
    """Write the keys that rows refer to; how many."""
    count = 0
    with path.open("w", encoding="ascii") as lines:
        for model in _HOLDERS:
            table = model._meta.db_table
            for (key,) in held.rows(f"SELECT key FROM {table} WHERE key <> ''"):  # nosec B608
                lines.write(f"{key}\n")
                count += 1
    return count


def _is_sound(target: Spool, key: str) -> bool:
    """Whether the content of an instance is what its name says."""
    try:
        target.describe(key)
    except (NotInSpool, ValueError, OSError):
        return False
    return True


def _must_lie_outside(root: Path) -> None:
    inside = spool().root
    if inside in (root.absolute(), *root.absolute().parents):
        raise BackupRefused(f"{root}: it lies in the spool that is to be backed up")

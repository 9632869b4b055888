"""Puts a backup back in an empty place; the hub that is started there then carries on.

The files come first and the database last, as one change: a place that is half restored has no
database, and is refused as not empty.
"""

from __future__ import annotations

import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path

from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone

from hub import audit
from hub.dicom.remote_spool import RemoteSpool
from hub.dumping import FILE_NAMES, DumpFailed, is_empty, put_back
from routing.backups import manifest
from routing.backups.manifest import REFERRED, SPOOL, BackupRefused, Entry, Manifest
from routing.backups.verifying import verify
from routing.models import Kept
from routing.places import spool

_STEP = 1 << 20
_BATCH, _AT_ONCE = 500, 8


def restore(folder: Path, *, accept_another_key: bool = False, actor: str) -> Manifest:
    """Make database and spool what they were when the backup was made. Raises BackupRefused.

    Refused before anything is written: a place that is not empty, a backup that is not whole or
    not sound, one of another kind of database, of a newer version, or of another key.
    """
    reasons = list(_obstacles())
    if reasons:
        raise BackupRefused(*reasons)
    _must_fit(folder, manifest.read(folder)[0])
    told = verify(folder, accept_another_key=accept_another_key)
    referred = _referred(folder)
    try:
        _put_files_back(folder, referred)
        put_back(folder / FILE_NAMES[told.vendor])
    except (DumpFailed, OSError) as fault:
        raise BackupRefused(
            f"{fault}", "the place is half restored: empty it before you try again"
        ) from fault
    # What an older version left, brought up to this one before anything is written.
    call_command("migrate", verbosity=0, interactive=False)
    _note_what_was_brought(folder, referred)
    audit.record("backup.restored", actor=actor, subject=told.name, made_at=told.made_at)
    return told


def _obstacles() -> list[str]:
    found = []
    if not is_empty():
        found.append("the database is not empty (HUB_DATABASE_URL): restore into a new one")
    if not spool().is_empty():
        found.append(f"{spool().root} is not empty (HUB_STORAGE_URL): restore into a new folder")
    return found


def _must_fit(folder: Path, told: Manifest) -> None:
    if told.vendor != connection.vendor:
        raise BackupRefused(
            f"{folder}: it is of {told.vendor}, and HUB_DATABASE_URL names {connection.vendor}"
        )
    known = MigrationLoader(None, ignore_no_migrations=True).disk_migrations
    named = {f"{app}.{name}" for app, name in known}
    if unknown := sorted(set(told.migrations) - named):
        raise BackupRefused(
            f"{folder}: it was made by a newer version, which has {unknown[0]}; restore with that"
        )


def _referred(folder: Path) -> set[int]:
    # Only whether a key is among them is asked: a number for each is enough, and has room.
    return {hash(key) for key in manifest.keys(folder / REFERRED)}


def _put_files_back(folder: Path, referred: set[int]) -> None:
    """Lay all files into the spool, each held against its sum once more, and made durable.

    What belongs in an object store is brought there at once, and needs no room on this disk.
    """
    place, now, entries = spool(), time.time_ns(), manifest.entries(folder)
    while batch := list(islice(entries, _BATCH)):
        there = [one for one in batch if _belongs_in_store(one, referred)]
        if isinstance(place, RemoteSpool):
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                list(pool.map(partial(_bring, place, folder), there))
            batch = [one for one in batch if not _belongs_in_store(one, referred)]
        for entry in batch:
            target = place.path(entry.key)
            target.parent.mkdir(parents=True, exist_ok=True)
            moment = _copy(folder / SPOOL / entry.key, target, entry)
            # The scan at start-up takes in what has no row, and looks back two days.
            at = moment if hash(entry.key) in referred else now
            os.utime(target, ns=(at, at))
    os.sync()


def _belongs_in_store(entry: Entry, referred: set[int]) -> bool:
    """Whatever the scan at start-up, which looks at this disk alone, need not take in."""
    return hash(entry.key) in referred or not entry.key.startswith("instances/")


def _bring(place: RemoteSpool, folder: Path, entry: Entry) -> None:
    place.store.put_file(entry.key, folder / SPOOL / entry.key, entry.sha256)


def _note_what_was_brought(folder: Path, referred: set[int]) -> None:
    """Rows of the store that was backed up say nothing of this one."""
    Kept.objects.all().delete()
    if not isinstance(spool(), RemoteSpool):
        return
    now = timezone.now()
    rows = (
        Kept(key=one.key, size=one.size, sha256=one.sha256, noticed_at=now, stored_at=now)
        for one in manifest.entries(folder)
        if _belongs_in_store(one, referred)
    )
    while batch := list(islice(rows, _BATCH)):
        Kept.objects.bulk_create(batch)


def _copy(source: Path, target: Path, entry: Entry) -> int:
    """Copy one file; when it was written, in nanoseconds of the epoch."""
    digest = hashlib.sha256()
    with source.open("rb") as file, target.open("xb") as copy:
        while step := file.read(_STEP):
            digest.update(step)
            copy.write(step)
        moment = os.fstat(file.fileno()).st_mtime_ns
    if digest.hexdigest() != entry.sha256:
        raise OSError(None, f"{source}: its content is not what was backed up")
    return moment

"""Looks whether a backup is what it says of itself, file by file; changes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from hub.dumping import FILE_NAMES, fault_of
from routing.backups import manifest
from routing.backups.manifest import FILES, MISSING, REFERRED, SPOOL, BackupRefused, Manifest


def verify(folder: Path, *, accept_another_key: bool = False) -> Manifest:
    """Read all of a backup and hold it against its sums. Raises BackupRefused, with every reason.

    A seal that is not of the hub's key is a reason too, unless ``accept_another_key``.
    """
    told, has_own_key = manifest.read(folder)
    if not (has_own_key or accept_another_key):
        raise BackupRefused(
            f"{folder}: it was made under another HUB_SECRET_KEY, or somebody changed it; studies"
            " counted under that key would be billed anew: put that key in place first"
        )
    reasons = list(_of_lists(folder, told))
    if not reasons:  # else nobody knows what should be there
        reasons = [*_of_files(folder, told), *_of_rows(folder)]
    if reasons:
        raise BackupRefused(*reasons)
    return told


def _of_lists(folder: Path, told: Manifest) -> Iterator[str]:
    database = FILE_NAMES.get(told.vendor, "")
    if set(told.sums) != {database, FILES, REFERRED, MISSING}:
        yield f"{folder}: its manifest names other parts than a backup has"
        return
    for name, total in told.sums.items():
        path = folder / name
        if not path.is_file():
            yield f"{path}: it is missing"
        elif manifest.sha256_of(path) != total:
            yield f"{path}: its content is not what was backed up"
        elif name == database and (fault := fault_of(path)):
            yield f"{path}: it cannot be read: {fault}"


def _of_files(folder: Path, told: Manifest) -> Iterator[str]:
    count = 0
    for entry in manifest.entries(folder):
        count += 1
        path = folder / SPOOL / entry.key
        try:
            if path.stat().st_size != entry.size or manifest.sha256_of(path) != entry.sha256:
                yield f"{path}: its content is not what was backed up"
        except FileNotFoundError:
            yield f"{path}: it is missing"
    if count != told.files:
        yield f"{folder / FILES}: expected {told.files} files, found {count}"
    there = sum(len(names) for _folder, _folders, names in os.walk(folder / SPOOL))
    if there > count:
        yield f"{folder / SPOOL}: there are {there - count} files that were not backed up"


def _of_rows(folder: Path) -> Iterator[str]:
    """Each key that a row refers to is there, unless it was told as missing when it was made."""
    missing = set(manifest.keys(folder / MISSING))
    for key in manifest.keys(folder / REFERRED):
        if key not in missing and not (folder / SPOOL / key).is_file():
            yield f"{folder / SPOOL / key}: it is missing, and a row of the database refers to it"

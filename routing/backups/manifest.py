"""What a backup says of itself, written last: with it a backup is whole, without it there is none.

    NAME/manifest.json           Manifest, with a sum over itself and a seal made with the hub's key
    NAME/database.sqlite3|dump   the database
    NAME/files.txt               SHA-256, size in bytes and key of each file, in order of the keys
    NAME/referred.txt            the keys that rows of the database refer to
    NAME/missing.txt             those of them that were not in the spool, or damaged, already
    NAME/spool/KEY               the files
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac

from hub.keys import Key, known

FORMAT = 1
FILES, REFERRED, MISSING, SPOOL = "files.txt", "referred.txt", "missing.txt", "spool"
_MANIFEST = "manifest.json"
_SALT = "routing.backups.manifest.seal"
_NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_LINE = re.compile(r"([0-9a-f]{64}) ([0-9]+) (\S+)")
_STEP = 1 << 20


class BackupRefused(Exception):  # noqa: N818 (named by what failed)
    """It is no whole backup, or not one for here; each reason is a sentence."""

    def __init__(self, *reasons: str) -> None:
        super().__init__("\n".join(reasons))
        self.reasons = reasons


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of files.txt."""

    key: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is in the folder; ``sums`` is SHA-256 by name, of the database and of the lists.

    ``migrations`` are those of the tables, such as hub.0001_initial; ``size`` is in bytes, of all
    files of the spool.
    """

    name: str
    made_at: str
    vendor: str
    migrations: list[str]
    sums: dict[str, str]
    files: int
    size: int
    referred: int
    missing: int


def write(folder: Path, manifest: Manifest) -> None:
    """Write the manifest of a folder that has all else; the caller makes it durable."""
    said = {"format": FORMAT, **asdict(manifest)}
    text = _canonical(said)
    said |= {"sum": hashlib.sha256(text).hexdigest(), "seal": _seal(text, settings.SECRET_KEY)}
    (folder / _MANIFEST).write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")


def read(folder: Path) -> tuple[Manifest, bool]:
    """The manifest, and whether it was made with the hub's own key. Raises BackupRefused."""
    path = folder / _MANIFEST
    try:
        said = json.loads(path.read_bytes())
        if said.get("format") != FORMAT:
            text = f"{path}: expected format {FORMAT}, found {said.get('format')}"
            raise BackupRefused(f"{text}: it was made by another version")
        total, seal = said.pop("sum"), said.pop("seal")
        if hashlib.sha256(_canonical(said)).hexdigest() != total:
            raise BackupRefused(f"{path}: it was changed or damaged after it was written")
        content = _canonical(said)
        has_own_key = any(constant_time_compare(seal, _seal(content, key)) for key in known())
        del said["format"]
        return Manifest(**said), has_own_key
    except FileNotFoundError as fault:
        text = f"{folder}: it is no whole backup, for it has no {_MANIFEST}"
        raise BackupRefused(text) from fault
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise BackupRefused(f"{path}: it cannot be read: {fault!r}") from fault


def whole_ones(root: Path) -> list[Path]:
    """The backups in a folder that are whole, the newest first."""
    named = [path for path in root.glob("*") if _NAME.fullmatch(path.name)]
    return sorted((path for path in named if (path / _MANIFEST).is_file()), reverse=True)


def entries(folder: Path) -> Iterator[Entry]:
    """The lines of files.txt. Raises BackupRefused."""
    with (folder / FILES).open(encoding="ascii") as lines:
        for line in lines:
            found = _LINE.fullmatch(line.rstrip("\n"))
            if found is None:
                raise BackupRefused(f"{folder / FILES}: a line of it cannot be read")
            yield Entry(key=found[3], sha256=found[1], size=int(found[2]))


def keys(path: Path) -> Iterator[str]:
    """The lines of referred.txt or missing.txt."""
    with path.open(encoding="ascii") as lines:
        for line in lines:
            yield line.rstrip("\n")


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while step := file.read(_STEP):
            digest.update(step)
    return digest.hexdigest()


def _canonical(said: dict[str, Any]) -> bytes:
    return json.dumps(said, sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode()


def _seal(text: bytes, key: Key) -> str:
    return salted_hmac(_SALT, text, secret=key, algorithm="sha256").hexdigest()

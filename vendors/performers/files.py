"""The folders of a run: what they hold, who may read them, and the end of a log."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vendors.performers.base import LOG_TAIL_LINES, Run

TAIL_BYTES = 64 * 1024
# What an empty file takes from a file system too: its entry and its inode, of which it has so many
LEAST_BYTES = 4096


def bytes_below(folder: Path) -> int:
    """Bytes on disk of all that is below ``folder``; what is shut or gone counts nothing.

    Raises OSError where the system lets nobody look, as the two below.
    """
    return sum(_size(entry) for entry in _entries(folder))


def why_too_much(run: Run, *, scratch: Path | None = None) -> str:
    """Why what a run wrote is more than it may, empty if it is not; also once it has ended.

    A file that cannot grow any more ends a run before anybody has looked.
    """
    most = run.limits.output_bytes
    if bytes_below(run.output_dir) > most:
        return f"wrote more than the {most} bytes it may"
    most = run.limits.scratch_bytes
    if scratch is not None and bytes_below(scratch) > most:
        return f"wrote more than the {most} bytes it may to its scratch folder"
    return ""


def why_stop(run: Run, *, scratch: Path | None = None) -> tuple[str, bool]:
    """Why a run must not go on writing, empty if it may, and whether trying again may help.

    What it wrote to a file it removed shows in the room that is left alone.
    """
    if why := why_too_much(run, scratch=scratch):
        return (why, False)
    if shutil.disk_usage(run.output_dir).free < run.limits.least_free_bytes:
        return ("stopped because the disk of the hub was nearly full", True)
    return ("", False)


def open_to_all(input_dir: Path, output_dir: Path) -> None:
    """Let another user read ``input_dir`` and write ``output_dir``.

    The algorithm runs as a user of its own. The folder above keeps others of this host out; only
    what is mounted into the container is reachable.
    """
    for entry in _entries(input_dir):
        _add_mode(Path(entry.path), 0o555 if entry.is_dir(follow_symlinks=False) else 0o444)
    _add_mode(input_dir, 0o555)
    _add_mode(output_dir, 0o777)


def tail_of(text: str) -> tuple[str, ...]:
    """The last lines of a log, printable."""
    lines = text[-TAIL_BYTES:].splitlines()[-LOG_TAIL_LINES:]
    return tuple("".join(c if c.isprintable() else " " for c in line) for line in lines)


def tail_of_files(*paths: Path) -> tuple[str, ...]:
    """The last lines of a log that was written to ``paths`` in this order."""
    text = b""
    for path in paths:
        try:
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - TAIL_BYTES))
                text += file.read()
        except FileNotFoundError:
            continue
    return tail_of(text.decode("utf-8", "replace"))


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return max(entry.stat(follow_symlinks=False).st_blocks * 512, LEAST_BYTES)
    except FileNotFoundError:  # the algorithm is still at work
        return 0


def _add_mode(path: Path, mode: int) -> None:
    now = path.stat().st_mode
    if now & mode != mode:
        path.chmod(now | mode)


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            entries = list(found)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return  # gone, or the algorithm has shut it: what is in it cannot be counted
    for entry in entries:
        yield entry
        if entry.is_dir(follow_symlinks=False):
            yield from _entries(Path(entry.path))


def read_json(path: Path) -> dict[str, Any] | None:
    """What a file of the hub's own says, None where there is none."""
    try:
        data: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    return data

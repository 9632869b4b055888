"""Whether this process is to end: what would never end by itself looks here, and ends."""

from __future__ import annotations


class _Process:
    is_ending = False


def begin() -> None:
    """The process was told to stop; whoever is being served is served to the end."""
    _Process.is_ending = True


def has_begun() -> bool:
    """Whether it was."""
    return _Process.is_ending

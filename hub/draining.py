"""Whether this process is to end: what would never end by itself looks here, and ends."""

from __future__ import annotations

import os
import signal
from types import FrameType

# 128 + SIGTERM, as of a process that the signal ended by itself
_ENDED = 143


class _Process:
    is_ending = False


def begin() -> None:
    """The process was told to stop; whoever is being served is served to the end."""
    _Process.is_ending = True


def has_begun() -> bool:
    """Whether it was."""
    return _Process.is_ending


def end_on_sigterm() -> None:
    """End at once when told to, until what serves has a way of its own.

    The first process of a container is spared every signal that it does not take itself: told to
    stop while it begins, it would go on, and be killed at the end of its grace.
    """
    signal.signal(signal.SIGTERM, _end)


def _end(_signal: int, _frame: FrameType | None) -> None:
    # Not as a program ends: what is raised amid a callback that takes no exception is lost, and the
    # process would go on. Nothing has been begun that would have to be ended.
    os._exit(_ENDED)

"""Waiting for what other processes do: by looking again, until a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def until(look: Callable[[], Found], what: str, *, seconds: float = 60.0) -> Found:
    """Look until it gives something true, and give that; fail with ``what`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    pause = 0.02
    while True:
        if found := look():
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not in {seconds:g} s: {what}; last seen: {found!r}")
        time.sleep(pause)
        pause = min(pause * 1.3, 0.25)

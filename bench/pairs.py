"""Turns: who takes part does the same work one after the other, again and again, in one run."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Mapping

from bench.places import NotMeasured

# Thrice what the largest turn writes into files
_TOUCHED = 1536 << 20
_AT_ONCE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE

Turn = Callable[[int], float]


def pairs_of(*, is_quick: bool) -> int:
    """How often everybody has a turn."""
    return 2 if is_quick else 5


def alternate(
    turns: Mapping[str, Turn], *, pairs: int, failures: dict[str, str] | None = None
) -> dict[str, list[float]]:
    """The figures of each who takes part: A B C, A B C and so on, ``pairs`` times.

    Each turn gets the number of its pair, from 0, and gives one figure; the disk is synced before
    it, so that nobody pays for what another left to be written. Who raises NotMeasured has no
    further turn and no figures, and ``failures`` gets the reason; without it the error is passed
    on. Warming up is the caller's business.
    """
    figures: dict[str, list[float]] = {who: [] for who in turns}
    for number in range(pairs):
        for who in list(figures):
            os.sync()
            _touch_memory()
            try:
                figures[who].append(turns[who](number))
            except NotMeasured as fault:
                if failures is None:
                    raise
                failures[who] = str(fault)
                del figures[who]
    return figures


def _touch_memory() -> None:
    """Have as much memory at hand as a turn fills with files.

    The host of a virtual machine takes back what is free, and gives it again page by page, which
    takes longer than to write into it: whose turn comes first would pay for that.
    """
    mmap.mmap(-1, _TOUCHED, flags=_AT_ONCE).close()

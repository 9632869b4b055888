"""Whose turn it is to write, among threads of a process, where a database lets one at a time.

SQLite makes whoever finds it taken sleep, longer each time, and ask again: up to 25 ms after the
other has long gone. Threads of one process can tell each other.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

_turn = threading.RLock()
_LONGEST_SECONDS = 1.0


@contextmanager
def turn_to_write() -> Iterator[None]:
    """Wait a second at most until no other thread has its turn; where many may write, not at all.

    Not for who is in a transaction already: the one who has the turn may wait for that.
    """
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    # Who has the turn may wait long for another process: to wait behind it would add the two.
    has_turn = _turn.acquire(timeout=_LONGEST_SECONDS)
    try:
        yield
    finally:
        if has_turn:
            _turn.release()

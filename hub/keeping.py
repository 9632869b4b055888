"""Connections that stay open for a moment after use, for whoever needs the same one next."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar


class Closable(Protocol):
    """Something that can be closed, and then is never used again."""

    def close(self) -> None:
        """Close it."""


Kept = TypeVar("Kept", bound=Closable)


class Keeper(Generic[Kept]):
    """Lends connections, each to one borrower at a time; closes what nobody asks for any more.

    One is kept for each key. One that was given back in the midst of an error is closed.
    """

    def __init__(self, *, idle_seconds: float) -> None:
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        # {key: (when it was given back, monotonic seconds; what)}, the oldest first
        self._idle: dict[Hashable, tuple[float, Kept]] = {}
        self._is_watched = False

    @contextmanager
    def lent(self, key: Hashable, make: Callable[[], Kept]) -> Iterator[Kept]:
        """Lend the connection kept for `key`, or the new one that `make` gives."""
        with self._lock:
            _since, kept = self._idle.pop(key, (0.0, None))
        kept = kept or make()
        try:
            yield kept
        except BaseException:
            kept.close()
            raise
        self._give_back(key, kept)

    def close(self) -> None:
        """Close all that is kept; what is lent is closed in its time."""
        self._close_older_than(float("inf"))

    def _give_back(self, key: Hashable, kept: Kept) -> None:
        with self._lock:
            _since, other = self._idle.pop(key, (0.0, None))
            self._idle[key] = time.monotonic(), kept
            is_watched, self._is_watched = self._is_watched, True
        if other is not None:
            other.close()
        if not is_watched:
            threading.Thread(target=self._watch, daemon=True, name="keeper").start()

    def _watch(self) -> None:
        """Close what has been idle for long enough, until nothing is left."""
        while True:
            time.sleep(self._idle_seconds / 2)
            self._close_older_than(time.monotonic() - self._idle_seconds)
            with self._lock:
                if not self._idle:
                    self._is_watched = False
                    return

    def _close_older_than(self, moment: float) -> None:
        with self._lock:
            old = [key for key, (since, _kept) in self._idle.items() if since <= moment]
            closing = [self._idle.pop(key)[1] for key in old]
        for kept in closing:
            kept.close()

"""How often somebody may do something: a bucket for each, kept in this process alone.

Knows neither Django nor DICOM, so that every door can use it. A process keeps its own buckets: what
two of them let through together is twice as much, and none of them asks a database to refuse.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable


class Allowance:
    """So many a minute on average, and so many at once; safe to use from many threads.

    At most ``most_keys`` are remembered: who was silent the longest is forgotten first, and begins
    anew.
    """

    def __init__(
        self,
        *,
        per_minute: float,
        burst: float,
        most_keys: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_second = per_minute / 60
        self._burst = float(burst)
        self._most_keys = most_keys
        self._clock = clock
        # what is left in the bucket, and when that was so
        self._left: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key: Hashable) -> float:
        """Take one out of the bucket of ``key``: 0, or the seconds until there is one again."""
        with self._lock:
            left = self._in_bucket(key)
            taken = left >= 1
            self._left[key] = (left - 1 if taken else left, self._clock())
            self._left.move_to_end(key)
            if len(self._left) > self._most_keys:
                self._left.popitem(last=False)
        return 0.0 if taken else (1 - left) / self._per_second

    def wait(self, key: Hashable) -> float:
        """The seconds until there is one in the bucket of ``key``, without taking it."""
        with self._lock:
            return max(0.0, (1 - self._in_bucket(key)) / self._per_second)

    def _in_bucket(self, key: Hashable) -> float:
        left, at = self._left.get(key, (self._burst, self._clock()))
        return min(self._burst, left + (self._clock() - at) * self._per_second)


class Sparing:
    """Says which of many equal reports is told: the first few a minute of each, and their number.

    What a stranger can cause as often as it likes must fill neither a log nor an audit trail.
    """

    def __init__(
        self, *, per_minute: float, burst: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._allowance = Allowance(per_minute=per_minute, burst=burst, clock=clock)
        self._untold: dict[Hashable, int] = {}
        self._lock = threading.Lock()

    def untold(self, key: Hashable) -> int | None:
        """How many were not told since the last one that was; None where this one is not either."""
        is_told = not self._allowance.take(key)
        with self._lock:
            if is_told:
                return self._untold.pop(key, 0)
            if len(self._untold) >= 10_000 and key not in self._untold:
                self._untold.clear()
            self._untold[key] = self._untold.get(key, 0) + 1
            return None

"""How many threads of a worker the algorithms may hold together, and one of them alone.

An engine that does not answer is waited for, and an input of thousands of slices takes its time to
lay out. Without a limit one such algorithm would hold every thread, and all others would wait.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager

from django.conf import settings

from hub import queues

# Who may not begin asks again after so long; the thread is free meanwhile.
ASK_AGAIN_SECONDS = 1.0


class Shares:
    """Threads of this process, shared out so that there is always one left for whoever has none.

    One that holds some gets another only while more are free than it holds: the first can come to
    half of them, the next to half of what is left (dynamic thresholds; Choudhury and Hahne 1998).
    """

    def __init__(self, *, most: Callable[[], int]) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._held: Counter[Hashable] = Counter()

    @contextmanager
    def turn(self, key: Hashable) -> Iterator[bool]:
        """Whether ``key`` may have a thread now, which it then holds until the block ends."""
        with self._lock:
            may_begin = self._held[key] < max(self._most(), 1) - self._held.total()
            self._held[key] += may_begin
        try:
            yield may_begin
        finally:
            with self._lock:
                self._held[key] -= may_begin
                if not self._held[key]:
                    del self._held[key]


def of_algorithms() -> int:
    """Threads for starting and collecting: all where nothing else is served, else half of them."""
    threads = settings.HUB_WORKER_THREADS
    return threads if queues.serves_alone(queues.RUN) else max(1, threads // 2)


def of_slow_destinations() -> int:
    """Threads for destinations that do not answer promptly; one at least is left for the rest."""
    threads = settings.HUB_WORKER_THREADS
    if queues.serves_alone(queues.WRITE_BACK):
        return max(1, threads * 2 // 3)
    return max(1, threads - of_algorithms() - max(1, threads // 6))


ALGORITHMS = Shares(most=of_algorithms)

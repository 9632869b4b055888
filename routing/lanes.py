"""How many threads the destinations that do not answer promptly may hold together.

Without a limit a dozen of them, each waited for until its time is over, would hold every thread
of a worker, and what is told to all others would wait with them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

# A round of deliveries that takes longer is slow, and an answer older than that says nothing.
_PROMPT_SECONDS = 1.0
_LATELY_SECONDS = 60.0


@dataclass(eq=False)
class _Turn:
    node_id: int
    began: float


class Lanes:
    """Turns of destinations in this process: of those that do not answer, only so many.

    Of one that has not been asked lately nothing is known. Such ones share the turns of the slow,
    and one turn more: what is silent must not keep from being asked who would answer at once.
    """

    def __init__(
        self, *, most_slow: Callable[[], int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most_slow = most_slow
        self._clock = clock
        self._lock = threading.Lock()
        self._turns: set[_Turn] = set()
        # {number of a node: when it last answered promptly}
        self._answered: dict[int, float] = {}
        # those that did not, when they were last asked
        self._silent: set[int] = set()

    @contextmanager
    def turn(self, node_id: int) -> Iterator[bool]:
        """Whether the destination may have a turn now, which then lasts until the block ends."""
        turn = _Turn(node_id, self._clock())
        with self._lock:
            slow = sum(self._is_slow(other) for other in self._turns)
            most = self._most_slow() + (node_id not in self._silent)
            may_begin = not self._is_slow(turn) or slow < most
            if may_begin:
                self._turns.add(turn)
        try:
            yield may_begin
        finally:
            with self._lock:
                self._turns.discard(turn)

    def note(self, node_id: int, *, is_reachable: bool) -> None:
        """A round of the destination's turn has ended; the next begins."""
        now = self._clock()
        with self._lock:
            began = min(
                (turn.began for turn in self._turns if turn.node_id == node_id), default=now
            )
            if is_reachable and now - began <= _PROMPT_SECONDS:
                self._answered[node_id] = now
                self._silent.discard(node_id)
            else:
                self._answered.pop(node_id, None)
                self._silent.add(node_id)
            for turn in self._turns:
                if turn.node_id == node_id:
                    turn.began = now

    def _is_slow(self, turn: _Turn) -> bool:
        now = self._clock()
        answered = self._answered.get(turn.node_id)
        is_known = answered is not None and now - answered <= _LATELY_SECONDS
        return not is_known or now - turn.began > _PROMPT_SECONDS

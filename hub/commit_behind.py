"""Many small writes, one commit, made a moment after their callers went on.

For where a caller may go on before its write is durable, and what is to be written can be found
again. Order is kept; what the database does not take now is kept until it does.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import structlog
from django.db import InterfaceError, OperationalError, close_old_connections, connection

from hub.bursts import GATHER_SECONDS, PAUSE_SECONDS, AfterBursts
from hub.turns import turn_to_write

Item = TypeVar("Item")
log = structlog.get_logger(__name__)

# A database that is away is asked again this often.
_AGAIN_SECONDS = 0.5
# A connection is looked at this often.
_LOOK_SECONDS = 1.0


class TooFarBehind(RuntimeError):  # noqa: N818 (named by what failed)
    """So much waits to be written that nothing more is taken."""


class CommitBehind(Generic[Item]):
    """Commits what was handed in, by ``commit``, in a thread of its own.

    What comes in one burst is committed together (hub.bursts). An item may be committed again after
    something went wrong, which has to be harmless. Once ``most_waiting`` items wait, callers wait
    too, and get TooFarBehind after ``patience_seconds``, or wait for ever where that is None.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Item]], object],
        *,
        gather_seconds: float = GATHER_SECONDS,
        pause_seconds: float = PAUSE_SECONDS,
        largest_batch: int = 200,
        most_waiting: int = 2000,
        patience_seconds: float | None = 10.0,
    ) -> None:
        self._commit = commit
        self._largest_batch = largest_batch
        self._most_waiting = most_waiting
        self._patience_seconds = patience_seconds
        self._waiting: deque[Item] = deque()
        self._room = threading.Condition()
        self._looked_at = 0.0
        self._bursts = AfterBursts(
            self._commit_all,
            name="commit-behind",
            gather_seconds=gather_seconds,
            pause_seconds=pause_seconds,
        )

    def submit(self, item: Item) -> None:
        """Have ``item`` committed soon. Raises TooFarBehind."""
        if len(self._waiting) >= self._most_waiting:
            self._await_room()
        self._waiting.append(item)
        self._bursts.tell()

    def close(self) -> None:
        """Commit what waits, then end the thread; what the database does not take is given up."""
        self._bursts.close()

    def _await_room(self) -> None:
        with self._room:
            has_room = self._room.wait_for(
                lambda: len(self._waiting) < self._most_waiting, self._patience_seconds
            )
        if not has_room:
            raise TooFarBehind(f"{self._most_waiting} writes wait for the database")

    def _commit_all(self) -> None:
        while self._waiting:
            count = min(len(self._waiting), self._largest_batch)
            batch = [self._waiting.popleft() for _ in range(count)]
            with self._room:
                self._room.notify_all()
            while not self._settle(batch):
                if self._bursts.is_closing.wait(_AGAIN_SECONDS):
                    log.error("commit_behind.given_up", items=len(batch) + len(self._waiting))
                    return

    def _settle(self, batch: Sequence[Item]) -> bool:
        """Commit a batch; False where the database is away and all of it has to be tried again."""
        try:
            self._look_after()
            with turn_to_write():
                self._commit(batch)
        except (InterfaceError, OperationalError):
            log.warning("commit_behind.database_away", items=len(batch), exc_info=True)
            connection.close()
            return False
        except Exception:
            if len(batch) == 1:
                log.error("commit_behind.not_committed", exc_info=True)
                return True
            # One bad item must not spoil the others.
            log.warning("commit_behind.batch_failed", items=len(batch), exc_info=True)
            return all([self._settle([item]) for item in batch])
        return True

    def _look_after(self) -> None:
        now = time.monotonic()
        if now - self._looked_at > _LOOK_SECONDS:
            self._looked_at = now
            close_old_connections()

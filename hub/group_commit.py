"""Many small writes, one commit: callers wait until their own write is durable.

A caller hands in an item and blocks. Where nobody commits at this moment it commits itself; others
who come meanwhile wait, and the first of them then commits for all of them in one transaction.
Nobody is answered before the commit.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

import structlog
from django.db import DEFAULT_DB_ALIAS, OperationalError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from hub.turns import turn_to_write

Item = TypeVar("Item")
Answer = TypeVar("Answer")
log = structlog.get_logger(__name__)

# PostgreSQL's codes for a transaction that it ended to let another through: deadlock, serialization
_GAVE_WAY = ("40P01", "40001")
# A connection is looked at this often, and at once when something went wrong with it.
_LOOK_SECONDS = 1.0


class _Entry(Generic[Item, Answer]):
    """The items of one caller, their bell, and in the end ``outcomes``; ``leads`` until then."""

    __slots__ = ("bell", "items", "leads", "outcomes")

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = items
        self.outcomes: dict[int, Answer | Exception] = {}
        self.leads = False
        # Taken once here and given back by whoever rings; cheaper than an Event.
        self.bell = threading.Lock()
        self.bell.acquire()

    def ring(self) -> None:
        self.bell.release()


class GroupCommit(Generic[Item, Answer]):
    """Commits batches with ``commit``, which answers for each item in order.

    ``commit`` is called in the thread of one of the callers, never twice at once, and always with
    the same connection to the database: callers come and go, and none needs one of its own.
    """

    def __init__(
        self, commit: Callable[[Sequence[Item]], Sequence[Answer]], *, largest_batch: int = 100
    ) -> None:
        self._commit = commit
        self._largest_batch = largest_batch
        self._waiting: deque[_Entry[Item, Answer]] = deque()
        self._has_leader = False
        self._lock = threading.Lock()
        self._connection: BaseDatabaseWrapper | None = None
        self._looked_at = 0.0

    def submit(self, item: Item) -> Answer:
        """Wait until ``item`` is committed; raises what kept this item from being committed."""
        (outcome,) = self.submit_all([item])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def submit_all(self, items: Sequence[Item]) -> list[Answer | Exception]:
        """Wait until all are committed; of each the answer, or what kept it from being."""
        entry: _Entry[Item, Answer] = _Entry(items)
        with self._lock:
            self._waiting.append(entry)
            if not self._has_leader:
                self._has_leader = entry.leads = True
        if not entry.leads:
            entry.bell.acquire()
        if entry.leads:
            self._lead(entry)
        return [entry.outcomes[place] for place in range(len(items))]

    def close(self) -> None:
        """Give the connection back; whoever comes now makes another."""
        with self._lock:
            is_busy, self._has_leader = self._has_leader, True
        if not is_busy:
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            self._hand_over()

    def _lead(self, own: _Entry[Item, Answer]) -> None:
        """Commit what has gathered, with ``own`` as the oldest; then let the next one lead."""
        batch = self._gather()
        try:
            with self._own_connection():
                self._settle([(entry, n) for entry in batch for n in range(len(entry.items))])
        except BaseException as fault:
            # Also what is no Exception, a thread that is ended, must leave nobody waiting.
            stopped = RuntimeError(f"the commit was stopped by {type(fault).__name__}")
            for entry in batch:
                for place in range(len(entry.items)):
                    entry.outcomes.setdefault(
                        place, fault if isinstance(fault, Exception) else stopped
                    )
            if not isinstance(fault, Exception):
                raise
        finally:
            self._hand_over()
            for entry in batch:
                if entry is not own:
                    entry.ring()

    def _gather(self) -> list[_Entry[Item, Answer]]:
        """What is committed next: the oldest, and others as far as a batch goes."""
        with self._lock:
            batch = [self._waiting.popleft()]
            count = len(batch[0].items)
            while self._waiting:
                count += len(self._waiting[0].items)
                if count > self._largest_batch:
                    break
                batch.append(self._waiting.popleft())
        return batch

    def _hand_over(self) -> None:
        with self._lock:
            following = self._waiting[0] if self._waiting else None
            self._has_leader = following is not None
        if following is not None:
            following.leads = True
            following.ring()

    def _settle(
        self, batch: Sequence[tuple[_Entry[Item, Answer], int]], *, is_again: bool = False
    ) -> None:
        """Commit items, each named by its entry and its place there."""
        was_open = connection.connection is not None
        try:
            with turn_to_write():
                answers = self._commit([entry.items[place] for entry, place in batch])
        except Exception as fault:
            if len(batch) > 1:
                log.warning("group_commit.batch_failed", items=len(batch), exc_info=True)
                self._settle_each(batch)
            elif not is_again and (_gave_way(fault) or (was_open and _is_lost())):
                self._settle(batch, is_again=True)
            else:
                entry, place = batch[0]
                entry.outcomes[place] = fault
            return
        for (entry, place), answer in zip(batch, answers, strict=True):
            entry.outcomes[place] = answer

    def _settle_each(self, batch: Sequence[tuple[_Entry[Item, Answer], int]]) -> None:
        """Commit each by itself: one bad item must not spoil the others."""
        for number, (entry, place) in enumerate(batch):
            self._settle([(entry, place)])
            outcome = entry.outcomes[place]
            if isinstance(outcome, OperationalError) and connection.connection is None:
                # No connection can be made: to try for each would have all wait for all.
                for other, its_place in batch[number + 1 :]:
                    other.outcomes[its_place] = outcome
                return

    @contextmanager
    def _own_connection(self) -> Iterator[None]:
        """Let ``commit`` find this connection, whichever thread it is called in."""
        if self._connection is None:
            self._connection = connections.create_connection(DEFAULT_DB_ALIAS)
            self._connection.inc_thread_sharing()
        of_thread = connections.all(initialized_only=True)
        connections[DEFAULT_DB_ALIAS] = self._connection
        try:
            self._look_after(self._connection)
            yield
        finally:
            if of_thread:
                connections[DEFAULT_DB_ALIAS] = of_thread[0]
            else:
                del connections[DEFAULT_DB_ALIAS]

    def _look_after(self, own: BaseDatabaseWrapper) -> None:
        """Close the connection where it is broken or too old."""
        now = time.monotonic()
        if own.errors_occurred or now - self._looked_at > _LOOK_SECONDS:
            self._looked_at = now
            if own.vendor == "sqlite":
                # A file does not age, and to open it takes longer than to commit.
                own.close_at = None
            own.close_if_unusable_or_obsolete()


def _gave_way(fault: Exception) -> bool:
    """Whether the same will most likely succeed now; no reason to tell a sender that it failed."""
    return getattr(fault.__cause__, "sqlstate", None) in _GAVE_WAY


def _is_lost() -> bool:
    """Whether the connection broke, as at a restart of the database; if so it is opened anew."""
    if connection.connection is not None and connection.is_usable():
        return False
    connection.close()
    return True

"""Many small writes, one commit: callers wait until their own write is durable.

A caller hands in an item and blocks; one thread takes what has gathered meanwhile, commits it in
one transaction and gives each caller its own answer. Nobody is answered before the commit.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

import structlog
from django.db import close_old_connections, connection

Item = TypeVar("Item")
Answer = TypeVar("Answer")
log = structlog.get_logger(__name__)

# PostgreSQL's codes for a transaction that it ended to let another through: deadlock, serialization
_GAVE_WAY = ("40P01", "40001")


class GroupCommit(Generic[Item, Answer]):
    """A thread that commits batches with ``commit``, which answers for each item in order."""

    def __init__(
        self, commit: Callable[[Sequence[Item]], Sequence[Answer]], *, largest_batch: int = 100
    ) -> None:
        self._commit = commit
        self._largest_batch = largest_batch
        self._queue: queue.SimpleQueue[tuple[Item, Future[Answer]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True, name="group-commit")
        self._thread.start()

    def submit(self, item: Item) -> Answer:
        """Wait until ``item`` is committed; raises what kept this item from being committed."""
        future: Future[Answer] = Future()
        self._queue.put((item, future))
        return future.result()

    def close(self) -> None:
        """Commit what is waiting, then end the thread."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        is_open = True
        while is_open:
            batch = [self._queue.get()]
            while len(batch) < self._largest_batch and batch[-1] is not None:
                try:
                    batch.append(self._queue.get_nowait())
                except queue.Empty:
                    break
            is_open = batch[-1] is not None
            self._settle([entry for entry in batch if entry is not None])
        connection.close()

    def _settle(
        self, batch: list[tuple[Item, Future[Answer]]], *, is_again: bool = False
    ) -> None:
        if not batch:
            return
        try:
            close_old_connections()
            answers = self._commit([item for item, _ in batch])
        except Exception as fault:
            if len(batch) == 1 and _gave_way(fault) and not is_again:
                self._settle(batch, is_again=True)
                return
            if len(batch) == 1:
                batch[0][1].set_exception(fault)
                return
            # One bad item must not spoil the others: commit each by itself.
            log.warning("group_commit.batch_failed", items=len(batch), exc_info=True)
            for entry in batch:
                self._settle([entry])
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            future.set_result(answer)


def _gave_way(fault: Exception) -> bool:
    """Whether the same will most likely succeed now; no reason to tell a sender that it failed."""
    return getattr(fault.__cause__, "sqlstate", None) in _GAVE_WAY

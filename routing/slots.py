"""Holds the Workitem whose turn it is, so that no other worker starts it, and none too many run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import transaction

from routing import giving_way, lease
from routing.models import Workitem
from routing.pools import scope_of
from routing.queues import Queue
from routing.scheduling import HEAD_START


@contextmanager
def next_up(version_id: int) -> Iterator[Workitem | None]:
    """Hold the Workitem that should start now; None where none waits or nothing is free.

    Where the version shares a pool of GPUs it may be one of another version. Where a STAT finds
    none free, those that must give way to it are told.
    """
    with transaction.atomic():
        # Locking the queue makes counting and taking one step among all workers.
        said = Queue(scope_of(version_id, is_locked=True)).decide()
        held = lease.take(said.start, states=("entitled",)) if said.start else None
        giving_way.ask(said.give_way)
    if held is None:
        yield None
        return
    with lease.keep(held):
        yield held


def stands_as(workitem: Workitem) -> tuple[datetime, int]:
    """The moment it counts as having come; of one site the earliest starts first."""
    return workitem.created_at - HEAD_START[workitem.priority], workitem.pk

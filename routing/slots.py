"""Which Workitem of an algorithm starts next, and whether one more may run at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from marketplace.models import AlgorithmVersion
from routing import lease
from routing.models import Workitem
from routing.scheduling import HEAD_START


@contextmanager
def next_up(version_id: int) -> Iterator[Workitem | None]:
    """Hold the Workitem that should start now; None where none waits or no slot is free."""
    with transaction.atomic():
        # Locking the version makes counting and taking one step among all workers.
        version = AlgorithmVersion.objects.select_for_update(no_key=True).get(pk=version_id)
        chosen = _choose(version)
        held = lease.take(chosen, states=("entitled",)) if chosen else None
    if held is None:
        yield None
        return
    with lease.keep(held):
        yield held


def _choose(version: AlgorithmVersion) -> Workitem | None:
    now = timezone.now()
    items = Workitem.objects.filter(version=version)
    starting = Q(state="entitled", lease_until__gte=now)
    busy = items.filter(Q(state="dispatched") | starting).count()
    if busy >= version.declared.performer.concurrency:
        return None
    waiting = items.filter(state="entitled").exclude(starting)
    ready = waiting.filter(Q(due_at=None) | Q(due_at__lte=now)).order_by("created_at", "pk")
    # Of one priority the oldest stands first: no more than these need be read, however many wait.
    foremost = (ready.filter(priority=priority).first() for priority in HEAD_START)
    return min(filter(None, foremost), key=stands_as, default=None)


def stands_as(workitem: Workitem) -> tuple[datetime, int]:
    """The moment a waiting Workitem counts as having come; the earliest starts first."""
    return workitem.created_at - HEAD_START[workitem.priority], workitem.pk

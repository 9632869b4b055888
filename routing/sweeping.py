"""Rows that have stood too long are nudged again: a broker that loses all loses nothing.

Where workers lag behind, rows are due though their nudges only wait for their turn. To nudge them
at each sweep would fill the queue with the same few rows, faster than they can be looked at; so a
sweep adds no more to a queue than it takes to keep workers busy until the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog
from django.db.models import F, Min, Q, QuerySet
from django.utils import timezone

from hub import backlog, write_ahead
from hub.queues import QUEUES, RECEIVE, ROUTE, RUN, WRITE_BACK
from routing import clocks, nudges, taking_in
from routing.models import Delivery, Study, Workitem

log = structlog.get_logger(__name__)

# What may wait in a queue when a sweep is over; no queue has more than two steps.
_ENOUGH = 500


def sweep() -> int:
    """Nudge rows that are due and that nobody holds; how many were nudged.

    Of those that wait in a queue already more than enough, none: a lost nudge among them is made
    good once the queue is shorter.
    """
    clocks.set_right()
    write_ahead.empty()
    _empty_inbox()
    now = timezone.now()
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    due = Q(due_at__lte=now)
    studies = Study.objects.filter(due)
    items = Workitem.objects.filter(free & due)
    by_step: list[tuple[str, Callable[[int], None], QuerySet[Any], str]] = [
        (RECEIVE, nudges.complete, studies.filter(state="receiving"), "pk"),
        (ROUTE, nudges.match, studies.filter(state="complete"), "pk"),
        (ROUTE, nudges.entitle, items.filter(state="matched"), "pk"),
        (RUN, nudges.dispatch, items.filter(state="entitled"), "version_id"),
        (RUN, nudges.collect, items.filter(state="dispatched"), "pk"),
        (WRITE_BACK, nudges.write_back, items.filter(state="collected"), "pk"),
        (WRITE_BACK, nudges.deliver, _deliveries(now).filter(free), "node_id"),
    ]
    room = _room()
    count = 0
    # In no transaction, which on SQLite would keep all others from writing meanwhile.
    for queue, nudge, rows, field in by_step:
        ids = _ids(rows, field, most=room[queue]) if room[queue] else []
        count += len(ids)
        for row_id in ids:
            nudge(row_id)
    if count:
        log.debug("sweep.nudged", rows=count)
    return count


def _room() -> dict[str, int]:
    """How many nudges each step may add to its queue: half of what there is room for."""
    waiting = backlog.waiting(QUEUES)
    return {queue: max(_ENOUGH - count, 0) // 2 for queue, count in waiting.items()}


def _empty_inbox() -> None:
    try:
        taking_in.take_in_left()
    except Exception:
        # It waits for the next sweep; what else is due does not.
        log.warning("sweep.not_taken_in", exc_info=True)


def _deliveries(now: datetime) -> QuerySet[Delivery]:
    return Delivery.objects.filter(Q(due_at=None) | Q(due_at__lte=now), state="pending")


def _ids(rows: QuerySet[Any], field: str, *, most: int) -> list[int]:
    """Each once, what has been due longest first: many of one kind never hide the others."""
    longest = rows.order_by().values(field).annotate(since=Min("due_at"))
    order = longest.order_by(F("since").asc(nulls_first=True), field)
    return list(order.values_list(field, flat=True)[:most])

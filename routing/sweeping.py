"""Rows that have stood too long are nudged again: a broker that loses all loses nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog
from django.db import transaction
from django.db.models import F, Min, Q, QuerySet
from django.utils import timezone

from routing import clocks, nudges, taking_in
from routing.models import Delivery, Study, Workitem

log = structlog.get_logger(__name__)

_MOST_AT_ONCE = 500


def sweep() -> int:
    """Nudge every row that is due and that nobody holds; how many there were."""
    clocks.set_right()
    _empty_inbox()
    now = timezone.now()
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    due = Q(due_at__lte=now)
    studies = Study.objects.filter(due)
    items = Workitem.objects.filter(free & due)
    by_step: list[tuple[Callable[[int], None], set[int]]] = [
        (nudges.complete, _ids(studies.filter(state="receiving"))),
        (nudges.match, _ids(studies.filter(state="complete"))),
        (nudges.entitle, _ids(items.filter(state="matched"))),
        (nudges.dispatch, _ids(items.filter(state="entitled"), "version_id")),
        (nudges.collect, _ids(items.filter(state="dispatched"))),
        (nudges.write_back, _ids(items.filter(state="collected"))),
        (nudges.deliver, _ids(_deliveries(now).filter(free), "node_id")),
    ]
    with transaction.atomic():
        for nudge, ids in by_step:
            for row_id in ids:
                nudge(row_id)
    count = sum(len(ids) for _nudge, ids in by_step)
    if count:
        log.debug("sweep.nudged", rows=count)
    return count


def _empty_inbox() -> None:
    try:
        taking_in.take_in_left()
    except Exception:
        # It waits for the next sweep; what else is due does not.
        log.warning("sweep.not_taken_in", exc_info=True)


def _deliveries(now: datetime) -> QuerySet[Delivery]:
    return Delivery.objects.filter(Q(due_at=None) | Q(due_at__lte=now), state="pending")


def _ids(rows: QuerySet[Any], field: str = "pk") -> set[int]:
    """Each once, what has been due longest first: many of one kind never hide the others."""
    longest = rows.order_by().values(field).annotate(since=Min("due_at"))
    order = longest.order_by(F("since").asc(nulls_first=True), field)
    return set(order.values_list(field, flat=True)[:_MOST_AT_ONCE])

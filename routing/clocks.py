"""What a clock that was put back leaves in the rows: times that are not to come for long.

Leases, waits and quiet times go by the clock of the wall. One that was an hour ahead, and is set
right, would have everything wait for an hour; here it waits no longer than it would have anyway.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db.models import QuerySet
from django.db.models.functions import Least
from django.utils import timezone

from routing.models import Arrived, Breaker, Delivery, Study, Workitem

log = structlog.get_logger(__name__)

# Clocks of several hosts differ a little, and an NTP client moves one by less at a time.
_SLACK = timedelta(seconds=5)
# the longest that a delivery or a step that broke waits before it is tried again
_LONGEST_WAIT = timedelta(minutes=15)


class _Clock:
    """The time of the wall less that of the process (seconds), which is never put back."""

    ahead: float | None = None


def set_right() -> int:
    """Bring forward what lies further ahead than any wait of the hub; how many rows.

    Once this process has seen the clock go back, whatever lies ahead: to look too early is
    harmless, for every step asks itself whether its time has come.
    """
    now, was_put_back = timezone.now(), _was_put_back()
    horizon = now + (_SLACK if was_put_back else max(_LONGEST_WAIT, _ceiling()))
    count = _of_studies(now, horizon)
    count += Arrived.objects.filter(received_at__gt=now + _SLACK).update(received_at=now)
    items = Workitem.objects.filter(due_at__isnull=False)
    # One that was cancelled while it was sent holds up its queue; there may be many of them.
    states = ("pending", "cancelled") if was_put_back else ("pending",)
    queues: tuple[QuerySet[Any], ...] = (items, Delivery.objects.filter(state__in=states))
    for rows in queues:
        count += rows.filter(due_at__gt=horizon).update(due_at=now)
        # Whoever lives renews it within a third of its length, and keeps it.
        longest = now + 2 * _lease() + _SLACK
        count += rows.filter(lease_until__gt=longest).update(lease_until=now + _lease())
    count += Breaker.objects.filter(open_until__gt=horizon).update(open_until=now)
    if count:
        log.warning("clocks.set_right", rows=count)
    return count


def _was_put_back() -> bool:
    ahead, before = time.time() - time.monotonic(), _Clock.ahead
    _Clock.ahead = ahead
    return before is not None and ahead < before - _SLACK.total_seconds()


def _of_studies(now: datetime, horizon: datetime) -> int:
    waiting = Study.objects.filter(due_at__isnull=False)
    count = waiting.filter(due_at__gt=horizon).update(due_at=now)
    # What came in the future would be quiet only an hour after it has come.
    came = waiting.filter(state=Study.State.RECEIVING, last_instance_at__gt=now + _SLACK)
    return count + came.update(
        due_at=now, last_instance_at=now, first_instance_at=Least("first_instance_at", now)
    )


def _lease() -> timedelta:
    return timedelta(seconds=settings.HUB_LEASE_SECONDS)


def _ceiling() -> timedelta:
    return timedelta(seconds=settings.HUB_CEILING_SECONDS)

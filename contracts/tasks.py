"""Celery: the watch over notices that must be sent."""

from __future__ import annotations

import structlog
from celery import shared_task
from django.db import OperationalError
from django.utils import timezone

from contracts import result_notices
from contracts.zone import CONTRACT_ZONE

log = structlog.get_logger(__name__)


@shared_task(name="contracts.tasks.watch")  # type: ignore[untyped-decorator]
def watch(_row_id: int = 0) -> None:
    """Tell of result notices that are late."""
    try:
        result_notices.watch(on=timezone.localdate(timezone=CONTRACT_ZONE))
    except OperationalError:
        # The database is away or busy: the watch comes again.
        log.warning("task.no_database", task="contracts.watch", exc_info=True)

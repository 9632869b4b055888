"""Celery: the watch over certificates."""

from __future__ import annotations

import structlog
from celery import shared_task
from django.db import OperationalError

from marketplace import expiry

log = structlog.get_logger(__name__)


@shared_task(name="marketplace.tasks.watch")  # type: ignore[untyped-decorator]
def watch(_row_id: int = 0) -> None:
    """Warn of certificates that end, and suspend what has none."""
    try:
        expiry.watch()
    except OperationalError:
        # The database is away or busy: the watch comes again.
        log.warning("task.no_database", task="watch", exc_info=True)

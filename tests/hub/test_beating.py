"""Beat under a clock that is put back."""

from __future__ import annotations

from datetime import timedelta

from celery.utils.time import maybe_make_aware

from hub.beating import Scheduler
from hub.celery import app


def test_an_entry_that_ran_in_the_future_is_due_now_and_no_later() -> None:
    scheduler = Scheduler(app=app, lazy=True)
    entry = scheduler.Entry(name="sweep", schedule=timedelta(seconds=2), task="none", app=app)
    entry.last_run_at = maybe_make_aware(entry.default_now()) + timedelta(hours=1)
    is_due, seconds = scheduler.is_due(entry)
    assert is_due
    assert seconds <= 2

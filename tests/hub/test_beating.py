"""Beat under a clock that is put back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from celery.utils.time import maybe_make_aware

from hub import queues
from hub.beating import Scheduler
from hub.celery import app


def test_an_entry_that_ran_in_the_future_is_due_now_and_no_later() -> None:
    scheduler = Scheduler(app=app, lazy=True)
    entry = scheduler.Entry(name="sweep", schedule=timedelta(seconds=2), task="none", app=app)
    entry.last_run_at = maybe_make_aware(entry.default_now()) + timedelta(hours=1)
    is_due, seconds = scheduler.is_due(entry)
    assert is_due
    assert seconds <= 2


def test_beat_nudges_at_once_when_the_clock_was_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler, sent = Scheduler(app=app, lazy=True), []
    monkeypatch.setattr(scheduler, "apply_entry", lambda entry, **_: sent.append(entry.name))
    entry = scheduler.Entry(name="sweep", schedule=timedelta(seconds=2), task="none", app=app)
    scheduler.schedule = {"sweep": entry}
    scheduler.tick()
    sent.clear()
    # as a clock that is an hour ahead has left it
    entry.last_run_at = maybe_make_aware(entry.default_now()) + timedelta(hours=1)
    scheduler._heap, scheduler._ahead = None, scheduler._ahead + 3600
    scheduler.tick()
    assert sent == ["sweep"]


def test_what_is_done_now_and_then_has_a_queue_of_its_own_and_none_holds_up_the_rules() -> None:
    given = {name: one["options"].get("queue") for name, one in app.conf.beat_schedule.items()}
    assert given.pop("sweep") == queues.RECEIVE
    # what runs in a cluster is stopped by those who may speak to it
    assert given.pop("tidy") == queues.RUN
    assert set(given.values()) == {queues.BILLING}

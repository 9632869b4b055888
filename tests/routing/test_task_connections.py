"""A worker's thread keeps its connection from task to task, until that is too old."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.db import connection, connections

from hub.celery import app
from routing import tasks


@pytest.mark.django_db(transaction=True)
def test_a_connection_is_kept_for_the_next_task_until_it_is_old(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As `manage.py worker` sets it.
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 60)
    connection.close()
    tasks.tally.apply((0,))
    kept = connection.connection
    assert kept is not None
    tasks.tally.apply((0,))
    assert connection.connection is kept
    # One that is too old is opened anew.
    connection.close_at = 0.0
    tasks.tally.apply((0,))
    assert connection.connection is not kept
    connection.close()


def test_celery_itself_closes_none_in_between() -> None:
    assert settings.CELERY_DB_REUSE_MAX == app.conf.get("DB_REUSE_MAX") > 10**6


def test_no_task_asks_the_broker_for_more_on_the_connection_that_the_worker_reads() -> None:
    """Seen with RabbitMQ in tests/faults/test_broker.py, now and then; here for certain."""
    assert app.conf.worker_enable_prefetch_count_reduction is False

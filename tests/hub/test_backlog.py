"""How much waits in a queue is told by each of the brokers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from celery import Celery

from hub import backlog
from hub.celery import app
from hub.queues import QUEUES, RUN
from tests.builders import worker
from tests.fakes.ports import free_ports
from tests.fakes.rabbitmq import RabbitMq, running_rabbitmq
from tests.fakes.redis import Redis, running_redis

NOTHING = dict.fromkeys(QUEUES, 0)
Running = Callable[[Path], AbstractContextManager[Redis | RabbitMq]]


def _broker(url: str) -> Celery:
    # As the current one it would take the tasks of the hub away from the tests that follow.
    return Celery("other", broker=url, set_as_current=False)


def _put(count: int, *, broker: Celery) -> None:
    for number in range(count):
        broker.send_task("routing.tasks.collect", args=[number], queue=RUN)


def _take(count: int, *, broker: Celery) -> None:
    with broker.connection_for_read() as connection:
        queue = connection.SimpleQueue(RUN)
        for _each in range(count):
            queue.get(timeout=10).ack()


def test_the_folder_tells_what_waits() -> None:
    worker.lose_everything()
    _put(7, broker=app)
    assert backlog.waiting(QUEUES) == NOTHING | {RUN: 7}
    _take(7, broker=app)
    assert backlog.waiting([RUN]) == {RUN: 0}


@pytest.mark.parametrize(
    "running", [running_redis, pytest.param(running_rabbitmq, marks=pytest.mark.long)]
)
def test_a_broker_tells_what_waits(tmp_path: Path, running: Running) -> None:
    with running(tmp_path / "broker") as server:
        broker = _broker(server.url)
        assert backlog.waiting(QUEUES, broker=broker) == NOTHING
        _put(7, broker=broker)
        assert backlog.waiting(QUEUES, broker=broker) == NOTHING | {RUN: 7}
        _take(3, broker=broker)
        assert backlog.waiting([RUN], broker=broker) == {RUN: 4}


def test_a_broker_that_is_away_tells_nothing_and_stops_nobody() -> None:
    away = _broker(f"redis://127.0.0.1:{free_ports(1)[0]}/0")
    assert backlog.waiting(QUEUES, broker=away) == NOTHING

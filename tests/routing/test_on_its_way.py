"""A result that is taken back while it is being sent: the RIS hears of the end last."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from routing import lease, outbox, review
from routing.models import Delivery, Workitem
from tests.builders import worker
from tests.builders.studies import head_ct
from tests.routing.conftest import Place


@pytest.fixture
def told(place: Place) -> Workitem:
    """A result that is about to be told."""
    place.send(head_ct())
    place.work(until=lambda: Workitem.objects.filter(state="writing_back").exists())
    worker.lose_everything()
    return place.workitem


def deliver(place: Place) -> None:
    outbox.deliver(place.rows.ris)
    connection.close()


@contextmanager
def a_slow_ris(place: Place) -> Iterator[None]:
    """In the block the RIS has the first message, and has not acted on it nor answered."""
    has_it, may_answer = threading.Event(), threading.Event()

    def answer(_message: bytes) -> str:
        if not has_it.is_set():
            has_it.set()
            assert may_answer.wait(10)
        return "AA"

    place.ris.answer = answer
    sending = threading.Thread(target=deliver, args=(place,))
    sending.start()
    assert has_it.wait(10)
    try:
        yield
    finally:
        may_answer.set()
        sending.join(10)


def reject(place: Place, workitem: Workitem) -> None:
    review.reject(Workitem.objects.get(pk=workitem.pk), by=place.rows.radiologist)


def test_what_takes_a_result_back_does_not_pass_it(place: Place, told: Workitem) -> None:
    with a_slow_ris(place):
        reject(place, told)
        second = threading.Thread(target=deliver, args=(place,))
        second.start()
        second.join(1.0)
        assert place.results() == []
    second.join(10)
    assert place.results() == ["P", "X"]


def test_a_sender_that_died_holds_up_what_takes_back_no_longer_than_its_lease(
    place: Place, told: Workitem
) -> None:
    sent = Delivery.objects.get(kind="result")
    assert lease.take(sent, states=("pending",), may_have_arrived=True) is not None
    reject(place, told)
    place.work()
    assert place.results() == []
    Delivery.objects.exclude(lease_until=None).update(
        lease_until=timezone.now() - timedelta(seconds=1)
    )
    place.time_passes()
    assert place.results() == ["X"]


@pytest.mark.postgresql
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite writes one by one")
def test_a_result_that_leaves_while_it_is_rejected_is_taken_back(
    place: Place, told: Workitem
) -> None:
    """The sender takes it after the rejection has begun, before it is cancelled."""
    sent = Delivery.objects.get(kind="result")

    def take() -> None:
        assert lease.take(sent, states=("pending",), may_have_arrived=True) is not None
        connection.close()

    with before_the_deliveries_are_read(take):
        reject(place, told)
    assert Delivery.objects.filter(kind="result", result_status="X").count() == 1


@contextmanager
def before_the_deliveries_are_read(act: Callable[[], None]) -> Iterator[None]:
    """Let another worker act just before what waits is looked up, to be cancelled."""
    has_acted = False

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal has_acted
        is_look = sql.startswith("SELECT") and params is not None and "dead" in params
        if is_look and not has_acted:
            has_acted = True
            another = threading.Thread(target=act)
            another.start()
            another.join(5)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        yield
    assert has_acted

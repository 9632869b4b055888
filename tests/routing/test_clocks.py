"""What a clock that was an hour ahead left in the rows waits no hour."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from routing import clocks, sweeping
from routing.models import Breaker, Delivery, Study, Workitem
from tests.builders import worker
from tests.builders.orders import order_message
from tests.builders.studies import head_ct
from tests.routing.conftest import Place

HOUR = timedelta(hours=1)


def test_a_study_that_came_in_the_future_is_closed_when_it_is_quiet(place: Place) -> None:
    place.send(head_ct()[:4])
    worker.lose_everything()
    later = timezone.now() + HOUR
    Study.objects.update(due_at=later, last_instance_at=later, first_instance_at=later)
    sweeping.sweep()
    place.work()
    assert place.study.state == "matched"
    assert place.study.first_instance_at < timezone.now()


@pytest.mark.parametrize("field", ["due_at", "lease_until"])
def test_what_waits_or_is_held_for_an_hour_is_looked_at_now(place: Place, field: str) -> None:
    place.order(order_message())
    place.send(head_ct())
    place.work(until=lambda: Workitem.objects.filter(state="collected").exists())
    worker.lose_everything()
    now = timezone.now()
    Workitem.objects.update(**({"due_at": now} | {field: now + HOUR}))
    clocks.set_right()
    (item,) = Workitem.objects.all()
    assert getattr(item, field) < timezone.now() + timedelta(minutes=1)


def test_a_circuit_that_would_be_open_for_an_hour_is_tried(place: Place) -> None:
    node = place.rows.pacs
    Breaker.objects.create(node=node, failures=3, open_until=timezone.now() + HOUR)
    clocks.set_right()
    assert Breaker.objects.get(node=node).open_until <= timezone.now()  # type: ignore[operator]


def test_what_waits_as_long_as_the_hub_makes_it_wait_goes_on_waiting(place: Place) -> None:
    place.order(order_message())
    place.send(head_ct())
    place.pacs.status = lambda _dataset: 0xA700
    place.work(until=lambda: Delivery.objects.filter(attempts__gt=0).exists())
    worker.lose_everything()
    soon = timezone.now() + timedelta(minutes=9)
    Delivery.objects.filter(state="pending").update(due_at=soon)
    clocks.set_right()
    assert set(Delivery.objects.filter(state="pending").values_list("due_at", flat=True)) == {soon}

"""A PACS that answers Success and stores nothing is found out where the set-up has it asked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contracts.models import UsageEvent
from hub.phrases import render
from routing.models import Delivery
from tests.builders.orders import order_message
from tests.builders.studies import head_ct
from tests.fakes.lying_pacs import LyingPacs
from tests.routing.conftest import Place, place  # noqa: F401 (a fixture)


@pytest.fixture
def pacs(place: Place) -> Iterator[LyingPacs]:  # noqa: F811
    """The PACS of the place, which is asked for what it was sent; its RIS is not in this."""
    liar = LyingPacs()
    node = place.rows.pacs
    node.port, node.confirm = liar.port, "query"
    node.save()
    yield liar
    liar.close()


def bring(place: Place) -> None:  # noqa: F811
    place.order(order_message())
    place.send(head_ct())
    place.work()


def delivery() -> Delivery:
    return Delivery.objects.get(kind="dicom")


def test_what_is_not_there_is_sent_again_until_it_is(place: Place, pacs: LyingPacs) -> None:  # noqa: F811
    pacs.lies = 1
    bring(place)
    assert delivery().state == "delivered"
    assert len(pacs.received) == 2
    assert len({one.SOPInstanceUID for one in pacs.received}) == 1
    assert len(pacs.held) == 1
    assert UsageEvent.objects.count() == 1


def test_one_that_never_stores_is_told_to_an_administrator(place: Place, pacs: LyingPacs) -> None:  # noqa: F811
    pacs.lies = 1000
    place.order(order_message())
    place.send(head_ct())
    place.work(until=lambda: Delivery.objects.filter(kind="dicom", attempts=1).exists())
    assert "1 of 1 objects are not there" in render(delivery().last_error)
    Delivery.objects.filter(kind="dicom").update(attempts=7)
    place.time_passes()
    assert delivery().state == "dead"
    pacs.lies = 0


def test_one_that_cannot_be_asked_is_not_taken_at_its_word(place: Place) -> None:  # noqa: F811
    liar = LyingPacs(answers_queries=False)
    node = place.rows.pacs
    node.port, node.confirm = liar.port, "query"
    node.save()
    place.order(order_message())
    place.send(head_ct())
    place.work(until=lambda: Delivery.objects.filter(kind="dicom", attempts=1).exists())
    assert "could not be asked" in render(delivery().last_error)
    assert delivery().state == "pending"
    liar.close()

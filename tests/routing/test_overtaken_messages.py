"""Messages that arrive after newer ones: what they may still say of an order."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from hub.hl7.er7 import Message as Er7
from hub.hl7.parse import read_orders
from hub.models import Node
from routing import orders
from routing.linking import link_study
from routing.models import Delivery, Order, Priority, Study
from tests.builders import parties
from tests.builders.orders import bare_message, order_message
from tests.builders.parties import FirstSite
from tests.routing.test_orders import sentences, study_of, tell

pytestmark = pytest.mark.django_db


@pytest.fixture
def places() -> FirstSite:
    return parties.first_site()


def at(clock: str) -> dict[str, str]:
    return {"said_at": f"20260301{clock}"}


@pytest.mark.parametrize("has_study", [True, False])
def test_a_message_that_was_overtaken_tells_only_what_is_not_known(
    places: FirstSite, has_study: bool
) -> None:
    tell(places.ris, order_message(priority="S", accession="", study="1.2.3", **at("1100")))
    if has_study:
        link_study(study_of(places, study_instance_uid="1.2.3"))
    tell(places.ris, order_message(priority="R", accession="A7", **at("1030")))
    kept = Order.objects.get()
    assert (kept.priority, kept.accession_number) == (Priority.STAT, "A7")
    tell(places.ris, order_message(priority="R", **at("1101")))
    assert Order.objects.get().priority == Priority.ROUTINE
    for study in Study.objects.all():
        assert sum("came late" in line for line in sentences(study)) == 1
    assert not Delivery.objects.exists()  # nobody is told of it


def test_a_cancelled_order_does_not_come_back_by_a_message_that_was_overtaken(
    places: FirstSite,
) -> None:
    tell(places.ris, order_message(**at("1000")))
    tell(places.ris, bare_message("CA", **at("1200")))
    tell(places.ris, order_message(**at("1100")))
    assert Order.objects.get().status == Order.Status.CANCELLED
    tell(places.ris, order_message(**at("1300")))
    assert Order.objects.get().status == Order.Status.ORDERED


@pytest.mark.parametrize(
    "second",
    [{"said_at": ""}, {"said_at": "never"}, at("1000"), {"said_at": "202603011000+0100"}],
    ids=["no time", "no such time", "the same minute", "an hour earlier in another zone"],
)
def test_a_message_counts_as_overtaken_only_where_its_time_says_so(
    places: FirstSite, second: dict[str, str]
) -> None:
    tell(places.ris, order_message(priority="S", **at("1000")))
    tell(places.ris, order_message(priority="R", **second))
    is_earlier = second["said_at"].endswith("+0100")
    expected = Priority.STAT if is_earlier else Priority.ROUTINE
    assert Order.objects.get().priority == expected


def test_neither_another_senders_clock_nor_one_that_was_ahead_makes_a_message_late(
    places: FirstSite,
) -> None:
    tell(places.ris, order_message(priority="S", said_at="20990101"))
    tell(places.ris, order_message(priority="R", said_at="20980101"))
    assert Order.objects.get().priority == Priority.ROUTINE
    other = Node.objects.get(pk=places.ris.pk)
    other.pk, other.code = None, "another-ris"
    other.save()
    tell(other, order_message(priority="S", **at("1000")))
    assert Order.objects.get().priority == Priority.STAT


def test_in_the_hour_that_comes_twice_no_message_counts_as_overtaken(places: FirstSite) -> None:
    oslo = ZoneInfo("Europe/Oslo")
    for priority, clock in (("S", "0250"), ("R", "0210")):
        raw = order_message(priority=priority, said_at=f"20251026{clock}")
        (content,) = read_orders(Er7.from_bytes(raw), zone=oslo)
        orders.apply([(content, places.ris)])
    assert Order.objects.get().priority == Priority.ROUTINE

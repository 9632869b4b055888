"""What the hub answers to a message whose own name or text it cannot keep."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hub.hl7.er7 import Message as Er7
from routing.intake import Intake
from routing.models import Message, Order, SetAside
from tests.builders import parties
from tests.builders.orders import order_message

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def intake() -> Iterator[Intake]:
    parties.first_site()
    taken = Intake()
    yield taken
    taken.close()


def answer(intake: Intake, message: bytes) -> tuple[str, str]:
    """MSA-1 and the place of the error."""
    read = Er7.from_bytes(intake.take(message, "127.0.0.1"))
    err = read.segment("ERR")
    return read.segment("MSA").value(1), f"{err.value(1)}-{err.value(1, component=3)}"


def test_a_message_with_too_long_a_name_is_refused_and_set_aside(intake: Intake) -> None:
    assert answer(intake, order_message(control_id="9" * 300)) == ("AE", "MSH-10")
    assert SetAside.objects.get().field == "MSH-10"
    assert not Message.objects.exists()
    assert not Order.objects.exists()


def test_an_order_padded_with_nul_is_an_order_all_the_same(intake: Intake) -> None:
    message = order_message(name="Åsnes\0^Kjærsti", accession="A1\0")
    assert answer(intake, message)[0] == "AA"
    order = Order.objects.get()
    assert (order.accession_number, order.patient["name"]) == ("A1", "Åsnes^Kjærsti")
    assert bytes(Message.objects.get().raw) == message

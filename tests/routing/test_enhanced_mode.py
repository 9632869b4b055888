"""Senders that fill in MSH-15 and MSH-16 are answered as they ask; what is stored is the same."""

from __future__ import annotations

from hub.hl7.ack import read_ack
from routing.intake import Intake
from routing.models import Message, Order, SetAside
from tests.builders.orders import order_message
from tests.routing.conftest import Place


def enhanced(raw: bytes, accept: str, application: str) -> bytes:
    """The message with MSH-15 and MSH-16."""
    was, now = b"|P|2.3.1||||||", f"|P|2.3.1|||{accept}|{application}||".encode()
    assert was in raw
    return raw.replace(was, now, 1)


def test_a_sender_in_enhanced_mode_hears_of_its_order_what_it_asked_for(place: Place) -> None:
    receiver = Intake()
    messages = [
        enhanced(order_message(control_id=f"E{n}", placer=f"P{n}", filler=f"F{n}"), *asked)
        for n, asked in enumerate((("AL", "NE"), ("AL", "AL"), ("ER", "NE")))
    ]
    messages.append(enhanced(order_message(control_id="E9", control="ZZ"), "ER", "AL"))
    for _ in range(2):  # also when they are sent again
        one, both, nothing, bad = receiver.take_all([(raw, "127.0.0.1") for raw in messages])
        assert isinstance(one, bytes)
        assert isinstance(both, tuple)
        assert isinstance(bad, bytes)
        assert (read_ack(one).code, read_ack(one).control_id) == ("CA", "E0")
        assert [read_ack(answer).code for answer in both] == ["CA", "AA"]
        assert nothing == ()
        assert (read_ack(bad).code, read_ack(bad).control_id) == ("CE", "E9")
    receiver.close()
    assert Message.objects.filter(is_accepted=True).count() == 3
    assert Order.objects.count() == 3
    assert SetAside.objects.count() == 1


def test_a_sender_that_fills_in_msh_15_by_habit_is_answered_in_the_original_mode(
    place: Place,
) -> None:
    place.rows.ris.hl7["acknowledgement"] = "original"
    place.rows.ris.save()
    assert read_ack(place.order(enhanced(order_message(), "AL", "NE"))).code == "AA"
    refused = place.order(enhanced(order_message(control="ZZ"), "NE", "NE"))
    assert read_ack(refused).code == "AE"

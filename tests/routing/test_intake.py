"""HL7 messages in: stored before they are answered, once, and answered the same way twice."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from hub.hl7.ack import Ack, read_ack
from hub.hl7.er7 import Message as Er7
from hub.models import AuditEvent
from hub.phrases import render
from routing import addresses, intake, refusing
from routing.intake import Intake
from routing.models import Message, Order, Priority, SetAside
from routing.places import spool
from tests.builders.orders import order_message
from tests.builders.studies import head_ct
from tests.fakes.connections import others_closed
from tests.routing.conftest import Place


def answered(place: Place, raw: bytes) -> Ack:
    return read_ack(place.order(raw))


def assert_set_aside(raw: bytes, location: str) -> None:
    (row,) = SetAside.objects.all()
    assert (row.protocol, row.field) == ("hl7", location)
    assert render(row.reason)
    assert spool().path(row.key).read_bytes() == raw
    assert AuditEvent.objects.filter(action="input.set_aside").count() == 1


def test_an_order_is_stored_with_its_message_before_it_is_accepted(place: Place) -> None:
    raw = order_message(control_id="A17")
    ack = answered(place, raw)
    assert (ack.code, ack.control_id) == ("AA", "A17")
    message = Message.objects.get()
    assert (bytes(message.raw), message.control_id, message.is_accepted) == (raw, "A17", True)
    order = Order.objects.get()
    assert (order.site, order.placer_order_number) == (place.rows.site, "P1")
    assert order.patient["name"] == "Åsnes^Kjærsti"


def test_the_same_message_twice_is_answered_with_the_same_bytes_and_acted_on_once(
    place: Place,
) -> None:
    raw = order_message(control_id="A17", priority="S")
    first = place.order(raw)
    order = Order.objects.get()
    assert place.order(raw) == first
    assert Order.objects.get().updated_at == order.updated_at
    assert Message.objects.count() == 1
    assert SetAside.objects.count() == 0


def test_a_message_sent_again_at_another_time_is_the_same_message(place: Place) -> None:
    raw = order_message(control_id="A17")
    first = place.order(raw)
    later = raw.replace(b"|20260316073000|", b"|20260316073105|")
    assert later != raw
    assert place.order(later) == first
    assert SetAside.objects.count() == 0


def test_the_same_control_id_of_another_sender_is_another_message(place: Place) -> None:
    place.order(order_message(control_id="A17"))
    place.order(order_message(control_id="A17", facility="NORDBYHAGEN"))
    assert set(Order.objects.values_list("site__code", flat=True)) == {"drammen", "nordbyhagen"}


def test_a_control_id_used_for_another_message_is_refused_and_kept(place: Place) -> None:
    place.order(order_message(control_id="A17"))
    other = order_message(control_id="A17", placer="P2", filler="F2")
    ack = answered(place, other)
    assert (ack.code, ack.control_id) == ("AE", "A17")
    assert_set_aside(other, "MSH-10")
    assert Order.objects.count() == 1


def test_a_message_that_was_refused_may_come_again_corrected(place: Place) -> None:
    assert answered(place, order_message(control_id="A17", control="ZZ")).code == "AE"
    assert answered(place, order_message(control_id="A17")).code == "AA"
    assert Order.objects.count() == 1
    assert Message.objects.get().is_accepted


@pytest.mark.parametrize(
    ("fields", "code", "location"),
    [
        ({"control": "ZZ"}, "AE", "ORC-1"),
        ({"control": ""}, "AE", "ORC-1"),
        ({"placer": "", "filler": ""}, "AE", "ORC-2"),
        ({"accession": "", "study": ""}, "AE", "OBR-18"),
        ({"study": "not a uid"}, "AE", "ZDS-1"),
        ({"patient": ""}, "AE", "PID-3"),
        ({"count": "many"}, "AE", "OBX-5"),
        ({"accession": "9" * 65}, "AE", "OBR-18"),
        ({"application": "UNKNOWN"}, "AR", "MSH-3"),
        ({"facility": "ELSEWHERE"}, "AR", "MSH-3"),
    ],
)
def test_what_is_wrong_is_named_set_aside_and_changes_nothing(
    place: Place, fields: dict[str, Any], code: str, location: str
) -> None:
    raw = order_message(**fields)
    ack = answered(place, raw)
    assert ack.code == code
    assert location.split("-")[0] in ack.error
    assert_set_aside(raw, location)
    assert Order.objects.count() == 0


def test_a_node_that_may_not_send_orders_is_an_unknown_sender(place: Place) -> None:
    place.rows.ris.roles = ["results"]
    place.rows.ris.save()
    ack = answered(place, order_message())
    assert (ack.code, ack.text) == ("AR", "role orders was expected at node drammen-ris")
    assert Order.objects.count() == 0


def test_an_unknown_sender_is_told_how_it_called_itself(place: Place) -> None:
    ack = answered(place, order_message(application="RIS2"))
    assert ack.text == "sender RIS2|DRAMMEN was found, one of the set-up was expected"
    assert "RIS2|DRAMMEN" in render(SetAside.objects.get().reason)


def test_a_known_name_from_another_address_is_an_unknown_sender(place: Place) -> None:
    receiver = Intake()
    answer = receiver.take(order_message(), "192.0.2.7")
    receiver.close()
    ack = read_ack(answer)
    assert (ack.code, ack.text) == ("AR", "the address of node drammen-ris was expected")
    assert Order.objects.count() == 0


def test_a_host_name_that_could_not_be_looked_up_is_looked_up_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The name server was away when the hub started: the RIS is not shut out for good."""
    known: dict[str, list[Any]] = {}

    def look_up(host: str, _port: object) -> list[Any]:
        if host not in known:
            raise socket.gaierror
        return known[host]

    now = 1000.0
    monkeypatch.setattr(addresses.socket, "getaddrinfo", look_up)
    monkeypatch.setattr(addresses.time, "monotonic", lambda: now)
    assert not addresses.may_come_from("ris.example.org", "192.0.2.7")
    known["ris.example.org"] = [(2, 1, 6, "", ("192.0.2.7", 0))]
    now += 61
    assert addresses.may_come_from("ris.example.org", "192.0.2.7")
    assert not addresses.may_come_from("ris.example.org", "192.0.2.8")


@pytest.mark.parametrize("raw", [b"", b"hello", b"MSH", b"PID|1\r", b"BHS|^~\\&|R\r", b"\xff\xfe"])
def test_what_cannot_be_read_is_set_aside_and_answered(place: Place, raw: bytes) -> None:
    assert answered(place, raw).code == "AR"
    (row,) = SetAside.objects.all()
    assert "The message cannot be read" in render(row.reason)
    assert spool().path(row.key).read_bytes() == raw
    # and the next one is taken
    assert answered(place, order_message()).code == "AA"


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [("8859/1", "latin-1"), ("UNICODE UTF-8", "utf-8"), ("", "utf-8"), ("", "latin-1")],
)
def test_a_name_is_kept_as_it_is_written_whatever_the_message_declares(
    place: Place, declared: str, encoding: str
) -> None:
    place.rows.ris.hl7["charset"] = "8859/1"
    place.rows.ris.save()
    raw = order_message(charset=declared, encoding=encoding)
    answer = place.order(raw)
    assert read_ack(answer).code == "AA"
    assert Order.objects.get().patient["name"] == "Åsnes^Kjærsti"
    assert Er7.from_bytes(answer).segment("MSA").value(1) == "AA"


def test_many_at_once_are_each_answered_for_themselves(place: Place) -> None:
    receiver = Intake()
    answers: dict[str, bytes] = {}

    def send(number: int) -> None:
        control = "ZZ" if number % 5 == 0 else "NW"
        raw = order_message(
            control_id=f"M{number}", placer=f"P{number}", filler=f"F{number}", control=control
        )
        answers[f"M{number}"] = receiver.take(raw, "127.0.0.1")

    threads = [threading.Thread(target=send, args=(number,)) for number in range(20)]
    with others_closed():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        receiver.close()
    for name, answer in answers.items():
        ack = read_ack(answer)
        assert ack.control_id == name
        assert ack.code == ("AE" if int(name[1:]) % 5 == 0 else "AA")
    assert Order.objects.count() == 16


@contextmanager
def without_table(name: str) -> Iterator[None]:
    """A database that refuses whatever needs this table."""
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {name} RENAME TO {name}_away")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {name}_away RENAME TO {name}")


def test_what_could_not_be_stored_is_not_accepted(place: Place) -> None:
    with without_table("routing_message"):
        assert answered(place, order_message(control_id="A17")).code == "AE"
    assert (Order.objects.count(), Message.objects.count()) == (0, 0)
    assert answered(place, order_message(control_id="A17")).code == "AA"


@pytest.mark.django_db(transaction=True)
def test_a_listener_whose_database_was_restarted_goes_on_by_itself(place: Place) -> None:
    receiver = Intake()

    def send_then_lose_the_database(number: int) -> bytes:
        answer = receiver.take(order_message(control_id=f"M{number}"), "127.0.0.1")
        connection.connection.close()  # as the server does when it goes down
        return answer

    with ThreadPoolExecutor(1) as thread:  # as a thread of the listener: it lives on
        answers = [thread.submit(send_then_lose_the_database, one).result() for one in (1, 2, 3)]
        thread.submit(lambda: connection.close()).result()
    receiver.close()
    assert [read_ack(one).code for one in answers] == ["AA", "AA", "AA"]


def test_letters_that_cannot_be_read_are_reported_with_the_node_that_sent_them(
    place: Place,
) -> None:
    raw = order_message(charset="UNICODE UTF-8", encoding="latin-1")
    assert answered(place, raw).code == "AR"
    row = SetAside.objects.get()
    assert (row.node, row.site, row.field) == (place.rows.ris, place.rows.site, "MSH-18")
    assert row.sender == "RIS|DRAMMEN@127.0.0.1"


def test_the_beginning_of_a_message_too_large_is_kept_and_reported(place: Place) -> None:
    receiver = Intake()
    head = order_message(control_id="A17")
    answer = receiver.take_broken(head, "a message of more than 16777216 bytes", "127.0.0.1")
    receiver.close()
    assert (read_ack(answer).code, read_ack(answer).control_id) == ("AR", "A17")
    assert_set_aside(head, "MSH")
    assert SetAside.objects.get().site == place.rows.site
    assert Order.objects.count() == 0


def test_a_refused_message_that_is_sent_for_ever_is_reported_once(place: Place) -> None:
    raw = order_message(control="ZZ")
    for _ in range(3):
        assert answered(place, raw).code == "AE"
    assert_set_aside(raw, "ORC-1")
    other = order_message(control="ZZ", placer="P2", filler="F2")
    assert answered(place, other).code == "AE"
    assert SetAside.objects.count() == 2


def test_a_message_that_the_hub_fails_on_is_kept_and_not_asked_for_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any, **_kwargs: Any) -> None:
        raise OverflowError

    monkeypatch.setattr(intake.orders, "apply", fail)
    raw = order_message()
    ack = answered(place, raw)
    assert (ack.code, ack.text) == ("AE", "the hub failed on this message; it was kept")
    assert_set_aside(raw, "MSH")


def test_an_order_whose_study_has_come_already_moves_it_at_once(place: Place) -> None:
    place.send(head_ct())
    place.order(order_message(priority="S"))
    assert place.study.priority == Priority.STAT
    assert place.nothing_was_sent()


def test_a_flood_from_a_stranger_is_answered_but_not_all_of_it_is_kept(place: Place) -> None:
    receiver = Intake()
    strange = [order_message(application=f"X{number}") for number in range(30)]
    answers = receiver.take_all([(raw, "192.0.2.66") for raw in strange])
    assert {read_ack(one).code for one in answers} == {"AR"}
    assert SetAside.objects.count() == AuditEvent.objects.count() == refusing.MOST_OF_ONE
    # another one's is kept, and all that a node of the set-up sends
    assert read_ack(receiver.take(order_message(application="Y"), "192.0.2.67")).code == "AR"
    assert read_ack(receiver.take(order_message(control="ZZ"), "127.0.0.1")).code == "AE"
    receiver.close()
    assert SetAside.objects.count() == refusing.MOST_OF_ONE + 2


def test_what_comes_under_another_name_from_the_address_of_a_node_is_kept(place: Place) -> None:
    receiver = Intake()
    raw = [order_message(application=f"X{number}") for number in range(refusing.MOST_OF_ONE + 1)]
    answers = receiver.take_all([(one, "127.0.0.1") for one in raw])
    receiver.close()
    assert {read_ack(one).code for one in answers} == {"AR"}
    assert SetAside.objects.count() == refusing.MOST_OF_ONE + 1


def test_messages_that_come_together_are_each_taken_for_what_they_say(place: Place) -> None:
    receiver = Intake()
    said = [
        order_message(control_id="A1"),
        order_message(control_id="A2", control="XO", priority="S"),
        order_message(control_id="A3", control="ZZ"),
        order_message(control_id="A1"),
        order_message(control_id="A1", placer="P7", filler="F7"),
        order_message(control_id="A4", placer="P4", filler="F4", facility="NORDBYHAGEN"),
        order_message(control_id="A3", placer="P5", filler="F5", accession="A5"),
    ]
    answers = receiver.take_all([(raw, "127.0.0.1") for raw in said])
    receiver.close()
    codes = [(read_ack(one).code, read_ack(one).control_id) for one in answers]
    assert codes == [
        ("AA", "A1"), ("AA", "A2"), ("AE", "A3"), ("AA", "A1"), ("AE", "A1"), ("AA", "A4"),
        ("AA", "A3"),
    ]  # fmt: skip
    assert answers[3] == answers[0]
    orders = {one.placer_order_number: one for one in Order.objects.all()}
    assert set(orders) == {"P1", "P4", "P5"}
    assert orders["P1"].priority == Priority.STAT
    assert orders["P4"].site.code == "nordbyhagen"
    kept = {one.control_id: one.is_accepted for one in Message.objects.all()}
    assert kept == dict.fromkeys(("A1", "A2", "A3", "A4"), True)
    assert sorted(SetAside.objects.values_list("field", flat=True)) == ["MSH-10", "ORC-1"]


def test_a_change_that_comes_with_its_order_reaches_the_study_that_is_there(place: Place) -> None:
    place.send(head_ct())
    receiver = Intake()
    said = [
        order_message(control_id="A1", placer="P2", filler="F2", accession="A2", procedure="RP2"),
        order_message(control_id="A2", priority="R"),
        order_message(control_id="A3", control="XO", priority="S"),
        order_message(control_id="A4", control="XO", placer="P2", filler="F2", procedure="RP2",
                      accession="A2", priority="A"),
    ]  # fmt: skip
    answers = receiver.take_all([(raw, "127.0.0.1") for raw in said])
    receiver.close()
    assert {read_ack(one).code for one in answers} == {"AA"}
    assert place.study.priority == Priority.STAT
    assert place.study.order == Order.objects.get(placer_order_number="P1")
    assert Order.objects.get(placer_order_number="P2").priority == Priority.HIGH


def test_what_a_batch_asks_does_not_grow_with_its_messages(
    place: Place,
) -> None:
    def batch(first: int, count: int) -> list[tuple[bytes, str]]:
        return [
            (order_message(control_id=f"C{n}", placer=f"P{n}", filler=f"F{n}", accession=f"A{n}",
                           procedure=f"RP{n}"), "127.0.0.1")
            for n in range(first, first + count)
        ]  # fmt: skip

    receiver = Intake()
    receiver.take_all(batch(1, 1))
    for first, count in ((10, 1), (20, 8)):
        with CaptureQueriesContext(connection) as asked:
            receiver.take_all(batch(first, count))
            # what is known, new orders, new messages
        assert len([one for one in asked if "routing_" in one["sql"]]) == 3
    receiver.close()

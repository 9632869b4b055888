"""Each destination for itself: retry, circuit breaker, dead letters, and what an answer means."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from contracts.models import CallOffLine, UsageEvent
from hub.hl7.er7 import Message
from hub.hl7.mllp import MllpServer
from hub.phrases import render
from routing import lease, outbox, replay
from routing.models import Breaker, Delivery, Result, Workitem
from routing.places import spool
from routing.senders import DicomSender, sender_for
from tests.builders import worker
from tests.builders.studies import head_ct
from tests.fakes.scarcity import NO_MORE_FILES
from tests.routing.conftest import Place


@pytest.fixture(autouse=True)
def no_second_try_by_itself(place: Place, settings: Any) -> None:
    settings.HUB_RETRY_SECONDS = 60.0


def to(place: Place, kind: str) -> Delivery:
    return Delivery.objects.get(kind=kind, workitem=place.workitem)


def ready(place: Place) -> Place:
    """A result that is about to be told."""
    place.send(head_ct())
    place.work(until=lambda: Workitem.objects.filter(state="writing_back").exists())
    worker.lose_everything()
    return place


def away(place: Place, node: str) -> int:
    """Let the PACS or the RIS be unreachable; the port it had."""
    row = getattr(place.rows, node)
    port, row.port = row.port, 1
    row.save()
    return int(port)


# -- one destination does not hold up another ----------------------------------------------------
@pytest.mark.parametrize(("gone", "there"), [("pacs", "result"), ("ris", "dicom")])
def test_a_destination_that_is_away_holds_up_no_other(
    place: Place, gone: str, there: str
) -> None:
    port = away(place, gone)
    ready(place)
    for node in (place.rows.pacs, place.rows.ris):
        outbox.deliver(node)
    assert to(place, there).state == "delivered"
    waiting = to(place, "dicom" if there == "result" else "result")
    assert (waiting.state, waiting.attempts) == ("pending", 1)
    assert "not delivered" in render(waiting.last_error)
    assert place.workitem.state == "writing_back"
    getattr(place.rows, gone).__class__.objects.filter(code__endswith=gone).update(port=port)
    place.time_passes()
    assert place.workitem.state == "written_back"
    assert (len(place.objects()), place.results()) == (1, ["P"])
    assert UsageEvent.objects.count() == 1


def test_the_wait_doubles_with_every_try_and_has_an_end(settings: Any) -> None:
    settings.HUB_RETRY_SECONDS = 1.0
    for attempts in (1, 2, 5, 9, 30):
        waits = [outbox.backoff(attempts) for _ in range(200)]
        assert min(waits) >= 1.0
        assert max(waits) <= min(2.0**attempts, outbox.LONGEST_WAIT_SECONDS)
    # jitter: a thousand deliveries do not come back at the same moment
    assert len({round(outbox.backoff(9)) for _ in range(50)}) > 10


def test_a_circuit_opens_after_three_failures_and_is_probed_by_one(place: Place) -> None:
    port = away(ready(place), "ris")
    for _ in range(outbox.FAILURES_TO_OPEN):
        Delivery.objects.update(due_at=None)
        outbox.deliver(place.rows.ris)
    breaker = Breaker.objects.get(node=place.rows.ris)
    assert breaker.open_until is not None
    assert breaker.open_until > timezone.now()
    tried = to(place, "result").attempts
    Delivery.objects.update(due_at=None)
    outbox.deliver(place.rows.ris)
    waiting = to(place, "result")
    assert (waiting.attempts, waiting.due_at) == (tried, breaker.open_until)
    place.rows.ris.port = port
    place.rows.ris.save()
    place.time_passes()
    assert to(place, "result").state == "delivered"
    assert Breaker.objects.get(node=place.rows.ris).failures == 0


def test_a_circuit_is_for_one_destination_alone(place: Place) -> None:
    ready(place)
    later = timezone.now() + timedelta(hours=1)
    Breaker.objects.create(node=place.rows.ris, failures=5, open_until=later)
    for node in (place.rows.pacs, place.rows.ris):
        outbox.deliver(node)
    assert (to(place, "dicom").state, to(place, "result").state) == ("delivered", "pending")
    assert place.ris.received == []


# -- what an answer means ------------------------------------------------------------------------
@pytest.mark.parametrize("code", ["AE", "AR"])
def test_what_the_ris_refuses_is_a_dead_letter_with_its_words(place: Place, code: str) -> None:
    place.ris.answer = lambda _message: code
    place.send(head_ct())
    place.work()
    dead = to(place, "result")
    assert dead.state == "dead"
    assert code in render(dead.last_error)
    assert "refused by the stand-in" in render(dead.last_error)
    # told once, and not again by itself
    place.time_passes()
    assert len(place.ris.received) == 1
    assert place.workitem.state == "written_back"
    assert "1 of 2 destinations have it" in render(place.workitem.why)


def test_an_answer_to_another_message_is_no_answer(place: Place) -> None:
    def other(raw: bytes, _address: str) -> bytes:
        header = Message.from_bytes(raw).header
        return (f"MSH|^~\\&|RIS||||||ACK|1|P|2.5.1\rMSA|AA|{header.value(10)}X\r").encode()

    server = MllpServer(other, port=0)
    place.rows.ris.port = server.port
    place.rows.ris.save()
    ready(place)
    outbox.deliver(place.rows.ris)
    server.close()
    waiting = to(place, "result")
    assert waiting.state == "pending"
    assert "the answer is to another message" in render(waiting.last_error)


@pytest.mark.parametrize("answer", [b"", b"hello", b"MSH|^~\\&|RIS||||||ACK|1|P|2.5.1\r"])
def test_what_is_no_acknowledgement_leaves_the_delivery_open(place: Place, answer: bytes) -> None:
    server = MllpServer(lambda _raw, _address: answer, port=0)
    place.rows.ris.port = server.port
    place.rows.ris.save()
    ready(place)
    outbox.deliver(place.rows.ris)
    server.close()
    waiting = to(place, "result")
    assert (waiting.state, waiting.attempts) == ("pending", 1)
    assert "not delivered" in render(waiting.last_error)
    # It was sent: should a radiologist reject the result now, the RIS must hear of it.
    assert waiting.may_have_arrived


def test_a_pacs_without_space_is_tried_until_it_has_some(place: Place) -> None:
    place.pacs.status = lambda _dataset: 0xA700
    ready(place)
    for _ in range(outbox.MOST_REFUSALS + 1):
        Delivery.objects.update(due_at=None)
        Breaker.objects.update(open_until=None)
        outbox.deliver(place.rows.pacs)
    waiting = to(place, "dicom")
    assert (waiting.state, waiting.attempts) == ("pending", outbox.MOST_REFUSALS + 1)
    assert "0xA700" in render(waiting.last_error)
    assert UsageEvent.objects.count() == 0
    place.pacs.status = lambda _dataset: 0
    place.time_passes()
    assert to(place, "dicom").state == "delivered"
    assert len(place.objects()) == 1


def test_a_warning_is_success(place: Place) -> None:
    place.pacs.status = lambda _dataset: 0xB000
    ready(place)
    outbox.deliver(place.rows.pacs)
    sent = to(place, "dicom")
    assert (sent.state, sent.answer) == ("delivered", "0xB000")


def test_one_refused_object_of_several_is_not_success(place: Place) -> None:
    place.pacs.status = lambda dataset: 0 if dataset.Modality == "SR" else 0xC000
    place.algorithm_does("capture", module="tests.fakes.odd_algorithm")
    ready(place)
    outbox.deliver(place.rows.pacs)
    waiting = to(place, "dicom")
    assert waiting.state == "pending"
    assert "1 of 2 objects refused: 0xC000" in render(waiting.last_error)


def test_a_pacs_that_always_refuses_is_given_up_and_can_be_replayed(place: Place) -> None:
    place.pacs.status = lambda _dataset: 0xC000
    ready(place)
    for _ in range(outbox.MOST_REFUSALS):
        Delivery.objects.update(due_at=None)
        outbox.deliver(place.rows.pacs)
    assert to(place, "dicom").state == "dead"
    place.pacs.status = lambda _dataset: 0
    worker.lose_everything()
    replay.replay_delivery(to(place, "dicom"), by="admin")
    place.work()
    assert to(place, "dicom").state == "delivered"


@pytest.mark.parametrize(
    ("fault", "state"), [(NO_MORE_FILES, "pending"), (ValueError("stays so"), "dead")]
)
def test_only_what_stays_so_is_given_up_and_nothing_is_sent_meanwhile(
    place: Place, monkeypatch: pytest.MonkeyPatch, fault: Exception, state: str
) -> None:
    def breaks(*_words: object) -> str:
        raise fault

    ready(place)
    with monkeypatch.context() as patched:
        patched.setattr(DicomSender, "send", breaks)
        for _ in range(outbox.MOST_REFUSALS):
            Delivery.objects.update(due_at=None)
            outbox.deliver(place.rows.pacs)
    waiting = to(place, "dicom")
    assert (waiting.state, waiting.attempts) == (state, outbox.MOST_REFUSALS)
    assert (place.objects(), UsageEvent.objects.count()) == ([], 0)
    place.time_passes()
    assert len(place.objects()) == (state == "pending")


def test_a_destination_that_is_away_over_a_weekend_still_gets_its_results(place: Place) -> None:
    port = away(ready(place), "ris")
    Delivery.objects.update(created_at=timezone.now() - timedelta(days=4), attempts=300)
    outbox.deliver(place.rows.ris)
    assert to(place, "result").state == "pending"
    Delivery.objects.update(created_at=timezone.now() - timedelta(days=8), due_at=None)
    outbox.deliver(place.rows.ris)
    assert to(place, "result").state == "dead"
    place.rows.ris.port = port
    place.rows.ris.save()
    worker.lose_everything()
    replay.replay_delivery(to(place, "result"), by="admin")
    place.work()
    assert place.results() == ["P"]


# -- workers -------------------------------------------------------------------------------------
def test_what_another_worker_is_sending_is_left_to_it(place: Place) -> None:
    ready(place)
    assert lease.take(to(place, "result"), states=("pending",)) is not None
    outbox.deliver(place.rows.ris)
    assert place.ris.received == []


def test_a_worker_that_died_while_sending_leaves_a_message_that_the_ris_knows_again(
    place: Place,
) -> None:
    """Sent, and dead before the row said so: the same bytes with the same MSH-10 once more."""
    ready(place)
    held = lease.take(to(place, "result"), states=("pending",))
    assert held is not None
    with sender_for(place.rows.ris) as sender:
        sender.send(held)
    Delivery.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    place.time_passes()
    first, second = place.ris.received
    assert first == second
    assert place.results() == ["P"]
    assert UsageEvent.objects.count() == 1


def test_a_file_that_vanished_holds_up_nothing_behind_it(place: Place) -> None:
    ready(place)
    (report,) = Result.objects.filter(kind="sr")
    path = spool().path(report.key)
    raw = path.read_bytes()
    path.unlink()
    outbox.deliver(place.rows.pacs)
    waiting = to(place, "dicom")
    assert (waiting.state, waiting.attempts) == ("pending", 1)
    assert place.pacs.received == []
    path.write_bytes(raw)
    place.time_passes()
    assert to(place, "dicom").state == "delivered"


def test_what_is_cancelled_while_it_is_sent_stops_nothing_behind_it(place: Place) -> None:
    ready(place)
    first = to(place, "result")
    second = Delivery.objects.create(
        workitem=first.workitem, node=first.node, kind="result", name="second",
        message=bytes(first.message), control_id=first.control_id,
    )  # fmt: skip

    def cancel(_message: bytes) -> str:
        Delivery.objects.filter(pk=first.pk).update(state="cancelled")
        return "AA"

    place.ris.answer = cancel
    outbox.deliver(place.rows.ris)
    second.refresh_from_db()
    assert second.state == "delivered"


def test_a_slow_destination_costs_one_time_out_and_not_one_for_each(
    place: Place, settings: Any
) -> None:
    settings.HUB_SEND_TIMEOUT_SECONDS = 0.3
    place.ris.answer = lambda _message: str(time.sleep(1.0) or "AA")
    ready(place)
    outbox.deliver(place.rows.ris)
    waiting = to(place, "result")
    assert (waiting.state, waiting.attempts) == ("pending", 1)


def test_what_was_delivered_and_cannot_be_noted_is_not_told_with_every_sweep(place: Place) -> None:
    ready(place)
    CallOffLine.objects.update(site=place.rows.other_site)
    for _ in range(3):
        outbox.deliver(place.rows.ris)
    waiting = to(place, "result")
    assert (waiting.state, waiting.attempts) == ("pending", 1)
    assert "could not note it (UsageMismatchError)" in render(waiting.last_error)
    assert place.results() == ["P"]
    assert len(place.ris.received) == 1
    CallOffLine.objects.update(site=place.rows.site)
    place.time_passes()
    assert place.workitem.state == "written_back"
    assert UsageEvent.objects.count() == 1

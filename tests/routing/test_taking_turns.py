"""Destinations side by side: connections that stay open, and a slow one that holds up no other."""

from __future__ import annotations

import copy
import threading
from typing import Any

import pytest
from django.db import connection
from pydicom.dataset import Dataset

from contracts.models import UsageEvent, VolumeCounter
from demo.phantoms import Shape, make_study
from demo.stand_ins import Pacs
from hub.models import Node
from routing import outbox, senders
from routing.lanes import Lanes
from routing.models import Breaker, Delivery, Transition, Workitem
from tests.builders import worker
from tests.builders.studies import PATIENT
from tests.fakes.waiting import until
from tests.routing.conftest import Place

SHAPE = Shape(is_abnormal=True, slices=12, size=32)


def ready(place: Place, *, studies: int) -> None:
    """Reports for every PACS of the site, of which none has been sent."""
    about_to_be_told = Workitem.objects.filter(state="writing_back")
    for count in range(1, studies + 1):
        uid = f"1.2.3.{count}"
        place.send(make_study("head_ct", patient=PATIENT, study_instance_uid=uid, shape=SHAPE))
        place.work(until=lambda count=count: about_to_be_told.count() == count)  # type: ignore[misc]
        worker.lose_everything()


def states(node: Node) -> list[str]:
    queue = Delivery.objects.filter(kind="dicom", node=node).order_by("pk")
    return list(queue.values_list("state", flat=True))


def test_a_destination_whose_turn_is_over_asks_for_another(place: Place, settings: Any) -> None:
    ready(place, studies=2)
    settings.HUB_TURN_SECONDS = 1e-9
    outbox.deliver(place.rows.pacs)
    assert states(place.rows.pacs) == ["delivered", "pending"]
    assert worker.take_nudges() == [("routing.tasks.deliver", [place.rows.pacs.pk])]
    settings.HUB_TURN_SECONDS = 60.0
    outbox.deliver(place.rows.pacs)
    assert states(place.rows.pacs) == ["delivered", "delivered"]
    assert len(place.pacs.received) == 2
    # The second turn went on with the association of the first.
    assert place.pacs.associations == 1


def test_a_slow_destination_holds_up_no_other_and_has_one_thread(place: Place) -> None:
    is_asked, may_answer = threading.Event(), threading.Event()

    def slowly(_dataset: Dataset) -> int:
        is_asked.set()
        assert may_answer.wait(30)
        return 0x0000

    pacs = Pacs(status=slowly)
    slow = copy.copy(place.rows.pacs)
    slow.pk, slow.code, slow.ae_title, slow.port = None, "slow", "SLOW", pacs.port
    slow._state = copy.copy(slow._state)
    slow._state.adding = True
    slow.save()
    ready(place, studies=2)
    threads = [threading.Thread(target=deliver, args=[slow]) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert is_asked.wait(30)
    # Whoever comes while one sends to it goes on to other work.
    outbox.deliver(slow)
    outbox.deliver(place.rows.pacs)
    assert states(place.rows.pacs) == ["delivered", "delivered"]
    assert states(slow) == ["pending", "pending"]
    may_answer.set()
    for thread in threads:
        thread.join()
    assert states(slow) == ["delivered", "delivered"]
    assert len(pacs.received) == len(place.pacs.received) == 2
    pacs.close()


def deliver(node: Node) -> None:
    try:
        outbox.deliver(node)
    finally:
        connection.close()


def test_a_pacs_that_hangs_up_between_two_deliveries_gets_both_once(
    place: Place, settings: Any
) -> None:
    ready(place, studies=2)
    settings.HUB_TURN_SECONDS = 1e-9
    outbox.deliver(place.rows.pacs)
    place.pacs.hang_up()
    outbox.deliver(place.rows.pacs)
    assert states(place.rows.pacs) == ["delivered", "delivered"]
    assert len(place.pacs.received) == 2
    assert place.pacs.associations == 2
    assert not Breaker.objects.filter(failures__gt=0).exists()


def test_several_are_sent_in_one_round_over_one_connection_and_noted_together(
    place: Place,
) -> None:
    ready(place, studies=4)
    results = Delivery.objects.filter(kind="result")
    outbox.deliver(place.rows.ris)
    assert place.ris.connections == 1
    assert len(place.ris.received) == 4
    assert set(results.values_list("state", "lease_owner", "lease_until")) == {
        ("delivered", "", None)
    }
    # One alone at first, then two, as it answers promptly.
    moments = list(results.order_by("pk").values_list("delivered_at", flat=True))
    assert len(set(moments)) < 4
    outbox.deliver(place.rows.pacs)
    assert set(Workitem.objects.values_list("state", flat=True)) == {"written_back"}
    assert UsageEvent.objects.count() == 4
    assert VolumeCounter.objects.get().quantity == 4
    moved = Transition.objects.filter(from_state="pending", to_state="delivered")
    assert moved.values("delivery").distinct().count() == moved.count() == 8


def test_one_that_cannot_be_noted_keeps_no_other_of_its_round_from_being_noted(
    place: Place,
) -> None:
    ready(place, studies=4)
    odd = Delivery.objects.filter(kind="dicom").order_by("pk")[2]

    def cancel(dataset: Dataset) -> int:
        if dataset.StudyInstanceUID == "1.2.3.3":
            Delivery.objects.filter(pk=odd.pk).update(state="cancelled")
        return 0x0000

    place.pacs.status = cancel
    outbox.deliver(place.rows.pacs)
    assert states(place.rows.pacs) == ["delivered", "delivered", "cancelled", "delivered"]
    assert len(place.pacs.received) == 4


def test_what_was_taken_and_not_sent_is_given_back_as_it_was(place: Place) -> None:
    """The PACS hangs up as it gets the second of a round: the third was not on its way."""
    ready(place, studies=4)
    rows = Delivery.objects.filter(kind="dicom").order_by("pk")

    def hang_up(dataset: Dataset) -> int:
        if dataset.StudyInstanceUID == "1.2.3.2":
            place.pacs.close()  # first: nobody may come in again before it is gone
            place.pacs.hang_up()
        return 0x0000

    place.pacs.status = hang_up
    outbox.deliver(place.rows.pacs)
    first, second, third, fourth = rows
    assert (first.state, second.state) == ("delivered", "pending")
    assert second.may_have_arrived
    assert not fourth.may_have_arrived
    assert {one.lease_owner for one in (first, second, third, fourth)} == {""}


def test_a_worker_that_stops_ends_what_it_kept_open(place: Place) -> None:
    ready(place, studies=1)
    for node in (place.rows.pacs, place.rows.ris):
        outbox.deliver(node)
    assert place.pacs.open_associations == 1
    senders.close_kept()
    until(lambda: place.pacs.open_associations == 0, "the association is released")


def test_a_destination_without_a_lane_asks_again_and_is_sent_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready(place, studies=1)
    lanes = Lanes(most_slow=lambda: 0)
    lanes.note(place.rows.pacs.pk, is_reachable=False)
    monkeypatch.setattr(outbox, "_LANES", lanes)
    outbox.deliver(place.rows.pacs)
    assert states(place.rows.pacs) == ["pending"]
    assert place.pacs.received == []
    assert worker.take_nudges() == [("routing.tasks.deliver", [place.rows.pacs.pk])]

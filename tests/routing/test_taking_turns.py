"""Destinations side by side: connections that stay open, and a slow one that holds up no other."""

from __future__ import annotations

import copy
import threading
from typing import Any

from django.db import connection
from pydicom.dataset import Dataset

from demo.phantoms import Shape, make_study
from demo.stand_ins import Pacs
from hub.models import Node
from routing import outbox
from routing.models import Breaker, Delivery, Workitem
from tests.builders import worker
from tests.builders.studies import PATIENT
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

"""A broker that loses every message loses nothing: the sweep finds what stands still."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from contracts.models import UsageEvent
from routing import lease, sweeping
from routing.models import Delivery, Study, Workitem
from tests.builders import worker
from tests.builders.orders import order_message
from tests.builders.studies import head_ct
from tests.routing.conftest import Place


def one_nudge_at_a_time(place: Place) -> int:
    """Lose every message there is, sweep, and do what the sweep asked for; how often."""
    for turn in range(100):
        worker.lose_everything()
        now = timezone.now()
        for rows in (Study, Workitem, Delivery):
            rows.objects.filter(due_at__gt=now).update(due_at=now)  # type: ignore[attr-defined]
        if not sweeping.sweep():
            return turn
        worker.drain(keep_waiting=False)
    raise AssertionError("never done")


def test_a_study_goes_the_whole_way_though_every_message_is_lost(place: Place) -> None:
    place.order(order_message())
    place.send(head_ct())
    assert one_nudge_at_a_time(place) >= 1
    assert place.workitem.state == "written_back"
    assert (len(place.objects()), place.results()) == (1, ["P"])
    assert len(place.ris.of_type("OMI^O23")) == 1
    assert UsageEvent.objects.count() == 1


def test_there_is_nothing_to_sweep_once_all_is_done(place: Place) -> None:
    place.send(head_ct())
    place.work()
    assert sweeping.sweep() == 0
    told = len(place.ris.received)
    place.time_passes()
    assert len(place.ris.received) == told


def test_what_somebody_holds_is_not_nudged(place: Place) -> None:
    place.is_accepted_first()
    place.send(head_ct())
    place.work(until=lambda: Workitem.objects.filter(state="collected").exists())
    worker.lose_everything()
    assert lease.take(place.workitem, states=("collected",)) is not None
    assert sweeping.sweep() == 0
    Workitem.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert sweeping.sweep() == 1
    place.work()
    assert place.workitem.state == "held"
    assert place.nothing_was_sent()


def test_a_long_queue_of_one_destination_does_not_hide_another(place: Place) -> None:
    place.send(head_ct())
    place.work(until=lambda: Workitem.objects.filter(state="writing_back").exists())
    item, (pacs, ris) = place.workitem, (place.rows.pacs, place.rows.ris)
    Delivery.objects.all().delete()
    Delivery.objects.bulk_create(
        Delivery(workitem=item, node=pacs, kind="dicom", name=f"{number}") for number in range(600)
    )
    Delivery.objects.create(workitem=item, node=ris, kind="result", name="the last")
    worker.lose_everything()
    sweeping.sweep()
    assert sorted(worker.take_nudges()) == [
        ("routing.tasks.deliver", [node.pk]) for node in sorted((pacs, ris), key=lambda one: one.pk)
    ]


def test_of_more_than_can_be_nudged_at_once_the_longest_due_come_first(place: Place) -> None:
    place.send(head_ct())
    worker.lose_everything()
    first, now = place.study, timezone.now()
    Study.objects.bulk_create(
        Study(
            site=first.site, study_instance_uid=f"1.2.{number}", first_instance_at=now,
            last_instance_at=now, waiting_since=now, read_by=now, due_at=now,
        )
        for number in range(600)
    )  # fmt: skip
    last = Study.objects.order_by("-pk").first()
    assert last is not None
    Study.objects.filter(pk=last.pk).update(due_at=now - timedelta(seconds=1))
    sweeping.sweep()
    assert ("routing.tasks.complete", [last.pk]) in worker.take_nudges()


def test_what_waits_for_its_time_is_not_nudged(place: Place) -> None:
    place.send(head_ct())
    worker.lose_everything()
    Study.objects.update(due_at=timezone.now() + timedelta(minutes=10))
    assert sweeping.sweep() == 0


def _due_studies(place: Place, count: int) -> None:
    place.send(head_ct())
    worker.lose_everything()
    first, now = place.study, timezone.now()
    Study.objects.bulk_create(
        Study(
            site=first.site, study_instance_uid=f"1.2.{number}", first_instance_at=now,
            last_instance_at=now, waiting_since=now, read_by=now, due_at=now,
        )
        for number in range(count)
    )  # fmt: skip


def test_a_queue_does_not_grow_however_often_is_swept_before_anybody_works(place: Place) -> None:
    _due_studies(place, 700)
    nudged = [sweeping.sweep() for _again in range(20)]
    waiting = worker.take_nudges()
    assert sum(nudged) == len(waiting) <= 500
    assert nudged[-1] == 0


def test_what_a_full_queue_had_no_room_for_is_nudged_once_it_is_shorter(place: Place) -> None:
    _due_studies(place, 700)
    told = set[int]()
    for _again in range(20):
        sweeping.sweep()
        nudged = {row_id for _task, [row_id] in worker.take_nudges()}
        told |= nudged
        Study.objects.filter(pk__in=nudged).update(due_at=timezone.now() + timedelta(hours=1))
    assert told >= set(Study.objects.filter(state="receiving").values_list("pk", flat=True))


def test_a_full_queue_keeps_no_other_queue_waiting(place: Place) -> None:
    _due_studies(place, 700)
    Study.objects.filter(study_instance_uid="1.2.7").update(state="complete")
    for _again in range(20):
        sweeping.sweep()
    tasks = [task for task, _args in worker.take_nudges()]
    assert "routing.tasks.match" in tasks


@pytest.mark.sqlite  # the other database lets many write
def test_nobody_is_kept_from_writing_while_the_sweep_looks(place: Place) -> None:
    place.send(head_ct())
    Study.objects.update(due_at=timezone.now())
    worker.lose_everything()
    # A lock that is only for the time of one statement begins no transaction.
    with CaptureQueriesContext(connection) as asked:
        assert sweeping.sweep() == 1
    assert [one["sql"] for one in asked if one["sql"].startswith("BEGIN")] == []

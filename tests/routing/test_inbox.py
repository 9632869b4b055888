"""The inbox: accepted in one statement, taken in later, never lost, doubled or left behind."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.utils import timezone

from hub.dicom.scp import SUCCESS
from hub.models import AuditEvent
from hub.phrases import render
from routing import healing, inbox, sweeping, taking_in
from routing.arrivals import Arrival
from routing.models import Arrived, Instance, SetAside, Study
from routing.register import SET_ASIDE, record
from routing.steps import complete as complete_step
from routing.steps.receive import Receiver
from tests.builders.studies import head_ct
from tests.fakes.killing import killed_at
from tests.fakes.waiting import until
from tests.routing.conftest import Place
from tests.routing.test_at_once import at_once
from tests.routing.test_receive import arrival

pytestmark = pytest.mark.django_db(transaction=True)

OTHER = "blake3-" + "a" * 52


def come(place: Place, *, slices: int = 4, **changes: Any) -> list[Arrival]:
    """A study of which the first instance has its rows, and the others wait in the inbox."""
    arrivals = [arrival(place, one) for one in head_ct(slices=slices, **changes)]
    assert [record([one]) for one in arrivals] == [[SUCCESS]] * slices
    assert (Instance.objects.count(), Arrived.objects.count()) == (1, slices - 1)
    return arrivals


def of_study(one: Arrival, **changes: str) -> Arrival:
    """The same instance with another header of its study."""
    return replace(one, header=replace(one.header, study=replace(one.header.study, **changes)))


def assert_whole(place: Place, count: int) -> None:
    """Every instance has its row once, all counts say so, and none waits."""
    assert Arrived.objects.count() == 0
    assert Instance.objects.count() == count
    assert place.study.instance_count == count
    assert sum(row.instance_count for row in place.study.series.all()) == count


def test_what_waits_is_taken_in_as_of_the_time_when_it_came(place: Place) -> None:
    *_, last = come(place)
    assert taking_in.take_in_all() == 3
    assert_whole(place, 4)
    row = Instance.objects.get(sop_instance_uid=last.header.instance.sop_instance_uid)
    assert (row.key, row.digest, row.size) == (
        last.stored.key, last.stored.digest, last.stored.size,
    )  # fmt: skip
    assert row.received_at == place.study.last_instance_at == last.received_at
    assert taking_in.take_in_all() == 0


def test_the_rows_are_those_of_instances_that_never_waited(place: Place) -> None:
    come(place, slices=6)
    taking_in.take_in_all()
    waited = [
        list(rows.objects.order_by("instance_number" if rows is Instance else "pk").values())
        for rows in (Study, Instance)
    ]
    Study.objects.all().delete()
    arrivals = [arrival(place, one) for one in head_ct(slices=6)]
    for one in arrivals:
        record([one])
        taking_in.take_in_all()
    for before, rows in zip(waited, (Study, Instance), strict=True):
        now = list(rows.objects.order_by("instance_number" if rows is Instance else "pk").values())
        for old, new in zip(before, now, strict=True):
            changed = {name for name in old if old[name] != new[name]}
            assert {name.rpartition("_")[2] for name in changed} <= {
                "id", "uid", "at", "since", "by",
            }  # fmt: skip


@pytest.mark.parametrize(
    ("what", "status", "field"),
    [
        ("again", SUCCESS, ""),
        ("other content", SET_ASIDE, "SOPInstanceUID"),
        ("other patient", SET_ASIDE, "PatientID"),
        ("other study", SET_ASIDE, "SOPInstanceUID"),
    ],
)
def test_what_is_out_of_the_ordinary_is_judged_with_what_waits(
    place: Place, what: str, status: int, field: str
) -> None:
    *_, last = come(place)
    if what == "other content":
        last = replace(last, stored=replace(last.stored, digest=OTHER))
    elif what == "other patient":
        last = of_study(last, patient_id="another")
    elif what == "other study":
        last = of_study(last, study_instance_uid="1.2.3")
        last = replace(last, stored=replace(last.stored, digest=OTHER))
    assert record([last]) == [status]
    assert [row.field for row in SetAside.objects.all()] == [field] * bool(field)
    taking_in.take_in_all()
    assert_whole(place, 4)


def test_of_two_with_one_uid_in_a_batch_the_second_is_set_aside(place: Place) -> None:
    first, *_ = come(place, slices=2)
    fresh = replace(
        first, header=replace(first.header, instance=replace(
            first.header.instance, sop_instance_uid="1.2.3.4")))  # fmt: skip
    other = replace(fresh, stored=replace(fresh.stored, digest=OTHER))
    assert record([fresh, other, fresh]) == [SUCCESS, SET_ASIDE, SUCCESS]
    taking_in.take_in_all()
    assert_whole(place, 3)


def test_what_no_longer_belongs_when_it_is_taken_in_is_set_aside_and_reported(
    place: Place,
) -> None:
    come(place)
    Study.objects.update(patient_id="merged")
    taking_in.take_in_all()
    assert (Arrived.objects.count(), Instance.objects.count()) == (0, 1)
    assert [row.field for row in SetAside.objects.all()] == ["PatientID"] * 3
    assert AuditEvent.objects.filter(action="input.set_aside").count() == 3


def test_one_that_cannot_be_taken_in_holds_up_no_other_and_is_reported(place: Place) -> None:
    bad = come(place)[2]

    def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        is_bad = bad.header.instance.sop_instance_uid in str(params)
        if "INSERT INTO routing_instance" in sql and is_bad:
            raise DatabaseError("no")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(refuse):
        assert taking_in.take_in_all() == 2
    assert_whole(place, 3)
    (row,) = SetAside.objects.all()
    assert (row.study, row.key) == (place.study, bad.stored.key)
    assert "could not be made part" in render(row.reason)


def test_a_study_does_not_close_before_what_waits_is_part_of_it(place: Place) -> None:
    come(place, slices=12, NumberOfStudyRelatedInstances=12)
    complete_step.complete(place.study)
    assert place.study.state == "complete"
    assert_whole(place, 12)


def test_an_instance_that_comes_between_the_evidence_and_the_closing_keeps_it_open(
    place: Place,
) -> None:
    made = [arrival(place, one) for one in head_ct(slices=5, NumberOfStudyRelatedInstances=4)]
    record(made[:4])
    taking_in.take_in_all()
    is_late = False

    def come_late(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal is_late
        if not is_late and "routing_series" in sql:
            is_late = True
            assert record(made[4:]) == [SUCCESS]
        return execute(sql, params, many, context)

    with connection.execute_wrapper(come_late):
        complete_step.complete(place.study)
    assert is_late
    assert (place.study.state, Arrived.objects.count()) == ("receiving", 1)


@pytest.mark.parametrize("is_first", [True, False])
def test_an_instance_that_comes_while_its_study_is_closed_is_before_or_after_it(
    place: Place, is_first: bool
) -> None:
    """It keeps the study open or opens the next revision: no row waits on one that is closed."""
    made = [arrival(place, one) for one in head_ct(slices=5, NumberOfStudyRelatedInstances=4)]
    record(made[:4])
    taking_in.take_in_all()
    study = place.study
    works = [lambda: record(made[4:]), lambda: complete_step.complete(study)]
    assert at_once(*(works if is_first else works[::-1])) == []
    assert not Arrived.objects.exclude(study__state="receiving").exists()
    taking_in.take_in_all()
    assert_whole(place, 5)
    assert (place.study.state, place.study.revision) == ("receiving", 1 if is_first else 2)


def test_two_that_take_in_at_once_never_both_take_the_same(place: Place) -> None:
    come(place, slices=8)
    assert at_once(taking_in.take_in_all, taking_in.take_in_all) == []
    assert_whole(place, 8)


def test_one_instance_by_two_associations_at_once_is_one(place: Place) -> None:
    made = come(place, slices=2)
    Arrived.objects.all().delete()
    assert at_once(lambda: record(made[1:]), lambda: record(made[1:])) == []
    taking_in.take_in_all()
    assert_whole(place, 2)
    assert SetAside.objects.count() == 0


def test_a_process_killed_at_any_statement_of_taking_in_loses_and_doubles_nothing(
    place: Place,
) -> None:
    come(place, slices=5)
    statements = 0
    while True:
        with killed_at(statements) as fate:
            taking_in.take_in_all()
        if not fate.was_killed:
            break
        assert Arrived.objects.count() + Instance.objects.count() == 5
        statements += 1
    assert statements > 6
    assert_whole(place, 5)


@pytest.mark.parametrize("ago", [5, -3600])
def test_the_sweep_takes_in_what_a_killed_listener_left(place: Place, ago: int) -> None:
    """Also where the clock was put back after that."""
    come(place)
    sweeping.sweep()
    # what just came is left to the listener that has it
    assert Arrived.objects.count() == 3
    Arrived.objects.update(received_at=timezone.now() - timedelta(seconds=ago))
    # what is to come in the future has its time set right first, and is then as good as new
    _ = sweeping.sweep() if ago > 0 else taking_in.take_in_left()
    assert_whole(place, 4)


def test_what_waits_is_known_to_the_scan_at_the_start(place: Place) -> None:
    come(place)
    receiver = Receiver()
    try:
        assert healing.heal(receiver, newest=timezone.now().timestamp() + 1) == 0
    finally:
        receiver.close()


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_what_another_process_accepted_is_taken_in_as_its_own(place: Place, kept: int) -> None:
    arrivals = come(place)
    for pk in sorted(inbox._recent)[: len(inbox._recent) - kept]:
        del inbox._recent[pk]
    waiting = inbox.waiting(place.study.pk)
    assert [one.arrival.header for one in waiting] == [one.header for one in arrivals[1:]]
    assert [one.arrival.stored for one in waiting] == [one.stored for one in arrivals[1:]]
    taking_in.take_in_all()
    assert_whole(place, 4)


def test_a_row_counts_and_not_what_is_remembered_under_its_key(place: Place) -> None:
    first, second, *_ = come(place, slices=2)
    (row,) = Arrived.objects.all()
    inbox._recent[row.pk] = first
    (waiting,) = inbox.waiting(place.study.pk)
    assert waiting.arrival.stored.key == second.stored.key


def test_the_listener_takes_in_what_it_accepted_by_itself(place: Place) -> None:
    receiver = Receiver()
    try:
        for one in head_ct(slices=4):
            assert receiver.record(arrival(place, one)) == SUCCESS
    finally:
        receiver.close()
    assert_whole(place, 4)


def test_without_sync_rows_follow_their_answers_and_what_is_apart_is_set_aside(
    place: Place, settings: Any
) -> None:
    settings.HUB_SYNC = False
    made = head_ct(slices=5)
    made[3].PatientID = "somebody else"
    receiver = Receiver()
    try:
        for one in (*made, made[0]):
            assert receiver.record(arrival(place, one)) == SUCCESS
        until(lambda: Study.objects.filter(instance_count=4), "the rows are there")
    finally:
        receiver.close()
    assert_whole(place, 4)
    (aside,) = SetAside.objects.all()
    assert (aside.study, aside.field) == (place.study, "PatientID")


@pytest.mark.sqlite  # the other database has statistics
@pytest.mark.parametrize("what", ["admission", "question"])
def test_what_is_asked_of_each_instance_looks_through_no_table(place: Place, what: str) -> None:
    statement = inbox._admission(1, "sqlite") if what == "admission" else inbox._question(1)
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {statement}", [""] * statement.count("%s"))
        plan = [row[3] for row in cursor.fetchall()]
    assert [step for step in plan if step.startswith("SCAN") and "CONSTANT" not in step] in (
        ["SCAN f"], [],
    )  # fmt: skip
    # by the UID, and not by all the studies of a site
    assert any("instance_sop_instance_uid" in step for step in plan), plan

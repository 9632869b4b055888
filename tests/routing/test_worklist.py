"""The order in which people should read, and why each study stands where it stands."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from hub.phrases import render
from routing import review, worklist
from routing.models import Finding, Order, Priority, Study
from tests.builders import parties, worklists
from tests.builders.parties import FirstSite

pytestmark = pytest.mark.django_db
S, H, M, R, L = Priority.STAT, Priority.HIGH, Priority.MEDIUM, Priority.ROUTINE, Priority.LOW


@pytest.fixture
def places() -> FirstSite:
    return parties.first_site()


def again(study: Study) -> Study:
    return Study.objects.get(pk=study.pk)


def found_on(study: Study, places: FirstSite, **finding: object) -> Finding:
    return worklists.finding_of(worklists.workitem_on(study, places.version), **finding)  # type: ignore[arg-type]


def reason_of(study: Study) -> str:
    return render(again(study).reason)


def in_order() -> list[Study]:
    return list(Study.objects.unread().in_reading_order())


def test_a_critical_finding_stands_before_what_was_ordered_stat(places: FirstSite) -> None:
    stat = worklists.study_at(places.site, minutes=50, priority=S)
    high = worklists.study_at(places.site, minutes=50, priority=H)
    sick = worklists.study_at(places.site, minutes=1, priority=R)
    found_on(sick, places, urgency="stat", probability=0.9)
    assert in_order() == [sick, stat, high]
    assert (again(sick).priority, again(sick).reading_band) == (S, 0)


@pytest.mark.parametrize(
    ("longer", "shorter", "waits"), [(R, H, 24 * 60), (R, M, 21 * 60), (L, R, 49 * 60)]
)
def test_waiting_raises_a_study_until_it_stands_before_more_urgent_ones(
    places: FirstSite, longer: Priority, shorter: Priority, waits: int
) -> None:
    urgent = worklists.study_at(places.site, minutes=1, priority=shorter)
    patient = worklists.study_at(places.site, minutes=waits - 120, priority=longer)
    assert in_order() == [urgent, patient]
    starving = worklists.study_at(places.site, minutes=waits, priority=longer)
    assert in_order() == [starving, urgent, patient]


def test_a_finding_never_lowers_what_was_ordered(places: FirstSite) -> None:
    study = worklists.study_at(places.site, priority=S)
    found_on(study, places, urgency="high", probability=0.6)
    assert again(study).priority == S


@pytest.mark.parametrize("state", ["held", "rejected", "superseded", "withheld", "failed"])
def test_a_finding_that_is_not_released_moves_nothing(places: FirstSite, state: str) -> None:
    study = worklists.study_at(places.site, priority=R)
    item = worklists.workitem_on(study, places.version, state=state)
    worklists.finding_of(item, urgency="stat", probability=0.9)
    assert again(study).priority == R
    assert "suspected" not in reason_of(study)


def test_a_finding_in_shadow_use_moves_nothing(places: FirstSite) -> None:
    study = worklists.study_at(places.site, priority=R)
    item = worklists.workitem_on(study, places.version, purpose="shadow")
    worklists.finding_of(item, urgency="stat", probability=0.9)
    assert again(study).priority == R


def test_two_results_released_from_the_same_old_view_both_count(places: FirstSite) -> None:
    study = worklists.study_at(places.site, priority=R)
    old_view = again(study)
    found_on(study, places, urgency="stat", probability=0.9)
    other = parties.algorithm_version("pe-detect", name="PE Detect")
    Finding.objects.create(
        workitem=worklists.workitem_on(old_view, other), ordinal=0, code=worklists.EMBOLUS,
        status="absent", urgency="routine",
    )  # fmt: skip
    worklist.place(old_view)
    assert again(study).priority == S
    assert "Intracranial hemorrhage suspected" in reason_of(study)


def test_placing_from_an_old_view_does_not_bring_back_what_was_read(places: FirstSite) -> None:
    study = worklists.study_at(places.site, priority=R)
    old_view = again(study)
    review.mark_read(study, by=places.radiologist)
    item = worklists.workitem_on(old_view, places.version, state="collected")
    item.state = "written_back"
    item.save()
    worklists.finding_of(item, urgency="stat", probability=0.9)
    worklist.place(old_view)
    assert again(study).is_read
    assert in_order() == []


def test_what_has_not_started_takes_the_priority_of_an_order_that_comes_later(
    places: FirstSite,
) -> None:
    study = worklists.study_at(places.site)
    waiting = worklists.workitem_on(study, places.version, state="entitled", finished_at=None)
    running = worklists.workitem_on(study, places.version, state="dispatched", finished_at=None)
    assert (waiting.priority, running.priority) == (R, R)
    study.order = Order.objects.create(site=places.site, key="K", priority=S)
    study.save()
    worklist.place(study)
    waiting.refresh_from_db()
    running.refresh_from_db()
    assert (waiting.priority, running.priority) == (S, R)


@pytest.mark.parametrize(
    ("states", "word"),
    [
        ([], "none"),
        (["matched"], "running"),
        (["entitled"], "running"),
        (["dispatched", "written_back"], "running"),
        (["failed", "written_back"], "failed"),
        (["held"], "held"),
        (["writing_back"], "done"),
        (["written_back"], "done"),
        (["refused"], "none"),
        (["superseded"], "none"),
    ],
)
def test_one_word_says_what_ai_has_done(
    places: FirstSite, states: list[str], word: str
) -> None:
    study = worklists.study_at(places.site)
    for state in states:
        worklists.workitem_on(study, places.version, state=state)
    worklist.place(study)
    assert again(study).ai_state == word


def test_a_failed_algorithm_leaves_the_study_where_its_order_put_it(places: FirstSite) -> None:
    study = worklists.study_at(places.site, priority=H)
    worklists.workitem_on(study, places.version, state="failed")
    assert again(study).priority == H
    assert reason_of(study) == "AI failed; ordered as high priority"


@pytest.mark.parametrize(
    ("finding", "words"),
    [
        ({"urgency": "stat", "probability": 0.97}, "suspected by ICH Triage 1.0.0, 97 %"),
        ({"urgency": "stat"}, "Intracranial hemorrhage suspected by ICH Triage 1.0.0"),
        ({"status": "absent"}, "not found by ICH Triage 1.0.0; ordered as routine"),
        ({"status": "indeterminate"}, "left open by ICH Triage 1.0.0"),
    ],
)
def test_the_reason_names_finding_and_algorithm(
    places: FirstSite, finding: dict[str, object], words: str
) -> None:
    study = worklists.study_at(places.site, priority=R)
    found_on(study, places, **finding)
    assert words in reason_of(study)


def test_a_cancelled_order_says_so_and_a_missing_one_too(places: FirstSite) -> None:
    study = worklists.study_at(places.site, priority=S)
    assert study.order is not None
    Order.objects.update(status=Order.Status.CANCELLED)
    worklist.place(study)
    assert (again(study).priority, reason_of(study)) == (R, "the order was cancelled")
    alone = worklists.study_at(places.site)
    assert reason_of(alone) == "no order known: routine"


def test_a_study_that_stands_where_it_stood_is_not_touched(places: FirstSite) -> None:
    study = worklists.study_at(places.site, priority=H)
    long_ago = timezone.now() - timedelta(days=1)
    Study.objects.update(changed_at=long_ago)
    worklist.place(study)
    assert again(study).changed_at == long_ago


@pytest.mark.postgresql
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="only its planner guesses so")
def test_the_server_has_examples_enough_to_know_how_often_two_letters_occur() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attstattarget FROM pg_attribute"
            " WHERE attrelid = to_regclass('study_search') AND attnum = 1"
        )
        assert cursor.fetchone() in ((500,), None)  # None: no pg_trgm, and no index

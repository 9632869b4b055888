"""When a study is closed, by which evidence, and what a late instance does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from hub.models import Node
from routing.models import Study, Workitem
from routing.steps import complete as step
from routing.steps.complete import Closing, Evidence, decide
from tests.builders import worker
from tests.builders.orders import order_message
from tests.builders.studies import head_ct, send
from tests.fakes.archive import Archive
from tests.routing.conftest import Place

NOW = datetime(2026, 3, 16, 8, 0, tzinfo=UTC)


@pytest.fixture
def seconds(settings: Any) -> None:
    settings.HUB_SHORT_QUIET_SECONDS = 10.0
    settings.HUB_QUIET_SECONDS = 30.0
    settings.HUB_CEILING_SECONDS = 900.0


def decided(*, quiet: float, age: float = 100, **fields: Any) -> str | float:
    """The rule that closes, or in how many seconds to look again."""
    evidence = Evidence(
        **({"received": 12, "expected": None, "has_gap": False} | fields),
        first_at=NOW - timedelta(seconds=age),
        last_at=NOW - timedelta(seconds=quiet),
    )
    answer = decide(evidence, NOW)
    return answer.rule if isinstance(answer, Closing) else (answer - NOW).total_seconds()


@pytest.mark.usefixtures("seconds")
@pytest.mark.parametrize(
    ("known", "answer"),
    [
        ({"quiet": 0, "expected": 12}, "expected"),
        ({"quiet": 11}, "no_gap"),
        ({"quiet": 9}, 1),
        ({"quiet": 11, "has_gap": True}, 19),
        # still arriving, and in no order: the gap may be filled in a moment
        ({"quiet": 9, "has_gap": True}, 1),
        ({"quiet": 9, "expected": 13}, 1),
        ({"quiet": 31, "has_gap": True}, "quiet"),
        ({"quiet": 11, "expected": 13}, 19),
        ({"quiet": 31, "expected": 13}, "quiet"),
        ({"quiet": 1, "age": 901, "has_gap": True}, "ceiling"),
        ({"quiet": 11, "age": 890, "has_gap": True}, 10),
        # more came than somebody told: whoever told it was wrong
        ({"quiet": 0, "expected": 11}, 10),
        ({"quiet": 11, "expected": 11}, "no_gap"),
        ({"quiet": 11, "expected": 11, "has_gap": True}, 19),
    ],
)
def test_the_best_evidence_at_hand_closes_a_study(
    known: dict[str, Any], answer: str | float
) -> None:
    assert decided(**known) == answer


# -- where the evidence comes from ---------------------------------------------------------------
def closed_by(place: Place) -> str:
    study = place.study
    assert study.state == "matched"
    closing = study.transitions.get(to_state="complete", revision=study.revision)
    assert str(closing)
    return study.completed_by


def never_quiet(settings: Any) -> None:
    settings.HUB_SHORT_QUIET_SECONDS = 60.0
    settings.HUB_QUIET_SECONDS = 90.0


def test_a_count_in_the_header_closes_at_once(place: Place, settings: Any) -> None:
    never_quiet(settings)
    made = head_ct(NumberOfStudyRelatedInstances=12)
    place.send(made[:11])
    worker.drain(keep_waiting=False)
    assert place.study.state == "receiving"
    assert place.nothing_was_sent()
    place.send(made[11:])
    place.work(until=lambda: place.study.state == "matched")
    assert closed_by(place) == "expected"


def test_a_count_in_the_order_closes_at_once(place: Place, settings: Any) -> None:
    never_quiet(settings)
    place.send(head_ct())
    worker.drain(keep_waiting=False)
    assert place.study.state == "receiving"
    place.order(order_message(count=12))
    place.work(until=lambda: place.study.state == "matched")
    assert closed_by(place) == "expected"


def test_numbers_without_a_gap_close_after_a_short_quiet(place: Place) -> None:
    place.send(head_ct())
    place.work()
    assert closed_by(place) == "no_gap"


@pytest.mark.parametrize("missing", [0, 5])
def test_a_gap_in_the_numbers_waits_for_the_whole_quiet_period(place: Place, missing: int) -> None:
    made = head_ct(slices=13)
    del made[missing]
    place.send(made)
    place.work()
    assert closed_by(place) == "quiet"


def test_a_series_without_numbers_waits_for_the_whole_quiet_period(place: Place) -> None:
    place.send(head_ct(InstanceNumber=None))
    place.work()
    assert closed_by(place) == "quiet"


def test_a_series_that_says_how_many_it_is_waits_for_them(place: Place) -> None:
    place.send(head_ct(NumberOfSeriesRelatedInstances=13))
    place.work()
    assert closed_by(place) == "quiet"


def test_a_study_that_never_rests_is_closed_at_the_ceiling(place: Place, settings: Any) -> None:
    never_quiet(settings)
    settings.HUB_CEILING_SECONDS = 1.0
    made = head_ct()
    place.send(made[:6])
    place.send(made[7:])
    Study.objects.update(first_instance_at=timezone.now() - timedelta(seconds=1))
    step.complete(place.study)
    place.work(until=lambda: place.study.state == "matched")
    assert closed_by(place) == "ceiling"


def test_a_gap_that_is_filled_while_it_is_waited_for_closes_without_the_sweep(
    place: Place, settings: Any
) -> None:
    settings.HUB_QUIET_SECONDS = 60.0
    made = head_ct()
    place.send(made[:6] + made[7:])
    far = timezone.now() + timedelta(seconds=30)
    place.work(until=lambda: bool(place.study.due_at and place.study.due_at > far))
    assert place.study.state == "receiving"
    place.send(made[6:7])
    place.work(until=lambda: place.study.state == "matched")
    assert closed_by(place) == "no_gap"


@pytest.fixture
def archive(place: Place) -> Iterator[Archive]:
    found = Archive()
    Node.objects.create(
        code="archive", site=place.rows.site, protocol="dicom", ae_title="ARCHIVE",
        host="127.0.0.1", port=found.port, roles=["archive"],
    )  # fmt: skip
    yield found
    found.close()


def test_an_archive_that_has_more_holds_the_study_open(
    place: Place, archive: Archive, settings: Any
) -> None:
    settings.HUB_QUIET_SECONDS = 60.0  # however slow the machine is
    archive.count = 13
    made = head_ct(slices=13)
    place.send(made[:12])
    place.work(until=lambda: bool(archive.asked))
    assert place.study.state == "receiving"
    place.send(made[12:])
    place.work(until=lambda: place.study.state == "matched")
    assert closed_by(place) == "expected"
    assert set(archive.asked) == {place.study.study_instance_uid}


def test_what_an_archive_has_while_it_receives_itself_is_not_taken_for_all(
    place: Place, archive: Archive, settings: Any
) -> None:
    settings.HUB_QUIET_SECONDS = 60.0  # however slow the machine is
    archive.count = 12
    made = head_ct(slices=14)
    place.send(made[:11])
    place.work(until=lambda: len(archive.asked) == 1)
    archive.count = 14
    place.send(made[11:12])
    place.work(until=lambda: len(archive.asked) == 2)
    assert place.study.state == "receiving"
    place.send(made[12:])
    place.work(until=lambda: place.study.state == "matched")
    assert (closed_by(place), place.study.revision) == ("expected", 1)


@pytest.mark.parametrize("count", [None, 0, 5])
def test_an_archive_that_knows_less_decides_nothing(
    place: Place, archive: Archive, count: int | None
) -> None:
    archive.count = count
    place.send(head_ct())
    place.work()
    assert closed_by(place) == "no_gap"


def test_an_archive_that_does_not_answer_decides_nothing(place: Place, archive: Archive) -> None:
    archive.close()
    place.send(head_ct())
    place.work()
    assert closed_by(place) == "no_gap"


def test_what_the_hub_wrote_and_another_archive_sends_on_alone_comes_to_an_end(
    place: Place,
) -> None:
    place.send(head_ct())
    place.work()
    send(place.rows.other_pacs, place.objects())
    place.work()
    study = Study.objects.get(site=place.rows.other_site)
    assert (study.state, study.workitems.count()) == ("matched", 0)
    assert study not in Study.objects.unread()


# -- late instances ------------------------------------------------------------------------------
def test_a_count_that_was_too_small_costs_one_revision_and_not_one_for_each_instance(
    place: Place, settings: Any
) -> None:
    made = head_ct(slices=16, NumberOfStudyRelatedInstances=12)
    place.send(made[:12])
    place.work()
    # However slow the machine is, they come close behind each other.
    quick = settings.HUB_SHORT_QUIET_SECONDS, settings.HUB_QUIET_SECONDS
    settings.HUB_SHORT_QUIET_SECONDS = settings.HUB_QUIET_SECONDS = 60.0
    for one in made[12:]:
        place.send([one])
        worker.drain(keep_waiting=False)
    settings.HUB_SHORT_QUIET_SECONDS, settings.HUB_QUIET_SECONDS = quick
    place.time_passes()
    assert place.study.revision == 2
    assert Workitem.objects.count() == 2


def test_an_instance_that_comes_while_a_study_is_closed_keeps_it_open(place: Place) -> None:
    made = head_ct(slices=13, NumberOfStudyRelatedInstances=12)
    place.send(made[:12])
    old_view = place.study
    place.send(made[12:])
    step.complete(old_view)
    assert (place.study.state, place.study.revision) == ("receiving", 1)
    place.work()
    assert (place.study.revision, place.study.instance_count) == (1, 13)


def test_closing_twice_closes_once(place: Place) -> None:
    place.send(head_ct(NumberOfStudyRelatedInstances=12))
    study = Study.objects.get()
    step.complete(study)
    step.complete(Study.objects.get())
    assert study.transitions.filter(to_state="complete").count() == 1
    assert place.nothing_was_sent()

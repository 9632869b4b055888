"""What moves add up to: each counted once, whoever asks and whenever the worker adds them up."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client import generate_latest

from routing import metrics, tallying
from routing.models import Study, Tally, TallyMark, Transition, Workitem
from tests.builders import worklists
from tests.builders.parties import FirstSite, first_site

pytestmark = pytest.mark.django_db


@pytest.fixture
def places() -> FirstSite:
    Transition.objects.all().delete()
    return first_site()


def moves(study: Study, item: Workitem | None, *states: str, ending: datetime) -> None:
    """One move after the other, two seconds apart, the last at ``ending``."""
    for number, state in enumerate(states):
        Transition.objects.create(
            study=study, workitem=item, revision=1, to_state=state,
            at=ending - timedelta(seconds=2 * (len(states) - 1 - number)),
        )  # fmt: skip


def told() -> str:
    return generate_latest(metrics.registry()).decode()


def a_way(places: FirstSite, ending: datetime) -> None:
    study = worklists.study_at(places.site)
    item = worklists.workitem_on(study, places.version)
    Transition.objects.filter(study=study).delete()
    moves(study, None, "receiving", "complete", "matched", ending=ending)
    moves(study, item, "matched", "entitled", "dispatched", ending=ending)


def test_a_step_takes_from_the_state_before_to_its_own(places: FirstSite) -> None:
    a_way(places, timezone.now())
    text = told()
    code = places.version.algorithm.code
    assert f'routing_dispatch_seconds_bucket{{algorithm="{code}",le="1.0"}} 0.0' in text
    assert f'routing_dispatch_seconds_bucket{{algorithm="{code}",le="2.5"}} 1.0' in text
    assert f'routing_dispatch_seconds_sum{{algorithm="{code}"}} 2.0' in text
    assert f'routing_match_seconds_count{{site="{places.site.code}"}} 1.0' in text
    assert 'routing_moves_total{kind="workitem",state="matched"} 1.0' in text
    assert f'routing_collect_seconds_count{{algorithm="{code}"}}' not in text


def test_adding_up_changes_no_number_and_counts_nothing_twice(places: FirstSite) -> None:
    ended_at = timezone.now() - timedelta(hours=1)
    a_way(places, ended_at)
    a_way(places, ended_at)
    before = tallying.totals()
    assert tallying.tally() == 12
    assert tallying.totals() == before
    assert tallying.tally() == 0
    assert tallying.totals() == before
    # what comes later is timed from a move that was added up before
    item = Workitem.objects.earliest("pk")
    moves(item.study, item, "collected", ending=ended_at + timedelta(minutes=10))
    assert tallying.tally() == 1
    row = Tally.objects.get(kind="workitem", state="collected")
    assert (row.count, row.seconds) == (1, 600.0)


def test_what_has_not_settled_is_told_and_not_added_up(places: FirstSite) -> None:
    a_way(places, timezone.now() - timedelta(hours=1))
    a_way(places, timezone.now())
    assert tallying.tally() == 6
    assert TallyMark.objects.get().last < Transition.objects.latest("pk").pk
    assert tallying.totals()["study", places.site.code, "matched"].count == 2


def test_a_scrape_of_what_is_over_reads_the_tallies_alone(places: FirstSite) -> None:
    for _ in range(3):
        a_way(places, timezone.now() - timedelta(hours=1))
    tallying.tally()
    with CaptureQueriesContext(connection) as asked:
        tallying.totals()
    assert len(asked) == 4  # the mark, the tallies, no move after it, the mark again

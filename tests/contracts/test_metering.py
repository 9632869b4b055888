"""A delivered result is counted once, for ever, whoever reports it and however often."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings as hub_settings
from django.db import connection, transaction

from contracts.metering import (
    Duplicate,
    Recorded,
    UsageConflictError,
    UsageMismatchError,
    record,
    study_ref,
)
from contracts.models import UsageEvent, VolumeCounter
from tests.builders.parties import (
    FirstSite,
    algorithm_version,
    call_off_under,
    first_site,
    line_of,
)

NOON = datetime(2026, 6, 1, 10, 0, tzinfo=UTC)
THREADS = 50


def reported(here: FirstSite, **change: Any) -> Recorded | Duplicate:
    report: dict[str, Any] = {
        "study_ref_of": (here.site.code, "1.2.840.1"),
        "line": here.line,
        "version": here.version,
        "source": "urn:hub:site:drammen",
        "event_id": "event-1",
        "at": NOON,
        "details": {"purpose": "clinical"},
    }
    return record(**(report | change))


def counted() -> dict[date, int]:
    return dict(VolumeCounter.objects.values_list("contract_year", "quantity"))


@pytest.mark.django_db
def test_a_delivered_result_is_counted() -> None:
    here = first_site()

    done = reported(here)

    assert isinstance(done, Recorded)
    event = UsageEvent.objects.get()
    assert (event.call_off, event.line, event.version) == (here.call_off, here.line, here.version)
    assert (event.site, event.algorithm, event.at) == (here.site, here.algorithm, NOON)
    assert counted() == {date(2026, 1, 1): 1}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "again",
    [
        {},
        {"at": NOON + timedelta(minutes=5)},
        {"event_id": "event-2"},
        {"event_id": "event-2", "source": "urn:elsewhere", "details": {"rerun_of": "event-1"}},
    ],
)
def test_a_second_report_of_the_same_study_is_not_counted(again: dict[str, Any]) -> None:
    here = first_site()
    first = reported(here)

    second = reported(here, **again)

    assert second == Duplicate(first.event)
    assert UsageEvent.objects.count() == 1
    assert counted() == {date(2026, 1, 1): 1}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "other", [{"study_ref_of": ("drammen", "1.2.840.2")}, {"details": {"purpose": "other"}}]
)
def test_the_same_event_with_other_content_is_a_conflict(other: dict[str, Any]) -> None:
    here = first_site()
    reported(here)

    with pytest.raises(UsageConflictError, match=r"event-1.*another (study_ref|details)"):
        reported(here, **other)
    assert counted() == {date(2026, 1, 1): 1}


@pytest.mark.django_db
def test_the_same_study_under_another_call_off_is_another_purchase() -> None:
    here = first_site()
    second = call_off_under(here.framework, organisation=here.organisation, code="CO-0002")
    line = line_of(second, algorithm=here.algorithm, site=here.site)

    reported(here)
    reported(here, line=line, event_id="event-2")

    assert counted() == {date(2026, 1, 1): 2}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("at", "year"),
    [
        (datetime(2026, 12, 31, 22, 59, tzinfo=UTC), date(2026, 1, 1)),
        (datetime(2026, 12, 31, 23, 0, tzinfo=UTC), date(2027, 1, 1)),
    ],
)
def test_the_contract_year_turns_at_midnight_in_oslo(at: datetime, year: date) -> None:
    here = first_site()

    reported(here, at=at)

    assert counted() == {year: 1}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("at", "year"),
    [
        (datetime(2027, 2, 27, 12, 0, tzinfo=UTC), date(2026, 2, 28)),
        (datetime(2027, 2, 28, 12, 0, tzinfo=UTC), date(2027, 2, 28)),
        (datetime(2028, 2, 28, 12, 0, tzinfo=UTC), date(2027, 2, 28)),
        (datetime(2028, 2, 29, 12, 0, tzinfo=UTC), date(2028, 2, 29)),
    ],
)
def test_a_contract_year_begins_on_the_anniversary_of_the_framework(
    at: datetime, year: date
) -> None:
    here = first_site()
    here.framework.valid_from = date(2024, 2, 29)
    here.framework.save()
    here.line.refresh_from_db()

    reported(here, at=at)

    assert counted() == {year: 1}


@pytest.mark.django_db
def test_a_delivery_that_is_rolled_back_is_not_counted() -> None:
    here = first_site()

    with transaction.atomic():
        reported(here)
        transaction.set_rollback(True)

    assert not UsageEvent.objects.exists()
    assert counted() == {}


@pytest.mark.django_db
def test_usage_is_not_booked_on_the_line_of_another_site_or_algorithm() -> None:
    here = first_site()

    with pytest.raises(UsageMismatchError, match="nordbyhagen"):
        reported(here, study_ref_of=("nordbyhagen", "1.2.840.1"))
    with pytest.raises(UsageMismatchError, match="another algorithm"):
        reported(here, version=algorithm_version("fracture", name="Fracture"))
    assert not UsageEvent.objects.exists()


def test_a_study_reference_tells_nothing_of_the_study_and_differs_between_sites() -> None:
    reference = study_ref("drammen", "1.2.840.1")

    assert reference == study_ref("drammen", "1.2.840.1")
    assert reference.startswith("hmac-sha256:")
    assert len(reference) == len("hmac-sha256:") + 64
    assert "1.2.840.1" not in reference
    assert reference != study_ref("nordbyhagen", "1.2.840.1")
    assert reference != study_ref("drammen", "1.2.840.1", secret="another key")


@pytest.mark.django_db
def test_a_replaced_secret_key_does_not_count_a_study_anew(settings: Any) -> None:
    here = first_site()
    first = reported(here)
    settings.SECRET_KEY_FALLBACKS = [hub_settings.SECRET_KEY]
    settings.SECRET_KEY = "a new key, as an administrator sets it when the old one has leaked"

    assert reported(here) == Duplicate(first.event)
    assert reported(here, event_id="event-2") == Duplicate(first.event)


def at_once(work: Callable[[int], object]) -> list[object]:
    """The results of ``work(n)`` in fifty threads that start together, a connection each."""
    start = threading.Barrier(THREADS)

    def one(number: int) -> object:
        try:
            start.wait(timeout=30)
            with transaction.atomic():
                return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(one, range(THREADS)))


@pytest.mark.django_db(transaction=True)
def test_fifty_deliveries_at_once_count_fifty() -> None:
    here = first_site()

    done = at_once(
        lambda n: reported(
            here, study_ref_of=(here.site.code, f"1.2.840.{n}"), event_id=f"event-{n}"
        )
    )

    assert all(isinstance(each, Recorded) for each in done)
    assert UsageEvent.objects.count() == THREADS
    assert counted() == {date(2026, 1, 1): THREADS}


@pytest.mark.django_db(transaction=True)
def test_fifty_reports_of_one_study_at_once_count_one() -> None:
    here = first_site()

    done = at_once(lambda n: reported(here, event_id=f"event-{n}"))

    assert sum(isinstance(each, Recorded) for each in done) == 1
    assert UsageEvent.objects.count() == 1
    assert counted() == {date(2026, 1, 1): 1}

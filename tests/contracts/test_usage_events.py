"""Reported usage: accepted once for ever, corrected by rows of its own, hidden from others."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from contracts.agreements import value_used
from contracts.metering import record
from contracts.models import (
    Authority,
    AuthorityOption,
    CallOff,
    FrameworkAgreement,
    UsageAdjustment,
    UsageEvent,
    VolumeCounter,
)
from contracts.taking_usage import take
from hub.models import AuditEvent, User
from tests.builders import parties
from tests.builders.parties import first_site
from tests.contracts.usage_reports import SOURCE, adjusted, completed

THREADS = 50
JULY = datetime(2026, 7, 1, 8, tzinfo=UTC)
EVENTS = "/api/v1/usage-events"


def as_(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def post(user: User, body: Any, *, kind: str = "application/json") -> Any:
    return as_(user).post(EVENTS, body, content_type=kind)


def statuses(user: User, events: list[Any]) -> list[str]:
    answer = post(user, events)
    assert answer.status_code == 200, answer.content
    return [one["status"] for one in answer.json()["results"]]


def counted() -> dict[date, int]:
    return dict(VolumeCounter.objects.values_list("contract_year", "quantity"))


@pytest.mark.django_db
def test_an_event_is_counted_once_however_often_it_is_sent() -> None:
    here = first_site()

    assert statuses(here.officer, [completed(1), completed(2), completed(1)]) == [
        "accepted", "accepted", "duplicate",
    ]  # fmt: skip
    assert statuses(here.officer, [completed(2)]) == ["duplicate"]

    event = UsageEvent.objects.get(event_id="event-1")
    assert (event.tenant, event.line, event.units) == (here.organisation, here.line, 1)
    assert event.latency_ms == 74_200
    assert counted() == {date(2026, 1, 1): 2}
    assert AuditEvent.objects.filter(action="usage.reported").count() == 2


@pytest.mark.django_db
def test_a_time_beyond_the_calendar_holds_up_no_other_event() -> None:
    here = first_site()

    odd = completed(1, time="0001-01-01T00:00:00+23:00")
    assert statuses(here.officer, [odd, completed(2)]) == ["rejected", "accepted"]
    assert counted() == {date(2026, 1, 1): 1}


@pytest.mark.django_db
def test_a_call_off_that_says_until_when_may_outlive_its_agreement() -> None:
    here = first_site()
    FrameworkAgreement.objects.update(valid_to=date(2026, 6, 20))
    assert statuses(here.officer, [completed(1, time="2026-07-01T08:00:00Z")]) == ["rejected"]
    CallOff.objects.update(valid_to=date(2026, 7, 1))

    days = [completed(2, time="2026-07-01T21:59:59Z"), completed(3, time="2026-07-01T22:02:00Z")]
    assert statuses(here.officer, days) == ["accepted", "rejected"]


@pytest.mark.django_db
def test_what_was_asked_for_on_the_last_day_is_paid_for_though_it_comes_after_midnight() -> None:
    here = first_site()
    FrameworkAgreement.objects.update(valid_to=date(2026, 7, 1))
    begun = completed(1, time="2026-07-01T22:00:30Z", latency_s=31)
    after = completed(2, time="2026-07-01T22:00:30Z", latency_s=29.5)
    unknown = completed(3, time="2026-07-01T22:00:00Z", latency_s=None)

    assert statuses(here.officer, [begun, after, unknown]) == ["accepted", "rejected", "rejected"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("named", "option", "status"),
    [
        ({}, {"state": "exercised"}, "accepted"),
        ({}, {"state": "declared"}, "rejected"),
        ({}, {"state": "declined"}, "rejected"),
        ({}, {"state": "lapsed"}, "rejected"),
        ({}, {"state": "lapsed", "exercised": date(2026, 3, 1)}, "accepted"),
        ({"valid_to": date(2026, 6, 30)}, {"state": "exercised"}, "rejected"),
        ({"valid_to": date(2026, 7, 1)}, {"state": "exercised"}, "accepted"),
    ],
)
def test_usage_follows_options_and_the_days_of_a_naming(
    named: dict[str, Any], option: dict[str, Any], status: str
) -> None:
    here = first_site()
    Authority.objects.update(role="option_authority", **named)
    AuthorityOption.objects.create(authority=Authority.objects.get(), **option)

    (answer,) = post(here.officer, [completed(1)]).json()["results"]

    assert answer["status"] == status
    if status == "rejected":
        assert answer["reason"] == (
            "subject: Vestre Viken HF may not call off under 2020-1968 on 2026-07-01"
        )


@pytest.mark.django_db
def test_what_is_asked_for_after_a_call_off_was_closed_is_not_paid_for() -> None:
    here = first_site()
    noon = datetime(2026, 7, 1, 10, tzinfo=UTC)  # in Oslo
    CallOff.objects.update(state="closed", closed_at=noon)
    before = completed(1, time="2026-07-01T09:59:59Z", latency_s=None)
    begun = completed(2, time="2026-07-01T10:00:30Z", latency_s=31)
    after = completed(3, time="2026-07-01T10:00:30Z", latency_s=29.5)
    unknown = completed(4, time="2026-07-01T10:00:01Z", latency_s=None)

    answer = post(here.officer, [before, begun, after, unknown]).json()["results"]

    assert [one["status"] for one in answer] == ["accepted", "accepted", "rejected", "rejected"]
    assert answer[2]["reason"] == (
        "data.completed_at: CO-0001 was closed at 2026-07-01T12:00:00+02:00"
    )
    assert counted() == {date(2026, 1, 1): 2}


@pytest.mark.django_db
def test_the_same_key_with_other_content_is_a_conflict() -> None:
    here = first_site()
    statuses(here.officer, [completed(1)])

    assert statuses(here.officer, [completed(1, modality="MR")]) == ["conflict"]
    alone = post(here.officer, completed(1, modality="MR"), kind="application/cloudevents+json")
    assert alone.status_code == 409
    assert "other content" in alone.json()["results"][0]["reason"]
    assert counted() == {date(2026, 1, 1): 1}


@pytest.mark.django_db
def test_another_tenant_may_use_the_same_key_and_learns_nothing_of_ours() -> None:
    here = first_site()
    theirs = parties.call_off_under(
        here.framework, organisation=here.other_organisation, code="CO-0002"
    )
    parties.line_of(theirs, algorithm=here.algorithm, site=here.other_site)
    officer = parties.member(
        "their.officer", role="procurement_officer", organisation=here.other_organisation
    )
    statuses(here.officer, [completed(1)])

    same = completed(1, subject="call_off:CO-0002", site="nordbyhagen")
    assert statuses(officer, [same]) == ["accepted"]
    answer = post(officer, [completed(1), completed("x", subject="call_off:none")]).json()
    ours, none = answer["results"]
    assert (ours["status"], none["status"]) == ("rejected", "rejected")
    assert ours["reason"] == none["reason"]

    usage = as_(officer).get("/api/v1/usage?group_by=organisation,call_off").json()["results"]
    assert [(row["organisation"], row["call_off"]) for row in usage] == [("ahus", "CO-0002")]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"algorithm": "fracture"}, "no line for this algorithm and site"),
        ({"site": "nordbyhagen"}, "no line for this algorithm and site"),
        ({"version": "9.9"}, "no version of this name"),
        ({"time": "2026-03-15T12:00:00Z"}, "the line was not in force on 2026-03-15"),
        ({"time": "2026-02-01T12:00:00Z"}, "CO-0001 was not in force on 2026-02-01"),
        ({"time": "2025-12-31T22:59:59Z"}, "2020-1968 was not in force on 2025-12-31"),
    ],
)
def test_what_the_agreement_does_not_cover_is_rejected(change: Any, reason: str) -> None:
    here = first_site()
    (answer,) = post(here.officer, [completed(1, **change)]).json()["results"]
    assert answer["status"] == "rejected"
    assert reason in answer["reason"]
    assert not UsageEvent.objects.exists()


@pytest.mark.django_db
def test_a_failure_is_kept_unpaid_and_a_later_result_of_the_study_is_paid_once() -> None:
    here = first_site()
    study = completed(1)["data"]["study_ref"]
    failure = completed(1, outcome="failed", fault="supplier")
    told = [failure, completed(2, study_ref=study), completed(3, study_ref=study)]

    assert statuses(here.officer, told) == ["accepted", "accepted", "duplicate"]
    assert counted() == {date(2026, 1, 1): 1}
    row = as_(here.officer).get("/api/v1/usage").json()["results"]
    assert row == [{"units": 1, "events": 2, "failures": 1}]


@pytest.mark.django_db
def test_a_correction_is_a_row_of_its_own_and_moves_the_counter() -> None:
    here = first_site()
    statuses(here.officer, [completed(1), completed(2)])

    told = [adjusted(1, of=1, units=-1), adjusted(1, of=1, units=-1), adjusted(2, of=1, units=-1)]
    assert statuses(here.officer, told) == ["accepted", "duplicate", "rejected"]
    assert statuses(here.officer, [adjusted(3, of=9, units=1)]) == ["rejected"]
    assert statuses(here.officer, [adjusted(1, of=2, units=-1)]) == ["conflict"]

    assert UsageEvent.objects.get(event_id="event-1").units == 1
    assert UsageAdjustment.objects.get().recorded_by == "officer"
    assert counted() == {date(2026, 1, 1): 1}
    rows = as_(here.officer).get("/api/v1/usage?group_by=month").json()["results"]
    assert rows == [{"month": "2026-07", "units": 1, "events": 2, "failures": 0}]


@pytest.mark.django_db
def test_an_event_and_its_correction_may_come_in_one_envelope() -> None:
    here = first_site()
    told = [completed(1), adjusted(1, of=1, units=-1)]
    assert statuses(here.officer, told) == ["accepted", "accepted"]
    assert counted() == {date(2026, 1, 1): 0}


@pytest.mark.django_db
def test_an_envelope_holds_up_to_a_thousand_and_bad_events_spoil_no_others() -> None:
    here = first_site()
    many = [completed(n) for n in range(999)]
    assert Counter(statuses(here.officer, [*many, "nonsense"])) == {"accepted": 999, "rejected": 1}
    refused = post(here.officer, [completed(n) for n in range(1001)])
    assert (refused.status_code, list(refused.json())) == (400, ["events"])
    assert post(here.officer, []).status_code == 400
    assert counted() == {date(2026, 1, 1): 999}


@pytest.mark.django_db
def test_only_those_who_buy_may_report_or_ask() -> None:
    here = first_site()
    for user in (here.radiologist, here.other_radiologist):
        assert post(user, [completed(1)]).status_code == 403
        assert as_(user).get("/api/v1/usage").status_code == 403
    assert not UsageEvent.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("asked", ["group_by=patient", "from=yesterday", "to=9999-99-99", "by=x"])
def test_a_question_that_is_not_understood_is_refused(asked: str) -> None:
    here = first_site()
    assert as_(here.officer).get(f"/api/v1/usage?{asked}").status_code == 400


@pytest.mark.django_db
def test_usage_is_told_by_local_days_and_codes() -> None:
    here = first_site()
    statuses(here.officer, [
        completed(1, time="2026-06-30T21:59:59Z"), completed(2, time="2026-06-30T22:00:00Z"),
    ])  # fmt: skip
    client = as_(here.officer)

    def asked(text: str) -> Any:
        return client.get(f"/api/v1/usage?{text}").json()["results"]

    assert [row["day"] for row in asked("group_by=day")] == ["2026-06-30", "2026-07-01"]
    assert asked("from=2026-07-01&to=2026-07-01&group_by=site")[0]["units"] == 1
    assert asked("group_by=site&call_off=CO-9999") == [] == asked("group_by=site&to=2026-06-29")
    assert asked("call_off=CO-9999") == [{"units": 0, "events": 0, "failures": 0}]


def at_once(work: Any) -> list[Any]:
    start = threading.Barrier(THREADS)

    def one(number: int) -> Any:
        try:
            start.wait(timeout=30)
            return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(one, range(THREADS)))


@pytest.mark.django_db(transaction=True)
def test_fifty_reports_at_once_around_a_tier_step_give_one_right_total() -> None:
    here = first_site()
    VolumeCounter.objects.create(
        framework=here.framework, algorithm=here.algorithm, contract_year=date(2026, 1, 1),
        quantity=9_975,
    )  # fmt: skip

    done = at_once(lambda n: take([completed(n)], by=here.officer)[0].status)

    assert done == ["accepted"] * THREADS
    assert counted() == {date(2026, 1, 1): 10_025}
    value = value_used(here.framework, algorithm=here.algorithm, at=JULY)
    assert value.used == Decimal("240450.00")


@pytest.mark.django_db(transaction=True)
def test_fifty_reports_at_once_around_the_maximum_stop_at_it_exactly() -> None:
    here = first_site()
    here.framework.maximum_value = Decimal("240.00")  # ten examinations at 24.00
    here.framework.save()

    done = at_once(lambda n: take([completed(n)], by=here.officer)[0])

    assert Counter(one.status for one in done) == {"accepted": 10, "rejected": 40}
    assert "maximum value of framework agreement 2020-1968" in max(one.reason for one in done)
    assert counted() == {date(2026, 1, 1): 10}
    assert UsageEvent.objects.count() == 10


WITH_A_FEE: dict[str, Any] = {
    "tiers": [{"unit_price": "24.00"}], "fee": {"amount": "100.00", "prorate": False},
}  # fmt: skip


@pytest.mark.django_db
def test_the_maximum_holds_where_volume_alone_does_not_tell_the_value() -> None:
    """A fee counts as well, and so does what was corrected."""
    here = first_site()
    here.framework.price_book.update(terms=WITH_A_FEE)
    FrameworkAgreement.objects.update(maximum_value=Decimal("340.00"))  # the fee and ten of 24.00

    first = take([completed(n) for n in range(15)], by=here.officer)
    assert [one.status for one in first] == ["accepted"] * 10 + ["rejected"] * 5
    assert "0.00 NOK is left" in first[-1].reason
    take([adjusted("back", of=3, units=-1)], by=here.officer)
    again = take([completed(n) for n in range(20, 23)], by=here.officer)
    assert [one.status for one in again] == ["accepted", "rejected", "rejected"]
    value = value_used(here.framework, algorithm=here.algorithm, at=JULY)
    assert (value.used, value.with_one_more) == (Decimal("340.00"), Decimal("364.00"))


@pytest.mark.django_db(transaction=True)
def test_fifty_reports_at_once_around_a_maximum_that_is_rated_stop_at_it_exactly() -> None:
    here = first_site()
    here.framework.price_book.update(terms=WITH_A_FEE)
    FrameworkAgreement.objects.update(maximum_value=Decimal("340.00"))

    done = at_once(lambda n: take([completed(n)], by=here.officer)[0])

    assert Counter(one.status for one in done) == {"accepted": 10, "rejected": 40}


@pytest.mark.django_db(transaction=True)
def test_reports_and_deliveries_at_once_are_all_counted() -> None:
    here = first_site()

    def work(number: int) -> Any:
        if number % 2:
            return take([completed(number)], by=here.officer)[0].status
        return record(
            study_ref_of=("drammen", f"1.2.{number}"), line=here.line, version=here.version,
            source=SOURCE, event_id=f"own-{number}", at=JULY, details={},
        )  # fmt: skip

    at_once(work)
    assert counted() == {date(2026, 1, 1): THREADS}


@pytest.mark.django_db
def test_one_event_may_have_its_context_in_headers() -> None:
    """Binary mode (CloudEvents HTTP binding 3.1): the same event as a whole one in the body."""
    here, event = first_site(), completed(1)
    data = event.pop("data")
    headers = {f"ce-{name}": str(value).replace(":", "%3A") for name, value in event.items()}

    def sent(**further: str) -> Any:
        return as_(here.officer).post(
            EVENTS, data, content_type="application/json", headers=headers | further
        ).json()["results"][0]

    assert sent()["status"] == "accepted"
    assert statuses(here.officer, [completed(1)]) == ["duplicate"]
    refused = sent(**{"ce-colour": "red"})
    assert refused["status"] == "rejected"
    assert "colour" in refused["reason"]

"""Availability and outcomes are recorded, and what hangs on them is on the invoices."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.test import Client

from contracts import measuring
from contracts.billing import facts
from contracts.models import (
    AvailabilityReading,
    FrameworkAgreement,
    OutcomeReading,
    RatingSnapshot,
)
from hub.models import AuditEvent, User
from tests.builders import parties
from tests.contracts.billed import Buyer, billed, buyer

pytestmark = pytest.mark.django_db
AVAILABILITY, OUTCOMES = "/api/v1/availability", "/api/v1/outcomes"
HERE = {"call_off": "CO-0001", "algorithm": "ich-triage", "site": "drammen"}
TERMS: dict[str, Any] = {
    "unit_price": "18.00",
    "sla": {"cap": "15%", "availability": [{"below": "99.5%", "credit": "5%"}]},
    "outcome": {"kpi": "sent home", "target": "50%", "slope": "1", "malus_cap": "10%"},
}


def reading(share: str, **change: Any) -> dict[str, Any]:
    return {"availability": [HERE | {"month": "2026-04", "share": share} | change]}


TWICE = {"availability": reading("9%")["availability"] * 2}


def outcome(successes: int, **change: Any) -> dict[str, Any]:
    row = {
        "framework": "2020-1968", "algorithm": "ich-triage", "kpi": "sent home",
        "date": "2026-12-31", "successes": successes, "n": 100,
    }  # fmt: skip
    return {"outcomes": [row | change]}


def post(user: User, where: str, body: Any) -> Any:
    client = Client()
    client.force_login(user)
    return client.post(where, body, content_type="application/json")


def get(user: User, where: str) -> Any:
    client = Client()
    client.force_login(user)
    return client.get(where)


@pytest.fixture
def trust() -> Buyer:
    found = buyer(model="flat", terms=TERMS)
    found.uses(1_000, on="2026-04-10")
    return found


@pytest.fixture
def holder(trust: Buyer) -> User:
    framework = trust.here.framework
    return parties.member(
        "holder.officer", role="procurement_officer", organisation=framework.holder
    )


def officer_of_the_other(trust: Buyer) -> User:
    return parties.member(
        "their.officer", role="procurement_officer", organisation=trust.here.other_organisation
    )


def test_a_month_that_was_not_available_is_credited_on_its_invoice(trust: Buyer) -> None:
    assert post(trust.here.officer, AVAILABILITY, reading("99.4%")).status_code == 201

    (made,) = billed(4).invoices

    assert [str(line.amount) for line in made[1]] == ["18000.00", "-900.00"]
    assert AuditEvent.objects.filter(action="availabilityreading.recorded").count() == 1


def test_a_later_reading_takes_the_place_and_the_next_run_makes_up_for_it(trust: Buyer) -> None:
    post(trust.here.officer, AVAILABILITY, reading("99.4%"))
    billed(4)

    post(trust.here.officer, AVAILABILITY, reading("99.9%"))
    ((invoice, lines),) = billed(5).invoices

    assert [(line.kind, line.amount, f"{line.month:%Y-%m}") for line in lines] == [
        ("service", 900, "2026-04")
    ]
    assert invoice.kind == "380"
    again = [facts.rated_again(one) for one in RatingSnapshot.objects.order_by("pk")]
    assert [sum(one.amount for one in lines) for lines in again] == [17_100, 18_000]
    (held,) = get(trust.here.officer, AVAILABILITY).json()["results"]
    assert (held["month"], held["share"], held["recorded_by"]) == ("2026-04", "0.999000", "officer")


def test_an_outcome_of_a_year_is_billed_when_the_year_is_over(trust: Buyer) -> None:
    FrameworkAgreement.objects.update(valid_from=date(2025, 10, 1))
    trust.uses(100, on="2026-09-10")
    assert [one.net for one, _ in billed(8).invoices] == [18_000]
    over = outcome(48, date="2026-09-30")
    assert post(trust.here.administrator, OUTCOMES, over).status_code == 201

    ((_invoice, lines),) = billed(9).invoices

    assert [(line.kind, line.amount) for line in lines] == [("usage", 1_800), ("outcome", -792)]
    (held,) = get(trust.here.officer, OUTCOMES).json()["results"]
    assert (held["contract_year"], held["successes"], held["n"]) == ("2025-10-01", 48, 100)


@pytest.mark.parametrize(
    ("where", "body", "field"),
    [
        (AVAILABILITY, reading("101%"), "availability[0].share"),
        (AVAILABILITY, reading("99%", month="2026-13"), "availability[0].month"),
        (AVAILABILITY, reading("99%", month="2026-01"), "availability[0].month"),
        (AVAILABILITY, reading("99%", site="nowhere"), "availability[0].site"),
        (AVAILABILITY, reading("99%", more=1), "availability[0].more"),
        (AVAILABILITY, TWICE, "availability[1].month"),
        (AVAILABILITY, {"availability": []}, "availability"),
        (AVAILABILITY, {"reading": []}, "reading"),
        (AVAILABILITY, [1], "availability"),
        (OUTCOMES, outcome(101), "outcomes[0].successes"),
        (OUTCOMES, outcome(1, kpi="sent hone"), "outcomes[0].kpi"),
        (OUTCOMES, outcome(1, algorithm="none"), "outcomes[0].algorithm"),
        (OUTCOMES, outcome(1, framework="none"), "outcomes[0].framework"),
        (OUTCOMES, outcome(1, date="2020-01-01"), "outcomes[0].date"),
    ],
)
def test_what_cannot_be_recorded_is_refused_by_field_and_nothing_is_kept(
    trust: Buyer, where: str, body: Any, field: str
) -> None:
    answer = post(trust.here.administrator, where, body)

    assert (answer.status_code, list(answer.json())) == (400, [field])
    assert not AvailabilityReading.objects.exists()
    assert not OutcomeReading.objects.exists()


def test_another_trust_records_and_sees_nothing_of_ours(trust: Buyer) -> None:
    post(trust.here.officer, AVAILABILITY, reading("99.4%"))
    post(trust.here.administrator, OUTCOMES, outcome(48))
    them = officer_of_the_other(trust)

    assert post(them, AVAILABILITY, reading("10%")).status_code == 400
    assert post(them, OUTCOMES, outcome(1)).status_code == 400
    assert post(trust.here.radiologist, AVAILABILITY, reading("10%")).status_code == 403
    assert [get(them, one).json()["results"] for one in (AVAILABILITY, OUTCOMES)] == [[], []]
    assert (AvailabilityReading.objects.count(), OutcomeReading.objects.count()) == (1, 1)


def test_who_holds_the_agreement_records_for_all_who_buy(trust: Buyer, holder: User) -> None:
    assert post(holder, AVAILABILITY, reading("99.4%")).status_code == 201
    assert post(holder, OUTCOMES, outcome(48)).status_code == 201
    # whose usage a pool shares must all agree: a single buyer bills nothing, and measures nothing
    parties.call_off_under(
        trust.here.framework, organisation=trust.here.other_organisation, code="CO-0002"
    )
    assert post(trust.here.officer, OUTCOMES, outcome(48)).status_code == 400


def test_the_page_of_usage_takes_readings_and_shows_those_that_hold(trust: Buyer) -> None:
    client = Client()
    client.force_login(trust.here.administrator)
    (line,) = measuring.lines_of(trust.here.officer)
    price = trust.here.framework.price_book.get()
    here = {"next": "/usage/"}

    said = {"line": line.pk, "month": "2026-04", "share": "99,4"}
    client.post("/usage/availability/", here | said)
    client.post("/usage/outcomes/", here | {
        "price": price.pk, "date": "2026-06-01", "successes": "48", "n": "100"})  # fmt: skip
    shown = client.get("/usage/").content.decode()
    assert "99.40" in shown
    assert "sent home" in shown

    said["share"] = "much"
    refused = client.post("/usage/availability/", here | said, follow=True).content.decode()
    assert "share: expected a percentage from 0 to 100" in refused
    assert AvailabilityReading.objects.count() == 1


@pytest.mark.usefixtures("database_as_in_production")
def test_a_reading_is_changed_by_nobody(trust: Buyer) -> None:
    post(trust.here.officer, AVAILABILITY, reading("99.4%"))
    post(trust.here.administrator, OUTCOMES, outcome(48))
    for model in (AvailabilityReading, OutcomeReading):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            model.objects.update(recorded_by="somebody")
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            model.objects.all()._raw_delete(model.objects.db)

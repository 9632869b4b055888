"""The value used under a framework, where tiers are not those of a pooled contract year."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from contracts import metering
from contracts.agreements import value_used
from contracts.models import PriceBookEntry
from contracts.pricing import PriceTermsError
from tests.builders import parties
from tests.builders.parties import FirstSite

pytestmark = pytest.mark.django_db
AT = datetime(2026, 6, 16, 10, tzinfo=UTC)
# the first examination 100.00, each further one 10.00
TERMS: dict[str, Any] = {"tiers": [{"up_to": 1, "unit_price": "100.00"}, {"unit_price": "10.00"}]}


@pytest.fixture
def places() -> FirstSite:
    return parties.first_site()


def counted(places: FirstSite, *days: datetime) -> None:
    for at in days:
        uid = f"2.25.{at:%Y%m%d}"
        metering.record(
            study_ref_of=("drammen", uid), line=places.line, version=places.version, source="hub",
            event_id=uid, at=at, details={},
        )  # fmt: skip


def values(places: FirstSite, *, further: dict[str, Any]) -> tuple[str, str]:
    PriceBookEntry.objects.update(terms=TERMS | further)
    counted(places, AT.replace(month=5), AT)
    found = value_used(places.framework, algorithm=places.algorithm, at=AT)
    return str(found.used), str(found.with_one_more)


@pytest.mark.parametrize(
    ("further", "expected"),
    [
        ({}, ("110.00", "120.00")),
        ({"tier_scope": "authority"}, ("110.00", "120.00")),
        ({"tier_period": "month"}, ("200.00", "210.00")),
        ({"introduction": [{"months": 9, "discount": "100%"}]}, ("110.00", "120.00")),
        ({"minimum": {"amount": "500.00", "prorate": False}}, ("500.00", "500.00")),
        ({"fee": {"amount": "365.00", "period": "contract_year"}}, ("401.00", "411.00")),
    ],
)
def test_the_value_is_that_of_the_agreed_tiers_fees_and_minimum(
    places: FirstSite, further: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert values(places, further=further) == expected


def test_one_more_is_the_dearest_that_one_more_can_be(places: FirstSite) -> None:
    other = parties.call_off_under(
        places.framework, organisation=places.other_organisation, code="CO-0002"
    )
    parties.line_of(other, algorithm=places.algorithm, site=places.other_site)

    assert values(places, further={"tier_scope": "call_off"}) == ("110.00", "210.00")


def test_a_new_version_does_not_price_what_was_used_before_it(places: FirstSite) -> None:
    PriceBookEntry.objects.update(terms=TERMS)
    PriceBookEntry.objects.create(
        framework=places.framework, algorithm=places.algorithm, model="flat",
        valid_from=date(2026, 6, 1), terms={"unit_price": "7.00"},
    )  # fmt: skip
    counted(places, AT.replace(month=5), AT)

    found = value_used(places.framework, algorithm=places.algorithm, at=AT)

    assert (found.used, found.with_one_more) == (Decimal("107.00"), Decimal("114.00"))


def test_a_price_that_follows_an_unknown_index_tells_no_value(places: FirstSite) -> None:
    index = {
        "series": "kpi", "base_month": "2025-11", "ref_month": "2026-05", "effective": "2026-06-01",
    }  # fmt: skip
    with pytest.raises(PriceTermsError, match="index kpi is not known"):
        values(places, further={"indexation": index})

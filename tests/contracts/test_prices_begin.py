"""A price may begin within an agreement; what is used before that has none, and spoils no other."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from contracts.clauses import Refused
from contracts.entitlement import Granted, entitle
from contracts.taking_usage import take
from tests.builders.parties import FirstSite, first_site
from tests.contracts.usage_reports import adjusted, completed

pytestmark = pytest.mark.django_db
JUNE = date(2026, 6, 1)
PLAIN: dict[str, Any] = {"tiers": [{"unit_price": "24.00"}]}


def priced_from_june(terms: dict[str, Any]) -> FirstSite:
    here = first_site()
    here.framework.price_book.update(valid_from=JUNE, terms=terms)
    return here


@pytest.mark.parametrize("terms", [PLAIN, PLAIN | {"fee": {"amount": "100.00"}}])
def test_a_use_of_before_has_no_price_and_those_beside_it_are_counted(
    terms: dict[str, Any],
) -> None:
    here = priced_from_june(terms)
    early = completed(1, time="2026-05-31T21:59:59Z", latency_s=None)
    events = [completed(0), early, completed(2, time="2026-05-31T22:00:00Z", latency_s=None)]

    found = take([*events, adjusted(1, of=0, units=-1)], by=here.officer)

    assert [one.status for one in found] == ["accepted", "rejected", "accepted", "accepted"]
    assert "no price for" in found[1].reason


@pytest.mark.parametrize("terms", [PLAIN, PLAIN | {"fee": {"amount": "100.00"}}])
def test_a_study_of_before_is_refused_for_want_of_a_price(terms: dict[str, Any]) -> None:
    here = priced_from_june(terms)
    before, after = (datetime(2026, 5, 31, 21, 59, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC))

    refused = entitle(site=here.site, version=here.version, at=before)

    assert isinstance(refused, Refused)
    assert refused.clause == "price"
    assert isinstance(entitle(site=here.site, version=here.version, at=after), Granted)

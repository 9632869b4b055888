"""Offers are compared by what the engine of invoices makes of the published volumes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from contracts.priced_scenario import evaluated_price
from contracts.pricing import PriceTermsError

TIERS = [{"up_to": 10_000, "unit_price": "24.00"}, {"unit_price": "18.00"}]


def line(**terms: Any) -> dict[str, Any]:
    return {"item": "triage", "model": "graduated", "tiers": TIERS} | terms


def demand(**fields: Any) -> dict[str, Any]:
    return {"item": "triage", "start": "2027-01-01", "months": 24, "monthly": 1_000} | fields


def test_tiers_begin_anew_each_contract_year() -> None:
    price = evaluated_price({"lines": [line()], "fixed": []}, [demand()])
    assert price == 2 * (10_000 * 24 + 2_000 * 18)


def test_an_introduction_makes_an_offer_cheaper_as_it_will_on_the_invoices() -> None:
    free = line(introduction=[{"months": 6, "discount": "100%"}])
    price = evaluated_price({"lines": [free], "fixed": []}, [demand(months=12)])
    # examinations that are free still fill the tier that is dear
    assert price == Decimal(10_000 * 24 + 2_000 * 18) / 2


def test_fixed_amounts_are_added_once_or_for_each_year() -> None:
    fixed = [
        {"name": "installation", "amount": "900.00", "per": "once"},
        {"name": "platform", "amount": "1200.00", "per": "year"},
    ]
    flat = {"item": "triage", "model": "flat", "unit_price": "1.00"}
    assert evaluated_price({"lines": [flat], "fixed": fixed}, [demand(months=18)]) == 20_700


def test_an_offer_without_a_price_of_what_is_asked_is_refused_by_name() -> None:
    with pytest.raises(PriceTermsError, match="expected a price of triage"):
        evaluated_price({"lines": [line(item="other")], "fixed": []}, [demand()])
    with pytest.raises(PriceTermsError, match=r"lines\[triage\].*unknown|lines\[triage\]"):
        evaluated_price({"lines": [line(surprise="1")], "fixed": []}, [demand()])

"""The worked examples of the tariff, and what a price book entry may say."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from contracts.pricing import (
    Phase,
    PriceTermsError,
    amount,
    discount,
    discount_on,
    months_after,
    price_of,
    rounded,
    shared,
    value_added_tax,
)
from tests.builders.parties import TIERS

GRADUATED = price_of("graduated", TIERS)
ALL_UNITS = price_of("all_units", TIERS)


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        (0, "0.00"),
        (10_000, "240000.00"),
        (10_001, "240018.00"),
        (30_000, "600000.00"),
        (30_001, "600013.50"),
        (39_000, "721500.00"),
        (60_001, "1005009.75"),
        (64_003, "1044029.25"),
    ],
)
def test_graduated_tiers_price_each_examination_in_its_own_tier(
    quantity: int, expected: str
) -> None:
    assert amount(GRADUATED, quantity) == Decimal(expected)


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [(0, "0.00"), (30_000, "540000.00"), (30_001, "405013.50"), (39_000, "526500.00")],
)
def test_all_units_are_priced_by_the_tier_reached(quantity: int, expected: str) -> None:
    assert amount(ALL_UNITS, quantity) == Decimal(expected)


def test_a_flat_price_is_the_same_for_every_examination() -> None:
    for terms in ({"unit_price": "17.255"}, {"tiers": [{"unit_price": "17.255"}]}):
        assert amount(price_of("flat", terms), 3) == Decimal("51.77")


def test_the_introduction_discounts_each_day_by_its_phase() -> None:
    price = price_of("graduated", TIERS)
    activated = date(2026, 3, 16)
    first = discount_on(price, activated=activated, completed=date(2026, 6, 15))
    second = discount_on(price, activated=activated, completed=date(2026, 6, 16))
    gross = amount(price, 520 + 610)

    net = gross - discount(gross, {first: 520, second: 610})

    assert (gross, net) == (Decimal("27120.00"), Decimal("7320.00"))
    assert value_added_tax(net, rate=Decimal("0.25")) == Decimal("1830.00")


@pytest.mark.parametrize(
    ("completed", "expected"),
    [
        (date(2026, 3, 15), "0"),
        (date(2026, 3, 16), "1"),
        (date(2026, 9, 15), "0.5"),
        (date(2026, 9, 16), "0"),
    ],
)
def test_a_phase_ends_the_day_before_the_next_begins(completed: date, expected: str) -> None:
    found = discount_on(GRADUATED, activated=date(2026, 3, 16), completed=completed)

    assert found == Decimal(expected)


@pytest.mark.parametrize(
    ("start", "months", "expected"),
    [
        (date(2026, 11, 30), 3, date(2027, 2, 28)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2026, 12, 31), 1, date(2027, 1, 31)),
        (date(2026, 3, 16), -12, date(2025, 3, 16)),
    ],
)
def test_months_end_with_a_shorter_month(start: date, months: int, expected: date) -> None:
    assert months_after(start, months) == expected


def test_half_an_øre_is_rounded_up() -> None:
    assert rounded(Decimal("0.005")) == Decimal("0.01")
    assert rounded(Decimal("0.015")) == Decimal("0.02")
    assert rounded(Decimal("-0.005")) == Decimal("-0.01")


def test_the_terms_of_the_price_book_are_read() -> None:
    assert GRADUATED.introduction == (Phase(3, Decimal(1)), Phase(3, Decimal("0.5")))
    assert [tier.up_to for tier in GRADUATED.tiers] == [10_000, 30_000, 60_000, None]


def test_a_term_that_is_null_is_a_term_not_given() -> None:
    assert price_of("graduated", TIERS | {"unit_price": None}) == GRADUATED
    assert price_of("flat", {"unit_price": "1", "tiers": None, "introduction": None}).tiers


@pytest.mark.parametrize(
    ("model", "terms", "message"),
    [
        ("per_positive", TIERS, "model: expected graduated, all_units, flat"),
        ("graduated", {}, "last tier"),
        ("graduated", {"tiers": [{"up_to": 10, "unit_price": "1"}]}, "last tier"),
        ("graduated", {"tiers": [{"up_to": 0, "unit_price": "1"}, {"unit_price": "1"}]}, "rising"),
        ("graduated", {"tiers": [{"unit_price": 24.0}]}, "amount as text"),
        ("graduated", {"tiers": [{"unit_price": "-1"}]}, "0 or more"),
        ("graduated", {"tiers": [{"unit_price": "NaN"}]}, "expected a number"),
        ("graduated", {"tiers": [{"unit_price": "1", "fee": "9"}]}, "'fee'"),
        ("graduated", {"unit_price": "1"}, "expected tiers"),
        ("graduated", {"tiers": "24"}, "expected a list"),
        ("flat", {"tiers": [{"unit_price": "1"}], "unit_price": "1"}, "found both"),
        ("flat", TIERS, "expected one tier for the model flat, found 4"),
        ("flat", {}, "expected one tier for the model flat, found 0"),
        ("flat", {"unit_price": 24.5}, "unit_price: expected an amount"),
        ("flat", {"unit_price": "1", "introduction": [{"months": 0, "discount": "1%"}]}, "months"),
        ("flat", {"unit_price": "1", "introduction": [{"months": 1, "discount": "0.5"}]}, "percen"),
        ("flat", {"unit_price": "1", "introduction": [{"months": 1, "discount": "101%"}]}, "100%"),
    ],
)
def test_terms_that_say_no_price_are_refused(
    model: str, terms: dict[str, Any], message: str
) -> None:
    with pytest.raises(PriceTermsError, match=message):
        price_of(model, terms)


def test_a_negative_quantity_has_no_price() -> None:
    with pytest.raises(ValueError, match="-1"):
        amount(GRADUATED, -1)


def test_of_equal_claims_to_an_øre_the_lowest_member_has_it() -> None:
    assert shared(Decimal("0.01"), {"b": 1, "c": 1, "a": 1}) == {
        "a": Decimal("0.01"), "b": Decimal("0.00"), "c": Decimal("0.00"),
    }  # fmt: skip
    assert shared(Decimal("-0.02"), {"b": 1, "c": 1, "a": 1})["c"] == 0

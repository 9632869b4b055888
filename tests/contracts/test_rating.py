"""The worked examples of the tariff, rated: pools, months, introductions, index."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from contracts.pricing import (
    Kind,
    NoPriceError,
    UnknownIndexError,
    UnknownLineError,
    Version,
    price_of,
)
from tests.builders.agreements import TARIFF, agreement, amounts, line, rated, total, used

VV, AHUS, OUS = line("vv"), line("ahus"), line("ous")
PHASES = [{"months": 3, "discount": "100%"}, {"months": 3, "discount": "50%"}]
INTRODUCTION = {"introduction": PHASES}
IN_MARCH = line(activated=date(2026, 3, 16))
INDEX = {"kpi": {date(2025, 11, 1): Decimal("128.6"), date(2026, 11, 1): Decimal("133.1")}}
FOLLOWS: dict[str, Any] = {
    "series": "kpi", "base_month": "2025-11", "ref_month": "2026-11", "effective": "2027-01-01"
}  # fmt: skip


def test_the_volume_of_all_is_priced_once_and_shared_to_the_øre() -> None:
    lines = rated(
        agreement(VV, AHUS, OUS),
        used(VV, "2026-06", 39_000), used(AHUS, "2026-06", 14_000), used(OUS, "2026-06", 11_003),
    )  # fmt: skip

    assert {one.line.organisation: str(one.amount) for one in lines} == {
        "vv": "636175.50", "ahus": "228370.70", "ous": "179483.05",
    }  # fmt: skip
    assert total(lines) == Decimal("1044029.25")
    assert lines[0].snapshot.pool_units == 64_003


@pytest.mark.parametrize(
    ("scope", "expected"), [("authority", "1291554.00"), ("framework", "1044029.25")]
)
def test_a_scope_of_the_authority_prices_each_alone(scope: str, expected: str) -> None:
    of = agreement(VV, AHUS, OUS, terms=TARIFF | {"tier_scope": scope})
    volumes = {VV: 39_000, AHUS: 14_000, OUS: 11_003}
    usage = [used(each, "2026-06", units) for each, units in volumes.items()]

    assert total(rated(of, *usage)) == Decimal(expected)


def test_two_call_offs_of_one_authority_count_alone_where_the_call_off_is_the_scope() -> None:
    first, second = line(call_off="CO-1"), line(call_off="CO-2")
    usage = [used(first, "2026-06", 10_000), used(second, "2026-06", 10_000)]

    alone = rated(agreement(first, second, terms=TARIFF | {"tier_scope": "call_off"}), *usage)
    together = rated(agreement(first, second, terms=TARIFF | {"tier_scope": "authority"}), *usage)

    assert amounts(alone) == ["240000.00", "240000.00"]
    assert amounts(together) == ["210000.00", "210000.00"]


def test_a_year_is_invoiced_month_by_month_by_difference() -> None:
    months = {"2026-01": 9_500, "2026-02": 3_200, "2026-03": 17_800, "2026-04": 8_500}

    lines = rated(agreement(VV), *(used(VV, month, count) for month, count in months.items()))

    assert amounts(lines) == ["228000.00", "60600.00", "318150.00", "114750.00"]
    assert [str(one.snapshot.line_amount) for one in lines] == [
        "228000.00", "288600.00", "606750.00", "721500.00",
    ]  # fmt: skip
    assert [one.key for one in lines][0] == "CO-vv/bleed/vv-hospital|usage|2026-01|2026-01-01"


def test_a_month_falls_below_zero_where_all_units_reach_a_cheaper_tier() -> None:
    lines = rated(
        agreement(VV, model="all_units"), used(VV, "2026-01", 30_000), used(VV, "2026-02", 1)
    )

    assert amounts(lines) == ["540000.00", "-134986.50"]


def test_better_of_pays_no_more_than_a_greater_volume_costs() -> None:
    of = agreement(VV, model="all_units", terms=TARIFF | {"better_of": True})

    lines = rated(of, used(VV, "2026-01", 30_000), used(VV, "2026-02", 1))

    assert amounts(lines) == ["405013.50", "0.00"]


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        ("month", ["240000.00", "240000.00", "240000.00"]),
        ("quarter", ["240000.00", "180000.00", "240000.00"]),
        ("contract_year", ["240000.00", "180000.00", "180000.00"]),
    ],
)
def test_tiers_begin_anew_with_their_period(period: str, expected: list[str]) -> None:
    of = agreement(VV, terms=TARIFF | {"tier_period": period})
    usage = [used(VV, month, 10_000) for month in ("2026-02", "2026-03", "2026-04")]

    assert amounts(rated(of, *usage)) == expected


def test_contract_years_turn_on_the_day_of_the_agreement() -> None:
    begins = date(2026, 3, 16)
    of = agreement(IN_MARCH, begins=begins)

    lines = rated(
        of, used(IN_MARCH, "2027-03-15", 10_000), used(IN_MARCH, "2027-03-16", 10_000),
        as_of=date(2027, 3, 31),
    )  # fmt: skip

    assert amounts(lines) == ["240000.00", "240000.00"]
    assert [str(one.snapshot.period.start) for one in lines] == ["2026-03-16", "2027-03-16"]


def test_included_units_are_free_and_shared_by_the_pool() -> None:
    of = agreement(VV, AHUS, terms=TARIFF | {"included_units": 1_000})

    lines = rated(of, used(VV, "2026-01", 1_500), used(AHUS, "2026-01", 500))

    assert amounts(lines) == ["6000.00", "18000.00"]


def test_an_introduction_counts_from_the_activation_of_each_line() -> None:
    lines = rated(
        agreement(IN_MARCH, terms=TARIFF | INTRODUCTION),
        used(IN_MARCH, "2026-06-15", 520), used(IN_MARCH, "2026-06-16", 610),
    )  # fmt: skip

    assert amounts(lines, kind=Kind.USAGE) == ["27120.00"]
    assert amounts(lines, kind=Kind.INTRODUCTION) == ["-19800.00"]
    assert total(lines) == Decimal("7320.00")


def test_an_introductory_price_stands_in_for_the_price_of_the_tiers() -> None:
    terms = TARIFF | {"introduction": [{"months": 3, "unit_price": "5.00"}]}

    lines = rated(agreement(IN_MARCH, terms=terms), used(IN_MARCH, "2026-06-15", 520))

    assert total(lines) == Decimal("2600.00")


def test_discounted_examinations_count_toward_the_tiers() -> None:
    lines = rated(
        agreement(IN_MARCH, terms=TARIFF | INTRODUCTION),
        used(IN_MARCH, "2026-06-15", 10_000), used(IN_MARCH, "2026-10", 10_000),
    )  # fmt: skip

    # C(20,000) = 420,000; half of the examinations are free
    assert total(lines) == Decimal("210000.00")


def test_prices_follow_the_index_before_the_tiers_are_reckoned() -> None:
    of = agreement(VV, terms=TARIFF | {"indexation": FOLLOWS}, series=INDEX)

    before, after = (
        rated(of, used(VV, f"{year}-06", 39_000), as_of=date(year, 12, 31)) for year in (2026, 2027)
    )

    assert amounts(before) == ["721500.00"]
    assert amounts(after) == ["746730.00"]


@pytest.mark.parametrize(
    ("clause", "price"),
    [
        ({}, "24.84"),
        ({"cap": "2%"}, "24.48"),
        ({"floor": "5%"}, "25.20"),
        ({"share": "50%"}, "24.42"),
        ({"decimals": 4}, "24.8398"),
    ],
)
def test_the_change_of_the_index_is_held_within_its_bounds(
    clause: dict[str, Any], price: str
) -> None:
    of = agreement(VV, terms=TARIFF | {"indexation": FOLLOWS | clause}, series=INDEX)

    (one,) = rated(of, used(VV, "2027-06", 1), as_of=date(2027, 12, 31))

    assert one.snapshot.tiers[0].unit_price == Decimal(price)


def test_an_index_that_is_not_published_prices_nothing() -> None:
    clause = FOLLOWS | {"ref_month": "2026-12"}
    of = agreement(VV, terms=TARIFF | {"indexation": clause}, series=INDEX)

    with pytest.raises(UnknownIndexError, match="2026-12"):
        rated(of, used(VV, "2027-06", 1), as_of=date(2027, 12, 31))


def test_a_month_to_come_may_have_an_index_to_come() -> None:
    clause = FOLLOWS | {"ref_month": "2027-11", "effective": "2028-01-01"}
    both = FOLLOWS | {"ref_month": None, "effective": None}
    both["adjustments"] = [
        {name: one[name] for name in ("effective", "ref_month")} for one in (FOLLOWS, clause)
    ]
    fee = {"amount": "100.00", "period": "month"}
    of = agreement(VV, terms=TARIFF | {"indexation": both, "fee": fee}, series=INDEX)

    lines = rated(of, used(VV, "2026-12", 1), as_of=date(2028, 1, 31))

    assert amounts(lines, kind=Kind.FEE)[11:13] == ["100.00", "103.50"]
    assert amounts(lines, kind=Kind.FEE)[-1] == "103.50"


def test_a_new_version_of_the_price_book_prices_what_comes_after_its_day() -> None:
    of = agreement(VV, model="flat", terms={"unit_price": "10.00"})
    second = Version(date(2026, 6, 16), price_of("flat", {"unit_price": "11.00"}))
    of = replace(of, prices={"bleed": (*of.prices["bleed"], second)})

    lines = rated(of, used(VV, "2026-06-15", 100), used(VV, "2026-06-16", 100))

    assert amounts(lines) == ["2100.00"]


def test_what_cannot_be_rated_says_why() -> None:
    of = agreement(VV)
    with pytest.raises(UnknownLineError, match="CO-ahus/bleed"):
        rated(of, used(AHUS, "2026-06", 1))
    with pytest.raises(NoPriceError, match="no price for bleed on 2025-12-05"):
        rated(of, used(VV, "2025-12", 1))


def test_a_month_in_which_use_only_moves_from_one_hospital_to_another_moves_the_charge() -> None:
    """What was taken back of one and added to another adds up to no examination in all."""
    of = agreement(VV, AHUS)
    moved = (used(VV, "2026-02", -400), used(AHUS, "2026-02", 400))

    lines = rated(of, used(VV, "2026-01", 1_000), used(AHUS, "2026-01", 1_000), *moved)

    assert amounts(lines, month=date(2026, 2, 1)) == ["9600.00", "-9600.00"]
    assert [one.quantity for one in lines if one.month.month == 2] == [400, -400]


def test_an_introduction_follows_use_that_moves_from_a_free_day_to_a_paid_one() -> None:
    here = line(activated=date(2026, 1, 16))
    terms = {"unit_price": "24.00", "introduction": [{"months": 1, "discount": "100%"}]}
    of = agreement(here, model="flat", terms=terms)
    moved = (used(here, "2026-02-15", -40), used(here, "2026-02-16", 40))

    lines = rated(of, used(here, "2026-01-20", 100), *moved)

    assert total(lines) == Decimal("960.00")

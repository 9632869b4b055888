"""The worked examples of commitments, fees, service levels and outcomes, and their order."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from contracts.pricing import (
    Availability,
    Kind,
    Measured,
    Price,
    Usages,
    Version,
    price_of,
    rate,
)
from contracts.pricing.ledger import ChargeLine
from contracts.pricing.statements import statements
from tests.builders.agreements import TARIFF, agreement, amounts, line, rated, total, used

VV, AHUS = line("vv"), line("ahus")
PHASES = [{"months": 3, "discount": "100%"}, {"months": 3, "discount": "50%"}]
INTRODUCTION = {"introduction": PHASES}
IN_MARCH = line(activated=date(2026, 3, 16))
INDEX = {"kpi": {date(2025, 11, 1): Decimal("128.6"), date(2026, 11, 1): Decimal("133.1")}}
FOLLOWS: dict[str, Any] = {
    "series": "kpi", "base_month": "2025-11", "ref_month": "2026-11", "effective": "2027-01-01"
}  # fmt: skip


@pytest.mark.parametrize(
    ("units", "expected"),
    [(22_000, "600000.00"), (64_003, "1000000.00"), (39_000, "721500.00"), (0, "600000.00")],
)
def test_a_year_costs_at_least_the_minimum_and_at_most_the_cap(units: int, expected: str) -> None:
    terms = TARIFF | {"minimum": "600000.00", "cap": "1000000.00"}

    lines = rated(agreement(VV, terms=terms), used(VV, "2026-06", units))

    assert total(lines) == Decimal(expected)


def test_the_minimum_is_topped_up_when_the_period_is_over_and_not_before() -> None:
    of = agreement(VV, terms=TARIFF | {"minimum": "600000.00"})
    usage = used(VV, "2026-06", 26_000)

    assert amounts(rated(of, usage, as_of=date(2026, 11, 30)), kind=Kind.MINIMUM) == []
    (top_up,) = [one for one in rated(of, usage) if one.kind is Kind.MINIMUM]
    assert (top_up.month, str(top_up.amount)) == (date(2026, 12, 1), "72000.00")


def test_what_was_above_the_cap_is_given_back_as_it_comes_to_be() -> None:
    of = agreement(VV, AHUS, terms=TARIFF | {"cap": "1000000.00"})

    lines = rated(of, used(VV, "2026-05", 60_000), used(AHUS, "2026-06", 4_003))

    assert total([one for one in lines if one.kind is Kind.CAP]) == Decimal("-44029.25")
    assert total(lines) == Decimal("1000000.00")


@pytest.mark.parametrize(
    ("activated", "fee", "expected"),
    [
        (date(2026, 3, 16), {"amount": "480000.00"}, "382684.93"),
        (date(2028, 3, 16), {"amount": "480000.00"}, "381639.34"),
        (date(2026, 3, 16), {"amount": "480000.00", "prorate": False}, "480000.00"),
        (date(2026, 12, 16), {"amount": "40000.00", "period": "month"}, "20645.16"),
    ],
)
def test_a_fee_counts_for_the_days_that_a_line_is_active(
    activated: date, fee: dict[str, Any], expected: str
) -> None:
    of = agreement(line(activated=activated), terms=TARIFF | {"fee": fee})

    lines = rated(of, as_of=date(activated.year, 12, 31))

    assert amounts(lines) == [expected]
    assert lines[0].month == activated.replace(day=1)


def test_a_minimum_counts_for_the_days_that_a_line_is_active() -> None:
    of = agreement(IN_MARCH, terms=TARIFF | {"minimum": "600000.00"})

    assert amounts(rated(of)) == ["478356.16"]


@pytest.mark.parametrize(
    ("proration", "expected"), [("none", "480000.00"), ("actual_actual", "382684.93")]
)
def test_a_flat_fee_of_the_first_tier_is_due_without_any_use(proration: str, expected: str) -> None:
    tiers = {"tiers": [{"unit_price": "0.00", "flat_fee": "480000.00"}], "proration": proration}

    assert amounts(rated(agreement(IN_MARCH, model="flat", terms=tiers))) == [expected]


def test_stairs_and_packages_are_charged_as_they_are_reached() -> None:
    stairs = {"tiers": [{"up_to": 100, "flat_fee": "1000.00"}, {"flat_fee": "1500.00"}]}
    package = {"package": {"size": 1_000, "price": "900.00"}, "included_units": 500}
    usage = [used(VV, "2026-01", 100), used(VV, "2026-02", 1), used(VV, "2026-03", 1_400)]

    assert amounts(rated(agreement(VV, model="stair_step", terms=stairs), *usage)) == [
        "1000.00", "500.00", "0.00",
    ]  # fmt: skip
    assert amounts(rated(agreement(VV, model="package", terms=package), *usage)) == [
        "0.00", "0.00", "1800.00",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("model", "unit_price", "expected"),
    [("stair_step", {}, ["1000.00", "0.00", "0.00"]),
     ("flat", {"unit_price": "2.00"}, ["1000.00", "2.00", "2.00"])],
)  # fmt: skip
def test_a_result_that_comes_after_the_last_day_opens_no_further_year(
    model: str, unit_price: dict[str, str], expected: list[str]
) -> None:
    ending = line(ends=date(2026, 12, 31))
    of = agreement(ending, model=model, terms={"tiers": [unit_price | {"flat_fee": "1000.00"}]})
    usage = [used(ending, "2026-12-31", 1), used(ending, "2027-01-01", 1)]

    assert amounts(rated(of, *usage, as_of=date(2027, 1, 31))) == expected


def test_a_percentage_is_taken_of_what_the_others_cost_at_the_site() -> None:
    support = line(algorithm="support")
    price = price_of("percentage", {"percentage": {"share": "5%"}})
    of = agreement(VV, AHUS, support, support=(Version(date(2026, 1, 1), price),))

    lines = rated(of, used(VV, "2026-01", 1_000), used(AHUS, "2026-01", 1_000))

    assert amounts(lines, algorithm="support") == ["1200.00"]


def test_a_percentage_is_not_taken_of_what_another_call_off_costs_at_the_site() -> None:
    support = line(algorithm="support")
    other = line(site=VV.site, call_off="CO-other")
    price = price_of("percentage", {"percentage": {"share": "5%"}})
    of = agreement(VV, other, support, support=(Version(date(2026, 1, 1), price),))

    lines = rated(of, used(VV, "2026-01", 1_000), used(other, "2026-01", 1_000))

    assert amounts(lines, algorithm="support") == ["1200.00"]


def test_late_results_and_lost_hours_are_credited_after_the_discounts() -> None:
    sla = {"cap": "15%", "late": "50%", "availability": [{"below": "99.5%", "credit": "5%"}]}
    of = agreement(VV, model="flat", terms={"unit_price": "18.00", "sla": sla})
    usages = Usages(
        (used(VV, "2026-06", 3_243, late=31, failed=7),),
        (Availability(VV.key, date(2026, 6, 1), Decimal("0.99")),),
    )

    lines = rate(of, usages, as_of=date(2026, 12, 31))

    assert amounts(lines) == ["58374.00", "-3197.70"]
    (invoice,) = statements(lines, vat_rate=lambda organisation, month: Decimal("0.25"))
    assert [str(one) for one in (invoice.net, invoice.vat, invoice.gross)] == [
        "55176.30", "13794.08", "68970.38",
    ]  # fmt: skip
    assert dict(lines[1].snapshot.details) == {
        "late": "279.00", "availability": "2918.70", "late_results": "31", "failed_jobs": "7",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("amounts_", "expected"),
    [
        (("20645.16", "7109.47", "-279.00"), ("27475.63", "6868.91", "34344.54")),
        # line by line it would be 0.03 + 0.03
        (("0.10", "0.10"), ("0.20", "0.05", "0.25")),
    ],
)
def test_the_tax_of_an_invoice_is_that_of_the_sum_of_its_lines(
    amounts_: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    of = agreement(VV, terms={"unit_price": "1.00"}, model="flat")
    (one,) = rated(of, used(VV, "2026-06", 1))
    lines = [replace(one, amount=Decimal(each)) for each in amounts_]

    (invoice,) = statements(lines, vat_rate=lambda organisation, month: Decimal("0.25"))

    assert tuple(str(each) for each in (invoice.net, invoice.vat, invoice.gross)) == expected


@pytest.mark.parametrize(("share", "expected"), [("0.995", "0"), ("0.9949", "-1.20")])
def test_a_bound_of_availability_is_not_below_itself(share: str, expected: str) -> None:
    sla = {"availability": [{"below": "99.5%", "credit": "5%"}]}
    here = Availability(VV.key, date(2026, 6, 1), Decimal(share))
    usages = Usages((used(VV, "2026-06", 1),), (here,))

    lines = rate(agreement(VV, terms=TARIFF | {"sla": sla}), usages, as_of=date(2026, 12, 31))

    assert total([one for one in lines if one.kind is Kind.SERVICE]) == Decimal(expected)


@pytest.mark.parametrize(
    ("model", "terms", "expected"),
    [
        ("package", {"package": {"size": 10, "price": "100.00"}}, "103.50"),
        ("stair_step", {"tiers": [{"flat_fee": "100.00"}]}, "103.50"),
        ("flat", {"tiers": [{"unit_price": "0.00", "flat_fee": "100.00"}]}, "103.50"),
    ],
)
def test_packages_and_fees_of_tiers_follow_the_index(
    model: str, terms: dict[str, Any], expected: str
) -> None:
    here = line(activated=date(2027, 1, 1))
    of = agreement(here, model=model, terms=terms | {"indexation": FOLLOWS}, series=INDEX)

    lines = rated(of, used(here, "2027-06", 1), as_of=date(2027, 12, 31))

    assert total(lines) == Decimal(expected)


def test_what_is_above_the_cap_is_taken_off_by_what_each_came_to() -> None:
    """Not by how much each used: one was free of charge."""
    free = line("ahus", activated=date(2026, 1, 1))
    paid = line("vv", activated=date(2025, 1, 1))
    terms = {"unit_price": "10.00", "cap": "600.00", "introduction": [
        {"months": 12, "discount": "100%"}]}  # fmt: skip
    of = agreement(free, paid, model="flat", terms=terms)

    lines = rated(of, used(free, "2026-06", 100), used(paid, "2026-06", 100))

    assert amounts(lines, kind=Kind.CAP) == ["-400.00"]
    assert {one.line.organisation for one in lines if one.kind is Kind.CAP} == {"vv"}


def test_a_fee_that_nobody_used_is_shared_by_the_days_of_each() -> None:
    tiers = {"tiers": [{"unit_price": "1.00", "flat_fee": "300.00"}]}
    late = line("ahus", activated=date(2026, 7, 2))  # 183 of 548 days of both
    lines = rated(agreement(VV, late, model="graduated", terms=tiers))

    assert {one.line.organisation: str(one.amount) for one in lines} == {
        "vv": "199.82", "ahus": "100.18",
    }  # fmt: skip


def test_a_minimum_is_topped_up_when_the_last_call_off_ends() -> None:
    ending = line(ends=date(2026, 6, 30))
    terms = TARIFF | {"minimum": {"amount": "1000.00", "prorate": False}}

    (top_up,) = rated(agreement(ending, terms=terms), as_of=date(2026, 6, 30))

    assert (top_up.month, str(top_up.amount)) == (date(2026, 6, 1), "1000.00")


NO_LEAST = price_of("flat", {"unit_price": "10.00"})
LEAST = price_of("flat", {"unit_price": "10.00", "minimum": "36500.00"})


@pytest.mark.parametrize(
    ("first", "then", "top_ups"),
    [
        # 181 of 365 days: 18,100.00, of which 1,000.00 came by use; due with its last day
        (LEAST, NO_LEAST, [("2026-06", "17100.00")]),
        # 184 of 365 days, and what was used before it does not count
        (NO_LEAST, LEAST, [("2026-12", "17900.00")]),
        (LEAST, LEAST, [("2026-12", "35000.00")]),
        (NO_LEAST, NO_LEAST, []),
    ],
)
def test_a_minimum_is_owed_for_the_days_that_the_price_has_it(
    first: Price, then: Price, top_ups: list[tuple[str, str]]
) -> None:
    versions = (Version(date(2026, 1, 1), first), Version(date(2026, 7, 1), then))
    of = replace(agreement(VV, terms=TARIFF), prices={"bleed": versions})
    usage = (used(VV, "2026-03", 100), used(VV, "2026-08", 50))

    found = [one for one in rated(of, *usage) if one.kind is Kind.MINIMUM]

    assert [(f"{one.month:%Y-%m}", str(one.amount)) for one in found] == top_ups
    early = rated(of, used(VV, "2026-03", 100), as_of=date(2026, 5, 31))
    assert amounts(early, kind=Kind.MINIMUM) == []


BANDS = [{"above": "1%", "credit": "2%"}, {"above": "10%", "credit": "5%"}]


@pytest.mark.parametrize(
    ("sla", "late", "failed", "expected"),
    [
        ({"late": "100%", "cap": "10%"}, 100, 0, "-240.00"),
        ({"failed": BANDS}, 0, 1, "0"),
        ({"failed": BANDS}, 0, 11, "-48.00"),
        ({"failed": BANDS}, 0, 12, "-120.00"),
    ],
)
def test_credits_stay_within_their_cap_and_bands(
    sla: dict[str, Any], late: int, failed: int, expected: str
) -> None:
    of = agreement(VV, terms=TARIFF | {"sla": sla})

    lines = rated(of, used(VV, "2026-06", 100, late=late, failed=failed))

    assert total([one for one in lines if one.kind is Kind.SERVICE]) == Decimal(expected)


@pytest.mark.parametrize(
    ("terms", "units", "rejected", "expected"),
    [
        # (240,000 + 18,000) / 11,000 = 23.4545 each; half of it, ten times
        ({"customer_fault": "50%"}, 11_000, 10, "117.27"),
        ({}, 11_000, 10, None), ({"customer_fault": "50%"}, 11_000, 0, None),
        ({"customer_fault": "25%"}, 0, 3, "18.00"),  # 24.00 each, where none was read
        ({"customer_fault": "100%", **INTRODUCTION}, 0, 3, "0.00"),  # the first months are free
    ],
)  # fmt: skip
def test_an_examination_that_the_customer_spoilt_costs_the_agreed_share(
    terms: dict[str, Any], units: int, rejected: int, expected: str | None
) -> None:
    """And moves no tier: the examinations cost what they cost without it."""
    of = agreement(VV, terms=TARIFF | terms)
    use = replace(used(VV, "2026-02", units), rejected=rejected)
    lines = rated(of, use)
    found = [one.amount for one in lines if one.kind is Kind.REJECTED]
    assert found == ([Decimal(expected)] if expected and Decimal(expected) else [])
    plain = rated(agreement(VV, terms=TARIFF | terms), used(VV, "2026-02", units))
    assert [one for one in lines if one.kind is not Kind.REJECTED] == plain


def test_what_is_free_is_not_credited_on_top() -> None:
    of = agreement(IN_MARCH, terms=TARIFF | INTRODUCTION | {"sla": {"late": "50%"}})

    lines = rated(of, used(IN_MARCH, "2026-04", 100, late=100))

    assert (total(lines), amounts(lines, kind=Kind.SERVICE)) == (Decimal("0.00"), [])


@pytest.mark.parametrize(
    ("successes", "n", "expected"),
    [
        (330, 1_000, "3310.34"),  # 29 % -> 33 %, slope 1: +13.79 %
        (600, 1_000, "4800.00"),  # at most 20 %
        (300, 1_000, "0"),  # above, but not surely
        (66, 99, "0"),  # surely, but too few
        (66, 100, "4800.00"),  # just enough
        (261, 900, "0"),  # as agreed
        (200, 1_000, "-2400.00"),  # at most 10 % down
    ],
)
def test_an_outcome_moves_the_charge_of_the_year(successes: int, n: int, expected: str) -> None:
    outcome = {
        "kpi": "sent home", "target": "29%", "slope": "1", "bonus_cap": "20%", "malus_cap": "10%",
        "min_n": 100,
    }  # fmt: skip
    of = agreement(VV, terms=TARIFF | {"outcome": outcome})
    measured = Measured("bleed", "sent home", date(2026, 12, 1), successes, n)

    usages = Usages((used(VV, "2026-06", 1_000),), (), (measured,))
    lines = rate(of, usages, as_of=date(2026, 12, 31))

    assert total([one for one in lines if one.kind is Kind.OUTCOME]) == Decimal(expected)


def _order(lines: list[ChargeLine]) -> list[tuple[str, str]]:
    return [(one.kind.value, str(one.amount)) for one in lines]


def test_the_order_of_operations_is_that_of_the_agreement() -> None:
    terms = TARIFF | INTRODUCTION | {
        "included_units": 1_000, "cap": "100000.00", "indexation": FOLLOWS,
        "sla": {"late": "50%", "cap": "1%"},
        "outcome": {"kpi": "k", "target": "50%", "slope": "1", "malus_cap": "10%"},
    }  # fmt: skip
    here = line(activated=date(2027, 1, 1))
    usages = Usages(
        (used(here, "2027-06", 11_000, late=500),),
        (),
        (Measured("bleed", "k", date(2027, 1, 1), 0, 1),),
    )

    lines = rate(agreement(here, terms=terms, series=INDEX), usages, as_of=date(2027, 12, 31))

    # 10,000 at 24.84; half of it off; at most 100,000; late 500 * 22.5818 * 0.5 within 1 %
    # of 248,400; ten per cent of the rest
    assert _order(lines) == [
        ("usage", "248400.00"), ("introduction", "-124200.00"), ("cap", "-24200.00"),
        ("service", "-2484.00"), ("outcome", "-9751.60"),
    ]  # fmt: skip

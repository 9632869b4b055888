"""What must hold for every agreement and any usage, in whatever order it is told."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.pricing import (
    Agreement,
    ChargeLine,
    Kind,
    Line,
    Usage,
    Usages,
    amount,
    price_of,
    rate,
    shared,
)
from contracts.pricing.statements import statements
from tests.builders.agreements import agreement, line, total

LINES = (line("ahus"), line("ous"), line("vv"), line("vv", site="second", call_off="CO-2"))
YEAR_END = date(2026, 12, 31)
SCOPES, PERIODS = ("call_off", "authority", "framework"), ("month", "quarter", "contract_year")
money = st.decimals(min_value=0, max_value=50, places=2).map(str)
percentages = st.integers(0, 100).map(lambda whole: f"{whole}%")


@st.composite
def tariffs(draw: st.DrawFn) -> dict[str, Any]:
    bounds = sorted(draw(st.sets(st.integers(1, 500), max_size=3)))
    tiers = [{"up_to": bound, "unit_price": draw(money)} for bound in [*bounds, None]]
    return {"tiers": tiers, "tier_scope": draw(st.sampled_from(SCOPES))}


@st.composite
def agreements(draw: st.DrawFn) -> Agreement:
    """All clauses that add or take off within a year; graduated or all units."""
    phases = [{"months": draw(st.integers(1, 4)), "discount": draw(percentages)}]
    terms = draw(tariffs()) | {
        "tier_period": draw(st.sampled_from(PERIODS)),
        "included_units": draw(st.integers(0, 50)),
        "introduction": draw(st.sampled_from(([], phases))),
        "minimum": draw(st.none() | money.map(lambda low: {"amount": low, "prorate": False})),
        "cap": draw(st.none() | st.integers(50, 5_000).map(lambda high: f"{high}.00")),
        "sla": draw(st.none() | st.fixed_dictionaries({"cap": percentages, "late": percentages})),
    }
    model = draw(st.sampled_from(("graduated", "all_units")))
    return agreement(*LINES, model=model, terms=terms)


@st.composite
def usages(draw: st.DrawFn) -> list[Usage]:
    rows = st.tuples(st.sampled_from(LINES), st.integers(0, 364), st.integers(0, 300))
    return [
        Usage(of.key, date(2026, 1, 1) + timedelta(days), units, late=units // 3)
        for of, days, units in draw(st.lists(rows, max_size=12))
    ]


def invoices(lines: list[ChargeLine]) -> list[tuple[Any, ...]]:
    found = statements(lines, vat_rate=lambda organisation, month: Decimal("0.25"))
    return [(one.organisation, one.month, one.type, one.net, one.vat, one.lines) for one in found]


def pooled(of: Agreement, used: list[Usage]) -> Decimal:
    """C(year) by its definition: each group's volume at the tiers, and nothing by month."""
    price, groups = of.prices["bleed"][0].price, defaultdict(int)
    key_of = {
        "framework": lambda one: "", "authority": lambda one: one.organisation,
        "call_off": lambda one: one.call_off,
    }[price.tier_scope]  # fmt: skip
    by_key = {one.key: key_of(one) for one in of.lines}
    for one in used:
        groups[by_key[one.line]] += one.units
    return sum((amount(price, units) for units in groups.values()), Decimal("0.00"))


@given(of=agreements(), used=usages(), seed=st.integers())
@settings(max_examples=60, deadline=None)
def test_no_order_of_the_events_changes_an_invoice(
    of: Agreement, used: list[Usage], seed: int
) -> None:
    """Nor does it matter whether a day is told at once or in pieces."""
    one_by_one = [
        Usage(one.line, one.day, int(n < one.units), late=int(n < one.late))
        for one in used
        for n in range(one.units)
    ]
    mixed = random.Random(seed).sample(one_by_one, len(one_by_one))  # noqa: S311

    first = rate(of, Usages(tuple(used)), as_of=YEAR_END)

    assert invoices(rate(of, Usages(tuple(mixed)), as_of=YEAR_END)) == invoices(first)


@given(terms=tariffs(), model=st.sampled_from(("graduated", "all_units")), used=usages())
@settings(max_examples=60, deadline=None)
def test_invoices_and_credit_notes_of_a_year_come_to_the_price_of_the_year(
    terms: dict[str, Any], model: str, used: list[Usage]
) -> None:
    of = agreement(*LINES, model=model, terms=terms)

    lines = rate(of, Usages(tuple(used)), as_of=YEAR_END)

    assert sum(one[3] for one in invoices(lines)) == pooled(of, used)


@given(
    terms=tariffs(), used=usages(),
    moves=st.lists(st.tuples(st.sampled_from(LINES), st.integers(0, 300)), max_size=6),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_a_year_is_shared_by_what_each_used_whatever_was_moved_between_them(
    terms: dict[str, Any], used: list[Usage], moves: list[tuple[Line, int]]
) -> None:
    """A correction takes from one and gives to another: a month may add up to no use at all."""
    of = agreement(*LINES, terms=terms | {"tier_scope": "framework"})
    pairs = [(one.line, to.key, min(one.units, units))
             for one, (to, units) in zip(used, moves, strict=False)]  # fmt: skip
    last = date(2026, 12, 30)
    moved = [Usage(taken, last, -units) for taken, _given, units in pairs]
    moved += [Usage(given_, last, units) for _taken, given_, units in pairs]
    volumes = {one.key: 0 for one in LINES}
    for one in (*used, *moved):
        volumes[one.line] += one.units
    by_line: dict[str, Decimal] = defaultdict(Decimal)
    for charge in rate(of, Usages((*used, *moved)), as_of=YEAR_END):
        by_line[charge.line.key] += charge.amount

    whole = amount(of.prices["bleed"][0].price, sum(volumes.values()))
    trusts = {one.organisation: {} for one in LINES}
    for one in LINES:
        trusts[one.organisation][one.key] = volumes[one.key]
    due = shared(whole, {name: sum(own.values()) for name, own in trusts.items()})
    for name, own in trusts.items():
        for key, share in shared(due[name], own).items():
            assert by_line[key] == share or not any(volumes.values())


@given(of=agreements(), used=usages(), until=st.integers(0, 364))
@settings(max_examples=60, deadline=None)
def test_what_was_invoiced_and_what_comes_late_make_the_same_year(
    of: Agreement, used: list[Usage], until: int
) -> None:
    """A run bills by difference: it never matters when an event became known."""
    day = date(2026, 1, 1) + timedelta(until)
    early = rate(of, Usages(tuple(used[::2])), as_of=day)
    late = rate(of, Usages(tuple(used)), as_of=YEAR_END)
    booked = {one.key: one.amount for one in early}

    due = {one.key: one.amount - booked.pop(one.key, Decimal(0)) for one in late}

    assert total(early) + sum(due.values()) - sum(booked.values()) == total(late)
    assert len({one.key for one in late}) == len(late)


@given(of=agreements(), used=usages())
@settings(max_examples=60, deadline=None)
def test_a_year_lies_between_the_minimum_and_the_cap(of: Agreement, used: list[Usage]) -> None:
    price = of.prices["bleed"][0].price
    lines = rate(of, Usages(tuple(used)), as_of=YEAR_END)
    before_credits = total([one for one in lines if one.kind is not Kind.SERVICE])
    groups = {"call_off": 4, "authority": 3, "framework": 1}[price.tier_scope]

    if price.cap:
        assert before_credits <= groups * price.cap.amount
    if price.minimum and (not price.cap or price.minimum.amount <= price.cap.amount):
        assert before_credits >= groups * price.minimum.amount


@given(of=agreements(), used=usages())
@settings(max_examples=60, deadline=None)
def test_a_credit_is_within_its_cap_and_what_the_month_came_to(
    of: Agreement, used: list[Usage]
) -> None:
    sla = of.prices["bleed"][0].price.sla
    months: dict[tuple[str, date], dict[Kind, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for one in rate(of, Usages(tuple(used)), as_of=YEAR_END):
        months[one.line.key, one.month][one.kind] += one.amount

    for kinds in months.values():
        credit, charge = -kinds[Kind.SERVICE], max(Decimal(0), kinds[Kind.USAGE])
        net = sum(kinds.values()) + credit
        assert 0 <= credit <= (charge * sla.cap + Decimal("0.005") if sla else 0)
        assert credit == 0 or credit <= net


@given(
    total_=st.decimals(min_value=-10_000, max_value=10_000, places=2),
    weights=st.dictionaries(st.text(max_size=3), st.integers(0, 1_000), min_size=1, max_size=9),
)
def test_shares_come_to_the_whole_and_none_is_off_by_an_øre(
    total_: Decimal, weights: dict[str, int]
) -> None:
    shares = shared(total_, weights)
    whole = sum(weights.values())

    assert sum(shares.values()) == total_
    for member, share in shares.items():
        exact = total_ * weights[member] / whole if whole else total_ / len(weights)
        assert abs(share - exact) < Decimal("0.01")


@given(terms=tariffs(), quantity=st.integers(0, 600), more=st.integers(0, 600))
def test_better_of_never_falls_and_never_costs_more_than_without(
    terms: dict[str, Any], quantity: int, more: int
) -> None:
    plain = price_of("all_units", terms)
    better = price_of("all_units", terms | {"better_of": True})

    assert amount(better, quantity) <= amount(better, quantity + more)
    assert amount(better, quantity) <= amount(plain, quantity)
    assert amount(better, quantity) <= amount(plain, quantity + more)

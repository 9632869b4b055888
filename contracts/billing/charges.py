"""What a run bills: what everything costs by now, less what was invoiced of it. Pure rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from contracts.pricing import ChargeLine, rounded
from contracts.pricing.charging import TierCharge

ZERO = Decimal("0.00")


@dataclass(frozen=True, slots=True)
class Booked:
    """What was invoiced under one key so far, with what the key stands for."""

    line: str
    kind: str
    month: date
    span_from: date
    quantity: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Charge:
    """One line to invoice: ``quantity * unit_price`` is ``amount`` but for pools and corrections.

    ``tier`` is the upper bound of the tier it is of, where it is of one.
    """

    key: str
    line: str
    kind: str
    month: date
    span_from: date
    quantity: int
    unit_price: Decimal
    amount: Decimal
    tier: int | None = None


def due(rated: Iterable[ChargeLine], booked: Mapping[str, Booked], *, month: date) -> list[Charge]:
    """What is left to invoice by the end of ``month``; below 0 where too much was invoiced.

    Months in which only examinations without a price came later are left alone.
    """
    charges: list[Charge] = []
    before: dict[tuple[str, str, date], ChargeLine] = {}
    seen = set()
    for one in rated:
        seen.add(one.key)
        place = (one.line.key, str(one.kind), one.snapshot.period.start)
        charges += _difference(one, booked.get(one.key), earlier=before.get(place), month=month)
        before[place] = one
    for key in sorted(set(booked) - seen):
        old = booked[key]
        if old.amount:
            yielded = (old.line, old.kind, old.month, old.span_from)
            charges.append(Charge(key, *yielded, -old.quantity, ZERO, -old.amount))
    return [_priced(one) for one in charges]


def _difference(
    one: ChargeLine, old: Booked | None, *, earlier: ChargeLine | None, month: date
) -> Iterator[Charge]:
    amount = one.amount - (old.amount if old else ZERO)
    quantity = one.quantity - (old.quantity if old else 0)
    if not amount and (not quantity or one.month != month):
        return
    of = (one.key, one.line.key, str(one.kind), one.month, one.snapshot.period.start)
    if old is None and (parts := _by_tier(one, earlier)):
        for tier in parts:
            yield Charge(*of, tier.units, tier.unit_price, rounded(tier.amount), tier.up_to)
        return
    yield Charge(*of, quantity, ZERO, amount)


def _by_tier(one: ChargeLine, earlier: ChargeLine | None) -> list[TierCharge]:
    """The tiers that a month's charge falls in, where they add up to it: not those of a share."""
    before = {tier.up_to: tier for tier in earlier.snapshot.tiers} if earlier else {}
    parts = []
    for tier in one.snapshot.tiers:
        was = before.pop(tier.up_to, None)
        units = tier.units - (was.units if was else 0)
        fee = tier.flat_fee - (was.flat_fee if was else ZERO)
        if fee or (was and was.unit_price != tier.unit_price):
            return []
        if units:
            parts.append(TierCharge(tier.up_to, units, tier.unit_price, ZERO))
    gone = [
        TierCharge(was.up_to, -was.units, was.unit_price, ZERO)
        for was in before.values()
        if was.units
    ]
    if any(was.flat_fee for was in before.values()):
        return []
    found = gone + parts
    amounts, units = sum((rounded(p.amount) for p in found), ZERO), sum(p.units for p in found)
    return found if (amounts, units) == (one.amount, one.quantity) else []


def _priced(one: Charge) -> Charge:
    """With a unit price where it has none: of a single unit where nothing was counted."""
    if one.unit_price or not one.amount:
        return one
    quantity = one.quantity if (one.quantity > 0) == (one.amount > 0) and one.quantity else 0
    quantity = quantity or (1 if one.amount > 0 else -1)
    price = (one.amount / quantity).quantize(Decimal("0.0001"))
    return Charge(
        one.key, one.line, one.kind, one.month, one.span_from, quantity, price, one.amount
    )

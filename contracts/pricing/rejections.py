"""What examinations cost that could not be read by the customer's fault: a share of the price."""

from __future__ import annotations

from decimal import Decimal

from contracts.pricing.agreement import Line
from contracts.pricing.basis import Basis
from contracts.pricing.charging import by_tier, phase_on
from contracts.pricing.ledger import Kind, Ledger, Snapshot
from contracts.pricing.money import ONE, ZERO, rounded
from contracts.pricing.periods import Period, month_of
from contracts.pricing.terms import Price, Scope


def charge_rejections(basis: Basis, ledger: Ledger, *, priced_as: str) -> None:
    """Post, for each line and month, ``rejected * C / Q * customer_fault``.

    C is what the month's examinations cost after introductions, Q how many they are; in a month
    without any, what the first one would cost. They count toward no tier.
    """
    months: dict[Period, list[Period]] = {}
    for slot in basis.slots:
        months.setdefault(month_of(slot.start), []).append(slot)
    for month, slots in months.items():
        price = basis.price(priced_as, slots[-1])
        if price is None or not price.customer_fault:
            continue
        for line in basis.lines_of(priced_as):
            _charge(basis, ledger, line, price=price, month=month, slots=slots)


def _charge(
    basis: Basis, ledger: Ledger, line: Line, *, price: Price, month: Period, slots: list[Period]
) -> None:
    counts = [basis.count(line, slot) for slot in slots]
    rejected, units = sum(one.rejected for one in counts), sum(one.units for one in counts)
    if not rejected:
        return
    usage = sum((ledger.posted(line, slots, kind=kind) for kind in _PAID), ZERO)
    charge = max(ZERO, usage)
    each = charge / units if units > 0 else _first(price, line, month)
    amount = rounded(rejected * each * price.customer_fault)
    snapshot = Snapshot(
        month, slots[-1].last, Scope.CALL_OFF, line.call_off, units, charge, units, amount,
        details=(("rejected", str(rejected)), ("share", str(price.customer_fault))),
    )  # fmt: skip
    ledger.post(Kind.REJECTED, line, slots[-1], amount=amount, snapshot=snapshot)


_PAID = (Kind.USAGE, Kind.INTRODUCTION)


def _first(price: Price, line: Line, month: Period) -> Decimal:
    """What one examination of a month costs, by the first tier or a part of a package."""
    phase = phase_on(price.introduction, activated=line.activated, completed=month.last)
    if phase is not None and phase.unit_price is not None:
        return phase.unit_price
    if price.package is not None:
        each = price.package.price / price.package.size
    else:
        (first, *_others) = by_tier(price, price.included_units + 1)
        each = first.unit_price
    return each * (ONE - phase.discount) if phase is not None else each

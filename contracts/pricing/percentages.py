"""Charges that are a percentage of what other algorithms cost at the same site."""

from __future__ import annotations

from decimal import Decimal

from contracts.pricing.agreement import Line
from contracts.pricing.basis import Basis
from contracts.pricing.ledger import Kind, Ledger, Snapshot
from contracts.pricing.money import ZERO, rounded
from contracts.pricing.periods import Length, Period, period_of
from contracts.pricing.terms import Model, Percentage, Scope


def charge_percentages(basis: Basis, ledger: Ledger, *, priced_as: str) -> None:
    """Post the percentage of what the others came to in the contract year, by difference.

    The others' charges count after their introductions and before commitments and credits.
    """
    for line in basis.lines_of(priced_as):
        year: Period | None = None
        base = charged = ZERO
        for slot in basis.slots:
            price = basis.price(priced_as, slot)
            if price is None or price.model is not Model.PERCENTAGE or price.percentage is None:
                continue
            now = period_of(slot.start, length=Length.CONTRACT_YEAR, begins=basis.begins)
            if now != year:
                year, base, charged = now, ZERO, ZERO
            more = _cost_of_others(basis, ledger, line, slot=slot, terms=price.percentage)
            # each slot at the percentage that held in it
            due = rounded((base + more) * price.percentage.share) - rounded(
                base * price.percentage.share
            )
            base, charged = base + more, charged + due
            units = basis.count(line, slot).units
            snapshot = Snapshot(
                now, slot.last, Scope.CALL_OFF, line.call_off, units, base, units, charged
            )
            ledger.post(Kind.USAGE, line, slot, amount=due, quantity=units, snapshot=snapshot)


def _cost_of_others(
    basis: Basis, ledger: Ledger, line: Line, *, slot: Period, terms: Percentage
) -> Decimal:
    there = [
        other
        for other in basis.agreement.lines
        if (other.call_off, other.site) == (line.call_off, line.site)
        and _counts(basis, other, slot, terms)
    ]
    return sum((ledger.net[other.key, slot] for other in there), ZERO)


def _counts(basis: Basis, other: Line, slot: Period, terms: Percentage) -> bool:
    """A percentage is never taken of another percentage, so that the order means nothing."""
    price = basis.price(other.priced_as, slot)
    if price is None or price.model is Model.PERCENTAGE:
        return False
    return not terms.of or other.algorithm in terms.of

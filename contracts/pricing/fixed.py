"""Fixed amounts that were offered beside prices: once, or for each contract year in use."""

from __future__ import annotations

from contracts.pricing.agreement import FixedAmount, Line
from contracts.pricing.basis import Basis, active_days, active_part, allocated
from contracts.pricing.ledger import Kind, Ledger, Snapshot
from contracts.pricing.periods import Period, contract_year_of
from contracts.pricing.terms import Scope


def charge_fixed_amounts(basis: Basis, ledger: Ledger) -> None:
    """Post each amount in the first slot of its period in which one of its lines is active.

    An amount that is due once has the whole agreement as its period.
    """
    for one in basis.agreement.fixed:
        lines = [line for line in basis.agreement.lines if line.key in one.lines]
        charged: set[Period] = set()
        for slot in basis.slots:
            period = _period(basis, one, slot)
            if period not in charged and lines and active_days(lines, slot):
                charged.add(period)
                _post(ledger, one, lines, period=period, slot=slot)


def _period(basis: Basis, one: FixedAmount, slot: Period) -> Period:
    if one.is_yearly:
        return contract_year_of(slot.start, begins=basis.begins)
    last = contract_year_of(basis.agreement.ends, begins=basis.begins)
    return Period(basis.begins, last.end)


def _post(
    ledger: Ledger, one: FixedAmount, lines: list[Line], *, period: Period, slot: Period
) -> None:
    total = active_part(lines, period).of(one.amount) if one.is_yearly else one.amount
    kind = Kind.YEARLY if one.is_yearly else Kind.ONCE
    shares = allocated(total, lines, {}, period)
    for line in lines:
        snapshot = Snapshot(
            period, slot.last, Scope.CALL_OFF, line.call_off, 0, total, 0, shares[line.key],
            details=(("name", one.name),),
        )
        ledger.post(kind, line, slot, amount=shares[line.key], snapshot=snapshot)

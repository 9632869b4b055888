"""Fixed fees beside what is used: once for each period in which a line is active, in advance."""

from __future__ import annotations

from contracts.pricing.agreement import Line, grouped
from contracts.pricing.basis import Basis, active_days, active_part, allocated
from contracts.pricing.charging import WHOLE
from contracts.pricing.ledger import Kind, Ledger, Snapshot
from contracts.pricing.periods import Period, period_of
from contracts.pricing.terms import Fee, Scope


def charge_fees(basis: Basis, ledger: Ledger, *, priced_as: str) -> None:
    """Post each fee in the first slot of its period in which one of its lines is active."""
    lines, charged = basis.lines_of(priced_as), set()
    for slot in basis.slots:
        price = basis.price(priced_as, slot)
        if price is None or price.fee is None:
            continue
        period = period_of(slot.start, length=price.fee.period, begins=basis.begins)
        for group, members in _payers(lines, price.fee).items():
            if (group, period) not in charged and active_days(members, slot):
                charged.add((group, period))
                _post(ledger, price.fee, members, period=period, slot=slot)


def _payers(lines: list[Line], fee: Fee) -> dict[str, list[Line]]:
    if fee.scope is None:
        return {one.key: [one] for one in lines}
    return grouped(lines, fee.scope)


def _post(ledger: Ledger, fee: Fee, members: list[Line], *, period: Period, slot: Period) -> None:
    total = (active_part(members, period) if fee.is_prorated else WHOLE).of(fee.amount)
    for line in members:
        share = allocated(total, members, {}, period)[line.key]
        snapshot = Snapshot(
            period, slot.last, fee.scope or Scope.CALL_OFF, line.key, 0, total, 0, share
        )
        ledger.post(Kind.FEE, line, slot, amount=share, snapshot=snapshot)

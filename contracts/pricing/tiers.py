"""The tier charge: volumes counted together, priced by their tiers, shared among the lines."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from decimal import Decimal

from contracts.pricing.agreement import Line, grouped
from contracts.pricing.basis import Basis, Count, active_days, active_part, allocated
from contracts.pricing.charging import TierCharge, amount, by_tier, reduction
from contracts.pricing.ledger import Kind, Ledger, Snapshot
from contracts.pricing.money import ZERO
from contracts.pricing.periods import Length, Period, period_of
from contracts.pricing.terms import Model, Phase, Price, Scope


@dataclass(slots=True)
class _Pool:
    """What the lines of one group came to so far in one tier period."""

    scope: Scope
    group: str
    lines: list[Line]
    period: Period
    is_open: bool = False
    total: Decimal = ZERO
    units: Counter[str] = field(default_factory=Counter)
    phases: dict[str, Counter[Phase | None]] = field(default_factory=dict)
    gross: dict[str, Decimal] = field(default_factory=dict)
    reduced: dict[str, Decimal] = field(default_factory=dict)
    tiers: tuple[TierCharge, ...] = ()

    def snapshot(self, line: Line, slot: Period, *, amount: Decimal) -> Snapshot:
        return Snapshot(
            self.period, slot.last, self.scope, self.group, self.units.total(), self.total,
            self.units[line.key], amount, self.tiers,
        )  # fmt: skip


def charge_tiers(basis: Basis, ledger: Ledger, *, priced_as: str) -> None:
    """Post what each line that has a price is charged, and what introductions take off it.

    In each slot the charge of the pool is what its volume costs since the period began, less what
    it cost before the slot, both at the prices of the slot. What the pool costs since the period
    began is shared anew by the volumes since then; a line's own amount is the difference.
    """
    lines = basis.lines_of(priced_as)
    ladders = {
        (price.tier_scope, price.tier_period)
        for slot in basis.slots
        if (price := basis.price(priced_as, slot)) and price.model is not Model.PERCENTAGE
    }
    for scope, length in sorted(ladders):
        for group, members in grouped(lines, scope).items():
            _climb(basis, ledger, scope=scope, length=length, group=group, members=members)


def _climb(
    basis: Basis, ledger: Ledger, *, scope: Scope, length: Length, group: str, members: list[Line]
) -> None:
    pool: _Pool | None = None
    for slot in basis.slots:
        price = basis.price(members[0].priced_as, slot)
        if price is None or price.model is Model.PERCENTAGE:
            continue
        if (price.tier_scope, price.tier_period) != (scope, length):
            continue
        period = period_of(slot.start, length=length, begins=basis.agreement.begins)
        if pool is None or pool.period != period:
            pool = _Pool(scope, group, members, period)
        _charge(basis, ledger, pool, slot=slot, price=price)


def _charge(basis: Basis, ledger: Ledger, pool: _Pool, *, slot: Period, price: Price) -> None:
    used = {one.key: basis.count(one, slot) for one in pool.lines}
    counted = sum(count.units for count in used.values())
    # Use that only moved from one line or phase to another adds up to nothing, and yet it counts.
    has_moved = any(any(count.phases.values()) for count in used.values())
    if not has_moved and (pool.is_open or not active_days(pool.lines, slot)):
        return
    if pool.period.start > max(one.ends for one in pool.lines):
        # asked for in time and delivered after: no fee of a period in which nothing is in use
        price = replace(price, is_prorated=True)
    part, before = active_part(pool.lines, pool.period), pool.units.total()
    for key, count in used.items():
        pool.units[key] += count.units
        pool.phases.setdefault(key, Counter()).update(count.phases)
    # Corrections may take back more than was used; what is below nothing costs nothing.
    pool.total += amount(price, max(0, before + counted), part=part)
    pool.total -= amount(price, max(0, before), part=part) if pool.is_open else ZERO
    pool.is_open = True
    pool.tiers = by_tier(price, max(0, before + counted), part=part)
    shares = allocated(pool.total, pool.lines, pool.units, pool.period)
    for line in pool.lines:
        _post_usage(ledger, pool, line, slot=slot, share=shares[line.key], count=used[line.key])
        _post_introduction(ledger, pool, line, slot=slot)


def _post_usage(
    ledger: Ledger, pool: _Pool, line: Line, *, slot: Period, share: Decimal, count: Count
) -> None:
    due = share - pool.gross.get(line.key, ZERO)
    pool.gross[line.key] = share
    snapshot = pool.snapshot(line, slot, amount=share)
    ledger.post(Kind.USAGE, line, slot, amount=due, quantity=count.units, snapshot=snapshot)


def _post_introduction(ledger: Ledger, pool: _Pool, line: Line, *, slot: Period) -> None:
    reduced = -reduction(pool.gross[line.key], pool.phases[line.key])
    due = reduced - pool.reduced.get(line.key, ZERO)
    pool.reduced[line.key] = reduced
    snapshot = pool.snapshot(line, slot, amount=reduced)
    ledger.post(Kind.INTRODUCTION, line, slot, amount=due, snapshot=snapshot)

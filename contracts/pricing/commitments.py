"""The least and the greatest that is paid for a period, over all lines that count together."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from contracts.pricing.agreement import Line, grouped
from contracts.pricing.basis import Basis, active_days, allocated
from contracts.pricing.charging import WHOLE, Part
from contracts.pricing.ledger import Kind, Ledger, Snapshot
from contracts.pricing.money import ZERO
from contracts.pricing.periods import Length, Period, period_of
from contracts.pricing.terms import Commitment, Price, Scope

CLAUSES: Mapping[Kind, Callable[[Price], Commitment | None]] = {
    Kind.MINIMUM: lambda price: price.minimum,
    Kind.CAP: lambda price: price.cap,
}


@dataclass(slots=True)
class _Account:
    """What the lines of one group came to so far in one period of a commitment.

    ``held`` is what of the period the price has it for: all, unless a later price has none.
    """

    kind: Kind
    scope: Scope
    group: str
    lines: list[Line]
    period: Period
    held: Period
    net: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))
    units: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    posted: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))

    def owed(self, commitment: Commitment, *, slot: Period) -> Decimal:
        """What must be added (a true-up) or taken off (below 0), of what it came to by then.

        A true-up waits until the period, the use in it, or the price that has it, is over.
        """
        days = active_days(self.lines, self.held)
        part = Part(days, self.period.days) if commitment.is_prorated else WHOLE
        bound, net = part.of(commitment.amount), sum(self.net.values(), ZERO)
        if self.kind is Kind.CAP:
            return min(ZERO, bound - net)
        last = min(self.held.last, max(line.ends for line in self.lines))
        return max(ZERO, bound - net) if days > 0 and slot.last >= last else ZERO


def hold_to_commitments(basis: Basis, ledger: Ledger, *, priced_as: str) -> None:
    """Post true-ups to the minimum, then what is above the cap.

    A true-up is shared by volume, what is above the cap by what each line came to.
    """
    lines = basis.lines_of(priced_as)
    for kind, clause in CLAUSES.items():
        for scope, length in sorted(_ladders(basis, priced_as, clause)):
            for group, members in grouped(lines, scope).items():
                account: _Account | None = None
                for slot, commitment in _held(basis, priced_as, clause, (scope, length)):
                    period = period_of(slot.start, length=length, begins=basis.begins)
                    held = period  # a cap is never less for the price that follows it
                    if kind is Kind.MINIMUM:
                        held = _span(basis, priced_as, clause, (scope, length), slot).within(period)
                    if account is None or (account.period, account.held) != (period, held):
                        account = _Account(kind, scope, group, members, period, held)
                    _settle(basis, ledger, account, commitment=commitment, slot=slot)


def _ladders(
    basis: Basis, priced_as: str, clause: Callable[[Price], Commitment | None]
) -> set[tuple[Scope, Length]]:
    return {
        (commitment.scope or price.tier_scope, commitment.period)
        for slot in basis.slots
        if (price := basis.price(priced_as, slot)) and (commitment := clause(price))
    }


def _span(
    basis: Basis, priced_as: str, clause: Callable[[Price], Commitment | None],
    ladder: tuple[Scope, Length], slot: Period,
) -> Period:  # fmt: skip
    """The days about a slot for which prices have the commitment, one after the other."""
    versions = sorted(basis.agreement.prices[priced_as], key=lambda one: one.valid_from)
    starts = [one.valid_from for one in versions]
    has = [
        (held := clause(one.price)) is not None
        and (held.scope or one.price.tier_scope, held.period) == ladder
        for one in versions
    ]
    first = bisect_right(starts, slot.start) - 1
    after = first + 1
    while first > 0 and has[first - 1]:
        first -= 1
    while after < len(has) and has[after]:
        after += 1
    return Period(starts[first], starts[after] if after < len(has) else date.max)


def _held(
    basis: Basis, priced_as: str, clause: Callable[[Price], Commitment | None],
    ladder: tuple[Scope, Length],
) -> list[tuple[Period, Commitment]]:  # fmt: skip
    """The slots in which a commitment of that scope and length holds."""
    return [
        (slot, commitment)
        for slot in basis.slots
        if (price := basis.price(priced_as, slot))
        and (commitment := clause(price))
        and (commitment.scope or price.tier_scope, commitment.period) == ladder
    ]


def _settle(
    basis: Basis, ledger: Ledger, account: _Account, *, commitment: Commitment, slot: Period
) -> None:
    for line in account.lines:
        account.net[line.key] += ledger.net[line.key, slot]
        account.units[line.key] += basis.count(line, slot).units
    owed = account.owed(commitment, slot=slot)
    weights: dict[str, int | Decimal] = (
        {key: max(ZERO, net) for key, net in account.net.items()}
        if account.kind is Kind.CAP
        else dict(account.units)
    )
    shares = allocated(owed, account.lines, weights, account.period)
    net, units = sum(account.net.values(), ZERO), sum(account.units.values())
    for line in account.lines:
        due = shares[line.key] - account.posted[line.key]
        account.posted[line.key] = shares[line.key]
        snapshot = Snapshot(
            account.period, slot.last, account.scope, account.group, units, net,
            account.units[line.key], shares[line.key],
        )  # fmt: skip
        ledger.post(account.kind, line, slot, amount=due, snapshot=snapshot)

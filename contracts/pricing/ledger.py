"""The charge lines of a rating as they come to be, and the sums that its later steps need."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum

from contracts.pricing.agreement import Line
from contracts.pricing.charging import TierCharge
from contracts.pricing.money import ZERO, rounded
from contracts.pricing.periods import Period, month_of
from contracts.pricing.terms import Scope


class Kind(StrEnum):
    """What a charge line is for, in the order in which it is reckoned."""

    USAGE = "usage"
    REJECTED = "rejected"
    FEE = "fee"
    INTRODUCTION = "introduction"
    MINIMUM = "minimum"
    CAP = "cap"
    SERVICE = "service"
    OUTCOME = "outcome"
    ONCE = "once"
    YEARLY = "yearly"


ORDER = {kind: place for place, kind in enumerate(Kind)}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a charge line was reckoned on, from the start of its period ``through`` a day.

    ``pool_*`` are those of all lines counted together, ``line_*`` the line's own part of them. The
    line's amounts of one kind and period up to a month add up to ``line_amount``.
    """

    period: Period
    through: date
    scope: Scope
    group: str
    pool_units: int
    pool_amount: Decimal
    line_units: int
    line_amount: Decimal
    tiers: tuple[TierCharge, ...] = ()
    details: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ChargeLine:
    """What one line of a call-off costs of one kind in one calendar month.

    ``month`` is its first day, ``amount`` without VAT and signed (a discount or credit is below 0,
    and so is a charge that fell with a month's usage), ``quantity`` the month's examinations.
    """

    line: Line
    kind: Kind
    month: date
    quantity: int
    amount: Decimal
    snapshot: Snapshot

    @property
    def key(self) -> str:
        """What names it in every rating: ``CO-1/algorithm/site|usage|2026-06|2026-01-01``."""
        start = self.snapshot.period.start.isoformat()
        return f"{self.line.key}|{self.kind}|{self.month:%Y-%m}|{start}"


@dataclass(slots=True)
class Ledger:
    """Amounts by line and slot: ``net`` of all kinds so far, and those of each kind."""

    net: defaultdict[tuple[str, Period], Decimal] = field(
        default_factory=lambda: defaultdict(lambda: ZERO)
    )
    _of_kind: defaultdict[tuple[Kind, str, Period], Decimal] = field(
        default_factory=lambda: defaultdict(lambda: ZERO)
    )
    _lines: dict[str, ChargeLine] = field(default_factory=dict)

    def post(
        self, kind: Kind, line: Line, slot: Period, *, amount: Decimal, snapshot: Snapshot,
        quantity: int = 0,
    ) -> None:  # fmt: skip
        """Add an amount of a slot; what falls in one month and period becomes one charge line."""
        if not amount and not quantity:
            return
        self.net[line.key, slot] += amount
        self._of_kind[kind, line.key, slot] += amount
        month = month_of(slot.start).start
        new = ChargeLine(line, kind, month, quantity, rounded(amount), snapshot)
        if known := self._lines.get(new.key):
            new = replace(
                new, quantity=known.quantity + quantity, amount=rounded(known.amount + amount)
            )
        self._lines[new.key] = new

    def posted(self, line: Line, slots: Iterable[Period], *, kind: Kind | None = None) -> Decimal:
        """What a line came to in some slots, of one kind or of all."""
        if kind is None:
            return sum((self.net[line.key, slot] for slot in slots), ZERO)
        return sum((self._of_kind[kind, line.key, slot] for slot in slots), ZERO)

    def charge_lines(self) -> Iterator[ChargeLine]:
        """All of them, by month, organisation, call-off, algorithm, site and kind."""
        yield from sorted(self._lines.values(), key=_place)


def _place(one: ChargeLine) -> tuple[date, str, str, str, str, int, date]:
    line = one.line
    return (
        one.month, line.organisation, line.call_off, line.algorithm, line.site, ORDER[one.kind],
        one.snapshot.period.start,
    )  # fmt: skip

"""The charge lines of a rating as they come to be, and the sums that its later steps need."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
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
    FEE = "fee"
    INTRODUCTION = "introduction"
    MINIMUM = "minimum"
    CAP = "cap"
    SERVICE = "service"
    OUTCOME = "outcome"


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
    """Amounts by line and slot: ``net`` of all kinds so far, ``charge`` without any reduction."""

    _lines: dict[str, ChargeLine] = field(default_factory=dict)
    net: defaultdict[tuple[str, Period], Decimal] = field(
        default_factory=lambda: defaultdict(lambda: ZERO)
    )
    charge: defaultdict[tuple[str, Period], Decimal] = field(
        default_factory=lambda: defaultdict(lambda: ZERO)
    )
    units: Counter[tuple[str, Period]] = field(default_factory=Counter)

    def post(
        self, kind: Kind, line: Line, slot: Period, *, amount: Decimal, quantity: int,
        snapshot: Snapshot,
    ) -> None:  # fmt: skip
        """Add an amount of a slot; what falls in one month and period becomes one charge line."""
        if not amount and not quantity:
            return
        self.net[line.key, slot] += amount
        if kind in (Kind.USAGE, Kind.FEE):
            self.charge[line.key, slot] += amount
        if kind is Kind.USAGE:
            self.units[line.key, slot] += quantity
        month = month_of(slot.start).start
        new = ChargeLine(line, kind, month, quantity, rounded(amount), snapshot)
        if known := self._lines.get(new.key):
            new = replace(
                new, quantity=known.quantity + quantity, amount=rounded(known.amount + amount)
            )
        self._lines[new.key] = new

    def charge_lines(self) -> Iterator[ChargeLine]:
        """All of them, by month, organisation, call-off, algorithm, site and kind."""
        yield from sorted(self._lines.values(), key=_place)


def _place(one: ChargeLine) -> tuple[date, str, str, str, str, int, date]:
    line = one.line
    return (
        one.month, line.organisation, line.call_off, line.algorithm, line.site, ORDER[one.kind],
        one.snapshot.period.start,
    )  # fmt: skip

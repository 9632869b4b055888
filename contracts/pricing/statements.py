"""Charge lines put together to what an organisation is invoiced for a month."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from contracts.pricing.ledger import ChargeLine
from contracts.pricing.money import ZERO, rounded, value_added_tax


@dataclass(frozen=True, slots=True)
class Statement:
    """What one organisation is due for a month; ``month`` is its first day, amounts are signed."""

    organisation: str
    month: date
    lines: tuple[ChargeLine, ...]
    vat_rate: Decimal

    @property
    def net(self) -> Decimal:
        """The sum of the lines."""
        return rounded(sum((one.amount for one in self.lines), ZERO))

    @property
    def vat(self) -> Decimal:
        """The tax, on the sum and not line by line."""
        return value_added_tax(self.net, rate=self.vat_rate)

    @property
    def gross(self) -> Decimal:
        """What is paid, or given back."""
        return self.net + self.vat

    @property
    def type(self) -> str:
        """380 for an invoice, 381 for a credit note (UNTDID 1001): a month below 0."""
        return "381" if self.net < ZERO else "380"


def statements(
    lines: Iterable[ChargeLine], *, vat_rate: Callable[[str, date], Decimal]
) -> list[Statement]:
    """By month, then organisation; ``vat_rate`` is asked for an organisation and a month."""
    found: dict[tuple[date, str], list[ChargeLine]] = {}
    for line in lines:
        found.setdefault((line.month, line.line.organisation), []).append(line)
    return [
        Statement(organisation, month, tuple(held), vat_rate(organisation, month))
        for (month, organisation), held in sorted(found.items(), key=lambda one: one[0])
    ]

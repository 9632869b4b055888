"""Agreements as pricing reads them: tariff T of the worked examples, lines, usage."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from contracts.pricing import Agreement, ChargeLine, Line, Usage, Usages, Version, price_of, rate

BEGINS, ENDS = date(2026, 1, 1), date(2029, 12, 31)
# up to 10,000: 24.00; 30,000: 18.00; 60,000: 13.50; above: 9.75
TARIFF: dict[str, Any] = {
    "tiers": [
        {"up_to": 10_000, "unit_price": "24.00"},
        {"up_to": 30_000, "unit_price": "18.00"},
        {"up_to": 60_000, "unit_price": "13.50"},
        {"unit_price": "9.75"},
    ]
}


def line(
    organisation: str = "vv",
    *,
    algorithm: str = "bleed",
    site: str = "",
    call_off: str = "",
    activated: date = BEGINS,
    ends: date = ENDS,
) -> Line:
    """A line; its call-off and its site are called after the organisation unless they are named."""
    call_off, site = call_off or f"CO-{organisation}", site or f"{organisation}-hospital"
    return Line(
        f"{call_off}/{algorithm}/{site}", call_off, organisation, algorithm, site, activated, ends
    )


def agreement(
    *lines: Line,
    model: str = "graduated",
    terms: dict[str, Any] | None = None,
    begins: date = BEGINS,
    series: dict[str, dict[date, Decimal]] | None = None,
    **further: tuple[Version, ...],
) -> Agreement:
    """One price for ``bleed`` from the first day; ``further`` are the versions of others."""
    price = price_of(model, TARIFF if terms is None else terms)
    prices = {"bleed": (Version(begins, price),)} | further
    return Agreement("F", begins, ENDS, prices, lines, series or {})


def used(of: Line, day: str, units: int, **counts: int) -> Usage:
    """What was used of a line on a day such as 2026-06-15, or in a month such as 2026-06."""
    on = date.fromisoformat(day if len(day) > len("2026-06") else f"{day}-05")
    return Usage(of.key, on, units, **counts)


def rated(of: Agreement, *usage: Usage, as_of: date = date(2026, 12, 31)) -> list[ChargeLine]:  # noqa: B008  (a date is immutable)
    """The charge lines of a usage without availability and outcomes."""
    return rate(of, Usages(usage), as_of=as_of)


def amounts(lines: list[ChargeLine], **of: Any) -> list[str]:
    """The amounts of the lines whose attributes (``kind``, ``organisation``) are as said."""
    return [
        str(one.amount)
        for one in lines
        if all(getattr(one, name, getattr(one.line, name, None)) == is_ for name, is_ in of.items())
    ]


def total(lines: list[ChargeLine]) -> Decimal:
    """What the lines come to."""
    return sum((one.amount for one in lines), Decimal("0.00"))

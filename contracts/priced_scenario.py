"""What an offered price book costs on the volumes that were published: one price to compare.

The offer is rated by the engine that rates invoices, day by day of a made-up call-off, so that
tiers, introductions, minimums and caps count as they will. An average over a matrix of prices says
nothing (KOFA 2011/63). Indexation is left out: all tenders are compared at one level of prices.

    offer     {"lines": [{"item", "algorithm", "model", "tiers" or "unit_price", ...}],
               "fixed": [{"name", "amount", "per": "once" or "year"}]}
    scenario  [{"item", "start", "months", "monthly"}]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from contracts import pricing
from contracts.pricing import PriceTermsError

LONGEST_MONTHS = 240
_LEFT_OUT = ("item", "algorithm", "model", "indexation")


def evaluated_price(offer: Mapping[str, Any], scenario: Sequence[Mapping[str, Any]]) -> Decimal:
    """The sum without VAT over the whole scenario; PriceTermsError where it has no price."""
    fixed, months = offer.get("fixed", []), max((one["months"] for one in scenario), default=12)
    total = sum((_fixed(one, months) for one in fixed), Decimal("0.00"))
    if not scenario:
        return total
    agreement = _agreement(offer, scenario)
    usages = pricing.Usages(
        tuple(
            pricing.Usage(one["item"], pricing.months_after(_start(one), month), one["monthly"])
            for one in scenario
            for month in range(one["months"])
        )
    )
    rated = pricing.rate(agreement, usages, as_of=agreement.ends)
    return total + sum((line.amount for line in rated), Decimal("0.00"))


def _agreement(
    offer: Mapping[str, Any], scenario: Sequence[Mapping[str, Any]]
) -> pricing.Agreement:
    """The offer as if it had been accepted: one call-off with a line for each item."""
    begins = min(_start(one) for one in scenario)
    ends = max(_end(one) for one in scenario)
    offered = {line["item"]: line for line in offer.get("lines", [])}
    prices, lines = {}, []
    for one in scenario:
        item = one["item"]
        if item not in offered:
            text = _("expected a price of %(item)s") % {"item": item}
            raise PriceTermsError(f"lines: {text}")
        name = _counted_as(offered[item], offered)
        prices[name] = (pricing.Version(begins, _price(offered[name])),)
        lines.append(
            pricing.Line(item, "scenario", "scenario", name, "", _start(one), _end(one))
        )
    return pricing.Agreement("scenario", begins, ends, prices, tuple(lines))


def _counted_as(line: Mapping[str, Any], offered: Mapping[str, Mapping[str, Any]]) -> str:
    """The item whose price it is: the first that the same algorithm meets at the same price.

    What is invoiced is the algorithm, and its examinations then count together.
    """
    if line.get("algorithm"):
        terms = {name: held for name, held in line.items() if name != "item"}
        for item, other in offered.items():
            if {name: held for name, held in other.items() if name != "item"} == terms:
                return item
    return str(line["item"])


def _price(line: Mapping[str, Any]) -> pricing.Price:
    terms = {name: value for name, value in line.items() if name not in _LEFT_OUT}
    try:
        return pricing.price_of(line["model"], terms)
    except PriceTermsError as fault:
        raise PriceTermsError(f"lines[{line['item']}].{fault}") from None


def _start(one: Mapping[str, Any]) -> date:
    return date.fromisoformat(one["start"])


def _end(one: Mapping[str, Any]) -> date:
    return pricing.months_after(_start(one), one["months"]) - timedelta(days=1)


def _fixed(one: Mapping[str, Any], months: int) -> Decimal:
    amount = Decimal(one["amount"])
    return amount if one["per"] == "once" else pricing.rounded(amount * months / 12)

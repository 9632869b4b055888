"""Framework agreements: their contract years, and how much of their maximum value is used.

The maximum value binds the framework as a whole (C-23/20): when it is reached, nothing more may be
bought under it, by anyone.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from contracts import pricing
from contracts.models import FrameworkAgreement
from marketplace.models import Algorithm

# Contract years and billing periods turn at midnight here, wherever the site lies.
CONTRACT_ZONE = zoneinfo.ZoneInfo("Europe/Oslo")

Volumes = Mapping[tuple[int, date], int]


@dataclass(frozen=True, slots=True)
class ValueUsed:
    """What has been used under a framework, and what it would be with one more examination."""

    used: Decimal
    with_one_more: Decimal


class AlgorithmHasNoPriceError(LookupError):
    """The price book of the framework does not name the algorithm."""


def contract_year(framework: FrameworkAgreement, *, at: datetime) -> date:
    """The first day of the contract year that the moment ``at`` falls in."""
    day = at.astimezone(CONTRACT_ZONE).date()
    begun = pricing.months_after(framework.valid_from, 12 * (day.year - framework.valid_from.year))
    if day < begun:
        years = day.year - framework.valid_from.year - 1
        return pricing.months_after(framework.valid_from, 12 * years)
    return begun


def value_used(framework: FrameworkAgreement, *, algorithm: Algorithm, at: datetime) -> ValueUsed:
    """The value used so far, and with one more of ``algorithm``, over all contract years.

    At the tiers' prices: introductory discounts are not taken off, so that the hard stop comes
    too early rather than too late. Raises PriceTermsError where the price book cannot be read and
    AlgorithmHasNoPriceError where it does not name the algorithm.
    """
    entries = {entry.algorithm_id: entry for entry in framework.price_book.all()}
    if algorithm.pk not in entries:
        raise AlgorithmHasNoPriceError(f"{framework.code} has no price for {algorithm.code}")
    volumes = {
        (counter.algorithm_id, counter.contract_year): counter.quantity
        for counter in framework.volumes.all()
    }
    following = (algorithm.pk, contract_year(framework, at=at))
    one_more = volumes | {following: volumes.get(following, 0) + 1}
    prices = {pk: pricing.price_of(entry.model, entry.terms) for pk, entry in entries.items()}
    return ValueUsed(_value(volumes, prices), _value(one_more, prices))


def _value(volumes: Volumes, prices: Mapping[int, pricing.Price]) -> Decimal:
    if {algorithm for algorithm, _ in volumes} - set(prices):
        raise pricing.PriceTermsError("the price of an algorithm that was used is missing")
    costs = (
        pricing.amount(prices[algorithm], quantity) for (algorithm, _), quantity in volumes.items()
    )
    return sum(costs, Decimal("0.00"))

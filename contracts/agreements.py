"""Framework agreements: their contract years, and how much of their maximum value is used.

The maximum value binds the framework as a whole (C-23/20): when it is reached, nothing more may be
bought under it, by anyone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal

from django.db.models import Q
from django.utils.translation import gettext as _

from contracts import pricing
from contracts.models import CallOff, FrameworkAgreement
from contracts.rated_value import ValueUsed, rated_value
from contracts.zone import CONTRACT_ZONE as CONTRACT_ZONE
from marketplace.models import Algorithm

Volumes = Mapping[tuple[int, date], int]


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
    AlgorithmHasNoPriceError where it does not name the algorithm, or only from a later day on.
    """
    entries = list(framework.price_book.all())
    day = at.astimezone(CONTRACT_ZONE).date()
    own = [entry for entry in entries if entry.algorithm_id == algorithm.pk]
    has_begun = any(entry.valid_from is None or entry.valid_from <= day for entry in own)
    if not own or not (has_begun or has_own_prices(framework)):
        text = _("%(agreement)s has no price for %(algorithm)s")
        told = {"agreement": framework.code, "algorithm": algorithm.code}
        raise AlgorithmHasNoPriceError(text % told)
    prices = {entry.algorithm_id: pricing.price_of(entry.model, entry.terms) for entry in entries}
    is_told = len(prices) == len(entries) and are_told_by_volume(prices.values())
    if not is_told or has_own_prices(framework):
        return rated_value(framework, algorithm=algorithm.code, at=at)
    volumes = {
        (counter.algorithm_id, counter.contract_year): counter.quantity
        for counter in framework.volumes.all()
    }
    following = (algorithm.pk, contract_year(framework, at=at))
    one_more = volumes | {following: volumes.get(following, 0) + 1}
    return ValueUsed(_value(volumes, prices), _value(one_more, prices))


def has_own_prices(framework: FrameworkAgreement) -> bool:
    """Whether a call-off under the agreement costs something else than its price book says."""
    rows = CallOff.objects.filter(framework=framework)
    return rows.filter(Q(price_book__isnull=False) | Q(fixed__isnull=False)).exists()


def are_told_by_volume(prices: Iterable[pricing.Price]) -> bool:
    """Whether the counters of volumes tell what was used under prices of one version each."""
    return all(map(_is_told_by_volume, prices))


def _is_told_by_volume(price: pricing.Price) -> bool:
    """Whether the volume of a contract year is all one must know: most prices, told at once."""
    is_by_the_year = (price.tier_scope, price.tier_period) == (
        pricing.Scope.FRAMEWORK, pricing.Length.CONTRACT_YEAR,
    )  # fmt: skip
    others = (price.percentage, price.fee, price.indexation, price.minimum, price.cap,
              price.customer_fault)  # fmt: skip
    return is_by_the_year and not price.is_prorated and not any(others)


def _value(volumes: Volumes, prices: Mapping[int, pricing.Price]) -> Decimal:
    if {algorithm for algorithm, _ in volumes} - set(prices):
        raise pricing.PriceTermsError(_("the price of an algorithm that was used is missing"))
    costs = (
        pricing.amount(prices[algorithm], quantity) for (algorithm, _), quantity in volumes.items()
    )
    return sum(costs, Decimal("0.00"))

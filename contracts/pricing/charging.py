"""What a quantity of examinations costs by the tiers, and what an introduction takes off it.

Quantities are whole examinations, money is Decimal, and a sum is rounded half up to the øre once,
at its end. Tier k covers ``u(k-1) < quantity <= u(k)``: the upper bound is inclusive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from contracts.pricing.money import ZERO, rounded
from contracts.pricing.periods import months_after, prorated
from contracts.pricing.terms import Model, Package, Phase, Price, Tier


@dataclass(frozen=True, slots=True)
class TierCharge:
    """What falls in one tier: ``units * unit_price + flat_fee``, not rounded."""

    up_to: int | None
    units: int
    unit_price: Decimal
    flat_fee: Decimal

    @property
    def amount(self) -> Decimal:
        """What it comes to."""
        return self.units * self.unit_price + self.flat_fee


@dataclass(frozen=True, slots=True)
class Part:
    """How many of the days of a period something was active; the whole of it unless said."""

    active: int = 1
    days: int = 1

    def of(self, fee: Decimal) -> Decimal:
        """A fee for these days."""
        return prorated(fee, active=self.active, days=self.days)


WHOLE = Part()


def amount(price: Price, quantity: int, *, part: Part = WHOLE) -> Decimal:
    """What ``quantity`` examinations of one tier period cost, before discounts and VAT.

    Where the price says so, its fees count for ``part`` of the period; bounds of tiers never do. A
    percentage has no amount of its own: 0.
    """
    return rounded(_total(by_tier(price, quantity, part=part)))


def by_tier(price: Price, quantity: int, *, part: Part = WHOLE) -> tuple[TierCharge, ...]:
    """The tiers that ``amount()`` is the rounded sum of."""
    if quantity < 0:
        raise ValueError(f"a quantity of {quantity} examinations cannot be priced")
    units = max(0, quantity - price.included_units)
    part = part if price.is_prorated else WHOLE
    if price.model is Model.PERCENTAGE:
        return ()
    if price.model is Model.PACKAGE:
        return _packages(price.package, units)
    if price.model in (Model.ALL_UNITS, Model.STAIR_STEP):
        return _tier_reached(price, units, part=part)
    return _all_tiers(price.tiers, units, part=part)


def discount(gross: Decimal, shares: Mapping[Decimal, int]) -> Decimal:
    """What the introduction takes off ``gross``; ``shares`` counts examinations by discount.

    ``D = r2(gross * sum(d * q) / sum(q))``: discounted examinations still count toward the tiers.
    """
    return reduction(gross, {Phase(0, share): count for share, count in shares.items()})


def reduction(gross: Decimal, phases: Mapping[Phase | None, int]) -> Decimal:
    """As ``discount()``, of examinations by phase (None: after the last one)."""
    quantity = sum(phases.values())
    if quantity <= 0:
        return rounded(ZERO)
    off = ZERO
    for phase, count in phases.items():
        if phase is not None and phase.unit_price is not None:
            off += max(ZERO, gross - phase.unit_price * quantity) * count
        elif phase is not None:
            off += gross * phase.discount * count
    return rounded(off / quantity)


def discount_on(price: Price, *, activated: date, completed: date) -> Decimal:
    """The discount (0 to 1) of an examination completed on a day, both dates local."""
    phase = phase_on(price.introduction, activated=activated, completed=completed)
    return ZERO if phase is None else phase.discount


def phase_on(phases: tuple[Phase, ...], *, activated: date, completed: date) -> Phase | None:
    """The phase of a day: phase n covers ``[activated + m(n-1) months, activated + m(n) months)``.

    None before the first and after the last.
    """
    if completed < activated:
        return None
    months = 0
    for phase in phases:
        months += phase.months
        if completed < months_after(activated, months):
            return phase
    return None


def _total(charges: tuple[TierCharge, ...]) -> Decimal:
    return sum((one.amount for one in charges), ZERO)


def _packages(package: Package | None, units: int) -> tuple[TierCharge, ...]:
    if package is None:
        raise AssertionError("a price by the package has a package")
    return (TierCharge(None, -(-units // package.size), package.price, ZERO),)


def _tier_reached(price: Price, units: int, *, part: Part) -> tuple[TierCharge, ...]:
    """The tier of all units; better of: that of a greater quantity, where that costs less."""
    quantities = [units]
    if price.is_better_of:
        # within a tier more never costs less, so that the first of each tier is all there is to try
        firsts = (tier.up_to + 1 for tier in price.tiers if tier.up_to is not None)
        quantities += [first for first in firsts if first > units]
    charges = (_in_one_tier(price, each, part=part) for each in quantities)
    return (min(charges, key=lambda one: one.amount),)


def _in_one_tier(price: Price, units: int, *, part: Part) -> TierCharge:
    tier = next(one for one in price.tiers if one.up_to is None or units <= one.up_to)
    counted = 0 if price.model is Model.STAIR_STEP else units
    return TierCharge(tier.up_to, counted, tier.unit_price, part.of(tier.flat_fee))


def _all_tiers(tiers: tuple[Tier, ...], units: int, *, part: Part) -> tuple[TierCharge, ...]:
    charges, below = [], 0
    for tier in tiers:
        top = units if tier.up_to is None else min(units, tier.up_to)
        charges.append(TierCharge(tier.up_to, top - below, tier.unit_price, part.of(tier.flat_fee)))
        below = top
        if top == units:
            break
    return tuple(charges)

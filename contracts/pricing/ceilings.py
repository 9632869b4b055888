"""Whether a price is ever above another that is its ceiling: for no volume of a period it may be.

Both are compared as agreed, before discounts, indexation and credits. What costs are of a volume is
made of straight pieces and steps, so that the bounds of these are all that has to be looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from math import lcm

from contracts.pricing.charging import by_tier
from contracts.pricing.money import ZERO
from contracts.pricing.terms import Commitment, Fee, Model, Price

# of two prices by the package the steps repeat; beyond so many examinations none is looked for
FURTHEST = 100_000


@dataclass(frozen=True, slots=True)
class Excess:
    """Where a price is above its ceiling: in a term, or (``term`` is "") at a volume of a period.
    """

    term: str
    quantity: int = 0
    cost: Decimal = ZERO
    ceiling: Decimal = ZERO


def excess(price: Price, ceiling: Price) -> Excess | None:
    """Where ``price`` is above ``ceiling``: a term, or a volume; None where it never is."""
    if Model.PERCENTAGE in (price.model, ceiling.model):
        return None if _is_lesser_percentage(price, ceiling) else Excess("percentage")
    if term := next(_terms_above(price, ceiling), ""):
        return Excess(term)
    for quantity in _volumes(price, ceiling):
        if (found := _at(price, ceiling, quantity)) is not None:
            return found
    return _in_the_end(price, ceiling)


def _at(price: Price, ceiling: Price, quantity: int) -> Excess | None:
    cost, most = _cost(price, quantity), _cost(ceiling, quantity)
    return Excess("", quantity, cost, most) if cost > most else None


def _in_the_end(price: Price, ceiling: Price) -> Excess | None:
    """At a volume that is great enough, where one more unit costs more than under the ceiling."""
    if _slope(price) <= _slope(ceiling):
        return None
    quantity = max(_bounds(price) | _bounds(ceiling)) + 1
    while (found := _at(price, ceiling, quantity)) is None:
        quantity *= 2
    return found


def _is_lesser_percentage(price: Price, ceiling: Price) -> bool:
    own, most = price.percentage, ceiling.percentage
    return own is not None and most is not None and (
        own.share <= most.share and set(own.of) == set(most.of)
    )  # fmt: skip


def _terms_above(price: Price, ceiling: Price) -> Iterator[str]:
    """The terms beside the tiers that let something cost more than the ceiling has it."""
    if price.fee is not None and not _is_within(price.fee, ceiling.fee):
        yield "fee"
    if price.minimum is not None and not _is_within(price.minimum, ceiling.minimum):
        yield "minimum"
    if ceiling.cap is not None and not _is_within(ceiling.cap, price.cap, is_least=True):
        yield "cap"
    if price.indexation not in (None, ceiling.indexation):
        yield "indexation"
    is_straight = _is_straight(price) or _is_straight(ceiling)
    if price.tier_period != ceiling.tier_period and not is_straight:
        yield "tier_period"
    has_fees = any(tier.flat_fee for tier in price.tiers)
    if has_fees and ceiling.is_prorated and not price.is_prorated:
        yield "proration"


def _is_within(
    one: Fee | Commitment, other: Fee | Commitment | None, *, is_least: bool = False
) -> bool:
    """Whether both are of one period and scope, and ``one`` is not above (``is_least``: below)."""
    if other is None or replace(one, amount=ZERO) != replace(other, amount=ZERO):
        return False
    return one.amount >= other.amount if is_least else one.amount <= other.amount


def _is_straight(price: Price) -> bool:
    """Whether each examination costs the same, so that periods do not matter."""
    is_one = len(price.tiers) == 1 and not price.tiers[0].flat_fee and not price.included_units
    return is_one and price.model not in (Model.STAIR_STEP, Model.PACKAGE)


def _cost(price: Price, quantity: int) -> Decimal:
    return sum((one.amount for one in by_tier(price, quantity)), ZERO)


def _slope(price: Price) -> Decimal:
    """What one more unit costs in the end."""
    if price.package is not None:
        return price.package.price / price.package.size
    return ZERO if price.model is Model.STAIR_STEP else price.tiers[-1].unit_price


def _volumes(price: Price, ceiling: Price) -> list[int]:
    """All that can be the first at which one is above the other, but for what comes in the end."""
    bounds = _bounds(price) | _bounds(ceiling)
    for one in (price, ceiling):
        bounds |= _steps(one, bounds)
    if price.package is not None and ceiling.package is not None:
        round_ = min(FURTHEST, lcm(price.package.size, ceiling.package.size))
        for one in (price, ceiling):
            bounds |= _all_steps(one, start=max(bounds), round_=round_)
    return sorted(bounds | {one + 1 for one in bounds})


def _bounds(price: Price) -> set[int]:
    """Where a piece ends: of tiers, of what is included, and where a greater volume costs less."""
    free = price.included_units
    tops = [tier.up_to for tier in price.tiers if tier.up_to is not None]
    found = {0, free, *(free + top for top in tops)}
    if price.is_better_of:
        costs = [_cost(price, free + top + 1) for top in tops]
        found |= {
            free + int(cost / tier.unit_price)
            for cost in costs for tier in price.tiers if tier.unit_price
        }  # fmt: skip
    return found


def _steps(price: Price, bounds: set[int]) -> set[int]:
    """The last volumes of packages around each bound."""
    if price.package is None:
        return set()
    size, free = price.package.size, price.included_units
    return {
        max(0, free + ((bound - free) // size + more) * size)
        for bound in bounds for more in (-1, 0, 1, 2)
    }  # fmt: skip


def _all_steps(price: Price, *, start: int, round_: int) -> set[int]:
    size = price.package.size if price.package is not None else round_
    first = price.included_units + -(-max(0, start - price.included_units) // size) * size
    return set(range(first, first + round_ + size, size))

"""Amounts of money: rounding to the øre, shares that add up, and value added tax."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import TypeVar

ZERO = Decimal(0)
ONE = Decimal(1)
SMALLEST = Decimal("0.01")

Member = TypeVar("Member", bound="str | int | tuple[str, ...]")


def rounded(amount: Decimal, *, to: Decimal = SMALLEST) -> Decimal:
    """``amount`` rounded to the øre, half away from zero."""
    return amount.quantize(to, rounding=ROUND_HALF_UP)


def shared(total: Decimal, weights: Mapping[Member, int | Decimal]) -> dict[Member, Decimal]:
    """``total`` in whole øre, shared by weight: the largest remainder first, ties to the lowest.

    The shares add up to ``total`` exactly. Where all weights are 0, they count as equal. Raises
    ValueError for a negative weight, and where there is something to share and nobody to take it.
    """
    if any(weight < 0 for weight in weights.values()):
        raise ValueError("a negative weight has no share")
    ore = int(rounded(total) / SMALLEST)
    if not weights:
        if ore:
            raise ValueError(f"nobody to share {total} among")
        return {}
    parts = {member: Fraction(weight) for member, weight in weights.items()}
    whole = sum(parts.values(), Fraction(0))
    if not whole:
        parts, whole = dict.fromkeys(parts, Fraction(1)), Fraction(len(parts))
    exact = {member: abs(ore) * part / whole for member, part in parts.items()}
    shares = {member: int(share) for member, share in exact.items()}
    left = abs(ore) - sum(shares.values())
    for member in sorted(exact, key=lambda one: (shares[one] - exact[one], one))[:left]:
        shares[member] += 1
    sign = -1 if ore < 0 else 1
    return {member: rounded(sign * share * SMALLEST) for member, share in shares.items()}


def value_added_tax(net: Decimal, *, rate: Decimal) -> Decimal:
    """The tax on the sum of one category, at ``rate`` (0.25 in Norway's standard category)."""
    return rounded(net * rate)

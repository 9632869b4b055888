"""What a number of examinations costs under agreed terms: pure rules over Decimal, no rows.

Quantities are whole examinations, money is Decimal, and a sum is rounded half up to the øre once,
at its end. Tier k covers ``u(k-1) < quantity <= u(k)``: the upper bound is inclusive.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

ZERO = Decimal(0)
ONE = Decimal(1)
SMALLEST = Decimal("0.01")


class Model(StrEnum):
    """How the tiers are read."""

    GRADUATED = "graduated"
    ALL_UNITS = "all_units"
    FLAT = "flat"


class PriceTermsError(ValueError):
    """The agreed terms cannot be read as a price; the message says what and where."""


@dataclass(frozen=True, slots=True)
class Tier:
    """A unit price up to and including ``up_to`` examinations (None: without end)."""

    up_to: int | None
    unit_price: Decimal


@dataclass(frozen=True, slots=True)
class Phase:
    """Calendar months after activation with a discount, as a share of one (1 = free)."""

    months: int
    discount: Decimal


@dataclass(frozen=True, slots=True)
class Price:
    """One line of a price book; a flat price is one tier without end."""

    model: Model
    tiers: tuple[Tier, ...]
    introduction: tuple[Phase, ...] = ()

    def __post_init__(self) -> None:
        _must_be_whole(self.tiers)


def rounded(amount: Decimal) -> Decimal:
    """``amount`` rounded to the øre, half away from zero."""
    return amount.quantize(SMALLEST, rounding=ROUND_HALF_UP)


def amount(price: Price, quantity: int) -> Decimal:
    """What ``quantity`` examinations of one contract year cost, before discounts and VAT."""
    if quantity < 0:
        raise ValueError(f"a quantity of {quantity} examinations cannot be priced")
    if price.model is Model.ALL_UNITS:
        return rounded(_tier_at(price.tiers, quantity).unit_price * quantity)
    return rounded(_graduated(price.tiers, quantity))


def discount(gross: Decimal, shares: Mapping[Decimal, int]) -> Decimal:
    """What the introduction takes off ``gross``; ``shares`` counts examinations by discount.

    ``D = r2(gross * sum(d * q) / sum(q))``: discounted examinations still count toward the tiers.
    """
    quantity = sum(shares.values())
    if quantity == 0:
        return rounded(ZERO)
    weighted = sum((share * count for share, count in shares.items()), ZERO)
    return rounded(gross * weighted / quantity)


def discount_on(price: Price, *, activated: date, completed: date) -> Decimal:
    """The discount (0 to 1) of an examination completed on a day, both dates local.

    Phase n covers ``[activated + m(n-1) months, activated + m(n) months)``.
    """
    if completed < activated:
        return ZERO
    months = 0
    for phase in price.introduction:
        months += phase.months
        if completed < months_after(activated, months):
            return phase.discount
    return ZERO


def months_after(start: date, months: int) -> date:
    """The same day of the month ``months`` later, or the last day of a month that is too short."""
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(start.day, last))


def value_added_tax(net: Decimal, *, rate: Decimal) -> Decimal:
    """The tax on the sum of one category, at ``rate`` (0.25 in Norway's standard category)."""
    return rounded(net * rate)


def price_of(model: str, terms: Mapping[str, Any]) -> Price:
    """The Price that a price book entry says; PriceTermsError where it says none."""
    try:
        kind = Model(model)
    except ValueError:
        raise PriceTermsError(f"model: expected {', '.join(Model)}, found {model!r}") from None
    _must_know(terms, {"tiers", "introduction", "unit_price"}, where="terms")
    terms = {name: value for name, value in terms.items() if value is not None}
    phases = tuple(
        _phase(item, where=f"introduction[{n}]")
        for n, item in enumerate(_listed(terms, "introduction"))
    )
    return Price(kind, _tiers(kind, terms), phases)


def _graduated(tiers: tuple[Tier, ...], quantity: int) -> Decimal:
    total, below = ZERO, 0
    for tier in tiers:
        top = quantity if tier.up_to is None else min(quantity, tier.up_to)
        total += tier.unit_price * (top - below)
        if top == quantity:
            return total
        below = top
    raise AssertionError("the last tier has no end")


def _tier_at(tiers: tuple[Tier, ...], quantity: int) -> Tier:
    return next(tier for tier in tiers if tier.up_to is None or quantity <= tier.up_to)


def _must_be_whole(tiers: tuple[Tier, ...]) -> None:
    """Every quantity falls in exactly one tier: bounds rise, and the last tier has no end."""
    bounds = [tier.up_to for tier in tiers]
    if not bounds or bounds[-1] is not None or None in bounds[:-1]:
        raise PriceTermsError("tiers: expected the last tier, and no other, to be without up_to")
    rising = [0, *(bound for bound in bounds[:-1] if bound is not None)]
    if any(upper <= lower for lower, upper in zip(rising, rising[1:], strict=False)):
        raise PriceTermsError(f"tiers: expected rising bounds above 0, found {rising[1:]}")


def _tiers(model: Model, terms: Mapping[str, Any]) -> tuple[Tier, ...]:
    if model is Model.FLAT and "unit_price" in terms:
        if "tiers" in terms:
            raise PriceTermsError("unit_price: expected either this or tiers, found both")
        return (Tier(None, _money(terms["unit_price"], where="unit_price")),)
    if "unit_price" in terms:
        raise PriceTermsError(f"unit_price: expected tiers for a {model} price")
    tiers = tuple(
        _tier(item, where=f"tiers[{n}]") for n, item in enumerate(_listed(terms, "tiers"))
    )
    if model is Model.FLAT and len(tiers) != 1:
        raise PriceTermsError(f"tiers: expected one for a flat price, found {len(tiers)}")
    return tiers


def _tier(item: Mapping[str, Any], *, where: str) -> Tier:
    # A term that is not understood would be charged wrongly in silence.
    _must_know(item, {"up_to", "unit_price"}, where=where)
    up_to = item.get("up_to")
    if up_to is not None and (not isinstance(up_to, int) or isinstance(up_to, bool)):
        raise PriceTermsError(f"{where}.up_to: expected a whole number, found {up_to!r}")
    return Tier(up_to, _money(item.get("unit_price"), where=f"{where}.unit_price"))


def _phase(item: Mapping[str, Any], *, where: str) -> Phase:
    _must_know(item, {"months", "discount"}, where=where)
    months = item.get("months")
    if not isinstance(months, int) or isinstance(months, bool) or months < 1:
        raise PriceTermsError(f"{where}.months: expected a whole number above 0, found {months!r}")
    text = str(item.get("discount", "")).strip()
    if not text.endswith("%"):
        raise PriceTermsError(f"{where}.discount: expected a percentage, found {text!r}")
    share = _number(text[:-1].strip(), where=f"{where}.discount") / 100
    if not ZERO <= share <= ONE:
        raise PriceTermsError(f"{where}.discount: expected 0% to 100%, found {text!r}")
    return Phase(months, share)


def _money(value: Any, *, where: str) -> Decimal:
    """An amount, as text so that no float ever touched it."""
    if not isinstance(value, str):
        raise PriceTermsError(f"{where}: expected an amount as text, found {value!r}")
    found = _number(value, where=where)
    if found < ZERO:
        raise PriceTermsError(f"{where}: expected an amount of 0 or more, found {value!r}")
    return found


def _number(text: str, *, where: str) -> Decimal:
    try:
        found = Decimal(text)
    except InvalidOperation:
        raise PriceTermsError(f"{where}: expected a number, found {text!r}") from None
    if not found.is_finite():
        raise PriceTermsError(f"{where}: expected a number, found {text!r}")
    return found


def _listed(terms: Mapping[str, Any], name: str) -> list[Any]:
    found = terms.get(name, [])
    if not isinstance(found, list):
        raise PriceTermsError(f"{name}: expected a list, found {found!r}")
    return found


def _must_know(item: Any, known: set[str], *, where: str) -> None:
    if not isinstance(item, Mapping):
        raise PriceTermsError(f"{where}: expected named terms, found {item!r}")
    if unknown := sorted(set(item) - known):
        raise PriceTermsError(f"{where}: unknown term {unknown[0]!r}")

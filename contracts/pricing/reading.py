"""Reads a price from the terms of a price book entry; what is not understood is refused.

A term that is not understood would be charged wrongly in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from contracts.pricing.money import ONE, ZERO
from contracts.pricing.terms import Model, Phase, Price, PriceTermsError, Tier


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

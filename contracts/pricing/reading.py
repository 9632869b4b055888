"""Reads a price from the terms of a price book entry; what is not understood is refused.

A term that is not understood would be charged wrongly in silence.
"""

from __future__ import annotations

from typing import Any

from contracts.pricing import words
from contracts.pricing.clauses import CLAUSES
from contracts.pricing.money import ZERO
from contracts.pricing.periods import Length
from contracts.pricing.terms import (
    Model,
    Package,
    Percentage,
    Phase,
    Price,
    PriceTermsError,
    Scope,
    Tier,
)
from contracts.pricing.words import Terms

TERMS = {
    "tiers", "unit_price", "introduction", "tier_scope", "tier_period", "included_units",
    "better_of", "proration", "package", "percentage", *CLAUSES,
}  # fmt: skip
TIERED = (Model.GRADUATED, Model.ALL_UNITS, Model.FLAT, Model.STAIR_STEP)
# which terms only some models can have
ONLY = {
    "tiers": TIERED,
    "better_of": (Model.ALL_UNITS,),
    "proration": TIERED,
    "package": (Model.PACKAGE,),
    "percentage": (Model.PERCENTAGE,),
    "introduction": (*TIERED, Model.PACKAGE),
    "included_units": (*TIERED, Model.PACKAGE),
}


def price_of(model: str, terms: Terms) -> Price:
    """The Price that a price book entry says; PriceTermsError where it says none."""
    kind = words.word(model, Model, where="model")
    terms = words.known(terms, TERMS, where="terms")
    for name, models in ONLY.items():
        if name in terms and kind not in models:
            raise PriceTermsError(f"{name}: expected nothing, because the model is {kind}")
    for name in ("package", "percentage"):
        if kind == name and name not in terms:
            raise PriceTermsError(f"{name}: expected for the model {kind}, found nothing")
    return Price(kind, **_what(kind, terms), **_how_counted(terms), **_clauses(terms))


def _what(kind: Model, terms: Terms) -> dict[str, Any]:
    said: dict[str, Any] = {
        "introduction": tuple(
            _phase(item, where=f"introduction[{n}]")
            for n, item in enumerate(words.listed(terms, "introduction"))
        )
    }
    if kind in TIERED or "unit_price" in terms:
        said["tiers"] = _tiers(kind, terms)
    if "package" in terms:
        item = words.known(terms["package"], {"size", "price"}, where="package")
        size = words.whole(item.get("size"), least=1, where="package.size")
        said["package"] = Package(size, words.money(item.get("price"), where="package.price"))
    if "percentage" in terms:
        item = words.known(terms["percentage"], {"share", "of"}, where="percentage")
        share = words.percentage(item.get("share"), where="percentage.share")
        of = words.listed(item, "of", where="percentage.")
        said["percentage"] = Percentage(share, tuple(str(code) for code in of))
    return said


def _how_counted(terms: Terms) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if "tier_scope" in terms:
        said["tier_scope"] = words.word(terms["tier_scope"], Scope, where="tier_scope")
    if "tier_period" in terms:
        said["tier_period"] = words.word(terms["tier_period"], Length, where="tier_period")
    if "included_units" in terms:
        given = terms["included_units"]
        said["included_units"] = words.whole(given, least=0, where="included_units")
    if "better_of" in terms:
        said["is_better_of"] = words.flag(terms["better_of"], where="better_of")
    if "proration" in terms:
        if terms["proration"] not in ("none", "actual_actual"):
            found = f"found {terms['proration']!r}"
            raise PriceTermsError(f"proration: expected none, actual_actual, {found}")
        said["is_prorated"] = terms["proration"] == "actual_actual"
    return said


def _clauses(terms: Terms) -> dict[str, Any]:
    return {name: read(terms[name], where=name) for name, read in CLAUSES.items() if name in terms}


def _tiers(model: Model, terms: Terms) -> tuple[Tier, ...]:
    if model is Model.FLAT and "unit_price" in terms:
        if "tiers" in terms:
            raise PriceTermsError("unit_price: expected either this or tiers, found both")
        return (Tier(None, words.money(terms["unit_price"], where="unit_price")),)
    if "unit_price" in terms:
        raise PriceTermsError(f"unit_price: expected tiers for a {model} price")
    tiers = tuple(
        _tier(item, model, where=f"tiers[{n}]")
        for n, item in enumerate(words.listed(terms, "tiers"))
    )
    if model is Model.FLAT and len(tiers) != 1:
        raise PriceTermsError(f"tiers: expected one for a flat price, found {len(tiers)}")
    return tiers


def _tier(item: Any, model: Model, *, where: str) -> Tier:
    item = words.known(item, {"up_to", "unit_price", "flat_fee"}, where=where)
    up_to = item.get("up_to")
    if up_to is not None:
        words.whole(up_to, least=0, where=f"{where}.up_to")
    fee = words.money(item.get("flat_fee", "0"), where=f"{where}.flat_fee")
    if model is not Model.STAIR_STEP:
        return Tier(up_to, words.money(item.get("unit_price"), where=f"{where}.unit_price"), fee)
    if "unit_price" in item:
        raise PriceTermsError(f"{where}.unit_price: expected flat_fee for a stair_step price")
    if "flat_fee" not in item:
        raise PriceTermsError(f"{where}.flat_fee: expected an amount, found nothing")
    return Tier(up_to, ZERO, fee)


def _phase(item: Any, *, where: str) -> Phase:
    item = words.known(item, {"months", "discount", "unit_price"}, where=where)
    months = words.whole(item.get("months"), least=1, where=f"{where}.months")
    if "unit_price" in item:
        if "discount" in item:
            raise PriceTermsError(f"{where}.unit_price: expected this or discount, found both")
        return Phase(months, ZERO, words.money(item["unit_price"], where=f"{where}.unit_price"))
    return Phase(months, words.share(item.get("discount", ""), where=f"{where}.discount"))

"""Reads a price from the terms of a price book entry; what is not understood is refused.

A term that is not understood would be charged wrongly in silence.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

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
    Scope,
    Tier,
)
from contracts.pricing.words import Terms

TERMS = {
    "tiers", "unit_price", "introduction", "tier_scope", "tier_period", "included_units",
    "better_of", "proration", "package", "percentage", "price_class",
    "customer_fault", *CLAUSES,
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
    "customer_fault": (*TIERED, Model.PACKAGE),
}


def price_of(model: str, terms: Terms) -> Price:
    """The Price that a price book entry says; PriceTermsError where it says none."""
    kind = words.word(model, Model, where="model")
    terms = words.known(terms, TERMS, where="terms")
    for name, models in ONLY.items():
        if name in terms and kind not in models:
            text = _("expected nothing, because the model is %(model)s")
            raise words.refused(name, text % {"model": kind})
    for name in ("package", "percentage"):
        if kind == name and name not in terms:
            text = _("expected a value, because the model is %(model)s, found nothing")
            raise words.refused(name, text % {"model": kind})
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
            raise words.unlike("none, actual_actual", terms["proration"], where="proration")
        said["is_prorated"] = terms["proration"] == "actual_actual"
    if "customer_fault" in terms:
        said["customer_fault"] = words.share(terms["customer_fault"], where="customer_fault")
    return said


def _clauses(terms: Terms) -> dict[str, Any]:
    return {name: read(terms[name], where=name) for name, read in CLAUSES.items() if name in terms}


def _tiers(model: Model, terms: Terms) -> tuple[Tier, ...]:
    if model is Model.FLAT and "unit_price" in terms:
        if "tiers" in terms:
            raise words.refused("unit_price", _("expected either this or tiers, found both"))
        return (Tier(None, words.money(terms["unit_price"], where="unit_price")),)
    if "unit_price" in terms:
        text = _("expected tiers for the model %(model)s")
        raise words.refused("unit_price", text % {"model": model})
    tiers = tuple(
        _tier(item, model, where=f"tiers[{n}]")
        for n, item in enumerate(words.listed(terms, "tiers"))
    )
    if model is Model.FLAT and len(tiers) != 1:
        text = _("expected one tier for the model flat, found %(count)s")
        raise words.refused("tiers", text % {"count": len(tiers)})
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
        text = _("expected flat_fee for the model stair_step")
        raise words.refused(f"{where}.unit_price", text)
    if "flat_fee" not in item:
        raise words.unlike(_("an amount"), None, where=f"{where}.flat_fee")
    return Tier(up_to, ZERO, fee)


def _phase(item: Any, *, where: str) -> Phase:
    item = words.known(item, {"months", "discount", "unit_price"}, where=where)
    months = words.whole(item.get("months"), least=1, where=f"{where}.months")
    if "unit_price" in item:
        if "discount" in item:
            text = _("expected either this or discount, found both")
            raise words.refused(f"{where}.unit_price", text)
        return Phase(months, ZERO, words.money(item["unit_price"], where=f"{where}.unit_price"))
    return Phase(months, words.share(item.get("discount", ""), where=f"{where}.discount"))

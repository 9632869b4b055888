"""The price book of a framework agreement in the set-up file: its fields, and what must hold."""

from __future__ import annotations

from django.utils.translation import gettext as _

from contracts.price_shapes import (
    AmountOr,
    Month,
    Terse,
    any_percentage,
    decimal_number,
    term,
)
from contracts.pricing import PriceTermsError, price_of
from contracts.pricing.reading import TERMS, TIERED
from contracts.pricing.terms import Model, Scope
from hub.configuration import identifiers
from hub.configuration.reader import Value
from hub.configuration.records import Field, Record, Reference
from hub.configuration.registry import Say, World
from hub.configuration.shapes import Amount, Boolean, Choice, Date, Integer, ListOf, Text

PERIODS = ("month", "quarter", "contract_year")
SCOPES = tuple(Scope)
SHARE = Text(7, identifiers.percentage)

TIER = Terse((
    Field("up_to", Integer(1, 10**12), None, "Inclusive; the last tier has none."),
    Field("unit_price", Amount(4), None),
    Field("flat_fee", Amount(), None, "Due once the tier is reached; the first tier's as soon as "
          "a line is active. A stair_step has nothing else."),
), kept=("up_to",))  # fmt: skip
PHASE = Terse((
    Field("months", Integer(1, 120)),
    Field("discount", SHARE, None),
    Field("unit_price", Amount(4), None, "What an examination costs, instead of a discount."),
))  # fmt: skip
ADJUSTMENT = Record((
    Field("effective", Date(), says="The first day of the new prices."),
    Field("ref_month", Month(), says="The month whose index they follow."),
))
INDEXATION = Terse((
    Field("series", Reference("index_series")),
    Field("base_month", Month(), says="The month whose index the agreed prices stand for."),
    Field("ref_month", Month(), None, "Of the only adjustment, with effective."),
    Field("effective", Date(), None),
    Field("adjustments", ListOf(ADJUSTMENT, 1), None, "One for each day on which prices change."),
    Field("share", SHARE, "100%", "How much of the change of the index is followed."),
    Field("cap", Text(9, any_percentage), None, "The greatest change from the agreed price."),
    Field("floor", Text(9, any_percentage), None, "The least change."),
    Field("decimals", Integer(2, 4), 2, "To which a new unit price is rounded."),
))  # fmt: skip
COMMITMENT = AmountOr((
    Field("amount", Amount()),
    Field("period", Choice(PERIODS), "contract_year"),
    Field("scope", Choice(SCOPES), None, "Left out: tier_scope."),
    Field("prorate", Boolean(), True, "By days, where use begins or ends within the period."),
))
FEE = AmountOr((
    Field("amount", Amount()),
    Field("period", Choice(PERIODS), "contract_year"),
    Field("per", Choice(("line", *SCOPES)), "line"),
    Field("prorate", Boolean(), True, "By days, where use begins or ends within the period."),
))
SERVICE_LEVEL = Terse((
    Field("cap", SHARE, "100%", "Of the month's charge: all credits of a line together."),
    Field("late", SHARE, None, "Of the average price, for each late result."),
    Field("late_after_seconds", Integer(1, 10**7), None,
          "From request to result: what takes longer is late."),
    Field("availability", ListOf(Record((
        Field("below", SHARE), Field("credit", SHARE),
    ))), None, "Of the month's charge; the greatest credit that is met counts."),
    Field("failed", ListOf(Record((
        Field("above", SHARE), Field("credit", SHARE),
    ))), None, "As availability, by the share of jobs that failed."),
))  # fmt: skip
OUTCOME = Terse((
    Field("kpi", Text(80), says="What is measured."),
    Field("target", SHARE),
    Field("slope", Text(17, decimal_number), says="Change of the fee by relative change."),
    Field("bonus_cap", SHARE, "0%"),
    Field("malus_cap", SHARE, "0%"),
    Field("min_n", Integer(0, 10**9), 0, "A bonus needs at least so many measured."),
    Field("confidence", SHARE, "95%", "Of Wilson's interval, above the target for a bonus."),
))
PACKAGE = Record((Field("size", Integer(1, 10**9)), Field("price", Amount())))
PERCENTAGE = Terse((
    Field("share", Text(9, any_percentage)),
    Field("of", ListOf(Reference("algorithm"), 1), None, "Left out: all others at the site."),
))  # fmt: skip

ENTRY = Record((
    Field("algorithm", Reference("algorithm")),
    Field("valid_from", Date(), None, "The first day of this version; left out: the first of the "
          "agreement. A version in use is never changed: add one with a later day."),
    Field("model", Choice(tuple(Model))),
    Field("tiers", ListOf(TIER, 1), None, "Bounds count examinations of a tier_period.",
          column="terms.tiers"),
    Field("unit_price", term(Amount(4)), None, "flat: the price, instead of one tier.",
          column="terms.unit_price"),
    Field("package", term(PACKAGE), None, "package: each begun one in full.",
          column="terms.package"),
    Field("percentage", term(PERCENTAGE), None, "percentage: of what other algorithms cost.",
          column="terms.percentage"),
    Field("tier_scope", term(Choice(SCOPES)), None, "Whose examinations count together; left out: "
          "framework, shared by the largest remainder.", column="terms.tier_scope"),
    Field("tier_period", term(Choice(PERIODS)), None, "Left out: contract_year.",
          column="terms.tier_period"),
    Field("included_units", term(Integer(0, 10**12)), None, "Free in each tier_period.",
          column="terms.included_units"),
    Field("better_of", term(Boolean()), None, "all_units: never more than a greater volume costs.",
          column="terms.better_of"),
    Field("proration", term(Choice(("none", "actual_actual"))), None, "Of flat fees of tiers, "
          "where use begins or ends within the period; left out: none.", column="terms.proration"),
    Field("introduction", ListOf(PHASE), None, "Phases from the day of activation of a line.",
          column="terms.introduction"),
    Field("fee", term(FEE), None, "A fixed fee beside, in advance.", column="terms.fee"),
    Field("indexation", term(INDEXATION), None, column="terms.indexation"),
    Field("customer_fault", term(SHARE), None, "Of the average price, for each examination that "
          "was rejected by the customer's fault; left out: nothing.",
          column="terms.customer_fault"),
    Field("price_class", term(Text(20, identifiers.slug)), None, "The product class, such as A, B "
          "or C, whose list price this is: all of a class from one day on cost the same.",
          column="terms.price_class"),
    Field("minimum", term(COMMITMENT), None, "Topped up when the period is over.",
          column="terms.minimum"),
    Field("cap", term(COMMITMENT), None, "What is above it is taken off.", column="terms.cap"),
    Field("sla", term(SERVICE_LEVEL), None, "Credits, after discounts.", column="terms.sla"),
    Field("outcome", term(OUTCOME), None, "A bonus or malus on the contract year.",
          column="terms.outcome"),
))  # fmt: skip


def examine_price_book(value: Value, say: Say, world: World) -> None:
    """Each entry says one price; each version of an algorithm has a day of its own."""
    begins = (value["valid"] or {}).get("from")
    for index, entry in enumerate(value["price_book"] or []):
        path = f"price_book[{index}]"
        examine_entry(entry, path, say)
        if entry["valid_from"] and begins and entry["valid_from"] <= begins:
            text = _("expected a day after %(first)s, the first day, or nothing, found %(found)s")
            say.error(f"{path}.valid_from", text % {
                "first": begins, "found": entry["valid_from"],
            })  # fmt: skip
        _examine_index(entry["indexation"] or {}, f"{path}.indexation", say, world)
        for place, code in enumerate((entry["percentage"] or {}).get("of") or []):
            if code and code not in world.of("algorithm"):
                here = f"{path}.percentage.of[{place}]"
                text = _("expected a known algorithm, found %(found)s")
                say.error(here, text % {"found": code})
    _examine_versions(value["price_book"] or [], say)
    _examine_classes(value["price_book"] or [], say)


def terms_of(entry: Value) -> Value:
    """The terms of a price book entry of the set-up file, as ``price_of()`` reads them."""
    return {name: entry[name] for name in TERMS if entry.get(name) is not None}


def examine_entry(entry: Value, path: str, say: Say) -> None:
    """A flat price is said in one way; any other is in tiers. ``path`` is that of the entry."""
    is_flat, tiers = entry["model"] == "flat", entry["tiers"] or []
    if not entry["model"]:  # told where it was read, and what it can have nobody knows
        return
    if entry["unit_price"] and not is_flat:
        say.error(f"{path}.unit_price", _("expected tiers for the model %(model)s") % {
            "model": entry["model"],
        })  # fmt: skip
    elif entry["unit_price"] and tiers:
        say.error(f"{path}.unit_price", _("expected either this or tiers, found both"))
    elif not (tiers or entry["unit_price"] or say.has_errors(path)) and entry["model"] in TIERED:
        what = _("unit_price or one tier") if is_flat else (
            _("a list of at least %(least)s") % {"least": 1}
        )
        text = _("expected %(what)s, found %(found)s")
        say.error(f"{path}.tiers", text % {"what": what, "found": _("nothing")})
    elif is_flat and len(tiers) > 1:
        say.error(f"{path}.tiers", _("expected one tier for the model flat, found %(count)s") % {
            "count": len(tiers),
        })  # fmt: skip
    _examine_tiers(tiers, f"{path}.tiers", say)
    if not say.has_errors(path):
        try:
            price_of(entry["model"], terms_of(entry))
        except PriceTermsError as fault:
            where, _colon, text = str(fault).partition(": ")
            say.error(f"{path}.{where}", text)


def _examine_tiers(tiers: list[Value], path: str, say: Say) -> None:
    """Upper bounds rise, and only the last tier is open."""
    lower = 0
    for index, tier in enumerate(tiers):
        is_last, bound = index == len(tiers) - 1, (tier or {}).get("up_to")
        here = f"{path}[{index}].up_to"
        if tier is None:
            continue
        if is_last and bound is not None:
            text = _("expected nothing, because the last tier is open, found %(found)s")
            say.error(here, text % {"found": bound})
        elif not is_last and bound is None:
            text = _("expected a bound, because only the last tier is open, found nothing")
            say.error(here, text)
        elif bound is not None and bound <= lower:
            text = _("expected a bound above %(lower)s, found %(found)s")
            say.error(here, text % {"lower": lower, "found": bound})
        lower = max(lower, bound or 0)


def _examine_classes(entries: list[Value], say: Say) -> None:
    """A product class has one list price from a day on, whichever of its algorithms is bought."""
    first: dict[tuple[str, str], Value] = {}
    for index, entry in enumerate(entries):
        if not entry["price_class"] or say.has_errors(f"price_book[{index}]"):
            continue
        known = first.setdefault((entry["price_class"], entry["valid_from"] or ""), entry)
        if (entry["model"], terms_of(entry)) != (known["model"], terms_of(known)):
            text = _("expected the price of class %(name)s, as %(algorithm)s has it, found another")
            told = {"name": entry["price_class"], "algorithm": known["algorithm"]}
            say.error(f"price_book[{index}].price_class", text % told)


def _examine_versions(entries: list[Value], say: Say) -> None:
    """The first version holds from the first day, else examinations would have no price."""
    first = {entry["algorithm"] for entry in entries if not entry["valid_from"]}
    for index, entry in enumerate(entries):
        if entry["algorithm"] and entry["algorithm"] not in first:
            text = _("expected a version without it as well: what is the price before this day?")
            say.warning(f"price_book[{index}].valid_from", text)


def _examine_index(indexation: Value, path: str, say: Say, world: World) -> None:
    """The base is published; what a later month will be, nobody can know yet."""
    series = world.value("index_series", indexation.get("series"))
    known = {one["month"] for one in series.get("values") or []}
    if not series or not indexation.get("base_month"):
        return
    if indexation["base_month"] not in known:
        text = _("expected a month with a value in %(series)s, found %(found)s")
        say.error(f"{path}.base_month", text % {
            "series": indexation["series"], "found": indexation["base_month"],
        })  # fmt: skip
    adjustments = indexation.get("adjustments") or [indexation]
    for one in adjustments:
        month = one and one.get("ref_month")
        if month and month not in known:
            text = _("%(series)s has no value for %(month)s yet: prices from %(day)s on are not "
                     "known")  # fmt: skip
            told = {"series": indexation["series"], "month": month, "day": one.get("effective")}
            say.warning(path, text % told)

"""The kinds ``frameworks`` and ``call_offs`` of the set-up file."""

from __future__ import annotations

from decimal import Decimal

from contracts.entitlement import MAY_CALL_OFF
from contracts.models import Authority, CallOff, CallOffLine, FrameworkAgreement, PriceBookEntry
from hub.configuration import identifiers, registry
from hub.configuration.reader import Value
from hub.configuration.records import Field, Record, Reference, Rows
from hub.configuration.registry import Kind, Say, World
from hub.configuration.shapes import Amount, Choice, Date, InJson, Integer, ListOf, Text

CODE = Text(40)
MODELS = ("graduated", "all_units", "flat")
AUTHORITY_ROLES = (
    "contracting_authority", "option_authority", "purchasing_agent", "contract_holder",
)  # fmt: skip


def _examine_framework(value: Value, say: Say, world: World) -> None:
    _examine_period(value, say)
    estimated, maximum = value["estimated_value"], value["maximum_value"]
    if estimated and maximum and Decimal(maximum) < Decimal(estimated):
        say.warning("maximum_value", f"{maximum} is below the estimated value of {estimated}")
    for index, entry in enumerate(value["price_book"] or []):
        _examine_price(entry, f"price_book[{index}]", say)


def _examine_price(entry: Value, path: str, say: Say) -> None:
    """A flat price is said in one way; any other is in tiers."""
    is_flat, tiers = entry["model"] == "flat", entry["tiers"] or []
    if entry["unit_price"] and not is_flat:
        say.error(f"{path}.unit_price", f"expected tiers for the model {entry['model']}")
    elif entry["unit_price"] and tiers:
        say.error(f"{path}.unit_price", "expected either this or tiers, found both")
    elif not tiers and not entry["unit_price"]:
        what = "unit_price or one tier" if is_flat else "a list of at least 1"
        say.error(f"{path}.tiers", f"expected {what}, found nothing")
    elif is_flat and len(tiers) > 1:
        say.error(f"{path}.tiers", f"expected one tier for the model flat, found {len(tiers)}")
    _examine_tiers(tiers, f"{path}.tiers", say)


def _examine_tiers(tiers: list[Value], path: str, say: Say) -> None:
    """Upper bounds rise, and only the last tier is open."""
    lower = 0
    for index, tier in enumerate(tiers):
        is_last, bound = index == len(tiers) - 1, (tier or {}).get("up_to")
        here = f"{path}[{index}].up_to"
        if tier is None:
            continue
        if is_last and bound is not None:
            say.error(here, f"expected nothing, because the last tier is open, found {bound}")
        elif not is_last and bound is None:
            say.error(here, "expected a bound, because only the last tier is open, found nothing")
        elif bound is not None and bound <= lower:
            say.error(here, f"expected a bound above {lower}, found {bound}")
        lower = max(lower, bound or 0)


def _examine_call_off(value: Value, say: Say, world: World) -> None:
    """Dates must fit; what would only make the hub refuse at run time is a warning."""
    _examine_period(value, say)
    framework = world.value("framework", value["framework"])
    named = {
        one["organisation"]
        for one in framework.get("authorities") or []
        if one["role"] in MAY_CALL_OFF
    }
    if framework and value["organisation"] and value["organisation"] not in named:
        what = " or ".join(MAY_CALL_OFF)
        text = f"{value['organisation']} is no {what} of {value['framework']}"
        say.warning("organisation", f"{text}, so it may not call off")
    priced = {one["algorithm"] for one in framework.get("price_book") or []}
    for index, line in enumerate(value["lines"] or []):
        path = f"lines[{index}]"
        site = world.value("site", line["site"])
        if site and site["organisation"] != value["organisation"]:
            text = f"{line['site']} is a site of {site['organisation']}, not of this organisation"
            say.warning(f"{path}.site", text)
        if framework and line["algorithm"] and line["algorithm"] not in priced:
            text = f"{line['algorithm']} has no price in {value['framework']}"
            say.warning(f"{path}.algorithm", text)


def _examine_period(value: Value, say: Say) -> None:
    valid = value["valid"] or {}
    if valid.get("from") and valid.get("to") and valid["from"] > valid["to"]:
        text = f"expected a day from {valid['from']} on, found {valid['to']}"
        say.error("valid.to", text)


registry.register(Kind(
    "framework", "frameworks", FrameworkAgreement,
    says="Framework agreements: who may call off, until when, for how much, at what price.",
    examine=_examine_framework,
    record=Record((
        Field("code", CODE),
        Field("title", Text(300)),
        Field("holder", Reference("organisation"), says="Who holds the contract."),
        Field("supplier", Reference("vendor")),
        Field("valid", Record((
            Field("from", Date(), column="valid_from"),
            Field("to", Date(), says="The last day.", column="valid_to"),
        ))),
        Field("estimated_value", Amount()),
        Field("maximum_value", Amount(), says="A hard stop, not a warning (C-23/20)."),
        Field("currency", Text(3, identifiers.currency), "NOK", "ISO 4217."),
        Field("authorities", Rows(Authority, "framework", ("organisation", "role"), Record((
            Field("organisation", Reference("organisation")),
            Field("role", Choice(AUTHORITY_ROLES), "contracting_authority"),
        ))), [], "Only organisations named here may call off."),
        Field("price_book", Rows(PriceBookEntry, "framework", ("algorithm",), Record((
            Field("algorithm", Reference("algorithm")),
            Field("model", Choice(MODELS)),
            Field("tiers", ListOf(Record((
                Field("up_to", Integer(1, 10**12), None, "Inclusive; the last tier has none."),
                Field("unit_price", Amount(4)),
            )), 1), None, "Per contract year, pooled over the authorities.", column="terms.tiers"),
            Field("unit_price", InJson(Amount(4), lambda: None), None,
                  "flat: the price, instead of one tier.", column="terms.unit_price"),
            Field("introduction", ListOf(Record((
                Field("months", Integer(1, 120)),
                Field("discount", Text(7, identifiers.percentage)),
            ))), None, "Phases from the day of activation of a line.", column="terms.introduction"),
        ))), []),
    )),
))  # fmt: skip
registry.register(Kind(
    "call_off", "call_offs", CallOff,
    says="What one organisation orders under a framework agreement.",
    examine=_examine_call_off,
    instead="set state: closed",
    record=Record((
        Field("code", CODE),
        Field("framework", Reference("framework")),
        Field("organisation", Reference("organisation")),
        Field("state", Choice(tuple(CallOff.State.values)), "active"),
        Field("valid", Record((
            Field("from", Date(), column="valid_from"),
            Field("to", Date(), None, "Left out: as long as the framework.", column="valid_to"),
        ))),
        Field("lines", Rows(CallOffLine, "call_off", ("algorithm", "site"), Record((
            Field("algorithm", Reference("algorithm")),
            Field("site", Reference("site")),
            Field("activated", Date(), says="The first day of use; introductions count from it."),
            Field("volume_estimate", Integer(0, 2_147_483_647), 0, "Studies in a year."),
        ))), []),
    )),
))  # fmt: skip

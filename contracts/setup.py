"""The kinds ``frameworks`` and ``call_offs`` of the set-up file."""

from __future__ import annotations

from decimal import Decimal

from contracts import reference_setup  # noqa: F401  (a file may refer only to kinds before)
from contracts.entitlement import MAY_CALL_OFF
from contracts.models import Authority, CallOff, CallOffLine, FrameworkAgreement, PriceBookEntry
from contracts.price_book import ENTRY, examine_price_book
from contracts.vat import TREATMENTS
from hub.configuration import identifiers, registry
from hub.configuration.reader import Value
from hub.configuration.records import Field, Record, Reference, Rows
from hub.configuration.registry import Kind, Say, World
from hub.configuration.shapes import Amount, Choice, Date, Integer, Text

CODE = Text(40)
AUTHORITY_ROLES = (
    "contracting_authority", "option_authority", "purchasing_agent", "contract_holder",
)  # fmt: skip


def _examine_framework(value: Value, say: Say, world: World) -> None:
    _examine_period(value, say)
    estimated, maximum = value["estimated_value"], value["maximum_value"]
    if estimated and maximum and Decimal(maximum) < Decimal(estimated):
        say.warning("maximum_value", f"{maximum} is below the estimated value of {estimated}")
    examine_price_book(value, say, world)


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
        Field("vat", Choice(TREATMENTS), "standard", "How its invoices are taxed."),
        Field("price_book", Rows(PriceBookEntry, "framework", ("algorithm", "valid_from"), ENTRY),
              []),
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

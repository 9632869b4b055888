"""The kind ``frameworks`` of the set-up file."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from django.utils.translation import gettext as _

from contracts import (
    reference_setup,  # noqa: F401  (a file may refer only to kinds before)
    terms,
    utilisation,
)
from contracts.models import FrameworkAgreement, PriceBookEntry
from contracts.price_book import ENTRY, examine_price_book
from contracts.vat import TREATMENTS
from hub.configuration import identifiers, registry
from hub.configuration.reader import Value
from hub.configuration.records import Field, Record, Reference, Rows
from hub.configuration.registry import Kind, Say, World
from hub.configuration.shapes import Amount, Choice, Date, Text

CODE = Text(40)


def _examine_framework(value: Value, say: Say, world: World) -> None:
    terms.examine(value, say, world)
    estimated, maximum = value["estimated_value"], value["maximum_value"]
    if estimated and maximum and Decimal(maximum) < Decimal(estimated):
        text = _("%(maximum)s is below the estimated value of %(estimated)s")
        say.warning("maximum_value", text % {"maximum": maximum, "estimated": estimated})
    examine_price_book(value, say, world)


def _settle(
    row: FrameworkAgreement, before: Value | None, after: Value, by: str
) -> Iterator[tuple[str, str]]:
    """A maximum below what is bound already is refused, of the agreement as of a lot."""
    if before is None:
        return
    held = utilisation.of_framework(row)
    text = _("expected at least %(used)s, which call-offs have bound, found %(found)s")
    if before["maximum_value"] != after["maximum_value"] and held.headroom < 0:
        yield "maximum_value", text % {"used": held.used, "found": after["maximum_value"]}
    before_of = {one["code"]: one["maximum_value"] for one in before["lots"] or []}
    for one in after["lots"] or []:
        if one["maximum_value"] == before_of.get(one["code"]):
            continue
        part = utilisation.of_lot(row.lots.get(code=one["code"]))
        if part is not None and part.headroom < 0:
            told = {"used": part.used, "found": one["maximum_value"]}
            yield f"lots[{one['code']}].maximum_value", text % told


registry.register(Kind(
    "framework", "frameworks", FrameworkAgreement,
    says="Framework agreements: who may call off, until when, for how much, at what price.",
    examine=_examine_framework,
    settle=_settle,
    record=Record((
        Field("code", CODE),
        Field("title", Text(300)),
        Field("holder", Reference("organisation"), says="Who holds the contract."),
        Field("supplier", Reference("vendor"), says="The first, where there are several."),
        Field("valid", Record((
            Field("from", Date(), column="valid_from"),
            Field("to", Date(), says="The last day.", column="valid_to"),
        ))),
        Field("estimated_value", Amount()),
        Field("maximum_value", Amount(), says="A hard stop, not a warning (C-23/20)."),
        Field("currency", Text(3, identifiers.currency), "NOK", "ISO 4217."),
        *terms.FIELDS,
        Field("ceilings", Choice(tuple(FrameworkAgreement.Ceilings.values)), "guiding",
              "binding: no price of a call-off is above the price book at any volume. guiding: "
              "one that is above it is told of."),
        Field("vat", Choice(TREATMENTS), "standard", "How its invoices are taxed."),
        Field("price_book", Rows(PriceBookEntry, "framework", ("algorithm", "valid_from"), ENTRY),
              []),
    )),
))  # fmt: skip

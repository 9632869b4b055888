"""Prices of a call-off itself in the set-up file: their fields, and what must hold of them.

Such a price was offered for this call-off, in a mini-competition or in a supplemented tender. It
stands in place of the agreement's for its algorithm; of service level and outcome the agreement's
hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from contracts.models import CallOff, CallOffAmount, CallOffPrice, FrameworkAgreement
from contracts.price_book import ENTRY, examine_price_book, terms_of
from contracts.pricing import Price, PriceTermsError, price_of
from contracts.pricing.ceilings import Excess, excess
from hub.configuration.reader import Value
from hub.configuration.records import Field, Record, Rows
from hub.configuration.registry import Say, World
from hub.configuration.shapes import Amount, Choice, Difference, Text

# what the agreement says of an algorithm whatever it costs
OF_THE_AGREEMENT = ("sla", "outcome")


@dataclass(frozen=True, slots=True)
class KeptRows(Rows):
    """A list of rows that a file may leave out: then they stay as they are; [] is none."""

    def load(self, row: Any, column: str) -> Any:
        return Rows.load(self, row, column) or None

    def finish(self, row: Any, value: Any, *, path: str, store: Any) -> None:
        if value is not None:
            Rows.finish(self, row, value, path=path, store=store)

    def differences(self, path: str, old: Any, new: Any) -> Iterator[Difference]:
        return iter(()) if new is None else Rows.differences(self, path, old, new)


AMOUNT = Record((
    Field("name", Text(200)),
    Field("amount", Amount()),
    Field("per", Choice(tuple(CallOffAmount.Per.values))),
))
FIELDS = (
    Field("price_book", KeptRows(CallOffPrice, "call_off", ("algorithm", "valid_from"), ENTRY),
          None, "mini_competition, supplemented_tender: the prices offered for it, in place of the "
          "agreement's; without sla and outcome, which are the agreement's. tier_scope framework "
          "counts the call-offs of the same competition together. Left out: as they are; of a new "
          "one that follows from a competition in the hub, those with which it was won."),
    Field("fixed", KeptRows(CallOffAmount, "call_off", ("name",), AMOUNT), None,
          "Amounts offered beside, which the call-offs of the same competition share by days. "
          "Left out: as price_book."),
)  # fmt: skip


def examine(value: Value, framework: Value, say: Say, world: World) -> None:
    """Prices of a call-off are read, fit its mode and its agreement, and hold to its ceilings."""
    if value["mode"] == CallOff.Mode.DIRECT:
        for name in ("price_book", "fixed"):
            if value[name]:
                say.error(name, _("expected nothing: a direct call-off has the agreement's prices"))
        return
    book = value["price_book"] or []
    examine_price_book({"valid": value["valid"], "price_book": book}, say, world)
    _examine_entries(value, framework, say)
    _examine_sisters(value, say, world)
    is_binding = framework.get("ceilings") == FrameworkAgreement.Ceilings.BINDING
    for name, text in above(value, framework):
        (say.error if is_binding else say.warning)(name, text)


def _examine_entries(value: Value, framework: Value, say: Say) -> None:
    """Each is of an algorithm that the agreement prices, from the first day of use on."""
    book = value["price_book"] or []
    priced = {one["algorithm"] for one in framework.get("price_book") or []}
    first = {one["algorithm"] for one in book if not one["valid_from"]}
    for index, entry in enumerate(book):
        path = f"price_book[{index}]"
        if entry["algorithm"] and entry["algorithm"] not in priced:
            text = _("expected an algorithm that %(framework)s prices, found %(algorithm)s")
            say.error(f"{path}.algorithm", text % {
                "framework": value["framework"], "algorithm": entry["algorithm"],
            })  # fmt: skip
        if entry["valid_from"] and entry["algorithm"] not in first:
            say.error(f"{path}.valid_from", _("expected a price without it as well"))
        for name in OF_THE_AGREEMENT:
            if entry[name]:
                say.error(f"{path}.{name}", _("expected nothing: that of the agreement holds"))


def above(value: Value, framework: Value) -> Iterator[tuple[str, str]]:
    """Path and sentence of each price of a call-off that is above the agreement's.

    Held against is what the agreement has on the first day of the call-off.
    """
    on = (value["valid"] or {}).get("from") or ""
    for index, entry in enumerate(value["price_book"] or []):
        own, most = _price(entry), ceiling_of(framework, entry["algorithm"], on=on)
        if own is not None and most is not None and (found := excess(own, most)):
            yield f"price_book[{index}]", told(found, framework=value["framework"])
    if value["fixed"] and any(Decimal(one["amount"] or 0) for one in value["fixed"]):
        text = _("expected nothing beside the prices of %(framework)s")
        yield "fixed", text % {"framework": value["framework"]}


def ceiling_of(framework: Value, algorithm: str | None, *, on: str) -> Price | None:
    """What the agreement's price book has for an algorithm on a day (ISO), or None."""
    versions = [
        one for one in framework.get("price_book") or []
        if one["algorithm"] == algorithm and (one["valid_from"] or "") <= on
    ]  # fmt: skip
    newest = max(versions, key=lambda one: one["valid_from"] or "", default=None)
    return None if newest is None else _price(newest)


def told(found: Excess, *, framework: str) -> str:
    """Where a price is above its ceiling, for people."""
    if found.term:
        text = _("%(term)s: expected no more than %(framework)s has")
        return text % {"term": found.term, "framework": framework}
    text = _(
        "expected no more than in %(framework)s at any volume: %(quantity)s examinations would "
        "cost %(cost)s instead of %(most)s"
    )
    return text % {
        "framework": framework, "quantity": found.quantity, "cost": f"{found.cost:.2f}",
        "most": f"{found.ceiling:.2f}",
    }  # fmt: skip


def group_of(value: Value) -> str:
    """What a call-off's own prices are counted by: its competition, or it alone."""
    return str(value.get("competition") or value["code"])


def _examine_sisters(value: Value, say: Say, world: World) -> None:
    """Those of one competition have one price, or their examinations could not count together."""
    if not value["competition"]:
        return
    own = _said(value)
    for item in world.of("call_off").values():
        other = item.value
        is_sister = other["competition"] == value["competition"] and other["code"] != value["code"]
        if not is_sister or other["state"] == CallOff.State.CANCELLED:
            continue
        theirs = _said(other)
        for name in own.keys() & theirs.keys():
            if own[name] != theirs[name]:
                text = _("expected for %(what)s what %(other)s has, which follows from the same "
                         "competition")  # fmt: skip
                say.error("fixed" if name == "" else "price_book", text % {
                    "what": name or _("fixed amounts"), "other": other["code"],
                })  # fmt: skip


def _said(value: Value) -> dict[str, Any]:
    """The versions by algorithm, and under "" the fixed amounts, of what is said."""
    found: dict[str, Any] = {}
    for entry in value["price_book"] or []:
        version = (entry["valid_from"], entry["model"], terms_of(entry))
        found.setdefault(entry["algorithm"], []).append(version)
    if value["fixed"]:
        found[""] = sorted((one["name"], one["amount"], one["per"]) for one in value["fixed"])
    return found


def _price(entry: Value) -> Price | None:
    try:
        return price_of(entry["model"], terms_of(entry))
    except PriceTermsError:
        return None

"""The kind ``call_offs`` of the set-up file."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from django.conf import settings

from contracts import call_offs, supplying, utilisation
from contracts.models import CallOff, CallOffLine
from contracts.naming import MAY_CALL_OFF
from contracts.setup import CODE
from hub.configuration import identifiers, registry
from hub.configuration.participants import check_period
from hub.configuration.reader import Value
from hub.configuration.records import Field, Record, Reference, Rows
from hub.configuration.registry import Kind, Say, World
from hub.configuration.shapes import Amount, Begins, Choice, Date, Integer, Kept, Text

REFERENCE = Text(80, identifiers.one_line)
# what decides whether there is room for it
BINDING = ("committed_value", "framework", "lot")


def _examine(value: Value, say: Say, world: World) -> None:
    """Dates must fit; what would only make the hub refuse at run time is a warning."""
    check_period(value["valid"], "valid", say)
    framework = world.value("framework", value["framework"])
    if not framework:
        return
    _examine_buyer(value, framework, say)
    _examine_supply(value, framework, say)
    priced = {one["algorithm"] for one in framework.get("price_book") or []}
    for index, line in enumerate(value["lines"] or []):
        path = f"lines[{index}]"
        site = world.value("site", line["site"])
        if site and site["organisation"] != value["organisation"]:
            text = f"{line['site']} is a site of {site['organisation']}, not of this organisation"
            say.warning(f"{path}.site", text)
        if line["algorithm"] and line["algorithm"] not in priced:
            text = f"{line['algorithm']} has no price in {value['framework']}"
            say.warning(f"{path}.algorithm", text)


def _examine_buyer(value: Value, framework: Value, say: Say) -> None:
    named = {
        one["organisation"]
        for one in framework.get("authorities") or []
        if one["role"] in MAY_CALL_OFF
    }
    if value["organisation"] and value["organisation"] not in named:
        what = " or ".join(MAY_CALL_OFF)
        text = f"{value['organisation']} is no {what} of {value['framework']}"
        say.warning("organisation", f"{text}, so it may not call off")


def _examine_supply(value: Value, framework: Value, say: Say) -> None:
    """Lot and supplier are those of the agreement; who is alone does not compete."""
    lots = [lot["code"] for lot in framework.get("lots") or []]
    if value["lot"] and value["lot"] not in lots:
        known = ", ".join(lots) or "it has none"
        say.error("lot", f"expected a lot of {value['framework']}: {known}; found {value['lot']}")
    named = [(one["vendor"], one["lot"] or "") for one in framework.get("suppliers") or []]
    suppliers = supplying.supplying(framework.get("supplier"), named, lot=value["lot"] or "")
    if value["supplier"] and value["supplier"] not in suppliers:
        known = ", ".join(sorted(filter(None, suppliers)))
        text = f"expected a supplier of {value['framework']}: {known}; found {value['supplier']}"
        say.error("supplier", text)
    if value["mode"] == CallOff.Mode.MINI_COMPETITION and len(suppliers) < 2:
        text = f"expected direct or supplemented_tender, because {value['framework']} has one"
        say.error("mode", f"{text} supplier, found mini_competition")
    if value["mode"] == CallOff.Mode.DIRECT and framework.get("technique") == "fa-w-rc":
        text = f"{value['framework']} reopens competition for each call-off (fa-w-rc)"
        say.warning("mode", f"{text}, and this one is direct")


def _settle(
    row: CallOff, before: Value | None, after: Value, by: str
) -> Iterator[tuple[str, str]]:
    """Move it where the file has it, by the same table as people do."""
    try:
        if before is None:
            yield from _enter(row, after["state"] or CallOff.State.ACTIVE, by)
            return
        if after["state"] and after["state"] != before["state"]:
            call_offs.move(row, to=after["state"], by=by)
    except call_offs.MaximumValueReached as refused:
        yield "committed_value", str(refused)
        return
    except call_offs.CallOffMoveError as refused:
        yield "state", str(refused)
        return
    changed = any(before[name] != after[name] for name in BINDING)
    if changed and row.state in utilisation.COMMITTED:
        try:
            call_offs.lock(row.framework)
            call_offs.demand_room(row)
        except call_offs.MaximumValueReached as refused:
            yield "committed_value", str(refused)


def _enter(row: CallOff, state: str, by: str) -> Iterator[tuple[str, str]]:
    if state == CallOff.State.DRAFT:
        return
    if not settings.HUB_CALL_OFFS_BY_FILE:
        text = "expected draft, because here two people approve each call-off"
        yield "state", f"{text} (HUB_CALL_OFFS_BY_FILE), found {state}"
        return
    call_offs.enter(row, to=state, by=by)


def new_call_off(value: Value) -> CallOff:
    """The row of a new entry, before it is moved to where the file has it."""
    return CallOff(state=CallOff.State.DRAFT, committed_value=Decimal(0))


registry.register(Kind(
    "call_off", "call_offs", CallOff,
    says="What one organisation orders under a framework agreement.",
    make=new_call_off,
    examine=_examine,
    settle=_settle,
    instead="set state: closed",
    record=Record((
        Field("code", CODE),
        Field("framework", Reference("framework")),
        Field("organisation", Reference("organisation"), says="Who buys."),
        Field("state", Kept(Choice(tuple(CallOff.State.values)), "draft", is_written=False), None,
              "Left out: as it is; a new one is active. A new one beyond draft is signed for by "
              "who applies the file; one that is there moves as the states allow, and only people "
              "approve it."),
        Field("valid", Record((
            Field("from", Date(), column="valid_from"),
            Field("to", Date(), None, "Left out: as long as the framework.", column="valid_to"),
        ))),
        Field("mode", Choice(tuple(CallOff.Mode.values)), "direct"),
        Field("lot", Text(40), None, "A lot of the framework."),
        Field("supplier", Reference("vendor"), None, "Left out: the framework's first."),
        Field("estimated_value", Amount(), None),
        Field("committed_value", Amount(), "0.00", "What it binds of the framework's maximum."),
        Field("invoiced_to_date", Begins(Amount(), "0.00"), None,
              "Of a new one: what was invoiced under it elsewhere. The hub counts on from there."),
        Field("cost_centre", REFERENCE, None, "Stands on the invoice."),
        Field("buyer_reference", REFERENCE, None, "Stands on the invoice (BT-10)."),
        Field("lines", Rows(CallOffLine, "call_off", ("algorithm", "site"), Record((
            Field("algorithm", Reference("algorithm")),
            Field("site", Reference("site")),
            Field("activated", Date(), says="The first day of use; introductions count from it."),
            Field("volume_estimate", Integer(0, 2_147_483_647), 0, "Studies in a year."),
        ))), []),
    )),
))  # fmt: skip

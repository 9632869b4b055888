"""The kind ``call_offs`` of the set-up file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from contracts import call_offs, competing, offered, own_prices, supplying, utilisation
from contracts.by_file import kind  # noqa: F401  (a file may refer only to kinds before)
from contracts.by_file.shapes import Moment
from contracts.models import CallOff, CallOffLine, Procedure
from contracts.naming import MAY_CALL_OFF
from contracts.setup import CODE
from hub.configuration import identifiers, registry
from hub.configuration.participants import check_period
from hub.configuration.problems import one_of
from hub.configuration.reader import Value
from hub.configuration.records import Field, Record, Reference, Rows
from hub.configuration.registry import Kind, Say, World
from hub.configuration.shapes import (
    Amount,
    Begins,
    Choice,
    Date,
    Difference,
    Integer,
    Kept,
    Text,
)

REFERENCE = Text(80, identifiers.one_line)
# what decides whether there is room for it
BINDING = ("committed_value", "framework", "lot")


@dataclass(frozen=True, slots=True)
class Competition(Reference):
    """The number of a procedure, kept in a row of its own; left out it stays as it is."""

    def load(self, row: Any, column: str) -> str | None:
        return row.competition.code if row.competition else None

    def save(self, row: Any, column: str, value: Any) -> None:
        """Nothing: the row beside it is saved by finish(), when this one has its key."""

    def finish(self, row: Any, value: Any, *, path: str, store: Any) -> None:
        if value is not None:
            competing.name(row, Procedure.objects.get(code=value))

    def differences(self, path: str, old: Any, new: Any) -> Iterator[Difference]:
        return iter(()) if new is None else Reference.differences(self, path, old, new)


def _examine(value: Value, say: Say, world: World) -> None:
    """Dates must fit; what would only make the hub refuse at run time is a warning."""
    check_period(value["valid"], "valid", say)
    if value["closed_at"] and value["state"] != CallOff.State.CLOSED:
        say.error("closed_at", _("expected nothing, because the state is not closed"))
    framework = world.value("framework", value["framework"])
    if not framework:
        return
    _examine_end(value, framework, say)
    _examine_buyer(value, framework, say)
    _examine_soft_cap(value, framework, say, world)
    _examine_supply(value, framework, say)
    _examine_competition(value, say, world)
    own_prices.examine(value, framework, say, world)
    priced = {one["algorithm"] for one in framework.get("price_book") or []}
    for index, line in enumerate(value["lines"] or []):
        path = f"lines[{index}]"
        site = world.value("site", line["site"])
        if site and site["organisation"] != value["organisation"]:
            text = _("%(site)s is a site of %(organisation)s, not of this organisation")
            told = {"site": line["site"], "organisation": site["organisation"]}
            say.warning(f"{path}.site", text % told)
        if line["algorithm"] and line["algorithm"] not in priced:
            text = _("%(agreement)s has no price for %(algorithm)s")
            told = {"agreement": value["framework"], "algorithm": line["algorithm"]}
            say.warning(f"{path}.algorithm", text % told)


def _examine_end(value: Value, framework: Value, say: Say) -> None:
    """A call-off may outlive its agreement; whether for a reasonable time, people judge."""
    ends = (value["valid"] or {}).get("to")
    last = (framework.get("valid") or {}).get("to")
    if ends and last and ends > last:
        text = _("%(day)s is after the last day of %(framework)s, %(last)s")
        say.warning("valid.to", text % {
            "day": ends, "framework": value["framework"], "last": last,
        })  # fmt: skip


def _examine_buyer(value: Value, framework: Value, say: Say) -> None:
    named = {
        one["organisation"]
        for one in framework.get("authorities") or []
        if one["role"] in MAY_CALL_OFF
    }
    if value["organisation"] and value["organisation"] not in named:
        text = _("%(organisation)s is named in %(framework)s neither as %(first)s nor as "
                 "%(second)s, so it may not call off")  # fmt: skip
        first, second = MAY_CALL_OFF
        told = {"organisation": value["organisation"], "framework": value["framework"]}
        say.warning("organisation", text % (told | {"first": first, "second": second}))


def _examine_soft_cap(value: Value, framework: Value, say: Say, world: World) -> None:
    """What an organisation meant to buy at most is no limit; to pass it is told."""
    options = [
        one["option"] or {}
        for one in framework.get("authorities") or []
        if one["organisation"] == value["organisation"]
    ]
    caps = [Decimal(one["soft_cap"]) for one in options if one.get("soft_cap")]
    if not caps or value["state"] == CallOff.State.CANCELLED:
        return
    whose = (value["framework"], value["organisation"])
    committed = [
        Decimal(one["committed_value"] or 0)
        for one in (item.value for item in world.of("call_off").values())
        if (one["framework"], one["organisation"]) == whose and one["code"] != value["code"]
        and one["state"] in (None, *utilisation.COMMITTED)
    ]  # fmt: skip
    if sum(committed, Decimal(value["committed_value"] or 0)) > max(caps):
        text = _("with it %(organisation)s commits more under %(framework)s than it meant to buy "
                 "at most (soft_cap)")  # fmt: skip
        say.warning("committed_value", text % {
            "organisation": value["organisation"], "framework": value["framework"],
        })  # fmt: skip


def _examine_supply(value: Value, framework: Value, say: Say) -> None:
    """Lot and supplier are those of the agreement; who is alone does not compete."""
    lots = [lot["code"] for lot in framework.get("lots") or []]
    if lots and not value["lot"]:
        say.error("lot", _("expected the lot that is called off from"))
    elif value["lot"] and value["lot"] not in lots:
        what = _("a lot of %(framework)s") % {"framework": value["framework"]}
        say.error("lot", one_of(what, lots, found=value["lot"]))
    named = [(one["vendor"], one["lot"] or "") for one in framework.get("suppliers") or []]
    suppliers = supplying.supplying(framework.get("supplier"), named, lot=value["lot"] or "")
    if value["supplier"] and value["supplier"] not in suppliers:
        what = _("a supplier of %(framework)s") % {"framework": value["framework"]}
        known = sorted(filter(None, suppliers))
        say.error("supplier", one_of(what, known, found=value["supplier"]))
    if value["mode"] == CallOff.Mode.MINI_COMPETITION and len(suppliers) < 2:
        text = _("expected direct or supplemented_tender, because %(framework)s has one supplier, "
                 "found mini_competition")  # fmt: skip
        say.error("mode", text % {"framework": value["framework"]})
    if value["mode"] == CallOff.Mode.DIRECT and framework.get("technique") == "fa-w-rc":
        text = _("%(framework)s reopens competition for each call-off (fa-w-rc), and this one is "
                 "direct")  # fmt: skip
        say.warning("mode", text % {"framework": value["framework"]})


def _examine_competition(value: Value, say: Say, world: World) -> None:
    """What was ordered before call-offs named their competition is told of, and taken."""
    is_mini = value["mode"] == CallOff.Mode.MINI_COMPETITION
    if not value["competition"]:
        if is_mini:
            say.warning("competition", _("expected the mini-competition that it follows from"))
        return
    if not is_mini:
        text = _("expected nothing, because the mode is %(mode)s")
        say.error("competition", text % {"mode": value["mode"]})
    found = world.value("procedure", value["competition"])
    if found and found["kind"] != Procedure.Kind.MINI_COMPETITION:
        text = _("expected a mini-competition, and %(name)s is %(kind)s")
        say.error("competition", text % {"name": value["competition"], "kind": found["kind"]})
    elif found and found["framework"] != value["framework"]:
        text = _("expected one under %(framework)s, found one under %(other)s")
        told = {"framework": value["framework"], "other": found["framework"]}
        say.error("competition", text % told)


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


def _settle_return(
    row: CallOff, before: Value | None, after: Value, by: str
) -> Iterator[tuple[str, str]]:
    """There was room when it was approved elsewhere, whatever was invoiced there since."""
    if before is None:
        yield from _enter(row, after["state"] or CallOff.State.ACTIVE, by, is_return=True)
    else:
        yield from _settle(row, before, after, by)


def _enter(
    row: CallOff, state: str, by: str, *, is_return: bool = False
) -> Iterator[tuple[str, str]]:
    if state == CallOff.State.DRAFT:
        return
    if not settings.HUB_CALL_OFFS_BY_FILE:
        text = _("expected draft, because here two people approve each call-off "
                 "(HUB_CALL_OFFS_BY_FILE), found %(found)s")  # fmt: skip
        yield "state", text % {"found": state}
        return
    if competing.of(row) and (
        problems := [*competing.problems_of(row), *offered.faults_of(row)]
    ):
        for one in problems:
            field, _colon, rule = one.partition(": ")
            yield field, rule
        return
    offered.write_down(row)
    call_offs.enter(row, to=state, by=by, is_return=is_return)


def new_call_off(value: Value) -> CallOff:
    """The row of a new entry, before it is moved to where the file has it."""
    return CallOff(state=CallOff.State.DRAFT, committed_value=Decimal(0))


registry.dispose("contracts.CallOffCompetition")
registry.register(Kind(
    "call_off", "call_offs", CallOff,
    says="What one organisation orders under a framework agreement.",
    make=new_call_off,
    examine=_examine,
    settle=_settle,
    settle_return=_settle_return,
    instead=gettext_noop("set state: closed"),
    record=Record((
        Field("code", CODE),
        Field("framework", Reference("framework")),
        Field("organisation", Reference("organisation"), says="Who buys."),
        Field("state", Kept(Choice(tuple(CallOff.State.values)), "draft", is_written=False), None,
              "Left out: as it is; a new one is active. A new one beyond draft is signed for by "
              "who applies the file; one that is there moves as the states allow, and only people "
              "approve it."),
        Field("closed_at", Begins(Moment(), None), None, "Of a new one that is closed: when; it "
              "costs nothing after that day. The hub notes it of those that it closes."),
        Field("valid", Record((
            Field("from", Date(), column="valid_from"),
            Field("to", Date(), None, "Left out: as long as the framework.", column="valid_to"),
        ))),
        Field("mode", Choice(tuple(CallOff.Mode.values)), "direct"),
        Field("competition", Competition("procedure"), None, "mini_competition: the procedure that "
              "it follows from. Left out: as it is.", column="competed.competition"),
        Field("lot", Text(40), None, "A lot of the framework."),
        Field("supplier", Reference("vendor"), None, "Left out: the framework's first."),
        *own_prices.FIELDS,
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

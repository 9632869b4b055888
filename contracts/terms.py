"""What the set-up file says of an agreement besides its prices: parties, options, lots, changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

from django.utils.translation import gettext as _

from contracts import pricing
from contracts.amendments import Change, steps
from contracts.models import (
    Amendment,
    Authority,
    AuthorityOption,
    FrameworkAgreement,
    FrameworkSupplier,
    Lot,
    OptionState,
    TermOption,
)
from hub.configuration import identifiers
from hub.configuration.kept import KeptRows
from hub.configuration.participants import check_period, period
from hub.configuration.problems import one_of
from hub.configuration.reader import Value
from hub.configuration.records import Field, One, Record, Reference, Rows
from hub.configuration.registry import Say, World
from hub.configuration.shapes import Amount, Boolean, Choice, Date, Integer, Kept, Text
from vendors import legal
from vendors.legal import Fact

ROLES = (
    "contracting_authority", "option_authority", "purchasing_agent", "contract_holder",
    "data_controller",
)  # fmt: skip
LONG = Text(4000, identifiers.paragraphs)
STATE = Kept(Choice(tuple(OptionState.values)), OptionState.DECLARED.value)
OPTION = (
    Field("state", STATE, None, "Left out: as it is; a new one is declared."),
    Field("exercise_by", Date(), None, "The last day; after it the option has lapsed."),
    Field("exercised", Kept(Date(), None), None, "The day on which it was."),
    Field("exercised_by", Kept(Text(200), None), None),
)


def examine(value: Value, say: Say, world: World) -> None:
    """What must hold of an agreement apart from its prices."""
    check_period(value["valid"], "valid", say)
    _examine_duration(value, say, world)
    _examine_parties(value, say)
    _examine_lots(value, say)
    _examine_amendments(value, say, world)


def _examine_duration(value: Value, say: Say, world: World) -> None:
    """Longer than the law has it only with a reason; extensions that may be taken up count."""
    valid = value["valid"] or {}
    if not valid.get("from") or not valid.get("to"):
        return
    begins, ends = date.fromisoformat(valid["from"]), date.fromisoformat(valid["to"])
    longest = legal.limit_in_force("framework.months", on=begins, added=_added(world))
    open_months = sum(
        one["months"] or 0
        for one in value["term_options"] or []
        if one["kind"] == TermOption.Kind.EXTENSION and one["state"] in (None, "declared")
    )
    if longest is None or value["duration_justification"]:
        return
    last = pricing.months_after(ends + timedelta(days=1), open_months) - timedelta(days=1)
    if last >= pricing.months_after(begins, int(longest.number)):
        text = _("expected a reason, because %(first)s to %(last)s with all extensions is longer "
                 "than %(months)s months (%(source)s)")  # fmt: skip
        say.error("duration_justification", text % {
            "first": begins, "last": last, "months": f"{longest.number:.0f}",
            "source": longest.source,
        })  # fmt: skip


def _examine_parties(value: Value, say: Say) -> None:
    for index, one in enumerate(value["authorities"] or []):
        path = f"authorities[{index}]"
        check_period(one["valid"], f"{path}.valid", say)
        if one["option"] and one["role"] != "option_authority":
            text = _("expected nothing, because the role is %(role)s")
            say.error(f"{path}.option", text % {"role": one["role"]})


def _examine_lots(value: Value, say: Say) -> None:
    lots = [one["code"] for one in value["lots"] or []]
    for index, one in enumerate(value["suppliers"] or []):
        if one["lot"] and one["lot"] not in lots:
            what = _("a lot of the agreement")
            say.error(f"suppliers[{index}].lot", one_of(what, lots, found=one["lot"]))
    maximum = value["maximum_value"]
    for index, one in enumerate(value["lots"] or []):
        if one["maximum_value"] and maximum and Decimal(one["maximum_value"]) > Decimal(maximum):
            text = _("%(found)s is above the maximum of the agreement, %(maximum)s")
            told = {"found": one["maximum_value"], "maximum": maximum}
            say.warning(f"lots[{index}].maximum_value", text % told)


def _examine_amendments(value: Value, say: Say, world: World) -> None:
    """What goes beyond the law is told; whether it is a new procurement, people decide."""
    rows = [one for one in value["amendments"] or [] if None not in _needed(one)]
    changes = [
        Change(
            one["number"], date.fromisoformat(one["agreed"]), one["reason"],
            Decimal(one["value_before"]), Decimal(one["value_after"]),
        )
        for one in rows
    ]  # fmt: skip
    for step in steps(changes, added=_added(world)):
        index = next(n for n, one in enumerate(rows) if one["number"] == step.change.number)
        if step.excess:
            say.warning(f"amendments[{index}].value_after", step.excess)


def _needed(amendment: Value) -> list[object]:
    names = ("number", "agreed", "reason", "value_before", "value_after")
    return [amendment[name] for name in names]


def _added(world: World) -> Iterator[Fact]:
    for item in world.of("legal_limit").values():
        value = item.value
        if None not in value.values():
            begins = date.fromisoformat(value["from"])
            yield Fact(value["code"], begins, value["value"], value["source"])


FIELDS = (
    Field("technique", Choice(tuple(FrameworkAgreement.Technique.values)), None,
          "How it is bought under it (eForms BT-765)."),
    Field("duration_justification", LONG, None,
          "Why it lasts longer than the law has it (BT-109); demanded where it does."),
    Field("suppliers", Rows(FrameworkSupplier, "framework", ("vendor", "lot"), Record((
        Field("vendor", Reference("vendor")),
        Field("lot", Text(40), None, "Left out: all lots."),
        Field("rank", Integer(1, 999), None, "In which order they are asked."),
    ))), [], "Those besides the first."),
    Field("lots", Rows(Lot, "framework", ("code",), Record((
        Field("code", Text(40)),
        Field("title", Text(300)),
        Field("estimated_value", Amount(), None),
        Field("maximum_value", Amount(), None, "A hard stop for the lot by itself."),
    ))), []),
    Field("authorities", Rows(Authority, "framework", ("organisation", "role"), Record((
        Field("organisation", Reference("organisation")),
        Field("role", Choice(ROLES), "contracting_authority",
              "A purchasing agent and a contract holder see all call-offs, and buy nothing."),
        period("Left out: as long as the framework."),
        Field("option", One(AuthorityOption, "authority", Record((
            *OPTION,
            Field("in_notice", Boolean(), True, "Named in the notice.", column="is_in_notice"),
            Field("joinder_document", Kept(Text(300), None), None, "By which it joined."),
            Field("own_estimate", Kept(Amount(), None), None),
            Field("soft_cap", Kept(Amount(), None), None,
                  "What it meant to buy at most: a warning. Left out: as it is."),
        ))), None, "option_authority: it may call off once the option is exercised. Left out: it "
              "may at once."),
    ))), [], "Only organisations named here may call off."),
    Field("term_options", KeptRows(TermOption, "framework", ("code",), Record((
        Field("code", Text(40)),
        Field("kind", Choice(tuple(TermOption.Kind.values)), "extension"),
        Field("months", Integer(1, 240), None, "extension: by how much the last day moves."),
        Field("description", LONG, None),
        *OPTION,
    ))), None, "Further time, volume or modules that the agreement foresees. Left out: as they "
       "are."),
    Field("amendments", KeptRows(Amendment, "framework", ("number",), Record((
        Field("number", Integer(1, 9999)),
        Field("agreed", Date()),
        Field("reason", Choice(tuple(Amendment.Reason.values)), says="eForms BT-200."),
        Field("value_before", Amount()),
        Field("value_after", Amount()),
        Field("description", LONG, None),
        Field("notice", Text(80), None, "Of the notice of the modification (BT-1501)."),
    ))), None, "What was noted stays as it was noted. Left out: as they are."),
)  # fmt: skip


"""Drafts of call-offs: what somebody means to order, and changes until two people approve it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from contracts import call_offs, competing, offered, redrafted, seen, supplying
from contracts.acting import OFFICER
from contracts.models import CallOff, CallOffLine, CallOffPrice, FrameworkAgreement, Procedure
from contracts.redrafted import Redrafted
from hub import audit
from hub.access import holds_role_for
from hub.configuration import entries, planning
from hub.models import Organisation, Site

KIND = "call_off"


class CodeIsTaken(Exception):
    """Another call-off has the code."""


class NoDraftAnyMore(Exception):
    """The call-off was approved or cancelled, so that what it says stands."""


class DraftRefused(ValueError):
    """What was asked for cannot be drafted; ``field`` is the part to blame, "" for all of it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def asked_for(user: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """The rows that the codes mean; raises DraftRefused where one of them is not the user's."""
    framework = (
        FrameworkAgreement.objects.visible_to(user).filter(code=asked["framework"]).first()
    )
    if framework is None:
        raise DraftRefused("framework", _("expected an agreement that names your organisation"))
    organisation = Organisation.objects.filter(code=asked["organisation"]).first()
    if organisation is None or not holds_role_for(user, organisation, roles=OFFICER):
        raise DraftRefused("organisation", _("expected one for which you are procurement officer"))
    if asked["valid_to"] is not None and asked["valid_to"] < asked["valid_from"]:
        raise DraftRefused(
            "valid_to", _("expected a day from %(day)s on") % {"day": asked["valid_from"]}
        )
    _demand_supply(framework, asked)
    return {
        **asked,
        "framework": framework,
        "organisation": organisation,
        "competition": _competition(framework, organisation, asked),
        "lines": _lines(organisation, asked["lines"]),
    }


def asked_again(user: Any, call_off: CallOff, asked: dict[str, Any]) -> dict[str, Any]:
    """The rows that the codes of a changed draft mean; raises DraftRefused as asked_for() does.

    What a call-off is called, and who buys under what, stays: that would be another call-off.
    """
    stays = {
        "code": call_off.code,
        "framework": call_off.framework.code,
        "organisation": call_off.organisation.code,
    }
    for name, value in stays.items():
        if asked.get(name, value) != value:
            raise DraftRefused(
                name,
                _("expected %(value)s, which stays: cancel this draft and draft anew") % {
                    "value": value
                },
            )
    found = asked_for(user, asked | stays)
    return {name: value for name, value in found.items() if name not in stays}


def _demand_supply(framework: FrameworkAgreement, asked: dict[str, Any]) -> None:
    if asked["lot"] and not framework.lots.filter(code=asked["lot"]).exists():
        raise DraftRefused(
            "lot", _("expected a lot of %(framework)s") % {"framework": framework.code}
        )
    if framework.lots.exists() and not asked["lot"]:
        raise DraftRefused("lot", _("expected the lot that is called off from"))
    suppliers = supplying.suppliers_of(framework, lot=asked["lot"])
    chosen = asked["supplier"].pk if asked["supplier"] is not None else framework.supplier_id
    if chosen not in suppliers:
        where = " ".join(filter(None, (framework.code, asked["lot"])))
        raise DraftRefused(
            "supplier", _("expected a supplier of %(framework)s") % {"framework": where}
        )
    if asked["mode"] == CallOff.Mode.MINI_COMPETITION and len(suppliers) == 1:
        raise DraftRefused("mode", _("expected another mode, because there is one supplier alone"))


def _competition(
    framework: FrameworkAgreement, organisation: Organisation, asked: dict[str, Any]
) -> Procedure | None:
    """The row of the competition that is named; whether it fits is asked at the approval."""
    code = asked.get("competition")
    try:
        competing.demand_mode(asked["mode"], code)
        if not code:
            return None
        return competing.find(code, framework=framework, organisation=organisation)
    except competing.NotThisCompetition as refused:
        raise DraftRefused("competition", str(refused)) from None


def _lines(organisation: Organisation, asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    sites = {site.code: site for site in Site.objects.filter(organisation=organisation)}
    seen = set()
    for line in asked:
        if line["site"] not in sites:
            raise DraftRefused("lines", _("expected a site of %(name)s") % {"name": organisation})
        if (line["algorithm"].pk, line["site"]) in seen:
            raise DraftRefused("lines", _("expected each algorithm once for each site"))
        seen.add((line["algorithm"].pk, line["site"]))
    return [{**line, "site": sites[line["site"]]} for line in asked]


def draft(
    *, by: Any, lines: list[dict[str, Any]], competition: Procedure | None = None, **fields: Any
) -> CallOff:
    """Add a draft with its lines; raises CodeIsTaken, and EntryRefused for prices of its own."""
    prices = _prices_in(fields)
    try:
        with transaction.atomic():
            if prices:
                planning.lock()
            row = CallOff.objects.create(state=CallOff.State.DRAFT, **fields)
            competing.name(row, competition)
            CallOffLine.objects.bulk_create(CallOffLine(call_off=row, **line) for line in lines)
            _set_prices(row, prices, by=by)
            audit.record(
                "call_off_drafted", actor=by, subject=row.code,
                framework=row.framework.code, organisation=row.organisation.code,
                competition=competition.code if competition else "", **seen.of(row),
            )  # fmt: skip
    except IntegrityError as error:
        if not CallOff.objects.filter(code=fields["code"]).exists():
            raise
        raise CodeIsTaken(_("A call-off %(code)s is there already.") % fields) from error
    return row


def redraft(
    call_off: CallOff, *, by: Any, lines: list[dict[str, Any]], of: str = seen.ANY, **fields: Any
) -> Redrafted:
    """Let a draft say something else; approvals of what it said are void where that is bound.

    ``of`` is the revision that is changed. Nothing is put on record where nothing changes. Raises
    NoDraftAnyMore; ChangedMeanwhile where it is another revision by now; DraftRefused where a void
    approval would come back to life; EntryRefused for prices of its own.
    """
    prices = _prices_in(fields)

    def rewrite(row: CallOff) -> None:
        _rewrite(row, fields, lines)
        _set_prices(row, prices, by=by)

    return _changed(call_off, rewrite, by=by, of=of)


def set_price(
    call_off: CallOff, price: Mapping[str, Any] | None, *, by: Any,
    instead_of: CallOffPrice | None = None, of: str = seen.ANY,
) -> Redrafted:  # fmt: skip
    """Add a price of its own to a draft, say one anew, or (None) take one away; as redraft()."""
    gone = entries.value_of_part(KIND, "price_book", instead_of) if instead_of else None
    held = entries.entry_of(KIND, call_off).get("price_book") or []
    book = [one for one in held if one != gone] + ([dict(price)] if price is not None else [])
    return _changed(
        call_off, lambda row: _set_prices(row, {"price_book": book}, by=by), by=by, of=of
    )


def set_amount(
    call_off: CallOff, amount: Mapping[str, Any] | None, *, by: Any, instead_of: str = "",
    of: str = seen.ANY,
) -> Redrafted:  # fmt: skip
    """Add a fixed amount to a draft, say the one of a name anew, or (None) take that away."""
    held = entries.entry_of(KIND, call_off).get("fixed") or []
    fixed = [one for one in held if one["name"] != instead_of]
    fixed += [dict(amount)] if amount is not None else []
    return _changed(
        call_off, lambda row: _set_prices(row, {"fixed": fixed}, by=by), by=by, of=of
    )


@transaction.atomic
def _changed(
    call_off: CallOff, act: Callable[[CallOff], None], *, by: Any, of: str
) -> Redrafted:
    planning.lock()  # before any row is held: who applies a set-up takes it first as well
    call_offs.lock(call_off.framework)
    row = _fresh(call_off)
    if row.state != CallOff.State.DRAFT:
        raise NoDraftAnyMore(
            _("%(call_off)s is not a draft any more, so it cannot be changed.") % {"call_off": row}
        )
    seen.demand(row, of.split())
    before, approved = redrafted.told(row), redrafted.approved_by(row)
    act(row)
    after = _fresh(row)
    if not (changes := redrafted.differences(before, redrafted.told(after))):
        return Redrafted(after)
    now_by = redrafted.approved_by(after)
    if back := [name for name in now_by if name not in approved]:
        raise DraftRefused(
            "",
            _("This is what %(names)s approved before it was changed, and that is void: cancel "
              "this draft and draft anew.") % {"names": ", ".join(back)},
        )  # fmt: skip
    voided = tuple(name for name in approved if name not in now_by)
    audit.record(
        "call_off_redrafted", actor=by, subject=row.code, changes=changes, voided=list(voided),
        **seen.of(row),
    )  # fmt: skip
    return Redrafted(after, tuple(changes), voided)


def _fresh(call_off: CallOff) -> CallOff:
    rows = CallOff.objects.select_related("framework", "organisation", "supplier")
    return rows.get(pk=call_off.pk)


def _rewrite(row: CallOff, fields: dict[str, Any], lines: list[dict[str, Any]]) -> None:
    fields = dict(fields)
    if "competition" in fields:
        competing.name(row, fields.pop("competition"))
    if fields:
        CallOff.objects.filter(pk=row.pk).update(**fields)
    kept = []
    for line in lines:
        where = {"algorithm": line["algorithm"], "site": line["site"]}
        kept.append(row.lines.update_or_create(**where, defaults=line)[0].pk)
    row.lines.exclude(pk__in=kept).delete()


def _prices_in(fields: dict[str, Any]) -> dict[str, Any]:
    """Takes the prices out of the fields; what is not said stays as it is."""
    given = {name: fields.pop(name, None) for name in offered.NAMES}
    found = {name: held for name, held in given.items() if held is not None}
    if "fixed" in found:
        found["fixed"] = [{**one, "amount": f"{one['amount']:.2f}"} for one in found["fixed"]]
    return found


def _set_prices(row: CallOff, prices: dict[str, Any], *, by: Any) -> None:
    """By the rules of the set-up file; raises EntryRefused."""
    if prices:
        entries.change(KIND, row, prices, by=by)

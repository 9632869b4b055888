"""Drafts of call-offs: what somebody means to order, and changes until two people approve it."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from contracts import call_offs, competing, redrafted, seen, supplying
from contracts.acting import OFFICER
from contracts.models import CallOff, CallOffLine, FrameworkAgreement, Procedure
from contracts.redrafted import Redrafted
from hub import audit
from hub.access import holds_role_for
from hub.models import Organisation, Site


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
    """Add a draft with its lines; raises CodeIsTaken."""
    try:
        with transaction.atomic():
            row = CallOff.objects.create(state=CallOff.State.DRAFT, **fields)
            competing.name(row, competition)
            CallOffLine.objects.bulk_create(CallOffLine(call_off=row, **line) for line in lines)
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


@transaction.atomic
def redraft(
    call_off: CallOff, *, by: Any, lines: list[dict[str, Any]], of: str = seen.ANY, **fields: Any
) -> Redrafted:
    """Let a draft say something else; approvals of what it said are void where that is bound.

    ``of`` is the revision that is changed. Nothing is put on record where nothing changes. Raises
    NoDraftAnyMore; ChangedMeanwhile where it is another revision by now; DraftRefused where a void
    approval would come back to life.
    """
    call_offs.lock(call_off.framework)
    row = CallOff.objects.select_related("framework", "supplier").get(pk=call_off.pk)
    if row.state != CallOff.State.DRAFT:
        raise NoDraftAnyMore(
            _("%(call_off)s is not a draft any more, so it cannot be changed.") % {"call_off": row}
        )
    seen.demand(row, of.split())
    before, approved = redrafted.told(row), redrafted.approved_by(row)
    after = _rewrite(row, fields, lines)
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


def _rewrite(row: CallOff, fields: dict[str, Any], lines: list[dict[str, Any]]) -> CallOff:
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
    return CallOff.objects.select_related("framework", "organisation", "supplier").get(pk=row.pk)

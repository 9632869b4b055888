"""Takes in a procedure that was led elsewhere so far; who applies the file signs for it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from contracts import specifying
from contracts.evaluation_models import digest
from contracts.models import (
    DialogueNote,
    DialogueRound,
    MarketContact,
    Participant,
    Procedure,
    Question,
    Requirement,
    RequirementSpec,
    SuggestedRequirement,
)
from contracts.tenders import ENDED
from hub import audit
from hub.configuration.reader import Value
from hub.phrases import phrase
from vendors.models import Vendor

State = Procedure.State
OPENED = (State.EVALUATION, State.AWARD_NOTIFIED)


def enter(row: Procedure, value: Value, *, by: str) -> Iterator[tuple[str, str]]:
    """Make all rows as the file has them; yields what a file cannot bring."""
    state = value["state"] or State.PLANNING
    for name in ("scores", "decisions"):
        if value[name]:
            yield name, _("expected nothing: tenders and their scores come in by `manage.py "
                          "import`")  # fmt: skip
    if state in OPENED:
        text = _("expected a state without opened tenders, which no file holds: bring the "
                 "procedure by `manage.py import`, found %(found)s")  # fmt: skip
        yield "state", text % {"found": state}
        return
    _place(row, state, by=by)
    _contacts(row, value, by=by)
    _versions(row, value, by=by)
    companies = dict(_participants(row, value))
    if value["winner"]:
        yield from _won(row, companies.get(value["winner"]))
    _rounds(row, value, companies, by=by)
    _said(row, value, companies, by=by)
    if value["evaluation_frozen"]:
        yield from _frozen(row, by=by)


def _place(row: Procedure, state: str, *, by: str) -> None:
    now = timezone.now()
    fields: dict[str, Any] = {"state": state}
    if state != State.PLANNING and row.kind == Procedure.Kind.COMPETITIVE_DIALOGUE:
        fields["published_at"] = now
    if state in ENDED:
        fields["ended_at"] = now
    Procedure.objects.filter(pk=row.pk).update(**fields)
    row.refresh_from_db()
    audit.record(
        "procedure_entered", actor=by, subject=row.code, to_state=state, signed_for="set-up file"
    )


def _won(row: Procedure, winner: Participant | None) -> Iterator[tuple[str, str]]:
    """Who won a procedure that was led elsewhere took part in it."""
    if winner is None:
        yield "winner", _("expected one of the participants")
    elif row.state == State.CONCLUDED:
        Procedure.objects.filter(pk=row.pk).update(winner=winner)
        row.winner = winner


def _contacts(row: Procedure, value: Value, *, by: str) -> None:
    for one in value["market_contacts"] or []:
        MarketContact.objects.create(
            procedure=row, on=date.fromisoformat(one["on"]), with_whom=one["with_whom"],
            summary=one["summary"], by=by,
        )  # fmt: skip


def _versions(row: Procedure, value: Value, *, by: str) -> None:
    for one in value["requirements"] or []:
        spec = RequirementSpec.objects.create(
            procedure=row, stage=one["stage"], version=one["version"]
        )
        Requirement.objects.bulk_create(
            Requirement(spec=spec, **fields_of(two)) for two in one["requirements"] or []
        )
        if one["frozen"]:
            spec.frozen_at, spec.frozen_by = timezone.now(), by
            spec.sha256 = digest(specifying.plain_requirements(spec))
            spec.save()


def _participants(row: Procedure, value: Value) -> Iterator[tuple[str, Participant]]:
    for number, one in enumerate(value["participants"] or [], 1):
        vendor = Vendor.objects.get(code=one["vendor"])
        yield one["vendor"], Participant.objects.create(
            procedure=row, vendor=vendor, number=number, state=one["state"], why=one["why"] or ""
        )


def _rounds(
    row: Procedure, value: Value, companies: dict[str, Participant], *, by: str
) -> None:
    now = timezone.now()
    for one in value["rounds"] or []:
        made = DialogueRound.objects.create(
            procedure=row, number=one["number"], agenda=one["agenda"], opened_at=now,
            closed_at=now if one["closed"] else None, decision=one["decision"] or "",
        )  # fmt: skip
        for note in one["notes"] or []:
            DialogueNote.objects.create(
                round=made, participant=companies.get(note["participant"] or ""),
                kind=note["kind"], text=note["text"], at=now, by=by,
                confidential_because=note["confidential_because"] or "",
            )  # fmt: skip


def _said(row: Procedure, value: Value, companies: dict[str, Participant], *, by: str) -> None:
    now = timezone.now()
    for one in value["questions"] or []:
        Question.objects.create(
            procedure=row, participant=companies[one["participant"]], text=one["text"],
            asked_at=now, answer=one["answer"] or "", answered_at=now if one["answer"] else None,
            answered_by=by if one["answer"] else "", is_for_all=bool(one["for_all"]),
            anonymised_text=one["anonymised_text"] or "",
        )  # fmt: skip
    for one in value["suggestions"] or []:
        is_pending = one["disposition"] == SuggestedRequirement.Disposition.PENDING
        SuggestedRequirement.objects.create(
            procedure=row, participant=companies[one["participant"]], text=one["text"],
            rationale=one["rationale"] or "", suggested_at=now, disposition=one["disposition"],
            accepted_as=one["accepted_as"] or "", anonymised_text=one["anonymised_text"] or "",
            reply=one["reply"] or "", decided_by="" if is_pending else by,
        )  # fmt: skip


def _frozen(row: Procedure, *, by: str) -> Iterator[tuple[str, str]]:
    from contracts import evaluating
    from contracts.tenders import ProcedureMoveRefused

    try:
        evaluating.freeze(row, by=by)
    except ProcedureMoveRefused as refused:
        yield "evaluation_frozen", str(phrase(str(refused)))


def fields_of(value: Value) -> dict[str, Any]:
    """A requirement as the columns of its row."""
    points = {
        name: None if value[name] is None else Decimal(value[name])
        for name in ("max_points", "min_points")
    }
    lists = {"choices": value["choices"] or []}
    texts = {name: held or "" for name, held in value.items() if name not in (*points, *lists)}
    texts["needs_document"] = bool(value["needs_document"])
    return texts | points | lists

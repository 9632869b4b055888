"""Brings a procedure that is there to what a file says, by the verbs that people use as well.

What a state does not allow yet is tried once more after the move that the file asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from contracts import (
    dialogue,
    evaluating,
    participating,
    procedures,
    specifying,
    submitting,
)
from contracts.by_file.entering import OPENED, fields_of
from contracts.models import Participant, Procedure, Question, Submission, SuggestedRequirement
from contracts.tenders import ProcedureMoveRefused, refuse_move
from hub.configuration.reader import Value
from hub.models import User
from vendors.models import Vendor

Act = tuple[str, Callable[[], Any]]
Taking = Participant.State
WHY = "set-up file"


def follow(row: Procedure, before: Value, after: Value, *, by: str) -> Iterator[tuple[str, str]]:
    """Do what differs; yields what is refused, by its path."""
    yield from _plan(row, before, after)
    waiting = list(_undone(_acts(row, before, after, by=by)))
    to = after["state"]
    if to and to != before["state"]:
        if to in OPENED:
            text = _("expected an act of people at its moment, no file, to reach %(state)s")
            yield "state", text % {"state": to}
            return
        try:
            said = {name: after[name] for name in ("contract_reference", "end_reason")}
            given = {name: value for name, value in said.items() if value}
            procedures.move(row, to=to, why=WHY, by=by, **given)
        except ProcedureMoveRefused as refused:
            yield "state", str(refused)
            return
        waiting = list(_undone((path, act) for path, act, _why in waiting))
    for path, _act, why in waiting:
        yield path, why


def _undone(acts: Any) -> Iterator[tuple[str, Callable[[], Any], str]]:
    """Do each; gives those that were refused."""
    for path, act in acts:
        try:
            with transaction.atomic():
                act()
        except ProcedureMoveRefused as refused:
            yield path, act, str(refused)


def _plan(row: Procedure, before: Value, after: Value) -> Iterator[tuple[str, str]]:
    """After the notice only what it did not announce may change."""
    names = (*procedures.PLANNED, "organisation", "kind")
    changed = {
        name: getattr(row, name)
        for name in names
        if before[name] != after[name] and (after[name] is not None or name in ("framework", "lot"))
    }
    for name in ("organisation", "kind"):
        if name in changed:
            yield name, _("cannot be changed")
    if after["winner"] is not None and after["winner"] != before["winner"]:
        text = _("expected an act of people: the award is told on the page or over the API")
        yield "winner", text
    held = Procedure(state=before["state"])
    for name in ("requests_due_at", "tenders_due_at"):
        setattr(held, name, procedures.moment(before[name]))
    try:
        procedures.demand_change(held, {n: v for n, v in changed.items() if n not in names[-2:]})
    except ProcedureMoveRefused as refused:
        name, _colon, rule = str(refused).partition(": ")
        yield name, rule


def _acts(row: Procedure, before: Value, after: Value, *, by: str) -> Iterator[Act]:
    for name, find in (
        ("market_contacts", _contact), ("requirements", _version), ("participants", _participant),
        ("rounds", _round), ("questions", _question), ("suggestions", _suggestion),
        ("decisions", _decision), ("scores", _score),
    ):  # fmt: skip
        for one in after[name] or []:
            if one not in (before[name] or []):
                yield name, partial(find, row, one, by=by)
        if name == "suggestions" and after["evaluation_frozen"] and not before["evaluation_frozen"]:
            yield "evaluation_frozen", partial(evaluating.freeze, row, by=by)


def _contact(row: Procedure, one: Value, *, by: str) -> None:
    dialogue.note_market_contact(
        row, on=date.fromisoformat(one["on"]), with_whom=one["with_whom"],
        summary=one["summary"], by=by,
    )  # fmt: skip


def _version(row: Procedure, one: Value, *, by: str) -> None:
    """Write the draft, and freeze it; a frozen version only as it is."""
    wanted = [fields_of(two) for two in one["requirements"] or []]
    found = row.specs.filter(stage=one["stage"], version=one["version"]).first()
    if found is None:
        found = specifying.draft(row, stage=one["stage"], by=by)
    if found.version != one["version"]:
        raise refuse_move(
            gettext_noop("expected version %(version)s to be the next of %(stage)s"),
            version=found.version, stage=found.stage,
        )  # fmt: skip
    held = {two.code: two for two in found.requirements.all()}
    is_same = len(held) == len(wanted) and all(
        two["code"] in held
        and all(getattr(held[two["code"]], name) == value for name, value in two.items())
        for two in wanted
    )
    if not is_same:
        specifying.replace(found, wanted, by=by)
    if one["frozen"] and found.frozen_at is None:
        specifying.freeze(found, by=by)


def _participant(row: Procedure, one: Value, *, by: str) -> None:
    """Take the company in, and as far as the file has it."""
    vendor = Vendor.objects.get(code=one["vendor"])
    found = row.participants.filter(vendor=vendor).first()
    if found is None:
        found = participating.add(row, vendor=vendor, by=by)
    why = one["why"] or WHY
    if found.state == Taking.CANDIDATE and one["state"] == Taking.INVITED:
        participating.decide(found, to=Taking.QUALIFIED, why=why, by=by)
    if found.state != one["state"]:
        participating.decide(found, to=one["state"], why=why, by=by)


def _round(row: Procedure, one: Value, *, by: str) -> None:
    """Open it, add its notes, close it."""
    found = row.rounds.filter(number=one["number"]).first()
    if found is None:
        found = dialogue.open_round(row, agenda=one["agenda"], by=by)
    if (found.number, found.agenda) != (one["number"], one["agenda"]):
        text = gettext_noop("expected round %(number)s, with the agenda it began with")
        raise refuse_move(text, number=found.number)
    known = {
        (note.kind, note.participant.vendor.code if note.participant else None, note.text)
        for note in found.notes.select_related("participant__vendor")
    }
    for note in one["notes"] or []:
        if (note["kind"], note["participant"], note["text"]) not in known:
            company = _company(row, note["participant"]) if note["participant"] else None
            dialogue.add_note(
                row, participant=company, kind=note["kind"], text=note["text"], by=by,
                confidential_because=note["confidential_because"] or "",
            )  # fmt: skip
    if one["closed"] and found.closed_at is None:
        dialogue.close_round(row, number=found.number, decision=one["decision"] or WHY, by=by)


def _question(row: Procedure, one: Value, *, by: str) -> None:
    company = _company(row, one["participant"])
    found: Question = row.questions.filter(
        participant=company, text=one["text"]
    ).first() or dialogue.ask(company, text=one["text"], by=by)
    if one["answer"]:
        dialogue.answer(
            found, text=one["answer"], is_for_all=bool(one["for_all"]),
            anonymised_text=one["anonymised_text"] or "", by=by,
        )  # fmt: skip


def _suggestion(row: Procedure, one: Value, *, by: str) -> None:
    """Keep it, and what was decided on it; accepted, its requirement is in the newest version."""
    company = _company(row, one["participant"])
    found: SuggestedRequirement = row.suggestions.filter(
        participant=company, text=one["text"]
    ).first() or dialogue.suggest(
        company, text=one["text"], rationale=one["rationale"] or "", by=by
    )
    if one["disposition"] == SuggestedRequirement.Disposition.REJECTED:
        dialogue.reject_suggestion(found, reply=one["reply"] or WHY, by=by)
    elif one["disposition"] == SuggestedRequirement.Disposition.ACCEPTED:
        dialogue.note_accepted(
            found, code=one["accepted_as"] or "", reply=one["reply"] or "", by=by
        )


def _decision(row: Procedure, one: Value, *, by: str) -> None:
    tender = _tender(row, one["participant"])
    submitting.decide(tender, to=one["decision"], why=one["reason"] or "", by=by)


def _score(row: Procedure, one: Value, *, by: str) -> None:
    tender = _tender(row, one["participant"])
    asked = tender.spec.requirements.filter(code=one["requirement"] or "").first()
    if one["requirement"] and asked is None:
        text = gettext_noop("expected a requirement of the tender, found %(found)s")
        raise refuse_move(text, found=one["requirement"])
    evaluating.score(
        tender, criterion=one["criterion"], requirement=asked, points=Decimal(one["points"]),
        justification=one["justification"], is_moderated=bool(one["moderated"]),
        by=User.objects.get(username=one["evaluator"]),
    )  # fmt: skip


def _company(row: Procedure, vendor: str) -> Participant:
    found = row.participants.filter(vendor__code=vendor).first()
    if found is None:
        raise refuse_move(gettext_noop("expected a participant, found %(found)s"), found=vendor)
    return found


def _tender(row: Procedure, vendor: str) -> Submission:
    found = Submission.objects.filter(
        participant=_company(row, vendor), kind=Submission.Kind.FINAL,
        state=Submission.State.OPENED,
    ).first()  # fmt: skip
    if found is None:
        text = gettext_noop("expected a tender of %(vendor)s that was opened")
        raise refuse_move(text, vendor=vendor)
    return found

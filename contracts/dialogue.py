"""What is said in a dialogue: market contacts, rounds, notes, questions, suggestions."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from contracts import specifying
from contracts.models import (
    DialogueNote,
    DialogueRound,
    MarketContact,
    Participant,
    Procedure,
    Question,
    Requirement,
    SuggestedRequirement,
)
from contracts.tenders import Kind, State, refuse_move
from hub import audit

Disposition = SuggestedRequirement.Disposition


@transaction.atomic
def note_market_contact(
    procedure: Procedure, *, on: date, with_whom: str, summary: str, by: Any
) -> MarketContact:
    """Keep what was said with the market while planning (FOA 12-2), for all to know later."""
    _must_stand_at(procedure, State.PLANNING)
    audit.record("market_contact_noted", actor=by, subject=procedure.code, with_whom=with_whom)
    return MarketContact.objects.create(
        procedure=procedure, on=on, with_whom=with_whom, summary=summary, by=_name(by)
    )


@transaction.atomic
def open_round(procedure: Procedure, *, agenda: str, by: Any) -> DialogueRound:
    """Begin the next round; one at a time."""
    _must_stand_at(procedure, State.DIALOGUE)
    if procedure.rounds.filter(closed_at=None).exists():
        raise refuse_move(_("A round of dialogue is still open."))
    number = (procedure.rounds.aggregate(Max("number"))["number__max"] or 0) + 1
    audit.record("dialogue_round_opened", actor=by, subject=procedure.code, number=number)
    return DialogueRound.objects.create(
        procedure=procedure, number=number, agenda=agenda, opened_at=timezone.now()
    )


@transaction.atomic
def close_round(procedure: Procedure, *, number: int, decision: str, by: Any) -> DialogueRound:
    """End a round with what was decided on the solutions."""
    rows = procedure.rounds.filter(number=number, closed_at=None)
    if not rows.update(closed_at=timezone.now(), decision=decision):
        raise refuse_move(_("There is no such round that is open."))
    audit.record("dialogue_round_closed", actor=by, subject=procedure.code, number=number)
    return procedure.rounds.get(number=number)


@transaction.atomic
def add_note(
    procedure: Procedure,
    *,
    participant: Participant | None,
    kind: str,
    text: str,
    confidential_because: str,
    by: Any,
) -> DialogueNote:
    """Keep minutes or a document of the open round; without a participant it is for all."""
    found = procedure.rounds.filter(closed_at=None).first()
    if found is None:
        raise refuse_move(_("No round of dialogue is open."))
    audit.record(
        "dialogue_note_added", actor=by, subject=procedure.code, number=found.number, kind=kind,
        participant=participant.number if participant else None,
    )  # fmt: skip
    return DialogueNote.objects.create(
        round=found, participant=participant, kind=kind, text=text,
        confidential_because=confidential_because, at=timezone.now(), by=_name(by),
    )  # fmt: skip


@transaction.atomic
def ask(participant: Participant, *, text: str, by: Any) -> Question:
    """Keep a question of a participant."""
    procedure = participant.procedure
    _must_take_part(participant)
    audit.record("question_asked", actor=by, subject=procedure.code, participant=participant.number)
    return Question.objects.create(
        procedure=procedure, participant=participant, text=text, asked_at=timezone.now()
    )


@transaction.atomic
def answer(
    question: Question, *, text: str, is_for_all: bool, anonymised_text: str, by: Any
) -> Question:
    """Answer a question once; to all only in words that do not tell who asked."""
    if is_for_all and not anonymised_text.strip():
        raise refuse_move(_("anonymised_text: say the question in words that tell nobody."))
    rows = Question.objects.filter(pk=question.pk, answered_at=None)
    if not rows.update(
        answer=text, is_for_all=is_for_all, anonymised_text=anonymised_text,
        answered_at=timezone.now(), answered_by=_name(by),
    ):  # fmt: skip
        raise refuse_move(_("The question is answered already."))
    code = question.procedure.code
    audit.record(
        "question_answered", actor=by, subject=code, question=question.pk, is_for_all=is_for_all
    )
    question.refresh_from_db()
    return question


@transaction.atomic
def suggest(
    participant: Participant, *, text: str, rationale: str, by: Any
) -> SuggestedRequirement:
    """Keep a requirement that a participant suggests, while the dialogue goes on."""
    procedure = participant.procedure
    _must_stand_at(procedure, State.DIALOGUE)
    _must_take_part(participant)
    audit.record(
        "requirement_suggested", actor=by, subject=procedure.code, participant=participant.number
    )
    return SuggestedRequirement.objects.create(
        procedure=procedure, participant=participant, text=text, rationale=rationale,
        suggested_at=timezone.now(),
    )  # fmt: skip


@transaction.atomic
def accept_suggestion(
    suggestion: SuggestedRequirement, *, requirement: dict[str, Any], reply: str, by: Any
) -> Requirement:
    """Make a suggestion a requirement for all in the next version; its words tell nobody."""
    _decide(
        suggestion, Disposition.ACCEPTED, reply=reply, by=by, accepted_as=requirement["code"],
        anonymised_text=requirement["text"],
    )  # fmt: skip
    return specifying.add_requirement(
        suggestion.procedure, {**requirement, "source": "supplier_suggestion"}, by=by
    )


@transaction.atomic
def note_accepted(
    suggestion: SuggestedRequirement, *, code: str, reply: str, by: Any
) -> None:
    """Say yes to a suggestion whose requirement is in the newest version already."""
    newest = suggestion.procedure.specs.filter(stage="specification").order_by("-version").first()
    found = newest.requirements.filter(code=code).first() if newest else None
    if found is None:
        raise refuse_move(_("accepted_as: expected a requirement of the newest version."))
    _decide(
        suggestion, Disposition.ACCEPTED, reply=reply, by=by, accepted_as=code,
        anonymised_text=found.text,
    )  # fmt: skip


@transaction.atomic
def reject_suggestion(suggestion: SuggestedRequirement, *, reply: str, by: Any) -> None:
    """Say no to a suggestion, with the reason."""
    _decide(suggestion, Disposition.REJECTED, reply=reply, by=by)


def _decide(
    suggestion: SuggestedRequirement, to: str, *, reply: str, by: Any, **fields: Any
) -> None:
    rows = SuggestedRequirement.objects.filter(
        pk=suggestion.pk, disposition=Disposition.PENDING
    )
    if not rows.update(disposition=to, reply=reply, decided_by=_name(by), **fields):
        raise refuse_move(_("The suggestion is decided already."))
    code = suggestion.procedure.code
    audit.record("suggestion_decided", actor=by, subject=code, suggestion=suggestion.pk, to=to)
    suggestion.refresh_from_db()


def _must_stand_at(procedure: Procedure, state: str) -> None:
    if procedure.state != state:
        raise refuse_move(
            _('This is done at "%(state)s"; it stands at "%(now)s".'),
            state=State(state).label, now=State(procedure.state).label,
        )  # fmt: skip


def _must_take_part(participant: Participant) -> None:
    is_open = participant.procedure.state in (
        State.PUBLISHED, State.PREQUALIFICATION, State.DIALOGUE, State.FINAL_TENDER,
    )  # fmt: skip
    if participant.procedure.kind == Kind.MINI_COMPETITION:
        is_open = is_open or participant.procedure.state == State.PLANNING
    ended = (Participant.State.EXCLUDED, Participant.State.REDUCED, Participant.State.WITHDRAWN)
    if not is_open or participant.state in ended:
        raise refuse_move(_("The participant takes part no longer."))


def _name(by: Any) -> str:
    return str(getattr(by, "username", by))

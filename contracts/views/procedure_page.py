"""The page of one procedure, with a form for each thing that may be done with it now."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from contracts import (
    acting,
    competed,
    documents,
    participating,
    procedures,
    reading,
    result_notices,
    tender_access,
    tenders,
)
from contracts.forms import base
from contracts.forms import procedures as forms
from contracts.forms.documents import BuyersDocumentForm, DocumentForm
from contracts.models import Participant, Procedure, Submission, SuggestedRequirement
from contracts.submitting import asked_of, may_be_taken_back
from contracts.views.buttons import page
from contracts.zone import CONTRACT_ZONE
from hub.access import holds_role
from hub.forms import spoken
from vendors import legal
from vendors.belonging import may_keep_vendors

State = Procedure.State
THRESHOLDS = ("threshold.state", "threshold.other")
AWARDED = (State.AWARD_NOTIFIED, State.CONCLUDED)
_WAY = [one for one in State if one not in ("cancelled", "no_award")]


def show(request: HttpRequest, code: str, *, bound: base.Form | None = None) -> HttpResponse:
    """One procedure: for the buyer its way with what is missing, for a participant its own."""
    row, participant = tender_access.either(request.user, code)
    said = Shown(row, bound, user=request.user)
    context = _context(row, participant)
    context["has_standstill"] = tenders.standstill_days(row, on=said.on) > 0
    context |= said.for_participant(participant) if participant else said.for_buyer()
    context["suggestions"] = said.suggestions(tender_access.suggestions(row, participant))
    context["questions"] = said.questions(tender_access.questions(row, participant))
    if bound is not None and not said.is_bound_shown:
        context["refused"] = _sentences(bound)
    return page(request, "procedure", context, status=400 if bound else 200)


def _sentences(bound: base.Form) -> list[str]:
    """Why a form was refused that has no place on the page any more: somebody was faster."""
    found = bound.errors.get_json_data()
    return [one["message"] for errors in found.values() for one in errors]


def _context(row: Procedure, participant: Participant | None) -> dict[str, Any]:
    is_buyer = participant is None
    return {
        "procedure": row, "participant": participant, "is_buyer": is_buyer,
        "specs": row.specs.all() if is_buyer else row.specs.filter(frozen_at__isnull=False),
        "rounds": row.rounds.all(),
        "open_round": row.rounds.filter(closed_at=None).first(),
        "notes": tender_access.notes(row, participant),
        "submissions": [
            {"row": one, "may_be_taken_back": not is_buyer and may_be_taken_back(one)}
            for one in tender_access.submissions(row, participant)
        ],
        "contacts": row.market_contacts.all(),
        "documents": documents.of_procedure(row, participant),
        "sites": competed.sites_of(row) if row.kind == Procedure.Kind.MINI_COMPETITION else [],
    }  # fmt: skip


class Shown:
    """The forms of one page; ``bound`` is the one that was sent and refused."""

    def __init__(self, row: Procedure, bound: base.Form | None, *, user: Any = None) -> None:
        self.row, self.bound, self.user = row, bound, user
        self.is_bound_shown = False
        self.is_mini = row.kind == Procedure.Kind.MINI_COMPETITION
        self.on: date = timezone.localdate(timezone=CONTRACT_ZONE)

    def pick(self, form: base.Form) -> base.Form:
        """The form, or that of its key which was refused."""
        if self.bound is None or self.bound.key != form.key:
            return form
        self.is_bound_shown = True
        return self.bound

    def for_participant(self, participant: Participant) -> dict[str, Any]:
        """What one who takes part is asked for, may do, and is told of the end."""
        model = self.row.evaluation_model
        return {
            "asked": asked_of(participant),
            "has_invalid": participant.submissions.filter(state=Submission.State.INVALID).exists()
            and not participant.submissions.filter(state=Submission.State.SEALED).exists(),
            "award": self.row if self.row.winner and self.row.state in AWARDED else None,
            "criteria": model.criteria.order_by("pk")
            if model and self.row.state != State.PLANNING else [],
            "document": self.pick(DocumentForm(key="document")),
            "ask": self.pick(forms.QuestionForm(key="ask")),
            "suggest": self.pick(forms.SuggestionForm(key="suggest"))
            if self.row.state == State.DIALOGUE else None,
        }  # fmt: skip

    def for_buyer(self) -> dict[str, Any]:
        """What one who buys sees besides, and may do."""
        row, state = self.row, self.row.state
        joining = participating.JOINING.get(Procedure.Kind(row.kind), ())
        return {
            "way": [(one, one == state) for one in _WAY if one in tenders.MOVES[row.kind]],
            "moves": row.moves.all(),
            "following": [self._following(to, missing) for to, missing in tenders.next_states(row)],
            "participants": [self._participant(one) for one in row.participants.all()],
            "protocol": row.protocols.last(),
            "owed": result_notices.duty(row, on=self.on),
            "thresholds": [(one, legal.limit(one, on=self.on)) for one in THRESHOLDS],
            "contact": self.pick(forms.MarketContactForm(key="contact"))
            if state == State.PLANNING else None,
            "add": self.pick(forms.ParticipantForm(procedure=row, key="participant"))
            if state in joining else None,
            "round": self.pick(forms.RoundForm(key="round")) if state == State.DIALOGUE else None,
            **self._of_round(),
            "stage": self.pick(forms.StageForm(key="stage"))
            if state not in tenders.ENDED else None,
            "document": self.pick(BuyersDocumentForm(key="document")),
            "result": None if row.result_notice
            else self.pick(forms.ResultNoticeForm(key="result")),
            "may_invite": may_keep_vendors(self.user),
            "is_ended": state in tenders.ENDED,
            "may_plan": bool(procedures.changeable(row)),
            "call_offs": reading.following_from(row, self.user) if self.is_mini else [],
            "may_agree": not self.is_mini and state == State.CONCLUDED
            and holds_role(self.user, roles=acting.OFFICER),
            "may_call_off": self.is_mini and state == State.CONCLUDED
            and row.framework is not None and holds_role(self.user, roles=acting.OFFICER),
        }  # fmt: skip

    def _of_round(self) -> dict[str, Any]:
        """What is done in a round, while one is open."""
        if not self.row.rounds.filter(closed_at=None).exists():
            return {}
        return {
            "close": self.pick(forms.CloseRoundForm(key="close")),
            "note": self.pick(forms.NoteForm(procedure=self.row, key="note")),
        }

    def suggestions(self, rows: Any) -> list[dict[str, Any]]:
        """Each suggestion, with a form to reject the pending ones."""
        pending = SuggestedRequirement.Disposition.PENDING
        return [
            {
                "row": one, "is_pending": one.disposition == pending,
                "reject": self.pick(forms.RejectForm(key=f"reject-{one.pk}"))
                if one.disposition == pending else None,
            }
            for one in rows
        ]  # fmt: skip

    def questions(self, rows: Any) -> list[dict[str, Any]]:
        """Each question, with a form to answer it."""
        return [
            {
                "row": one,
                "form": None if one.answered_at
                else self.pick(forms.AnswerForm(key=f"answer-{one.pk}")),
            }
            for one in rows
        ]  # fmt: skip

    def move_form(self, to: str, data: Any = None) -> forms.MoveForm:
        """The form of a move."""
        return forms.MoveForm(
            data, to=to, key=f"move-{to}", participants=self.row.participants.all(),
            reasons=legal.words("non-award-justification", on=self.on),
        )  # fmt: skip

    def judge_form(self, one: Participant, data: Any = None) -> forms.JudgeForm:
        """The form by which a participant is taken further, or not."""
        known = participating.DECISIONS[one.state]  # what is sent is refused with the reason
        states = participating.decisions_now(one) if data is None else sorted(known)
        return forms.JudgeForm(data, states=states, key=f"judge-{one.number}")

    def _following(self, to: str, missing: list[Any]) -> dict[str, Any]:
        form = self.pick(self.move_form(to))
        told = [one for one in map(str, missing) if one.partition(": ")[0] not in form.fields]
        return {
            "state": to, "label": State(to).label, "form": form,
            "missing": [spoken(one, forms.PlanForm) for one in told],
        }  # fmt: skip

    def _participant(self, one: Participant) -> dict[str, Any]:
        may = bool(participating.decisions_now(one)) and self.row.state not in tenders.ENDED
        return {
            "row": one,
            "people": participating.people_of(one),
            "form": self.pick(self.judge_form(one)) if may else None,
        }


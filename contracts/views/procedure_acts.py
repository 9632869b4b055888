"""What is done from the page of a procedure: one form, one verb; a refusal stands at its field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from contracts import (
    dialogue,
    participating,
    procedures,
    result_notices,
    specifying,
    submitting,
    tender_access,
)
from contracts.forms import base
from contracts.forms import procedures as forms
from contracts.models import Participant, Procedure
from contracts.submitting import ContentRefused
from contracts.tenders import ProcedureMoveRefused
from contracts.views.procedure_page import Shown, show
from hub.forms import spoken
from hub.pages import way_back

# (what the form is made from, its row) -> form; (row, form, who) -> what to say when it is done
Make = Callable[..., base.Form]
Verb = Callable[..., str]


def _pressed(
    request: HttpRequest, code: str, form: base.Form, act: Callable[[], str]
) -> HttpResponse:
    if form.is_valid():
        try:
            done = act()
        except (ProcedureMoveRefused, ContentRefused) as refused:
            told = base.told(refused)
            form.refuse(
                one if str(one).partition(": ")[0] in form.fields
                else spoken(str(one), forms.PlanForm)
                for one in told
            )
        else:
            messages.success(request, done)
            if "next" in request.POST:
                return redirect(way_back(request, otherwise="procedures"))
            return redirect("procedure", code)
    return show(request, code, bound=form)


def _form_of(
    find: Callable[[Any, str], Any],
) -> Callable[[Make], Callable[[Verb], Callable[..., HttpResponse]]]:
    """A form about the row that ``find`` gives somebody for a code; who gets none finds nothing."""

    def of(make: Make) -> Callable[[Verb], Callable[..., HttpResponse]]:
        def decorate(verb: Verb) -> Callable[..., HttpResponse]:
            @login_required
            @require_POST
            def press(request: HttpRequest, code: str, **where: Any) -> HttpResponse:
                row = find(request.user, code)
                form = make(request.POST, row, **where)
                return _pressed(
                    request, code, form, lambda: verb(row, form, by=request.user, **where)
                )

            return press

        return decorate

    return of


of_buyer = _form_of(tender_access.procedure_for_buyer)
of_participant = _form_of(tender_access.participant_of)


# -- the buyer ---------------------------------------------------------------------------------
@of_buyer(lambda sent, row: Shown(row, None).move_form(sent.get("to", "")[:20], sent))
def move(row: Procedure, form: Any, *, by: Any) -> str:
    """Move a procedure on."""
    said = form.said()
    if said["to"] not in Procedure.State.values:
        raise Http404
    moved = procedures.move(row, by=by, **said)
    return _("It stands at %(state)s now.") % {"state": Procedure.State(moved.state).label}


@of_buyer(lambda sent, row: forms.MarketContactForm(sent, key="contact"))
def note_contact(row: Procedure, form: Any, *, by: Any) -> str:
    """Keep what was said with the market."""
    dialogue.note_market_contact(row, by=by, **form.cleaned_data)
    return _("Noted.")


@of_buyer(lambda sent, row: forms.ParticipantForm(sent, procedure=row, key="participant"))
def add_participant(row: Procedure, form: Any, *, by: Any) -> str:
    """Take a company in."""
    made = participating.add(row, vendor=form.cleaned_data["vendor"], by=by)
    return _("It is participant %(number)s.") % {"number": made.number}


@of_buyer(lambda sent, row, number: Shown(row, None).judge_form(_participant(row, number), sent))
def judge(row: Procedure, form: Any, *, by: Any, number: int) -> str:
    """Qualify, invite, exclude, or take a participant no further."""
    participating.decide(_participant(row, number), by=by, **form.cleaned_data)
    return _("Noted.")


@of_buyer(lambda sent, row: forms.RoundForm(sent, key="round"))
def open_round(row: Procedure, form: Any, *, by: Any) -> str:
    """Begin a round."""
    made = dialogue.open_round(row, by=by, **form.cleaned_data)
    return _("Round %(number)s is open.") % {"number": made.number}


@of_buyer(lambda sent, row, number: forms.CloseRoundForm(sent, key="close"))
def close_round(row: Procedure, form: Any, *, by: Any, number: int) -> str:
    """End a round."""
    dialogue.close_round(row, number=min(number, 32_767), by=by, **form.cleaned_data)
    return _("The round is closed.")


@of_buyer(lambda sent, row: forms.NoteForm(sent, procedure=row, key="note"))
def add_note(row: Procedure, form: Any, *, by: Any) -> str:
    """Keep minutes or a document."""
    said = dict(form.cleaned_data)
    number = said.pop("participant")
    participant = _participant(row, int(number)) if number else None
    dialogue.add_note(row, participant=participant, by=by, **said)
    return _("Noted.")


@of_buyer(lambda sent, row, pk: forms.AnswerForm(sent, key=f"answer-{pk}"))
def answer(row: Procedure, form: Any, *, by: Any, pk: int) -> str:
    """Answer a question."""
    said = dict(form.cleaned_data)
    dialogue.answer(_below(row.questions, pk), text=said.pop("answer"), by=by, **said)
    return _("Answered.")


@of_buyer(lambda sent, row, pk: forms.RejectForm(sent, key=f"reject-{pk}"))
def reject_suggestion(row: Procedure, form: Any, *, by: Any, pk: int) -> str:
    """Say no to a suggestion."""
    dialogue.reject_suggestion(_below(row.suggestions, pk), by=by, **form.cleaned_data)
    return _("Rejected.")


@of_buyer(lambda sent, row: forms.StageForm(sent, key="stage"))
def draft_requirements(row: Procedure, form: Any, *, by: Any) -> str:
    """Make a draft of requirements, a copy of the newest version."""
    made = specifying.draft(row, by=by, **form.cleaned_data)
    return _("Version %(version)s can be edited.") % {"version": made.version}


@of_buyer(lambda sent, row: forms.ResultNoticeForm(sent, key="result"))
def announce_result(row: Procedure, form: Any, *, by: Any) -> str:
    """Keep that the result was announced."""
    said = form.cleaned_data
    result_notices.announce(
        row, reference=said["result_notice"], on=said["result_notice_on"],
        value=said["result_value"], by=by,
    )  # fmt: skip
    return _("Noted.")


# -- who takes part ----------------------------------------------------------------------------
@of_participant(lambda sent, participant: forms.QuestionForm(sent, key="ask"))
def ask(participant: Participant, form: Any, *, by: Any) -> str:
    """Ask a question."""
    dialogue.ask(participant, by=by, **form.cleaned_data)
    return _("Your question was sent.")


@of_participant(lambda sent, participant: forms.SuggestionForm(sent, key="suggest"))
def suggest(participant: Participant, form: Any, *, by: Any) -> str:
    """Suggest a requirement."""
    dialogue.suggest(participant, by=by, **form.cleaned_data)
    return _("Your suggestion was sent.")


@of_participant(lambda sent, participant, pk: base.Form(sent, key="withdraw"))
def withdraw(participant: Participant, form: Any, *, by: Any, pk: int) -> str:
    """Take back what was handed in."""
    submitting.withdraw(_below(participant.submissions, pk), by=by)
    return _("It was taken back.")


def _participant(row: Procedure, number: int) -> Participant:
    found: Participant = _found(row.participants.filter(number=min(number, 32_767)))
    return found


def _below(rows: Any, pk: int) -> Any:
    return _found(rows.filter(pk=pk))


def _found(rows: Any) -> Any:
    found = rows.first()
    if found is None:
        raise Http404
    return found

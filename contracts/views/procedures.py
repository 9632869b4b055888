"""The pages of procedures: their course, requirements with what changed, and the evaluation."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from contracts import (
    dialogue,
    evaluating,
    offers,
    procedures,
    protocols,
    specifying,
    submitting,
    tender_access,
    tenders,
)
from contracts.api.evaluations import ScoreSerializer, told
from contracts.api.procedures import AskedMoveSerializer
from contracts.api.submissions import NewSubmissionSerializer, plain
from contracts.models import Procedure, RequirementSpec, Score, Submission
from contracts.views.buttons import button, given, page

_WAY = [one for one in Procedure.State if one not in ("cancelled", "no_award")]


@login_required
@require_GET
def procedures_page(request: HttpRequest) -> HttpResponse:
    """The procedures in which the person buys or takes part."""
    rows = tender_access.procedures(request.user).order_by("-pk")
    return page(request, "procedures", {"procedures": rows})


@login_required
@require_GET
def procedure(request: HttpRequest, code: str) -> HttpResponse:
    """One procedure: for the buyer its way with what is missing, for a participant its own."""
    row, participant = tender_access.either(request.user, code)
    is_buyer = participant is None
    context: dict[str, Any] = {
        "procedure": row, "participant": participant, "is_buyer": is_buyer,
        "specs": row.specs.all() if is_buyer else row.specs.filter(frozen_at__isnull=False),
        "rounds": row.rounds.all(),
        "notes": tender_access.notes(row, participant),
        "questions": tender_access.questions(row, participant),
        "suggestions": tender_access.suggestions(row, participant),
        "submissions": tender_access.submissions(row, participant),
        "contacts": row.market_contacts.all(),
    }  # fmt: skip
    if is_buyer:
        context |= {
            "way": [(one, one == row.state) for one in _way_of(row)],
            "moves": row.moves.all(),
            "following": [
                (state, Procedure.State(state).label, missing)
                for state, missing in tenders.next_states(row)
            ],
            "participants": row.participants.select_related("vendor"),
            "protocol": row.protocols.last(),
        }
    return page(request, "procedure", context)


@button
def move(request: HttpRequest, code: str) -> str:
    """Move a procedure on."""
    row = tender_access.procedure_for_buyer(request.user, code)
    said = {name: value for name, value in request.POST.items() if value}
    asked = AskedMoveSerializer(data=said)
    asked.is_valid(raise_exception=True)
    moved = procedures.move(row, by=request.user, **asked.validated_data)
    return _("It stands at %(state)s now.") % {"state": Procedure.State(moved.state).label}


@button
def ask(request: HttpRequest, code: str) -> str:
    """Ask a question on behalf of a participant."""
    participant = tender_access.participant_of(request.user, code)
    dialogue.ask(participant, text=given(request, "text"), by=request.user)
    return _("Your question was sent.")


@button
def answer(request: HttpRequest, code: str, pk: int) -> str:
    """Answer a question."""
    row = tender_access.procedure_for_buyer(request.user, code)
    found = row.questions.filter(pk=pk).first()
    if found is None:
        raise Http404
    dialogue.answer(
        found, text=given(request, "answer"), is_for_all="is_for_all" in request.POST,
        anonymised_text=request.POST.get("anonymised_text", ""), by=request.user,
    )  # fmt: skip
    return _("Answered.")


@login_required
@require_GET
def specification(request: HttpRequest, code: str, stage: str, version: int) -> HttpResponse:
    """One version of requirements, what changed in it, and a form for who may answer."""
    row, participant = tender_access.either(request.user, code)
    found = _spec(row, stage, version, is_buyer=participant is None)
    since = row.specs.filter(stage=stage, version=version - 1).first()
    context = {
        "procedure": row, "participant": participant, "spec": found, "since": since,
        "differences": specifying.differences(found, since=since) if since else [],
        "requirements": found.requirements.all(),
        "kind": _kind_to_hand_in(row, found) if participant else "",
        "items": sorted(
            one["item"]
            for one in (row.evaluation_model.scenario if row.evaluation_model else [])
        ),
    }  # fmt: skip
    return page(request, "specification", context)


@button
def freeze_specification(request: HttpRequest, code: str, stage: str, version: int) -> str:
    """Fix a version of requirements."""
    row = tender_access.procedure_for_buyer(request.user, code)
    specifying.freeze(_spec(row, stage, version, is_buyer=True), by=request.user)
    return _("Frozen.")


@button
def submit(request: HttpRequest, code: str, stage: str, version: int) -> str:
    """Hand in the answers of the form."""
    participant = tender_access.participant_of(request.user, code)
    found = _spec(participant.procedure, stage, version, is_buyer=False)
    kind = _kind_to_hand_in(participant.procedure, found)
    asked = NewSubmissionSerializer(data=offers.from_form(found, request.POST) | {"kind": kind})
    asked.is_valid(raise_exception=True)
    said = plain(asked.validated_data)
    made = submitting.submit(participant, kind=said.pop("kind"), content=said, by=request.user)
    return _("Received. The receipt is %(sha256)s.") % {"sha256": made.sha256}


@login_required
@require_GET
def evaluation(request: HttpRequest, code: str) -> HttpResponse:
    """How tenders are compared and how they stand; for the buyer alone."""
    row = tender_access.procedure_for_buyer(request.user, code)
    names = {str(one.number): one.vendor.name for one in row.participants.select_related("vendor")}
    opened = Submission.objects.filter(participant__procedure=row, state="opened")
    context = {
        "procedure": row, "evaluation": told(row), "model": row.evaluation_model, "names": names,
        "scores": Score.objects.filter(submission__participant__procedure=row).select_related(
            "evaluator", "requirement", "submission__participant"
        ),
        "tenders": [
            {"tender": one, "unmet": submitting.unmet(one)}
            for one in opened.select_related("participant__vendor", "spec")
        ],
    }  # fmt: skip
    return page(request, "evaluation", context)


@button
def freeze_evaluation(request: HttpRequest, code: str) -> str:
    """Fix the evaluation model."""
    frozen = evaluating.freeze(
        tender_access.procedure_for_buyer(request.user, code), by=request.user
    )
    return _("Frozen with the digest %(sha256)s.") % {"sha256": frozen.sha256}


@button
def score(request: HttpRequest, code: str) -> str:
    """Give points with their justification."""
    row = tender_access.procedure_for_buyer(request.user, code)
    said = {name: value for name, value in request.POST.items() if value}
    asked = ScoreSerializer(data=said | {"is_moderated": "is_moderated" in request.POST})
    asked.is_valid(raise_exception=True)
    wanted = asked.validated_data
    opened = tender_access.submissions(row, None).filter(opened_at__isnull=False)
    submission = opened.filter(pk=wanted["submission_id"]).first()
    if submission is None:
        raise Http404
    name = (wanted.get("requirement") or {}).get("code")
    assert not request.user.is_anonymous
    evaluating.score(
        submission, criterion=wanted["criterion"],
        requirement=submission.spec.requirements.filter(code=name).first() if name else None,
        points=wanted["points"], justification=wanted["justification"],
        is_moderated=wanted["is_moderated"], by=request.user,
    )  # fmt: skip
    return _("Noted.")


@button
def decide_tender(request: HttpRequest, code: str, pk: int) -> str:
    """Admit or reject a tender."""
    row = tender_access.procedure_for_buyer(request.user, code)
    found = tender_access.submissions(row, None).filter(pk=pk).first()
    if found is None:
        raise Http404
    to = "admitted" if request.POST.get("decision") == "admitted" else "rejected"
    submitting.decide(found, to=to, why=request.POST.get("why", ""), by=request.user)
    return _("Noted.")


@button
def write_protocol(request: HttpRequest, code: str) -> str:
    """Write the protocol as it is now."""
    protocols.write(tender_access.procedure_for_buyer(request.user, code), by=request.user)
    return _("The protocol was written.")


@login_required
@require_GET
def protocol(request: HttpRequest, code: str) -> HttpResponse:
    """The newest protocol, as it was written: a page to print or keep."""
    found = tender_access.procedure_for_buyer(request.user, code).protocols.last()
    if found is None:
        raise Http404
    return HttpResponse(found.document)


def _way_of(row: Procedure) -> list[Procedure.State]:
    return [one for one in _WAY if one in tenders.MOVES[row.kind]]


def _spec(row: Procedure, stage: str, version: int, *, is_buyer: bool) -> RequirementSpec:
    rows = row.specs.filter(stage=stage, version=min(version, 32_767))
    found = (rows if is_buyer else rows.filter(frozen_at__isnull=False)).first()
    if found is None:
        raise Http404
    return found


def _kind_to_hand_in(row: Procedure, spec: RequirementSpec) -> str:
    """What may be handed in to this version now, or nothing."""
    newest = specifying.newest_frozen(row, spec.stage)
    state = Procedure.State
    kinds: dict[tuple[str, str], str] = {
        (RequirementSpec.Stage.ESPD, state.PUBLISHED): "request",
        (RequirementSpec.Stage.SPECIFICATION, state.DIALOGUE): "dialogue",
        (RequirementSpec.Stage.SPECIFICATION, state.FINAL_TENDER): "final",
    }
    return kinds.get((spec.stage, row.state), "") if newest == spec else ""

"""The pages of procedures: their course, requirements with what changed, and the evaluation."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST
from rest_framework.exceptions import ValidationError

from contracts import (
    competed,
    documents,
    evaluating,
    offers,
    protocols,
    result_notices,
    specifying,
    submitting,
    tender_access,
)
from contracts.api.evaluations import ScoreSerializer
from contracts.api.submissions import NewSubmissionSerializer, plain
from contracts.forms.base import told
from contracts.models import (
    Document,
    Participant,
    Procedure,
    RequirementResponse,
    RequirementSpec,
    Submission,
)
from contracts.submitting import ContentRefused
from contracts.tenders import ProcedureMoveRefused
from contracts.views import evaluation_page
from contracts.views.buttons import REFUSED, button, lines, page, sentences
from contracts.views.procedure_page import show
from contracts.zone import CONTRACT_ZONE
from hub import csp
from hub.typed_numbers import plain_number
from marketplace.models import Algorithm
from vendors.belonging import own_vendor

PAGE_SIZE = 50



@login_required
@require_GET
def procedures_page(request: HttpRequest) -> HttpResponse:
    """The procedures in which the person buys or takes part."""
    found = Paginator(tender_access.procedures(request.user).order_by("-pk"), PAGE_SIZE)
    shown = found.get_page(request.GET.get("page"))
    today = timezone.localdate(timezone=CONTRACT_ZONE)
    is_buyer = own_vendor(request.user) is None
    context = {
        "page": shown, "is_buyer": is_buyer,
        "procedures": [
            (one, result_notices.duty(one, on=today) if is_buyer else None) for one in shown
        ],
    }  # fmt: skip
    return page(request, "procedures", context)


@login_required
@require_GET
def procedure(request: HttpRequest, code: str) -> HttpResponse:
    """One procedure: for the buyer its way with what is missing, for a participant its own."""
    return show(request, code)


@login_required
@require_GET
def specification(request: HttpRequest, code: str, stage: str, version: int) -> HttpResponse:
    """One version of requirements, what changed in it, and a form for who may answer."""
    row, participant = tender_access.either(request.user, code)
    return _shown(request, code, _spec(row, stage, version, is_buyer=participant is None))


def _shown(
    request: HttpRequest, code: str, found: RequirementSpec, *,
    refused: list[tuple[str, str]] | None = None,
) -> HttpResponse:
    row, participant = tender_access.either(request.user, code)
    asked = submitting.asked_of(participant) if participant else None
    is_asked = asked is not None and asked.spec == found
    since = row.specs.filter(stage=found.stage, version=found.version - 1).first()
    context = {
        "procedure": row, "participant": participant, "spec": found, "since": since,
        "differences": specifying.differences(found, since=since) if since else [],
        "requirements": [
            {
                "row": one, "said": offers.typed(one.code, request.POST),
                "wrong": [text for about, text in refused or () if about == one.code],
            }
            for one in found.requirements.all()
        ],
        "freezing_voids": participant is None and found.frozen_at is None
        and row.state == Procedure.State.FINAL_TENDER,
        "may_write": participant is None and found.frozen_at is None,
        "kind": asked.kind if asked and is_asked and not asked.why_not else "",
        "why_not": asked.why_not if asked and is_asked else "",
        "own_documents": [(str(one.pk), one.name) for one in _own_documents(participant)],
        "criteria": _criteria_of(row),
        "offerable": _offerable(row, participant),
        "items": _items(row, request.POST),
        "fixed": {per: request.POST.get(f"fixed-{per}", "") for per in ("once", "year")},
        "refused": [text for _about, text in refused or ()],
        "comment_kinds": RequirementResponse.Comment.choices,
    }  # fmt: skip
    return page(request, "specification", context, status=400 if refused else 200)


@button
def freeze_specification(request: HttpRequest, code: str, stage: str, version: int) -> str:
    """Fix a version of requirements."""
    row = tender_access.procedure_for_buyer(request.user, code)
    specifying.freeze(_spec(row, stage, version, is_buyer=True), by=request.user)
    return _("Frozen.")


@login_required
@require_POST
def submit(request: HttpRequest, code: str, stage: str, version: int) -> HttpResponse:
    """Hand in the answers of the form; what is refused stands there again, with the reasons."""
    participant = tender_access.participant_of(request.user, code)
    found = _spec(participant.procedure, stage, version, is_buyer=False)
    said_now = submitting.asked_of(participant)
    kind = said_now.kind if said_now and said_now.spec == found else ""
    sent = offers.from_form(found, request.POST, documents=_own_documents(participant))
    try:
        asked = NewSubmissionSerializer(data=sent | {"kind": kind})
        asked.is_valid(raise_exception=True)
        said = plain(asked.validated_data)
        made = submitting.submit(participant, kind=said.pop("kind"), content=said, by=request.user)
    except (ValidationError, ProcedureMoveRefused, ContentRefused) as refused:
        reasons = lines(refused.detail) if isinstance(refused, ValidationError) else told(refused)
        return _shown(request, code, found, refused=offers.refusals(map(str, reasons), sent))
    messages.success(
        request, _("Received. The receipt is %(sha256)s.") % {"sha256": made.sha256}
    )
    return redirect("submission", code, made.pk)


@login_required
@require_GET
def submission(request: HttpRequest, code: str, pk: int) -> HttpResponse:
    """What was handed in: answers with comments, and prices; of a sealed one the receipt."""
    row, participant = tender_access.either(request.user, code)
    found = tender_access.submissions(row, participant).filter(pk=pk).first()
    if found is None:
        raise Http404
    context = {
        "procedure": row, "submission": found, "is_buyer": participant is None,
        "responses": found.responses.select_related("requirement"),
        "kept": {one.sha256: one.pk for one in _own_documents(found.participant)},
        "prices": (found.offer or {}).get("lines", []),
        "algorithms": dict(Algorithm.objects.values_list("code", "name")),
        "unanswered": _unanswered(found),
    }  # fmt: skip
    return page(request, "submission", context)


@login_required
@require_GET
def evaluation(request: HttpRequest, code: str) -> HttpResponse:
    """How tenders are compared and how they stand; for the buyer alone."""
    return evaluation_page.show(request, code)


@button
def freeze_evaluation(request: HttpRequest, code: str) -> str:
    """Fix the evaluation model."""
    frozen = evaluating.freeze(
        tender_access.procedure_for_buyer(request.user, code), by=request.user
    )
    return _("Frozen with the digest %(sha256)s.") % {"sha256": frozen.sha256}


@login_required
@require_POST
def score(request: HttpRequest, code: str) -> HttpResponse:
    """Give points with their justification; what is refused stands in the form again."""
    try:
        _score(request, code)
    except REFUSED as refused:
        return evaluation_page.show(request, code, refused=sentences(refused))
    messages.success(request, _("Noted."))
    return redirect("evaluation", code)


def _score(request: HttpRequest, code: str) -> None:
    row = tender_access.procedure_for_buyer(request.user, code)
    said = {
        name: str(value) for name, value in request.POST.items() if value and name != "next"
    }
    if "of" in said:
        said["criterion"], _colon, said["requirement"] = said.pop("of").partition(":")
        said = {name: value for name, value in said.items() if value}
    if "points" in said:
        said["points"] = plain_number(said["points"])
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


@button
def decide_tender(request: HttpRequest, code: str, pk: int) -> str:
    """Admit or reject a tender."""
    row = tender_access.procedure_for_buyer(request.user, code)
    found = tender_access.submissions(row, None).filter(pk=pk).first()
    if found is None:
        raise Http404
    to = "admitted" if request.POST.get("decision") == "admitted" else "rejected"
    submitting.decide(
        found, to=to, why=request.POST.get("why", ""), by=request.user,
        seen=request.POST.get("seen"),
    )  # fmt: skip
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
    found = tender_access.protocol_for(request.user, code)
    if found is None:
        raise Http404
    # it brings its own style, as it must look alike in an archive; nothing in it runs
    policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
    return HttpResponse(found.document, headers={csp.HEADER: policy})


def _offerable(row: Procedure, participant: Participant | None) -> list[Algorithm]:
    """In a mini-competition the algorithms that the participant may meet an item with."""
    is_mini = row.kind == Procedure.Kind.MINI_COMPETITION
    if participant is None or not is_mini or row.framework is None:
        return []
    return list(competed.offerable(row.framework, participant.vendor_id))


def _spec(row: Procedure, stage: str, version: int, *, is_buyer: bool) -> RequirementSpec:
    rows = row.specs.filter(stage=stage, version=min(version, 32_767))
    found = (rows if is_buyer else rows.filter(frozen_at__isnull=False)).first()
    if found is None:
        raise Http404
    return found


def _unanswered(found: Submission) -> list[str]:
    """Codes of the requirements that an answer leaves out; of a sealed one nothing is said."""
    if found.state == Submission.State.SEALED:
        return []
    asked = found.spec.requirements.exclude(kind="info")
    given = found.responses.values("requirement")
    return list(asked.exclude(pk__in=given).order_by("code").values_list("code", flat=True))


def _items(row: Procedure, form: Any) -> list[dict[str, Any]]:
    """What is priced, with the volumes that tenders are compared on, and what was typed for it."""
    volumes: dict[str, list[Any]] = {}
    for one in row.evaluation_model.scenario if row.evaluation_model else ():
        volumes.setdefault(one["item"], []).append(
            one | {"start": date.fromisoformat(one["start"])}
        )
    return [
        {
            "name": name, "said": form.get(f"price-{name}", ""), "volumes": volumes[name],
            "met_with": form.get(f"algorithm-{name}", name),
        }
        for name in sorted(volumes)
    ]


def _own_documents(participant: Participant | None) -> list[Document]:
    """What the participant keeps in the procedure, to stand behind its answers."""
    if participant is None:
        return []
    found = documents.of_procedure(participant.procedure, participant)
    return [one for one in found if one.participant_id == participant.pk]


def _criteria_of(row: Procedure) -> dict[str, str]:
    """The award criteria by their codes."""
    model = row.evaluation_model
    return dict(model.criteria.values_list("code", "name")) if model else {}

"""The pages on which requirements are written: one at a time, and suggestions that are taken up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST
from rest_framework.exceptions import ValidationError

from contracts import dialogue, specifying, tender_access
from contracts.api.specifications import RequirementSerializer
from contracts.forms import base
from contracts.forms import procedures as forms
from contracts.models import Procedure, Requirement, RequirementSpec, SuggestedRequirement
from contracts.specification import FIELDS
from contracts.tenders import ProcedureMoveRefused
from hub import conditional
from hub.conditional import NotAsSeen

METHODS = ("GET", "HEAD", "POST")


@login_required
@require_http_methods(METHODS)
def write(
    request: HttpRequest, code: str, stage: str, version: int, pk: int | None = None
) -> HttpResponse:
    """Add a requirement to a draft, or change the one of the code."""
    row, spec = _draft(request, code, stage, version)
    held = spec.requirements.filter(pk=pk).first() if pk else None
    if pk and held is None and request.method != "POST":
        raise Http404
    requirement = held.code if held else ""
    shown: dict[str, Any] = {name: getattr(held, name) for name in FIELDS} if held else {}
    shown["choices"] = "\n".join(shown.get("choices", ()))
    shown["revision"] = conditional.revision(lambda: _told(spec, pk)) if pk else ""
    form = forms.RequirementForm(_sent(request), procedure=row, key="requirement", initial=shown)
    form.fields["revision"] = base.revision()
    if form.is_bound and form.is_valid() and _written(spec, form, request.user, requirement, pk):
        messages.success(request, _("The requirement is written."))
        return redirect("specification", code, stage, version)
    heading = requirement or _("New requirement")
    return _page(
        request, form, heading=heading, back=reverse("specification", args=[code, stage, version]),
        back_label=f"{spec.get_stage_display()} {version}",
    )  # fmt: skip


@login_required
@require_POST
def remove(
    request: HttpRequest, code: str, stage: str, version: int, pk: int
) -> HttpResponse:
    """Take a requirement out of a draft."""
    _row, spec = _draft(request, code, stage, version)
    try:
        specifying.remove_requirement(spec, _requirement(spec, pk).code, by=request.user)
    except ProcedureMoveRefused as refused:
        messages.error(request, str(refused))
    return redirect("specification", code, stage, version)


@login_required
@require_http_methods(METHODS)
def accept(request: HttpRequest, code: str, pk: int) -> HttpResponse:
    """Make a suggestion a requirement for all, in words that tell nobody whose it was."""
    row = tender_access.procedure_for_buyer(request.user, code)
    suggestion = row.suggestions.filter(pk=pk).first()
    if suggestion is None:
        raise Http404
    shown = {"text": suggestion.text, "group": "functional", "kind": "should"}
    form = forms.AcceptForm(_sent(request), procedure=row, key="accept", initial=shown)
    if form.is_bound and form.is_valid() and _accepted(suggestion, form, request.user):
        messages.success(request, _("It is a requirement of the next version, for all."))
        return redirect("procedure", code)
    return _page(
        request, form, heading=_("Take up a suggestion"), back=reverse("procedure", args=[code]),
        back_label=row.title,
        intro=_("All participants read these words: nothing in them may tell whose they were."),
    )  # fmt: skip


def _written(
    spec: RequirementSpec, form: Any, by: Any, replaced: str, pk: int | None
) -> bool:
    """Write it, unless somebody changed or removed it since it was shown."""
    said = dict(form.cleaned_data)
    of = said.pop("revision") or "*"

    def write() -> None:
        with conditional.as_seen(
            spec, lambda: _told(spec, pk), of=of, called=spec.procedure.code
        ):
            specifying.write_requirement(spec, _judged(said), replaced=replaced, by=by)

    return _is_done(form, write)


def _told(spec: RequirementSpec, pk: int | None) -> Any:
    """A requirement as it stands now; None where it was removed."""
    held = spec.requirements.filter(pk=pk or 0).first()
    return RequirementSerializer(held).data if held else None


def _accepted(suggestion: SuggestedRequirement, form: Any, by: Any) -> bool:
    said = dict(form.cleaned_data)
    reply = said.pop("reply")
    return _is_done(form, lambda: dialogue.accept_suggestion(
        suggestion, requirement=_judged(said), reply=reply, by=by
    ))  # fmt: skip


def _is_done(form: Any, verb: Callable[[], object]) -> bool:
    """Do it; a refusal is put beside the field it is about."""
    try:
        verb()
    except ProcedureMoveRefused as refused:
        form.refuse(base.told(refused))
        return False
    except NotAsSeen as refused:
        form.refuse([str(refused.detail)])
        return False
    except ValidationError as refused:
        _put(form, refused)
        return False
    return True


def _judged(said: dict[str, Any]) -> dict[str, Any]:
    """What the API would take; raises ValidationError."""
    asked = RequirementSerializer(data={**said})
    asked.is_valid(raise_exception=True)
    return dict(asked.validated_data)


def _put(form: base.Form, refused: ValidationError) -> None:
    detail: Any = refused.detail
    form.refuse(f"{name}: {one}" for name, rules in detail.items() for one in rules)


def _draft(
    request: HttpRequest, code: str, stage: str, version: int
) -> tuple[Procedure, RequirementSpec]:
    row = tender_access.procedure_for_buyer(request.user, code)
    rows = row.specs.filter(stage=stage, version=min(version, 32_767), frozen_at=None)
    spec = rows.first()
    if spec is None:
        raise Http404
    return row, spec


def _requirement(spec: RequirementSpec, pk: int) -> Requirement:
    found = spec.requirements.filter(pk=pk).first()
    if found is None:
        raise Http404
    return found


def _sent(request: HttpRequest) -> Any:
    return request.POST if request.method == "POST" else None


def _page(request: HttpRequest, form: base.Form, **said: Any) -> HttpResponse:
    context = {"form": form, "submit": _("Save"), **said}
    return render(request, "hub/form.html", context, status=400 if form.is_bound else 200)

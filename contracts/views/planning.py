"""The pages on which a procedure is planned: a new one, and what may still be changed of one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods
from rest_framework.exceptions import PermissionDenied as Refused

from contracts import procedures, tender_access
from contracts.api.fields import demand_buyer
from contracts.forms import base
from contracts.forms import procedures as forms
from contracts.models import Procedure
from contracts.tenders import ProcedureMoveRefused
from hub import conditional
from hub.access import CONTRACT_ROLES, organisations_of
from hub.conditional import NotAsSeen
from hub.models import Organisation


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Plan a procedure for an organisation that the user buys for."""
    _demand_buyer(request.user)
    mine = organisations_of(request.user, roles=CONTRACT_ROLES)
    buyers = Organisation.objects.order_by("name")
    form = forms.NewProcedureForm(
        _sent(request), key="plan", buyers=buyers if mine is None else buyers.filter(pk__in=mine),
        **_given(request),
    )  # fmt: skip
    if form.is_bound and form.is_valid():
        _demand_buyer(request.user, form.cleaned_data["organisation"])
        row = procedures.plan(by=request.user, **form.cleaned_data)
        messages.success(request, _("It is planned. The page says what is missing for the notice."))
        return redirect("procedure", row.code)
    return _page(request, form, heading=_("New procedure"), back=reverse("procedures"),
                 back_label=_("Procedures"))  # fmt: skip


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, code: str) -> HttpResponse:
    """Change what is planned; after the notice only what it did not announce."""
    row = tender_access.procedure_for_buyer(request.user, code)
    held = {name: getattr(row, name) for name in forms.PlanForm.base_fields}
    shown = held | {
        "framework": row.framework.code if row.framework else None,
        "evaluation_model": row.evaluation_model.code if row.evaluation_model else None,
        "sites": row.sites or [],
    }
    shown["revision"] = conditional.revision(lambda: _plan_of(row))
    form = forms.PlanForm(_sent(request), key="plan", initial=shown, **_given(request))
    form.fields["revision"] = base.revision()
    if row.kind != Procedure.Kind.MINI_COMPETITION:
        del form.fields["sites"]
    # what is sent from a page that was opened earlier is refused by its name
    for name in set(form.fields) - {"revision", *request.POST} - procedures.changeable(row):
        del form.fields[name]
    if form.is_bound and form.is_valid():
        of = form.cleaned_data.pop("revision") or "*"
        said = {name: value for name, value in form.cleaned_data.items() if value != held[name]}
        try:
            with conditional.as_seen(row, lambda: _plan_of(row), of=of, called=code):
                procedures.replan(row, by=request.user, **_changed(said, held))
        except ProcedureMoveRefused as refused:
            form.refuse(base.told(refused))
        except NotAsSeen as refused:
            form.refuse([str(refused.detail)])
        else:
            messages.success(request, _("The plan is changed."))
            return redirect("procedure", code)
    return _page(request, form, heading=_("Plan"), back=reverse("procedure", args=[code]),
                 back_label=row.title)  # fmt: skip


def _plan_of(row: Procedure) -> dict[str, str]:
    """All that may be changed of a plan, as it is now."""
    fresh = Procedure.objects.get(pk=row.pk)
    return {name: str(getattr(fresh, name)) for name in forms.PlanForm.base_fields}


def _demand_buyer(user: Any, organisation: Organisation | None = None) -> None:
    """As the API, with a page that says why."""
    try:
        demand_buyer(user, organisation)
    except Refused as refused:
        raise PermissionDenied(str(refused.detail)) from None


def _changed(said: dict[str, Any], held: dict[str, Any]) -> dict[str, Any]:
    """Without moments that are the same but for the seconds, which an input cannot hold."""
    return {
        name: value
        for name, value in said.items()
        if not (hasattr(value, "hour") and held[name] is not None
                and held[name].replace(second=0, microsecond=0) == value)
    }  # fmt: skip


def _sent(request: HttpRequest) -> Any:
    return request.POST if request.method == "POST" else None


def _given(request: HttpRequest) -> dict[str, Any]:
    return {
        "frameworks": forms.frameworks_for(request.user),
        "models": tender_access.evaluation_models(request.user).order_by("title"),
        "sites": forms.sites_for(request.user),
    }


def _page(request: HttpRequest, form: base.Form, **said: str) -> HttpResponse:
    context = {"form": form, "submit": _("Save"), **said}
    return render(request, "hub/form.html", context, status=400 if form.is_bound else 200)

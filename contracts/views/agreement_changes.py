"""The forms on the page of an agreement and of a new call-off; a refusal stands at its field."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from contracts import acting, changing, drafting, reading
from contracts.changing import ChangeRefused
from contracts.drafting import CodeIsTaken, DraftRefused
from contracts.forms import base
from contracts.forms.agreements import (
    AmendmentForm,
    DraftForm,
    LineSet,
    LotForm,
    SupplierForm,
    buyers_of,
)
from contracts.models import FrameworkAgreement
from contracts.views import agreements
from hub.access import organisations_of
from vendors.models import Vendor

LINES = "lines"


@login_required
@require_POST
def amend(request: HttpRequest, pk: int) -> HttpResponse:
    """Note an amendment."""
    framework = acting.framework_to_change(request.user, pk)
    form = AmendmentForm(request.POST, key="amend")
    return _changed(request, framework, form, changing.amend, _("The amendment is noted."))


@login_required
@require_POST
def set_lot(request: HttpRequest, pk: int) -> HttpResponse:
    """Add or change a lot."""
    framework = acting.framework_to_change(request.user, pk)
    return _changed(
        request, framework, LotForm(request.POST, key="lot"), changing.set_lot,
        _("The lot is noted."),
    )  # fmt: skip


@login_required
@require_POST
def add_supplier(request: HttpRequest, pk: int) -> HttpResponse:
    """Name a further supplier."""
    framework = acting.framework_to_change(request.user, pk)
    form = SupplierForm(request.POST, framework=framework, key="supplier")
    return _changed(request, framework, form, changing.add_supplier, _("The supplier is named."))


@login_required
@require_POST
def remove_lot(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a lot away."""
    framework = acting.framework_to_change(request.user, pk)
    try:
        changing.remove_lot(framework, code=_given(request, "code"), by=request.user)
    except ChangeRefused as refused:
        messages.error(request, str(refused))
    return redirect("framework", pk)


@login_required
@require_POST
def remove_supplier(request: HttpRequest, pk: int, vendor: str) -> HttpResponse:
    """Name a supplier no longer."""
    framework = acting.framework_to_change(request.user, pk)
    found = Vendor.objects.filter(code=vendor).first()
    if found is None:
        raise Http404
    lot = _given(request, "lot")
    try:
        changing.remove_supplier(framework, vendor=found, lot=lot, by=request.user)
    except ChangeRefused as refused:
        messages.error(request, str(refused))
    return redirect("framework", pk)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def draft(request: HttpRequest, pk: int) -> HttpResponse:
    """A new call-off under the agreement, with its lines."""
    framework = reading.frameworks(request.user).filter(pk=pk).first()
    if framework is None:
        raise Http404
    acting.demand_officer(request.user)
    given = {
        "framework": framework,
        "buyers": buyers_of(framework, organisations_of(request.user, roles=acting.OFFICER)),
    }
    sent = request.POST if request.method == "POST" else None
    form = DraftForm(sent, key="draft", **given)
    lines = LineSet(sent, prefix=LINES, form_kwargs=given)
    if sent is not None and form.is_valid() and lines.is_valid():
        made = _drafted(request, framework, form, lines)
        if made is not None:
            messages.success(request, _("The draft is there: two people approve it."))
            return redirect("call-off", made)
    context = {
        "form": form, "lines": lines, "heading": _("New call-off"), "submit": _("Save the draft"),
        "lines_heading": _("Lines"), "back": reverse("framework", args=[pk]),
        "back_label": framework.code,
        "intro": _("A draft binds nothing. Two procurement officers approve it on its page."),
    }  # fmt: skip
    status = 400 if sent is not None else 200
    return render(request, "hub/form.html", context, status=status)


def _drafted(
    request: HttpRequest, framework: FrameworkAgreement, form: DraftForm, lines: Any
) -> int | None:
    """The key of the draft; None where it was refused, and the form says why."""
    said = dict(form.cleaned_data)
    asked = said | {
        "framework": framework.code,
        "organisation": said["organisation"].code,
        "lines": [
            {**one, "site": one["site"].code, "volume_estimate": one["volume_estimate"] or 0}
            for one in (line.cleaned_data for line in lines)
            if one.get("algorithm")
        ],
    }
    if not asked["lines"]:
        form.refuse([_("Expected at least one line.")])
        return None
    try:
        return drafting.draft(by=request.user, **drafting.asked_for(request.user, asked)).pk
    except (DraftRefused, CodeIsTaken) as refused:
        if isinstance(refused, CodeIsTaken):
            form.add_error("code", str(refused))
        else:
            form.refuse(base.told(refused))
        return None


def _given(request: HttpRequest, name: str) -> str:
    return request.POST.get(name, "").replace("\x00", "")[:40]


def _changed(
    request: HttpRequest, framework: FrameworkAgreement, form: base.Form, verb: Any, done: str
) -> HttpResponse:
    if form.is_valid():
        try:
            verb(framework, by=request.user, **form.cleaned_data)
        except ChangeRefused as refused:
            form.refuse(base.told(refused))
        else:
            messages.success(request, done)
            return redirect("framework", framework.pk)
    return agreements.framework_page(request, framework.pk, bound=form)

"""The forms on the page of an agreement; a refusal stands at its field."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from contracts import acting, changing
from contracts.changing import Agreed, ChangeRefused
from contracts.forms import base
from contracts.forms.agreements import (
    AmendmentForm,
    LotForm,
    SupplierForm,
)
from contracts.models import FrameworkAgreement
from contracts.views import agreements
from hub.configuration.entries import ANY, EntryChanged
from vendors.models import Vendor


@login_required
@require_POST
def amend(request: HttpRequest, pk: int) -> HttpResponse:
    """Note an amendment."""
    framework = acting.framework_to_change(request.user, pk)
    form = AmendmentForm(request.POST, key="amend")

    def verb(row: FrameworkAgreement, *, by: Any, of: str, **said: Any) -> None:
        changing.amend(row, Agreed(**said), by=by, of=of)

    return _changed(request, framework, form, verb, _("The amendment is noted."))


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
        changing.remove_lot(
            framework, code=_given(request, "code"), by=request.user, of=_seen(request)
        )
    except (ChangeRefused, EntryChanged) as refused:
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
        changing.remove_supplier(
            framework, vendor=found, lot=lot, by=request.user, of=_seen(request)
        )
    except (ChangeRefused, EntryChanged) as refused:
        messages.error(request, str(refused))
    return redirect("framework", pk)


def _given(request: HttpRequest, name: str) -> str:
    return request.POST.get(name, "").replace("\x00", "")[:40]


def _seen(request: HttpRequest) -> str:
    """The revision that the page was made of."""
    return request.POST.get("revision", "")[:64] or ANY


def _changed(
    request: HttpRequest, framework: FrameworkAgreement, form: base.Form, verb: Any, done: str
) -> HttpResponse:
    if form.is_valid():
        said = dict(form.cleaned_data)
        try:
            verb(framework, by=request.user, of=said.pop("revision") or ANY, **said)
        except ChangeRefused as refused:
            form.refuse(base.told(refused))
        except EntryChanged as refused:
            form.refuse([str(refused)])
        else:
            messages.success(request, done)
            return redirect("framework", framework.pk)
    return agreements.framework_page(request, framework.pk, bound=form)

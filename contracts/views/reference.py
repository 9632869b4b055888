"""The pages of dated reference data: index series, and rates of value added tax."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from contracts import reference
from contracts.forms import base
from contracts.forms.reference import RateForm, SeriesForm
from contracts.models import IndexSeries
from contracts.views.written_agreements import METHODS, sent, tried
from hub.access import CONTRACT_ROLES, holds_role
from hub.configuration import entries
from hub.configuration.entries import ANY
from vendors.belonging import demand_keeper, may_keep_vendors


@login_required
@require_GET
def series(request: HttpRequest) -> HttpResponse:
    """The index series, each with its newest month."""
    _demand_reader(request)
    rows = IndexSeries.objects.prefetch_related("values").order_by("code")
    shown = [
        {
            "row": row, "count": len(row.values.all()),
            "newest": max(row.values.all(), key=lambda one: one.month, default=None),
        }
        for row in rows
    ]  # fmt: skip
    context = {"rows": shown, "may_keep": may_keep_vendors(request.user)}
    return render(request, "contracts/index_series.html", context)


@login_required
@require_GET
def rates(request: HttpRequest) -> HttpResponse:
    """The rates of value added tax: those that come with the hub, and those put on record."""
    _demand_reader(request)
    context = {"rows": reference.rates_in_force(), "may_keep": may_keep_vendors(request.user)}
    return render(request, "contracts/vat_rates.html", context)


@login_required
@require_http_methods(METHODS)
def edit_series(request: HttpRequest, code: str = "") -> HttpResponse:
    """A series: a new one, or one with its further months."""
    demand_keeper(request.user)
    row = reference.series_of(code) if code else None
    if code and row is None:
        raise Http404
    held = entries.entry_of(reference.SERIES, row) if row else {}
    shown = SeriesForm.shown(held) | {"revision": entries.revision(held)} if row else {}
    form = SeriesForm(sent(request), key="series", initial=shown)
    form.fields["code"].disabled = row is not None
    return _written(request, form, reference.SERIES, row, {
        "heading": code or _("New index series"), "back": "index-series",
        "back_label": _("Index series"),
    })  # fmt: skip


@login_required
@require_http_methods(METHODS)
def edit_rate(request: HttpRequest, country: str = "", day: str = "") -> HttpResponse:
    """A rate: a new one, or one that was put on record."""
    demand_keeper(request.user)
    row = reference.rate_of(country, day) if country else None
    if country and row is None:
        raise Http404
    held = entries.entry_of(reference.RATE, row) if row else {"country": "NO"}
    revision = entries.revision(held) if row else ""
    form = RateForm(sent(request), key="rate", initial=held | {"revision": revision})
    for name in ("country", "valid_from"):
        form.fields[name].disabled = row is not None
    return _written(request, form, reference.RATE, row, {
        "heading": f"{country} {day}" if row else _("New VAT rate"), "back": "vat-rates",
        "back_label": _("VAT rates"),
        "intro": _("An invoice has the rate that is in force on the last day of its month."),
    })  # fmt: skip


def _written(
    request: HttpRequest, form: Any, kind: str, row: Any, said: dict[str, Any]
) -> HttpResponse:
    """The form of an entry, and what comes of it when it is sent."""
    back = said["back"]
    if form.is_bound and form.is_valid():
        act: Callable[[], Any] = lambda: reference.begin(kind, form.entry(), by=request.user)  # noqa: E731
        if row is not None:
            of = form.cleaned_data["revision"] or ANY
            act = lambda: reference.change(kind, row, form.entry(), by=request.user, of=of)  # noqa: E731
        if tried(form, act):
            messages.success(request, _("Written."))
            return redirect(back)
    return _page(request, form, said | {"back": reverse(back)})


def _demand_reader(request: HttpRequest) -> None:
    if not holds_role(request.user, roles=CONTRACT_ROLES):
        raise PermissionDenied(_("This page is for those who buy."))


def _page(request: HttpRequest, form: base.Form, said: dict[str, Any]) -> HttpResponse:
    context = {"form": form, "submit": _("Save"), **said}
    return render(request, "hub/form.html", context, status=400 if form.is_bound else 200)

"""The pages on which a draft of a call-off gets prices of its own, as they were offered for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from contracts import acting, drafting, seen
from contracts.drafting import DraftRefused, NoDraftAnyMore
from contracts.forms import base
from contracts.forms.written import AmountForm, OwnPriceForm, PriceForm
from contracts.models import CallOff
from contracts.redrafted import Redrafted
from contracts.seen import ANY, ChangedMeanwhile
from contracts.views.written_agreements import METHODS, placed, sent
from hub.configuration import entries
from hub.configuration.entries import EntryRefused

REFUSALS = (EntryRefused, DraftRefused, NoDraftAnyMore, ChangedMeanwhile)


@login_required
@require_http_methods(METHODS)
def price(request: HttpRequest, pk: int, entry: int = 0) -> HttpResponse:
    """A price of the draft: a new one, or one that it has."""
    row = acting.draft_to_change(request.user, pk)
    found = get_object_or_404(row.price_book, pk=entry) if entry else None
    shown = entries.value_of_part(drafting.KIND, "price_book", found) if found else {}
    form = OwnPriceForm(
        sent(request), key="price", framework=row.framework, initial={
            **(PriceForm.shown(shown) if shown else {}), "revision": seen.revision(row),
        },
    )  # fmt: skip
    return _page(request, row, form, _("Change the price") if found else _("New price"),
        lambda of: drafting.set_price(
            row, form.entry(), by=request.user, instead_of=found, of=of
        ))  # fmt: skip


@login_required
@require_http_methods(METHODS)
def amount(request: HttpRequest, pk: int, entry: int = 0) -> HttpResponse:
    """A fixed amount of the draft: a new one, or one that it has."""
    row = acting.draft_to_change(request.user, pk)
    found = get_object_or_404(row.fixed, pk=entry) if entry else None
    shown = {"name": found.name, "amount": found.amount, "per": found.per} if found else {}
    form = AmountForm(
        sent(request), key="amount", initial={**shown, "revision": seen.revision(row)}
    )
    heading = _("Change the fixed amount") if found else _("New fixed amount")
    return _page(request, row, form, heading, lambda of: drafting.set_amount(
        row, form.entry(), by=request.user, instead_of=found.name if found else "", of=of
    ))  # fmt: skip


@login_required
@require_POST
def remove_price(request: HttpRequest, pk: int, entry: int) -> HttpResponse:
    """Take a price away from the draft."""
    row = acting.draft_to_change(request.user, pk)
    found = get_object_or_404(row.price_book, pk=entry)
    return _removed(request, row, lambda: drafting.set_price(
        row, None, by=request.user, instead_of=found, of=_seen(request)
    ))  # fmt: skip


@login_required
@require_POST
def remove_amount(request: HttpRequest, pk: int, entry: int) -> HttpResponse:
    """Take a fixed amount away from the draft."""
    row = acting.draft_to_change(request.user, pk)
    found = get_object_or_404(row.fixed, pk=entry)
    return _removed(request, row, lambda: drafting.set_amount(
        row, None, by=request.user, instead_of=found.name, of=_seen(request)
    ))  # fmt: skip


def _seen(request: HttpRequest) -> str:
    return request.POST.get("revision", "")[:64] or ANY


def _removed(request: HttpRequest, row: CallOff, act: Callable[[], Redrafted]) -> HttpResponse:
    try:
        act()
    except REFUSALS as refused:
        for sentence in _sentences(refused, None):
            messages.error(request, sentence)
    else:
        messages.success(request, _("The price is taken away."))
    return redirect("call-off", row.pk)


def _page(
    request: HttpRequest, row: CallOff, form: base.Form, heading: str,
    act: Callable[[str], Redrafted],
) -> HttpResponse:  # fmt: skip
    """The form, and what comes of it when it is sent."""
    if row.state != CallOff.State.DRAFT:
        messages.error(request, _("Only a draft can be changed."))
        return redirect("call-off", row.pk)
    if form.is_bound and form.is_valid():
        try:
            act(form.cleaned_data["revision"] or ANY)
        except REFUSALS as refused:
            form.refuse(_sentences(refused, form))
        else:
            messages.success(request, _("The price is noted."))
            return redirect("call-off", row.pk)
    context: dict[str, Any] = {
        "form": form, "heading": heading, "submit": _("Save"),
        "back": reverse("call-off", args=[row.pk]), "back_label": row.code,
        "intro": _("Without VAT, in %(currency)s. An approval of what it said before is void.") % {
            "currency": row.framework.currency,
        },
    }  # fmt: skip
    return render(request, "hub/form.html", context, status=400 if form.is_bound else 200)


def _sentences(refused: Exception, form: base.Form | None) -> list[str]:
    if not isinstance(refused, EntryRefused):
        return [str(refused)]
    if form is not None:
        return [placed(form, field, rule) for field, rule in refused.problems]
    return [rule[:1].upper() + rule[1:] for _field, rule in refused.problems]

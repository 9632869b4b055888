"""The pages on which agreements and their prices are put on record and changed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from contracts import acting, tender_access, written
from contracts.forms import base
from contracts.forms.written import AgreementForm, PartyForm, PartySet, PriceForm
from contracts.models import FrameworkAgreement, Procedure
from hub.access import organisations_of
from hub.configuration import entries
from hub.configuration.entries import EntryChanged, EntryRefused
from hub.models import Organisation

METHODS = ("GET", "HEAD", "POST")
# fields of the entry by other names on the form
FIELDS = {"valid.from": "valid_from", "valid.to": "valid_to", "valid": "valid_to"}
OF_A_PRICE = re.compile(r"(?:price_book|fixed|term_options)\[[^]]*\]\.?(.*)")
PRICE_FIELDS = ("tiers", "unit_price")


@login_required
@require_http_methods(METHODS)
def new(request: HttpRequest) -> HttpResponse:
    """Put an agreement on record, for a holder that the user buys for."""
    acting.demand_officer(request.user)
    form = AgreementForm(
        sent(request), key="agreement", holders=_holders(request.user),
        initial={"currency": "NOK", "vat": "standard"} | _won_in(request),
    )  # fmt: skip
    parties = PartySet(sent(request), prefix="parties")
    if form.is_bound and form.is_valid() and parties.is_valid():
        entry = form.entry() | {"authorities": _parties(parties, {})}
        if row := tried(form, lambda: written.begin(entry, by=request.user)):
            messages.success(request, _("It is on record. Its prices come next."))
            return redirect("framework", row.pk)
    return _page(request, form, {
        "heading": _("New agreement"), "back": reverse("frameworks"),
        "back_label": _("Agreements"), "sets": [(_("Named organisations"), parties, "parties")],
    })  # fmt: skip


def _won_in(request: HttpRequest) -> dict[str, Any]:
    """What a dialogue that the user led to its end says of the agreement that comes of it."""
    row = tender_access.buyers_procedures(request.user).filter(
        code=request.GET.get("procedure", ""), state=Procedure.State.CONCLUDED,
        winner__isnull=False,
    ).first()  # fmt: skip
    if row is None or row.winner is None:
        return {}
    return {
        "code": row.contract_reference[:40] or row.code, "title": row.title,
        "holder": row.organisation.code, "supplier": row.winner.vendor.code,
        "estimated_value": row.estimated_value, "maximum_value": row.maximum_value,
    }  # fmt: skip


@login_required
@require_http_methods(METHODS)
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Change what an agreement says, and whom it names."""
    row = acting.framework_to_change(request.user, pk)
    held = written.entry_of(row)
    named = held.get("authorities") or []
    form = AgreementForm(
        sent(request), key="agreement",
        holders=_holders(request.user) | Organisation.objects.filter(pk=row.holder_id),
        initial=AgreementForm.shown(held) | {"revision": entries.revision(held)},
    )  # fmt: skip
    form.fields["code"].disabled = True
    parties = PartySet(
        sent(request), prefix="parties", initial=[PartyForm.shown(one) for one in named]
    )
    if form.is_bound and form.is_valid() and parties.is_valid():
        before = {(one["organisation"], one["role"]): one for one in named}
        entry = form.entry() | {"authorities": _parties(parties, before)}
        of = form.cleaned_data["revision"]
        if tried(form, lambda: written.change(row, entry, by=request.user, of=of)):
            messages.success(request, _("Written."))
            return redirect("framework", pk)
    return _page(request, form, {
        "heading": row.title, "back": reverse("framework", args=[pk]), "back_label": row.code,
        "sets": [(_("Named organisations"), parties, "parties")],
    })  # fmt: skip


@login_required
@require_http_methods(METHODS)
def price(request: HttpRequest, pk: int, entry: int = 0) -> HttpResponse:
    """A price of the agreement: a new one, or one that nothing was counted at yet."""
    row = acting.framework_to_change(request.user, pk)
    found = get_object_or_404(row.price_book, pk=entry) if entry else None
    shown = entries.value_of_part(written.KIND, "price_book", found) if found else {}
    form = PriceForm(
        sent(request), key="price", initial={
            **(PriceForm.shown(shown) if shown else {}),
            "revision": entries.revision(written.entry_of(row)),
        },
    )  # fmt: skip
    if form.is_bound and form.is_valid():
        said, of = form.entry(), form.cleaned_data["revision"]
        if tried(form, lambda: written.set_price(
            row, said, by=request.user, instead_of=found, of=of
        )):  # fmt: skip
            messages.success(request, _("The price is noted."))
            return redirect("framework", pk)
    return _page(request, form, {
        "heading": _("Change the price") if found else _("New price"),
        "back": reverse("framework", args=[pk]), "back_label": row.code,
        "intro": _("Without VAT, in %(currency)s.") % {"currency": row.currency},
    })  # fmt: skip


@login_required
@require_POST
def remove_price(request: HttpRequest, pk: int, entry: int) -> HttpResponse:
    """Take a price away."""
    row = acting.framework_to_change(request.user, pk)
    found = get_object_or_404(row.price_book, pk=entry)
    return removed(request, row, _("The price is taken away."), lambda of: written.remove_price(
        row, found, by=request.user, of=of
    ))  # fmt: skip


def removed(
    request: HttpRequest, row: FrameworkAgreement, said: str, act: Callable[[str], Any]
) -> HttpResponse:
    """What comes of taking something away from an agreement, as it was seen."""
    try:
        act(request.POST.get("revision", "")[:64] or entries.ANY)
    except EntryRefused as refused:
        for _field, rule in refused.problems:
            messages.error(request, rule[:1].upper() + rule[1:])
    except EntryChanged as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, said)
    return redirect("framework", row.pk)


def tried(form: Any, act: Callable[[], Any]) -> Any:
    """What the verb gives; None where it refused, and the form says what."""
    try:
        done = act()
    except EntryRefused as refused:
        form.refuse(placed(form, field, rule) for field, rule in refused.problems)
        return None
    except EntryChanged as refused:
        form.refuse([str(refused)])
        return None
    return done


def placed(form: base.Form, field: str, rule: str) -> str:
    """A refusal with the name that its field has on the form of an agreement or of a price."""
    below = OF_A_PRICE.fullmatch(field)
    name = below.group(1) if below else FIELDS.get(field, field)
    top = re.split(r"[.\[]", name)[0]
    if top in form.fields:
        return f"{top}: {rule}"
    if below and "further" in form.fields:
        where = "price" if top in PRICE_FIELDS else "further" if top else "algorithm"
        return f"{where}: {name}: {rule}" if name else f"{where}: {rule}"
    return f"{name}: {rule}" if name else rule


def _parties(rows: Any, before: dict[tuple[str, str], Any]) -> list[dict[str, Any]]:
    """All that are named, each with what was held of it."""
    found = []
    for one in rows:
        said = one.cleaned_data
        key = (said["organisation"].code, said["role"]) if said.get("organisation") else ("", "")
        entry = one.entry(before.get(key, {}))
        found += [entry] if entry else []
    return found


def _holders(user: Any) -> Any:
    mine = organisations_of(user, roles=acting.OFFICER)
    rows = Organisation.objects.order_by("name")
    return rows if mine is None else rows.filter(pk__in=mine)


def sent(request: HttpRequest) -> Any:
    """What was sent, where something was."""
    return request.POST if request.method == "POST" else None


def framework_form(
    request: HttpRequest, form: base.Form, row: FrameworkAgreement, *, heading: str
) -> HttpResponse:
    """The page of a form about a part of an agreement."""
    return _page(request, form, {
        "heading": heading, "back": reverse("framework", args=[row.pk]), "back_label": row.code,
    })  # fmt: skip


def _page(request: HttpRequest, form: base.Form, said: dict[str, Any]) -> HttpResponse:
    context = {"form": form, "submit": _("Save"), **said}
    return render(request, "hub/form.html", context, status=400 if form.is_bound else 200)

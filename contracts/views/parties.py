"""The pages of the parties of contracts: who there is, and on which one is put on record."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from contracts import parties, reading
from contracts.forms import base
from contracts.forms.parties import OrganisationForm, RoleForm, RoleSet
from hub.access import CONTRACT_ROLES, holds_role
from hub.configuration import entries
from hub.configuration.doubts import doubts_of
from hub.configuration.entries import EntryChanged, EntryRefused
from hub.models import Organisation
from vendors.belonging import demand_keeper, may_keep_vendors

PAGE_SIZE = 100
METHODS = ("GET", "HEAD", "POST")


@login_required
@require_GET
def organisations(request: HttpRequest) -> HttpResponse:
    """The user's organisations and those in the same agreements; all for who buys for all."""
    if not holds_role(request.user, roles=CONTRACT_ROLES):
        raise PermissionDenied(_("This page is for those who buy."))
    page = Paginator(_seen(request), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {"page": page, "may_keep": may_keep_vendors(request.user)}
    return render(request, "contracts/organisations.html", context)


@login_required
@require_http_methods(METHODS)
def new(request: HttpRequest) -> HttpResponse:
    """Put an organisation on record."""
    demand_keeper(request.user)
    initial = {"country": "NO", "kind": "hospital_trust"}
    return _written(request, None, initial=initial, heading=_("New organisation"))


@login_required
@require_http_methods(METHODS)
def edit(request: HttpRequest, code: str) -> HttpResponse:
    """Change what is known of an organisation."""
    row = _seen(request).filter(code=code).first()
    if row is None:
        raise Http404
    demand_keeper(request.user)
    held = parties.entry_of(row)
    initial = held | {"revision": entries.revision(held)}
    return _written(request, row, initial=initial, heading=row.name)


def _written(
    request: HttpRequest, row: Organisation | None, *, initial: dict[str, Any], heading: str
) -> HttpResponse:
    sent = request.POST if request.method == "POST" else None
    form = OrganisationForm(sent, key="organisation", initial=initial)
    form.fields["code"].disabled = row is not None
    shown = [RoleForm.shown(one) for one in initial.get("roles") or []]
    roles = RoleSet(sent, prefix="roles", initial=shown)
    if sent is not None and form.is_valid() and roles.is_valid():
        held = [one.entry() for one in roles]
        entry = form.entry() | {"roles": [one for one in held if one]}
        try:
            if row is None:
                written = parties.register(entry, by=request.user)
            else:
                of = form.cleaned_data["revision"] or entries.ANY
                written = parties.change(row, entry, by=request.user, of=of)
        except (EntryRefused, EntryChanged) as refused:
            form.refuse(base.told(refused))
        else:
            messages.success(request, _("Written."))
            for one in doubts_of("organisation", written):
                messages.warning(request, one.text[:1].upper() + one.text[1:])
            return redirect("organisations")
    context = {
        "form": form, "heading": heading, "submit": _("Save"),
        "sets": [(_("What it is to the others"), roles, "roles")],
        "back": reverse("organisations"), "back_label": _("Organisations"),
    }  # fmt: skip
    return render(request, "hub/form.html", context, status=400 if sent is not None else 200)


def _seen(request: HttpRequest) -> Any:
    """Who keeps what all share sees all."""
    rows = Organisation.objects.prefetch_related("roles").order_by("name")
    if may_keep_vendors(request.user):
        return rows
    return rows.filter(pk__in=reading.organisations(request.user).values("pk"))

"""The pages of vendors: the companies, the checklist of one, and how its people come in."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from hub import conditional
from hub import forms as base
from hub.conditional import NotAsSeen
from hub.configuration.doubts import doubts_of
from hub.tokens import address_of
from vendors import filing, inviting, onboarding
from vendors.api import invitation_tries, item_told
from vendors.belonging import (
    demand_keeper,
    may_bring_papers,
    may_keep_vendors,
    own_vendor,
    visible_vendors,
)
from vendors.item_views import ItemForm
from vendors.models import OnboardingItem, Vendor
from vendors.onboarding import OnboardingRefused
from vendors.processor_views import BASES


class InviteForm(forms.Form):
    """Who is invited."""

    name = forms.CharField(max_length=200, label=gettext_lazy("Name"))
    email = forms.EmailField(label=gettext_lazy("E-mail"))


class AcceptForm(forms.Form):
    """What takes up an invitation."""

    code = forms.CharField(max_length=100, label=gettext_lazy("Code of the invitation"))
    username = forms.CharField(max_length=150, label=gettext_lazy("User name"))
    password = forms.CharField(
        max_length=200, strip=False, widget=forms.PasswordInput, label=gettext_lazy("Password")
    )


@login_required
@require_GET
def vendors(request: HttpRequest) -> HttpResponse:
    """The companies that the user sees, and how far each has come."""
    rows = visible_vendors(request.user).prefetch_related("onboarding").order_by("name")
    today = timezone.localdate()
    context = {"rows": [_row(one, today) for one in rows], "of": len(OnboardingItem.Kind)}
    context["may_keep"] = may_keep_vendors(request.user)
    return render(request, "vendors/vendors.html", context)


@login_required
@require_GET
def vendor(request: HttpRequest, code: str) -> HttpResponse:
    """One company: its checklist, who handles data for it, its people."""
    row = _vendor(request, code)
    may_keep = may_keep_vendors(request.user)
    context = {
        "vendor": row,
        "doubts": [one.text for one in doubts_of("vendor", row) if may_keep],
        "items": _items(row),
        "today": timezone.localdate(),
        "sub_processors": [
            {"row": one, "basis": dict(BASES).get(one.transfer_basis, one.transfer_basis)}
            for one in row.sub_processors.order_by("name")
        ],
        "is_own": own_vendor(request.user) == row.pk,
        "people": row.people.select_related("user") if may_keep else [],
        "invitations": row.invitations.filter(accepted_at=None) if may_keep else [],
        "may_keep": may_keep,
        "may_bring": may_bring_papers(request.user, row),
        "invite_form": InviteForm(),
        "code": request.session.pop("invitation_code", ""),
    }
    return render(request, "vendors/vendor.html", context)


@login_required
@require_POST
def decide(request: HttpRequest, code: str, item: str) -> HttpResponse:
    """Accept one item, or return it."""
    row = _kept(request, code)
    is_accepted = request.POST.get("verdict") == "accept"
    comment = request.POST.get("comment", "")[:2000]
    kind, of = _kind(item), request.POST.get("revision", "")[:64] or "*"

    def act() -> None:
        with conditional.as_seen(row, lambda: item_told(row, kind), of=of, called=row.code):
            onboarding.decide(
                row, kind, is_accepted=is_accepted, comment=comment, by=_user(request)
            )

    return _tried(request, row, act)


@login_required
@require_POST
def invite(request: HttpRequest, code: str) -> HttpResponse:
    """Invite a person; the code is shown once, on the page that follows."""
    row = _kept(request, code)
    form = InviteForm(request.POST)
    if not form.is_valid():
        return _back(request, row, form=form)
    _invitation, secret = inviting.invite(row, by=_user(request), **form.cleaned_data)
    request.session["invitation_code"] = secret
    return redirect("vendor", code=row.code)


@require_http_methods(["GET", "HEAD", "POST"])
def accept(request: HttpRequest) -> HttpResponse:
    """Take up an invitation: a code makes an account."""
    form = AcceptForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if invitation_tries.take(address_of(request)):
            form.add_error(None, _("Too many tries. Wait a minute."))
        else:
            try:
                inviting.accept(**form.cleaned_data)
                messages.success(request, _("Your account is made: sign in."))
                return redirect("login")
            except inviting.InvitationRefused as refused:
                form.add_error(refused.field, str(refused))
    return render(request, "vendors/accept.html", {"form": form})


def _row(row: Vendor, today: date) -> dict[str, Any]:
    items = onboarding.checklist(row)
    accepted = sum(one.state == OnboardingItem.State.ACCEPTED for one in items)
    return {
        "vendor": row, "accepted": accepted,
        "is_complete": onboarding.is_complete(items, on=today),
    }  # fmt: skip


def _items(row: Vendor) -> list[OnboardingItem]:
    """The checklist, each item with the files that were handed in for it."""
    items, files = onboarding.checklist(row), list(filing.whole(row.files.all()))
    for item in items:
        if item.state == OnboardingItem.State.SUBMITTED:
            told = partial(item_told, row, OnboardingItem.Kind(item.kind))
            item.revision = conditional.revision(told)  # type: ignore[attr-defined]
        item.shown_files = [one for one in files if one.item == item.kind]  # type: ignore[attr-defined]
    return items


def _vendor(request: HttpRequest, code: str) -> Vendor:
    found = visible_vendors(request.user).filter(code=code).first()
    if found is None:
        raise Http404
    return found


def _kept(request: HttpRequest, code: str) -> Vendor:
    row = _vendor(request, code)
    demand_keeper(request.user)
    return row


def _kind(name: str) -> OnboardingItem.Kind:
    if name not in OnboardingItem.Kind.values:
        raise Http404
    return OnboardingItem.Kind(name)


def _tried(request: HttpRequest, row: Vendor, act: Any) -> HttpResponse:
    try:
        act()
        messages.success(request, _("Recorded."))
    except OnboardingRefused as refused:
        messages.error(request, base.spoken(f"{refused.field}: {refused}", ItemForm))
    except NotAsSeen as refused:
        messages.error(request, str(refused.detail))
    return redirect("vendor", code=row.code)


def _back(request: HttpRequest, row: Vendor, *, form: forms.Form) -> HttpResponse:
    for field, errors in form.errors.items():
        messages.error(request, f"{field}: {' '.join(map(str, errors))}")
    return redirect("vendor", code=row.code)


def _user(request: HttpRequest) -> Any:
    return request.user

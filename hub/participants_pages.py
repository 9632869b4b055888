"""The pages of sites and of the people who sign in, for who administers an organisation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from hub import forms as base
from hub import participants
from hub.configuration import entries
from hub.configuration.doubts import doubts_of
from hub.configuration.entries import ANY, EntryChanged, EntryRefused
from hub.models import Site
from hub.participants_forms import MemberForm, RoleSet, SiteForm

PAGE_SIZE = 100
METHODS = ("GET", "HEAD", "POST")


@login_required
@require_GET
def sites(request: HttpRequest) -> HttpResponse:
    """The sites that the user administers."""
    participants.demand_administrator(request.user)
    rows = participants.sites_kept_by(request.user)
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "hub/sites.html", {"page": page})


@login_required
@require_GET
def members(request: HttpRequest) -> HttpResponse:
    """Who holds a role where the user administers, with the roles held there."""
    participants.demand_administrator(request.user)
    rows = participants.members_kept_by(request.user)
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    kept = set(participants.sites_kept_by(request.user).values_list("pk", flat=True))
    mine = set(participants.organisations_kept_by(request.user).values_list("pk", flat=True))
    is_all = participants.keeps_everything(request.user)
    shown = [
        {
            "row": row,
            "roles": [
                held for held in row.memberships.all()
                if is_all or held.site_id in kept or held.organisation_id in mine
            ],
        }
        for row in page
    ]  # fmt: skip
    return render(request, "hub/members.html", {"page": page, "rows": shown})


@login_required
@require_http_methods(METHODS)
def new_site(request: HttpRequest) -> HttpResponse:
    """Put a site on record."""
    participants.demand_administrator(request.user)
    form = _site_form(request, {"timezone": "Europe/Oslo"})
    return _site_page(request, form, _("New site"), lambda: participants.begin_site(
        form.entry(), by=request.user
    ))  # fmt: skip


@login_required
@require_http_methods(METHODS)
def edit_site(request: HttpRequest, code: str) -> HttpResponse:
    """Change what is known of a site."""
    participants.demand_administrator(request.user)
    row = participants.sites_kept_by(request.user).filter(code=code).first()
    if row is None:
        raise Http404
    held = entries.entry_of(participants.SITE, row)
    form = _site_form(request, SiteForm.shown(held) | {"revision": entries.revision(held)})
    form.fields["code"].disabled = True
    return _site_page(request, form, row.name, lambda: participants.change_site(
        row, form.entry(), by=request.user, of=form.cleaned_data["revision"] or ANY
    ))  # fmt: skip


@login_required
@require_http_methods(METHODS)
def new_member(request: HttpRequest) -> HttpResponse:
    """Put a person on record."""
    participants.demand_administrator(request.user)
    return _member_page(request, {"active": True}, _("New person"), participants.begin_member)


@login_required
@require_http_methods(METHODS)
def edit_member(request: HttpRequest, username: str) -> HttpResponse:
    """Change what is known of a person, and which roles they hold."""
    participants.demand_administrator(request.user)
    row = participants.members_kept_by(request.user).filter(username=username).first()
    if row is None:
        raise Http404
    held = participants.entry_of_member(row, seen_by=request.user)

    def change(entry: dict[str, Any], *, by: Any) -> Any:
        of = entry.pop("revision") or ANY
        return participants.change_member(row, entry, by=by, of=of)

    shown = held | {"revision": entries.revision(held)}
    return _member_page(request, shown, str(row), change, is_new=False)


def _site_form(request: HttpRequest, shown: dict[str, Any]) -> SiteForm:
    organisations = participants.organisations_kept_by(request.user)
    return SiteForm(_sent(request), key="site", initial=shown, organisations=organisations)


def _site_page(
    request: HttpRequest, form: SiteForm, heading: str, act: Callable[[], Any]
) -> HttpResponse:
    if form.is_bound and form.is_valid() and _tried(form, act, SiteForm.name_of):
        messages.success(request, _("Written."))
        row = Site.objects.get(code=form.cleaned_data["code"])
        for one in doubts_of("site", row):
            messages.warning(request, one.text[:1].upper() + one.text[1:])
        return redirect("sites")
    return _page(request, form, {
        "heading": heading, "back": reverse("sites"), "back_label": _("Sites"),
    })  # fmt: skip


def _member_page(
    request: HttpRequest, shown: dict[str, Any], heading: str, act: Callable[..., Any], *,
    is_new: bool = True,
) -> HttpResponse:  # fmt: skip
    form = MemberForm(_sent(request), key="member", initial=shown)
    form.fields["username"].disabled = not is_new
    roles = RoleSet(
        _sent(request), prefix="roles", initial=shown.get("roles") or [],
        form_kwargs={
            "sites": participants.sites_kept_by(request.user),
            "organisations": participants.organisations_kept_by(request.user),
        },
    )  # fmt: skip
    if form.is_bound and form.is_valid() and roles.is_valid():
        entry = form.entry() | {"roles": [one for one in (held.entry() for held in roles) if one]}
        if not is_new:
            entry["revision"] = form.cleaned_data["revision"]
        if _tried(form, lambda: act(entry, by=request.user), str):
            messages.success(request, _("Written."))
            return redirect("members")
    return _page(request, form, {
        "heading": heading, "back": reverse("members"), "back_label": _("People"),
        "sets": [(_("Roles"), roles, "roles")],
        "intro": _("A password or a token comes from manage.py password or manage.py token. "
                   "A role without site and organisation holds everywhere."),
    })  # fmt: skip


def _tried(form: base.Form, act: Callable[[], Any], name_of: Callable[[str], str]) -> bool:
    """Whether the verb did it; where it refused, the form says what."""
    try:
        act()
    except EntryRefused as refused:
        form.refuse(f"{name_of(field)}: {rule}" for field, rule in refused.problems)
        return False
    except EntryChanged as refused:
        form.refuse([refused])
        return False
    return True


def _sent(request: HttpRequest) -> Any:
    return request.POST if request.method == "POST" else None


def _page(request: HttpRequest, form: base.Form, said: dict[str, Any]) -> HttpResponse:
    context = {"form": form, "submit": _("Save"), **said}
    return render(request, "hub/form.html", context, status=400 if form.is_bound else 200)

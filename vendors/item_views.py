"""The page on which an item of the checklist is handed in with its file, and the files of it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from hub import conditional
from hub import forms as base
from hub.conditional import NotAsSeen
from vendors import filing, onboarding
from vendors.api import item_told
from vendors.belonging import demand_bringer, visible_vendors
from vendors.file_doors import FileFields, attachment
from vendors.filing import FileRefused
from vendors.models import OnboardingItem, Vendor
from vendors.onboarding import OnboardingRefused, Shown


class ItemForm(FileFields):
    """What is handed in for one item."""

    evidence = base.text(
        pgettext_lazy("paper", "Evidence"), needed=False, rows=2, most=2000,
        says=gettext_lazy("Where it is found, where its file is not handed in here."),
    )  # fmt: skip
    owner = base.words(
        gettext_lazy("In charge"), most=200, needed=False,
        says=gettext_lazy("Needed before it can be accepted."),
    )  # fmt: skip
    dated = base.day(
        gettext_lazy("Dated"),
        says=gettext_lazy("The day of the document. Needed before it can be accepted."),
    )  # fmt: skip
    due = base.day(gettext_lazy("Due"))
    valid_until = base.day(gettext_lazy("Valid until"))
    revision = base.revision()
    field_order = ("file", "replaces", "evidence", "owner", "dated", "due", "valid_until")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def submit(request: HttpRequest, code: str, item: str) -> HttpResponse:
    """Hand in one item; what was decided on it before is open again."""
    row, kind = _vendor(request, code), _kind(item)
    demand_bringer(request.user, row)
    held = row.onboarding.filter(kind=kind).first()
    sent = (request.POST, request.FILES) if request.method == "POST" else ()
    seen = conditional.revision(lambda: item_told(row, kind))
    form = ItemForm(*sent, key="item", initial=_shown(held) | {"revision": seen})
    form.offer(filing.standing(row.files.filter(item=kind)))
    if form.is_bound and form.is_valid() and _handed_in(row, kind, form, by=request.user):
        messages.success(request, _("Recorded."))
        return redirect("vendor", code)
    context = {
        "form": form, "heading": kind.label, "submit": _("Hand in"),
        "back": reverse("vendor", args=[code]), "back_label": row.name,
        "intro": _("What was decided on it before is open again.")
        if held and held.decided_on else "",
    }  # fmt: skip
    return render(request, "hub/form.html", context, status=400 if form.is_bound else 200)


@login_required
@require_GET
def take(request: HttpRequest, code: str, item: str, pk: int) -> HttpResponse:
    """The bytes of a file of an item, for who sees the vendor."""
    rows = _vendor(request, code).files.select_related("file")
    return attachment(rows.filter(item=item, pk=pk).first())


def _handed_in(row: Vendor, kind: OnboardingItem.Kind, form: ItemForm, *, by: Any) -> bool:
    """Hand it in; a refusal is put beside the field that it is about."""
    shown = Shown(**{name: form.cleaned_data[name] for name in Shown.__match_args__
                     if name in form.fields})  # fmt: skip
    of = form.cleaned_data["revision"] or "*"
    try:
        with conditional.as_seen(row, lambda: item_told(row, kind), of=of, called=row.code):
            onboarding.submit(row, kind, shown, by=by, brought=form.brought())
    except NotAsSeen as refused:
        form.refuse([str(refused.detail)])
        return False
    except (FileRefused, OnboardingRefused) as refused:
        form.refuse(base.told(refused))
        return False
    return True


def _shown(held: OnboardingItem | None) -> dict[str, Any]:
    """What the form says before anybody has typed: what was handed in last."""
    if held is None:
        return {}
    return {name: getattr(held, name) for name in Shown.__match_args__}


def _vendor(request: HttpRequest, code: str) -> Vendor:
    if found := visible_vendors(request.user).filter(code=code).first():
        return found
    raise Http404


def _kind(name: str) -> OnboardingItem.Kind:
    if name not in OnboardingItem.Kind.values:
        raise Http404
    return OnboardingItem.Kind(name)

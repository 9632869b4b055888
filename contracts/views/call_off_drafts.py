"""The pages on which a call-off is drafted and its draft is changed, with all its lines."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from contracts import acting, draft_begins, drafting, reading, seen
from contracts.drafting import CodeIsTaken, DraftRefused, NoDraftAnyMore
from contracts.forms import base
from contracts.forms.agreements import (
    DraftForm,
    LineSet,
    RedraftForm,
    buyers_of,
    draft_of,
    lines_of,
)
from contracts.models import CallOff, FrameworkAgreement
from contracts.redrafted import Redrafted
from contracts.seen import ChangedMeanwhile
from hub.access import organisations_of
from hub.models import Organisation

LINES = "lines"


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
    named = request.GET.get("competition", "")
    begins = draft_begins.following_from(framework, named, user=request.user)
    form = DraftForm(sent, key="draft", initial=begins.fields, **given)
    lines = LineSet(sent, prefix=LINES, form_kwargs=given, initial=begins.lines)
    if sent is not None and form.is_valid() and lines.is_valid():
        made = _drafted(request, framework, form, lines)
        if made is not None:
            messages.success(request, _("The draft is there: two people approve it."))
            return redirect("call-off", made)
    return _page(request, form, lines, {
        "heading": _("New call-off"), "submit": _("Save the draft"),
        "back": reverse("framework", args=[pk]), "back_label": framework.code,
        "intro": _("A draft binds nothing. Two procurement officers approve it on its page."),
    })  # fmt: skip


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def redraft(request: HttpRequest, pk: int) -> HttpResponse:
    """A draft with its lines, to be changed."""
    found = acting.draft_to_change(request.user, pk)
    given: dict[str, Any] = {
        "framework": found.framework,
        "buyers": Organisation.objects.filter(pk=found.organisation_id),
    }
    sent = request.POST if request.method == "POST" else None
    form = RedraftForm(
        sent, key="draft", initial=draft_of(found) | {"revision": seen.revision(found)}, **given
    )
    lines = LineSet(sent, prefix=LINES, form_kwargs=given, initial=lines_of(found))
    try:
        if found.state != CallOff.State.DRAFT:
            raise NoDraftAnyMore(_("Only a draft can be changed."))
        if sent is not None and form.is_valid() and lines.is_valid():
            done = _redrafted(request, found, form, lines)
            if done is not None:
                messages.success(request, _told(done))
                return redirect("call-off", pk)
    except NoDraftAnyMore as refused:
        messages.error(request, str(refused))
        return redirect("call-off", pk)
    except ChangedMeanwhile as refused:
        form.meet(refused, now=seen.revision(acting.draft_to_change(request.user, pk)))
    return _page(request, form, lines, {
        "heading": _("Change the draft"), "submit": _("Save the draft"),
        "back": reverse("call-off", args=[pk]), "back_label": found.code,
        "intro": _(
            "An approval is void as soon as mode, competition, lot, supplier, dates, committed "
            "value, or an algorithm or a site of a line changes; it stays where anything else "
            "does. A line that is emptied is taken away."
        ),
    })  # fmt: skip


def _drafted(
    request: HttpRequest, framework: FrameworkAgreement, form: DraftForm, lines: Any
) -> int | None:
    """The key of the draft; None where it was refused, and the form says why."""
    asked = _asked(framework, form, lines)
    if asked is None:
        return None
    try:
        return drafting.draft(by=request.user, **drafting.asked_for(request.user, asked)).pk
    except CodeIsTaken as refused:
        form.add_error("code", str(refused))
    except DraftRefused as refused:
        form.refuse(base.told(refused))
    return None


def _redrafted(
    request: HttpRequest, call_off: CallOff, form: RedraftForm, lines: Any
) -> Redrafted | None:
    """What came of the change; None where it was refused, and the form says why."""
    asked = _asked(call_off.framework, form, lines)
    if asked is None:
        return None
    revision = asked.pop("revision")
    try:
        fields = drafting.asked_again(request.user, call_off, asked)
        return drafting.redraft(call_off, by=request.user, of=revision, **fields)
    except DraftRefused as refused:
        form.refuse(base.told(refused))
    return None


def _asked(
    framework: FrameworkAgreement, form: DraftForm, lines: Any
) -> dict[str, Any] | None:
    """What the forms say, in codes; None where there is no line, and the form says so."""
    said = dict(form.cleaned_data)
    rows = [
        {**one, "site": one["site"].code, "volume_estimate": one["volume_estimate"] or 0}
        for one in (line.cleaned_data for line in lines)
        if one.get("algorithm")
    ]
    if not rows:
        form.refuse([_("Expected at least one line.")])
        return None
    codes = {"framework": framework.code, "organisation": said["organisation"].code}
    return said | codes | {"lines": rows}


def _told(done: Redrafted) -> str:
    if not done.changed:
        return _("Nothing was changed.")
    if not done.voided:
        return _("The draft is changed.")
    text = _("The draft is changed, and what %(names)s approved is void: two people approve it.")
    return text % {"names": ", ".join(done.voided)}


def _page(
    request: HttpRequest, form: DraftForm, lines: Any, words: dict[str, str]
) -> HttpResponse:
    context = {"form": form, "lines": lines, "lines_heading": _("Lines"), **words}
    status = 400 if request.method == "POST" else 200
    return render(request, "hub/form.html", context, status=status)

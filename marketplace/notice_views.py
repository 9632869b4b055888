"""The pages of field safety notices: what is open, recording one, and lifting it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from hub import forms as base
from marketplace import safety_notices
from marketplace.deployments_api import deployments_of, notices_of
from marketplace.models import AlgorithmVersion, SafetyNotice
from marketplace.safety_notices import NoticeRefused, Told
from vendors.belonging import demand_keeper, may_keep_vendors, visible_vendors

PAGE_SIZE = 50


if TYPE_CHECKING:
    _Chooser = forms.ModelMultipleChoiceField[Any]
else:
    _Chooser = forms.ModelMultipleChoiceField


class _Versions(_Chooser):
    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.algorithm.vendor.name}: {obj.algorithm.name} {obj.version}"


class NoticeForm(base.Form):
    """A notice as it came from the manufacturer."""

    code = base.code(gettext_lazy("Number"), says=gettext_lazy("Of the manufacturer (FSCA)."))
    vendor = base.row(gettext_lazy("Manufacturer"))
    action = base.choice(gettext_lazy("Action"), SafetyNotice.Action.choices)
    received = base.day(gettext_lazy("Received"), needed=True)
    title = base.words(gettext_lazy("Title"))
    versions = _Versions(queryset=None, label=gettext_lazy("Versions it is about"))
    description = base.text(gettext_lazy("Description"), needed=False, most=4000)
    is_suspending = forms.BooleanField(
        label=gettext_lazy("Suspend these versions at every site at once"), required=False,
        initial=True,
    )  # fmt: skip

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        vendors = visible_vendors(user)
        base.set_rows(self, "vendor", vendors.order_by("name"))
        rows = AlgorithmVersion.objects.filter(algorithm__vendor__in=vendors)
        rows = rows.select_related("algorithm__vendor")
        base.set_rows(
            self, "versions", rows.order_by("algorithm__vendor__name", "algorithm__name", "-pk")
        )

    def clean_code(self) -> str:
        """A number that no other notice has, and that is no word of an address."""
        code: str = self.cleaned_data["code"]
        if code == "new" or SafetyNotice.objects.filter(code=code).exists():
            raise forms.ValidationError(_("expected a code that is not taken"))
        return code

    def clean_received(self) -> Any:
        """No day to come."""
        if self.cleaned_data["received"] > timezone.localdate():
            raise forms.ValidationError(_("expected no day to come"))
        return self.cleaned_data["received"]


class LiftForm(base.Form):
    """Why a notice keeps nothing out of use any more."""

    why = base.words(base.WHY, most=500)


@login_required
@require_GET
def notices(request: HttpRequest) -> HttpResponse:
    """All notices of the vendors that the user sees, the newest first."""
    rows = notices_of(request.user).prefetch_related("versions__version__algorithm")
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {"page": page, "may_keep": may_keep_vendors(request.user)}
    return render(request, "marketplace/notices.html", context)


@login_required
@require_GET
def notice(request: HttpRequest, code: str) -> HttpResponse:
    """One notice: what it is about, who decided, and where it keeps a version out of use."""
    return _shown(request, _notice(request, code), LiftForm(key="lift"))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def record(request: HttpRequest) -> HttpResponse:
    """Record a notice; what it is about is suspended before the answer comes."""
    demand_keeper(request.user)
    sent = request.POST if request.method == "POST" else None
    form = NoticeForm(sent, key="notice", user=request.user)
    if form.is_bound and form.is_valid():
        said = dict(form.cleaned_data)
        versions = said.pop("versions")
        try:
            _row, stopped = safety_notices.record(
                Told(**said), versions=versions, by=_user(request)
            )
        except NoticeRefused as refused:
            form.refuse([f"versions: {refused}"])
        else:
            messages.success(request, ngettext(
                "Recorded; %(count)s deployment is suspended.",
                "Recorded; %(count)s deployments are suspended.", len(stopped),
            ) % {"count": len(stopped)})  # fmt: skip
            return redirect("notice", said["code"])
    context = {
        "form": form, "heading": _("Record a field safety notice"), "submit": _("Record"),
        "back": reverse("notices"), "back_label": _("Field safety notices"),
    }  # fmt: skip
    return render(request, "hub/form.html", context, status=400 if form.is_bound else 200)


@login_required
@require_POST
def lift(request: HttpRequest, code: str) -> HttpResponse:
    """End a notice; each site then signs again."""
    row = _notice(request, code)
    demand_keeper(request.user)
    form = LiftForm(request.POST, key="lift")
    if form.is_valid():
        try:
            safety_notices.lift(row, why=form.cleaned_data["why"], by=_user(request))
        except NoticeRefused as refused:
            form.refuse([str(refused)])
        else:
            messages.success(request, _("Lifted: each site signs again for what was suspended."))
            return redirect("notice", code)
    return _shown(request, row, form)


def _shown(request: HttpRequest, row: SafetyNotice, form: LiftForm) -> HttpResponse:
    versions = [one.version for one in row.versions.select_related("version__algorithm")]
    context = {
        "notice": row, "versions": versions, "form": form,
        "deployments": deployments_of(request.user).filter(version__in=versions),
        "may_lift": row.lifted_on is None and may_keep_vendors(request.user),
    }  # fmt: skip
    status = 400 if form.is_bound else 200
    return render(request, "marketplace/notice.html", context, status=status)


def _notice(request: HttpRequest, code: str) -> SafetyNotice:
    found = notices_of(request.user).filter(code=code).first()
    if found is None:
        raise Http404
    return found



def _user(request: HttpRequest) -> Any:
    return request.user

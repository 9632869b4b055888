"""The pages on which people of a vendor are let in and out, and on which they keep their tokens."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST
from knox.models import AuthToken

from hub import forms as base
from vendors import inviting
from vendors.belonging import demand_keeper, own_vendor, visible_vendors
from vendors.models import Vendor


class TokenForm(base.Form):
    """A token for programs."""

    days = forms.IntegerField(label=gettext_lazy("Days that it holds"), min_value=1)

    def clean_days(self) -> int:
        """No longer than tokens of the hub hold."""
        days: int = self.cleaned_data["days"]
        if days > settings.HUB_TOKEN_DAYS:
            raise forms.ValidationError(
                _("expected at most %(most)s") % {"most": settings.HUB_TOKEN_DAYS}
            )
        return days


@login_required
@require_POST
def withdraw(request: HttpRequest, code: str, pk: int) -> HttpResponse:
    """End an invitation that nobody has taken up."""
    found = _kept(request, code).invitations.filter(pk=pk).first()
    if found is None:
        raise Http404
    inviting.withdraw(found, by=_user(request))
    messages.success(request, _("The invitation is withdrawn."))
    return redirect("vendor", code=code)


@login_required
@require_POST
def dismiss(request: HttpRequest, code: str, pk: int) -> HttpResponse:
    """End the access of a person of a vendor."""
    found = _kept(request, code).people.select_related("user", "vendor").filter(pk=pk).first()
    if found is None:
        raise Http404
    inviting.dismiss(found, by=_user(request))
    messages.success(request, _("The account is closed, and its tokens end."))
    return redirect("vendor", code=code)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def tokens(request: HttpRequest) -> HttpResponse:
    """One's own tokens; a new one is shown this once."""
    _demand_vendors_person(request)
    sent = request.POST if request.method == "POST" else None
    form = TokenForm(sent, key="token", initial={"days": min(90, settings.HUB_TOKEN_DAYS)})
    shown = ""
    if form.is_bound and form.is_valid():
        _row, shown = inviting.issue_token(_user(request), days=form.cleaned_data["days"])
        form = TokenForm(key="token")
    rows = AuthToken.objects.filter(user=_user(request)).order_by("created")
    context = {"form": form, "rows": rows, "secret": shown}
    status = 400 if form.is_bound else 200
    return render(request, "vendors/tokens.html", context, status=status)


@login_required
@require_POST
def end_token(request: HttpRequest, key: str) -> HttpResponse:
    """End one of one's own tokens."""
    _demand_vendors_person(request)
    if not inviting.end_token(_user(request), key):
        raise Http404
    messages.success(request, _("The token holds no longer."))
    return redirect("vendor-tokens")


def _kept(request: HttpRequest, code: str) -> Vendor:
    found = visible_vendors(request.user).filter(code=code).first()
    if found is None:
        raise Http404
    demand_keeper(request.user)
    return found


def _demand_vendors_person(request: HttpRequest) -> None:
    if own_vendor(request.user) is None:
        raise PermissionDenied(_("This is for people of vendors."))


def _user(request: HttpRequest) -> Any:
    return request.user

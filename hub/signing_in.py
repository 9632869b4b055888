"""Signing in and out: what it leaves in the audit trail, and an end to guessing passwords."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from hub import audit
from hub.models import AuditEvent, User
from hub.remembering import remember

SIGNED_IN, SIGNED_OUT, FAILED = "signed_in", "signed_out", "sign_in_failed"
# Counted for one name from one address: a stranger elsewhere cannot lock a radiologist out.
MOST_FAILURES = 10
WINDOW = timedelta(minutes=15)


class SignInForm(AuthenticationForm):
    """Name and password; after too many wrong ones from one address not even the right one."""

    error_messages = {  # noqa: RUF012  (Django's own form of it)
        name: gettext_lazy("That user name and password do not belong together.")
        for name in ("invalid_login", "inactive")
    }

    def clean(self) -> dict[str, Any]:
        """The signed-in user, or why not; every wrong password stands in the audit trail."""
        name, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if not name or not password:
            return self.cleaned_data
        assert self.request is not None  # LoginView always gives it
        address = _address(self.request)
        if ends_at := blocked_until(name, address):
            minutes = math.ceil((ends_at - timezone.now()) / timedelta(minutes=1))
            raise ValidationError(
                _("Too many wrong passwords for this user name. Try again in %(minutes)s min.")
                % {"minutes": minutes}
            )
        try:
            return super().clean()
        except ValidationError:
            audit.record(FAILED, actor=_told_name(name), address=address)
            raise


def blocked_until(name: str, address: str) -> datetime | None:
    """When the next password for ``name`` is looked at again; None where it is looked at now."""
    since = timezone.now() - WINDOW
    events = AuditEvent.objects.filter(
        actor=_told_name(name), at__gt=since, action__in=(SIGNED_IN, FAILED)
    ).order_by("-at")
    failures: list[datetime] = []
    for at, action, details in events.values_list("at", "action", "details"):
        if details.get("address") != address:
            continue
        if action == SIGNED_IN:
            break
        failures.append(at)
    if len(failures) < MOST_FAILURES:
        return None
    return failures[MOST_FAILURES - 1] + WINDOW


def _told_name(name: str) -> str:
    """A name that is nobody's may be a password in the wrong field: its fingerprint alone."""
    if User.objects.filter(username=name).exists():
        return name
    return f"unknown {salted_hmac('hub.signing_in', name).hexdigest()[:16]}"


def _address(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR") or "")


class SignInView(LoginView):
    """The sign-in page; afterwards the pages speak the language that the person chose before."""

    template_name = "hub/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Sign in, and bring the person's own language along."""
        response = super().form_valid(form)
        audit.record(SIGNED_IN, actor=form.get_user(), address=_address(self.request))
        if language := form.get_user().language:
            remember(response, settings.LANGUAGE_COOKIE_NAME, language)
        return response


class SignOutView(LogoutView):
    """Ends the session."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Sign out, and note who did."""
        if request.user.is_authenticated:
            audit.record(SIGNED_OUT, actor=request.user, address=_address(request))
        return super().post(request, *args, **kwargs)


sign_in = SignInView.as_view()
sign_out = SignOutView.as_view()

"""Signing in and out: what it leaves in the audit trail, and an end to guessing passwords."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from hub import audit
from hub.models import AuditEvent, User
from hub.remembering import remember
from hub.tokens import address_of

SIGNED_IN, SIGNED_OUT, FAILED = "signed_in", "signed_out", "sign_in_failed"
# Counted for one name from one address: a stranger elsewhere cannot lock a radiologist out.
MOST_FAILURES = 10
WINDOW = timedelta(minutes=15)
# Counted for one address, whatever the names: who tries one password on everybody. A ward that sits
# behind one address mistypes less often.
MOST_OF_ADDRESS = 50
# Counted for one name, from wherever: who has many addresses. Then only those are looked at from
# which the person has signed in before.
MOST_OF_NAME = 100
KNOWN_FOR = timedelta(days=90)


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
        address = address_of(self.request)
        if ends_at := blocked_until(name, address):
            minutes = math.ceil((ends_at - timezone.now()) / timedelta(minutes=1))
            raise ValidationError(
                _("Too many wrong passwords. Try again in %(minutes)s min.")
                % {"minutes": minutes}
            )
        try:
            return super().clean()
        except ValidationError:
            audit.record(FAILED, actor=_told_name(name), address=address)
            raise


def blocked_until(name: str, address: str) -> datetime | None:
    """When the next password for ``name`` is looked at again; None where it is looked at now."""
    now = timezone.now()
    failures = AuditEvent.objects.filter(action=FAILED, at__gt=now - WINDOW).order_by("-at")
    told = _told_name(name)
    bounds = [
        _end_of(_failures_since_success(told, address, now=now), MOST_FAILURES),
        _end_of(_moments(failures.filter(details__address=address)), MOST_OF_ADDRESS),
    ]
    if not _is_known(told, address, now=now):
        bounds.append(_end_of(_moments(failures.filter(actor=told)), MOST_OF_NAME))
    return max((bound for bound in bounds if bound), default=None)


def _failures_since_success(told: str, address: str, *, now: datetime) -> list[datetime]:
    """The wrong passwords for one name from one address, newest first, since the last right one."""
    events = AuditEvent.objects.filter(
        actor=told, at__gt=now - WINDOW, action__in=(SIGNED_IN, FAILED), details__address=address
    ).order_by("-at")
    failures: list[datetime] = []
    for at, action in events.values_list("at", "action"):
        if action == SIGNED_IN:
            break
        failures.append(at)
    return failures


def _moments(events: QuerySet[AuditEvent]) -> list[datetime]:
    return list(events.values_list("at", flat=True)[: max(MOST_OF_ADDRESS, MOST_OF_NAME)])


def _end_of(failures: list[datetime], most: int) -> datetime | None:
    return failures[most - 1] + WINDOW if len(failures) >= most else None


def _is_known(told: str, address: str, *, now: datetime) -> bool:
    """Whether the person has signed in from there of late."""
    return AuditEvent.objects.filter(
        actor=told, action=SIGNED_IN, at__gt=now - KNOWN_FOR, details__address=address
    ).exists()


def _told_name(name: str) -> str:
    """A name that is nobody's may be a password in the wrong field: its fingerprint alone."""
    if User.objects.filter(username=name).exists():
        return name
    return f"unknown {salted_hmac('hub.signing_in', name).hexdigest()[:16]}"


class SignInView(LoginView):
    """The sign-in page; afterwards the pages speak the language that the person chose before."""

    template_name = "hub/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Sign in, and bring the person's own language along."""
        response = super().form_valid(form)
        audit.record(SIGNED_IN, actor=form.get_user(), address=address_of(self.request))
        if language := form.get_user().language:
            remember(response, settings.LANGUAGE_COOKIE_NAME, language)
        return response


class SignOutView(LogoutView):
    """Ends the session."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Sign out, and note who did."""
        if request.user.is_authenticated:
            audit.record(SIGNED_OUT, actor=request.user, address=address_of(request))
        return super().post(request, *args, **kwargs)


sign_in = SignInView.as_view()
sign_out = SignOutView.as_view()

"""The pages of the frame: signing in, language and appearance, and what went wrong."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import check_for_language
from django.views.decorators.http import require_POST

THEMES = ("dark", "light", "system")
THEME_COOKIE = "theme"
YEAR = 365 * 24 * 3600


class SignInView(LoginView):
    """The sign-in page; afterwards the pages speak the language that the person chose before."""

    template_name = "hub/sign_in.html"
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Sign in, and bring the person's own language along."""
        response = super().form_valid(form)
        if language := form.get_user().language:
            _remember(response, settings.LANGUAGE_COOKIE_NAME, language)
        return response


sign_in = SignInView.as_view()
sign_out = LogoutView.as_view()


@require_POST
def preferences(request: HttpRequest) -> HttpResponse:
    """Keep a chosen language or appearance, and go back to where the choice was made."""
    response = redirect(_way_back(request))
    language, theme = request.POST.get("language", ""), request.POST.get("theme", "")
    if language in dict(settings.LANGUAGES) and check_for_language(language):
        _remember(response, settings.LANGUAGE_COOKIE_NAME, language)
        if request.user.is_authenticated:
            request.user.language = language
            request.user.save(update_fields=["language"])
    if theme in THEMES:
        _remember(response, THEME_COOKIE, theme)
    return response


def _way_back(request: HttpRequest) -> str:
    asked = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(asked, allowed_hosts={request.get_host()}):
        return asked
    return reverse("worklist")


def _remember(response: HttpResponse, name: str, value: str) -> None:
    response.set_cookie(
        name,
        value,
        max_age=YEAR,
        httponly=True,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )


def not_found(request: HttpRequest, exception: Any = None) -> HttpResponse:
    """The same page for what is not there and what is not theirs."""
    return render(request, "hub/not_found.html", status=404)


def refused(request: HttpRequest, exception: Any = None) -> HttpResponse:
    """A page that says in a sentence why this is not for the person."""
    return render(request, "hub/refused.html", {"why": str(exception or "")}, status=403)

"""The pages of the frame: language and appearance, and what went wrong.

None of them says what a fault said: the words of a database or a parser quote what they choke on,
which may be a patient's name.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import check_for_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from hub.remembering import remember

THEMES = ("dark", "light", "system")
THEME_COOKIE = "theme"


@require_POST
def preferences(request: HttpRequest) -> HttpResponse:
    """Keep a chosen language or appearance, and go back to where the choice was made."""
    response = redirect(way_back(request))
    language, theme = request.POST.get("language", ""), request.POST.get("theme", "")
    if language in dict(settings.LANGUAGES) and check_for_language(language):
        remember(response, settings.LANGUAGE_COOKIE_NAME, language)
        if request.user.is_authenticated:
            request.user.language = language
            request.user.save(update_fields=["language"])
    if theme in THEMES:
        remember(response, THEME_COOKIE, theme)
    return response


def way_back(request: HttpRequest, *, otherwise: str = "worklist") -> str:
    """The address of this hub that a form names to come back to, or of the page ``otherwise``."""
    asked = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(asked, allowed_hosts={request.get_host()}):
        return asked
    return reverse(otherwise)


def not_found(request: HttpRequest, exception: Any = None) -> HttpResponse:
    """The same page for what is not there and what is not theirs; to a program, a problem."""
    if _is_program(request):
        return JsonResponse({"detail": _("Not found")}, status=404)
    return render(request, "hub/not_found.html", status=404)


def refused(request: HttpRequest, exception: Any = None) -> HttpResponse:
    """A page that says in a sentence why this is not for the person."""
    why = str(exception or "")
    if _is_program(request):
        return JsonResponse({"detail": why or _("Your roles do not allow this.")}, status=403)
    return render(request, "hub/refused.html", {"why": why}, status=403)


def stale(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form whose proof of origin (CSRF) is not that of this session, most often an old page."""
    why = _(
        "This page is older than your session, so nothing was done. "
        "Open it again and repeat what you did."
    )
    return render(request, "hub/refused.html", {"why": why}, status=403)


def unfit(request: HttpRequest, exception: Any = None) -> HttpResponse:
    """A request that cannot be meant: a host that is not ours, a form with too many fields."""
    why = _("The hub cannot make anything of this request.")
    return _alone(request, title=_("Not understood"), why=why, status=400)


def failed(request: HttpRequest) -> HttpResponse:
    """A fault of the hub; asks neither database nor session, which may be what is broken."""
    why = _(
        "Something in the hub went wrong. It is in the log of the hub. "
        "Try again; if it stays so, tell your administrator when it happened."
    )
    return _alone(request, title=_("Something went wrong"), why=why, status=500)


def _alone(request: HttpRequest, *, title: str, why: str, status: int) -> HttpResponse:
    if _is_program(request):
        return JsonResponse({"detail": why}, status=status)
    page = render_to_string("hub/failed.html", {"title": title, "why": why})
    return HttpResponse(page, status=status)


def _is_program(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")

"""Buttons on the pages of the procurement side: one verb each, and back to the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from rest_framework.exceptions import ValidationError

from contracts.forms.base import told
from contracts.submitting import ContentRefused
from contracts.tenders import ProcedureMoveRefused
from hub.pages import way_back
from hub.spelling import spelt
from marketplace.needs import NothingToChooseFrom
from marketplace.uncertainty import NoSuchDistribution

REFUSED = (
    ValidationError, ProcedureMoveRefused, ContentRefused, NothingToChooseFrom, NoSuchDistribution,
)
# the fields of the small forms on these pages
_CALLED = {
    "points": gettext_lazy("Points"), "justification": gettext_lazy("Justification"),
    "why": gettext_lazy("Why"), "criterion": gettext_lazy("What is scored"),
}  # fmt: skip


def button(act: Callable[..., str]) -> Callable[..., HttpResponse]:
    """A POST that does one thing, says what came of it, and goes back to the page."""

    @login_required
    @require_POST
    def press(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        try:
            messages.success(request, act(request, **kwargs))
        except REFUSED as refused:
            for sentence in sentences(refused):
                messages.error(request, sentence)
        return redirect(way_back(request, otherwise="procedures"))

    return press


def sentences(refused: Exception) -> list[str]:
    """What was refused, each with the label of the field that it begins with, not its name."""
    found = lines(refused.detail) if isinstance(refused, ValidationError) else told(refused)
    return [_labelled(str(one)) for one in found]


def _labelled(sentence: str) -> str:
    name, colon, rule = sentence.partition(": ")
    label = _CALLED.get(name)
    return spelt(f"{label}{colon}{rule}" if label and rule else sentence)


def page(
    request: HttpRequest, name: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """A page that knows where it is, for its forms to come back to."""
    told = {"here": request.get_full_path(), **context}
    return render(request, f"contracts/{name}.html", told, status=status)


def given(request: HttpRequest, name: str) -> str:
    """A text of the form that must be there."""
    text = request.POST.get(name, "").strip()
    if not text or "\x00" in text:
        raise ValidationError({name: [_("expected a text")]})
    return text


def lines(detail: Any, path: str = "") -> list[str]:
    """Each problem as "field: rule"."""
    if isinstance(detail, dict):
        return [
            line
            for name, below in detail.items()
            for line in lines(below, f"{path}.{name}" if path else str(name))
        ]
    if isinstance(detail, list):
        return [line for below in detail for line in lines(below, path)]
    return [f"{path}: {detail}" if path else str(detail)]

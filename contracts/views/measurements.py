"""The forms on the page of usage that take what was measured of a service."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError

from contracts import measuring
from contracts.billing.running import billable
from contracts.models import PriceBookEntry
from contracts.usage_rows import UsageRefused
from contracts.views.buttons import button, given

LINES_SHOWN = 50


def context_of(user: Any) -> dict[str, Any]:
    """What the page shows of readings, and what its forms offer."""
    return {
        "availability": measuring.availability(user)[:LINES_SHOWN],
        "outcomes": measuring.outcomes(user)[:LINES_SHOWN],
        "lines": measuring.lines_of(user),
        "measured_prices": _measured_prices(user),
    }


@button
def record_availability(request: HttpRequest) -> str:
    """Take the availability of a line in a month."""
    lines = {str(one.pk): one for one in measuring.lines_of(request.user)}
    line = lines.get(given(request, "line"))
    if line is None:
        raise ValidationError({"line": [_("expected one of your lines")]})
    row = {
        "call_off": line.call_off.code, "algorithm": line.algorithm.code, "site": line.site.code,
        "month": given(request, "month"), "share": f"{_percent(given(request, 'share'))}%",
    }  # fmt: skip
    try:
        measuring.record_availability([row], by=request.user)
    except UsageRefused as refused:
        raise _without_place(refused) from refused
    return _("Availability is recorded.")


@button
def record_outcome(request: HttpRequest) -> str:
    """Take what was measured in a contract year."""
    known = {str(one.pk): one for one in _measured_prices(request.user)}
    entry = known.get(given(request, "price"))
    if entry is None:
        raise ValidationError({"price": [_("expected one of the agreements that you bill")]})
    row = {
        "framework": entry.framework.code, "algorithm": entry.algorithm.code,
        "kpi": entry.terms["outcome"]["kpi"], "date": given(request, "date"),
        "successes": _whole(request, "successes"), "n": _whole(request, "n"),
    }  # fmt: skip
    try:
        measuring.record_outcomes([row], by=request.user)
    except UsageRefused as refused:
        raise _without_place(refused) from refused
    return _("What was measured is recorded.")


def _measured_prices(user: Any) -> list[PriceBookEntry]:
    """The prices that follow an outcome, under the agreements that a user bills."""
    return [
        entry
        for framework in billable(user)
        for entry in framework.price_book.select_related("framework", "algorithm")
        if entry.terms.get("outcome")
    ]


def _percent(text: str) -> Decimal:
    """A percentage as people write it: 99.5 or 99,5."""
    try:
        found = Decimal(text.replace(",", ".").removesuffix("%").strip())
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite() or not 0 <= found <= 100:
        raise ValidationError({"share": [_("expected a percentage from 0 to 100")]})
    return found


def _whole(request: HttpRequest, name: str) -> int:
    text = given(request, name)
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise ValidationError({name: [_("expected a whole number")]})
    return int(text)


def _without_place(refused: UsageRefused) -> ValidationError:
    """The faults by field: a form has a single row."""
    return ValidationError({one.path.rpartition(".")[2]: [one.text] for one in refused.faults})

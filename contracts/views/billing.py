"""The pages of usage and billing: what was used, runs, invoices, and the events of each line."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from contracts import reading as agreements
from contracts import usage, utilisation
from contracts.agreements import CONTRACT_ZONE
from contracts.api.billing import may_credit
from contracts.billing import crediting, kept, parts, reading, running
from contracts.models import Invoice, InvoiceLine
from contracts.pricing import months_after
from contracts.views import measurements
from contracts.views.buttons import page
from hub.access import CONTRACT_ROLES, holds_role
from hub.models import Site
from marketplace.models import Algorithm

PAGE_SIZE = 50
REASON_LENGTH = 300
_GROUPS = ("framework", "call_off", "algorithm", "site")


@login_required
@require_GET
def used(request: HttpRequest) -> HttpResponse:
    """What was used, by line of a call-off, beside how much of each agreement is bound."""
    _demand_officer(request)
    today = _today()
    first = _day(request, "from", default=date(today.year, 1, 1))
    last = _day(request, "to", default=today)
    question = usage.Question(group_by=_GROUPS, only={}, first=first, last=last)
    context = {
        "first": first,
        "last": last,
        "rows": named(usage.usage(request.user, question)),
        "frameworks": [
            {"framework": one, "utilisation": utilisation.of_framework(one)}
            for one in agreements.frameworks(request.user)
        ],
        **measurements.context_of(request.user),
    }
    return page(request, "usage", context)


@login_required
@require_GET
def billing(request: HttpRequest) -> HttpResponse:
    """Runs and invoices, and a form to see what a month would come to."""
    _demand_officer(request)
    context = {
        "page": Paginator(reading.invoices(request.user), PAGE_SIZE).get_page(
            request.GET.get("page")
        ),
        "runs": reading.runs(request.user)[:12],
        "may_bill": bool(running.billable(request.user)),
        "month": f"{months_after(_today().replace(day=1), -1):%Y-%m}",
    }
    return render(request, "contracts/billing.html", context)


@login_required
@require_POST
def try_run(request: HttpRequest) -> HttpResponse:
    """Show what a run would issue; nothing of it is kept."""
    _demand_officer(request)
    try:
        outcome = running.run(_month(request), by=request.user)
    except running.NotBilledError as refused:
        messages.error(request, str(refused))
        return redirect("billing")
    context = {"outcome": outcome, "sums": _sums([one for one, _lines in outcome.invoices])}
    return render(request, "contracts/billing_run.html", context)


@login_required
@require_POST
def issue(request: HttpRequest) -> HttpResponse:
    """Make the run that was shown."""
    _demand_officer(request)
    try:
        outcome = running.run(
            _month(request), by=request.user, is_dry=False,
            fingerprint=request.POST.get("fingerprint", "")[:64] or "-",
        )  # fmt: skip
    except running.NotBilledError as refused:
        messages.error(request, str(refused))
    else:
        messages.success(
            request, ngettext(
                "%(count)s document was issued.", "%(count)s documents were issued.",
                len(outcome.invoices),
            ) % {"count": len(outcome.invoices)}
        )
    return redirect("billing")


@login_required
@require_GET
def invoice(request: HttpRequest, uid: UUID) -> HttpResponse:
    """One invoice with its lines, its files and its credit notes."""
    one = _invoice(request, uid)
    context = {
        "invoice": one,
        "lines": reading.lines_of(one),
        "files": kept.files_of(one),
        "corrected": reading.credited(request.user, one),
        "notes": one.credit_notes.order_by("pk"),
        "may_credit": one.kind == Invoice.Kind.INVOICE and may_credit(request.user, one),
        "reason_length": REASON_LENGTH,
    }
    return render(request, "contracts/invoice.html", context)


@login_required
@require_GET
def line(request: HttpRequest, uid: UUID, position: int) -> HttpResponse:
    """The usage events that a line of an invoice was rated on."""
    one = _invoice(request, uid)
    rows = one.lines.select_related("snapshot")
    found: InvoiceLine | None = rows.filter(position=position).first()
    if found is None:
        raise Http404
    pages = Paginator(reading.events_of(found), PAGE_SIZE)
    context = {
        "invoice": one, "line": found, "page": pages.get_page(request.GET.get("page")),
        "digest": parts.digest_of(found), "rated": parts.rated_of(found),
    }  # fmt: skip
    return render(request, "contracts/invoice_line.html", context)


@login_required
@require_POST
def credit(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Credit the whole of an invoice, with the reason that the person gave."""
    one = _invoice(request, uid)
    if not may_credit(request.user, one):
        raise PermissionDenied(_("Only the buyer's or the holder's officers may credit it."))
    reason = request.POST.get("reason", "").strip()
    if not reason or len(reason) > REASON_LENGTH:
        messages.error(
            request,
            _("Say why it is credited, in up to %(length)s characters.")
            % {"length": REASON_LENGTH},
        )
        return redirect("invoice", uid=uid)
    try:
        note = crediting.credit(
            one, by=request.user, reason=reason, is_billed_again="bill_again" in request.POST
        )
    except crediting.NotCreditedError as refused:
        messages.error(request, str(refused))
        return redirect("invoice", uid=uid)
    return redirect("invoice", uid=note.uid)


def _invoice(request: HttpRequest, uid: UUID) -> Invoice:
    """The invoice asked for; the same 404 for one that is not there and one that is not theirs."""
    found = reading.invoice(request.user, uid)
    if found is None:
        raise Http404
    return found


def _demand_officer(request: HttpRequest) -> None:
    if not holds_role(request.user, roles=CONTRACT_ROLES):
        raise PermissionDenied(_("This page is for those who buy."))


def _month(request: HttpRequest) -> date:
    try:
        return date.fromisoformat(f"{request.POST.get('period', '')[:7]}-01")
    except ValueError:
        raise running.NotBilledError(_("period: expected a month such as 2026-06")) from None


def _day(request: HttpRequest, name: str, *, default: date) -> date:
    try:
        found = parse_date(request.GET.get(name, ""))
    except ValueError:
        found = None
    return found if found and 1900 < found.year < 9000 else default


def _sums(invoices: list[Invoice]) -> dict[str, Any] | None:
    """What documents come to together; None where they are of several currencies."""
    currencies = {one.currency for one in invoices}
    if len(currencies) != 1:
        return None
    return {"currency": currencies.pop()} | {
        name: sum(getattr(one, name) for one in invoices) for name in ("net", "vat", "gross")
    }


def named(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with what algorithms and sites are called."""
    algorithms = dict(Algorithm.objects.values_list("code", "name"))
    sites = dict(Site.objects.values_list("code", "name"))
    return [
        row | {"algorithm_name": algorithms.get(row["algorithm"], row["algorithm"]),
               "site_name": sites.get(row["site"], row["site"])}
        for row in rows
    ]  # fmt: skip


def _today() -> date:
    return timezone.now().astimezone(CONTRACT_ZONE).date()

"""The pages of vendors' own invoices: each held against what was metered."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from contracts.billing import reading, reconciling
from contracts.billing.claims import MATCHED, MOST_BYTES, ClaimNotReadError
from contracts.models import VendorInvoice
from contracts.views.billing import named
from contracts.views.buttons import page
from hub.access import CONTRACT_ROLES, holds_role

PAGE_SIZE = 50


@login_required
@require_GET
def vendor_invoices(request: HttpRequest) -> HttpResponse:
    """What vendors claimed, and a form to take in a further file."""
    _demand_officer(request)
    rows = Paginator(reading.vendor_invoices(request.user), PAGE_SIZE)
    return page(request, "vendor_invoices", {"page": rows.get_page(request.GET.get("page"))})


@login_required
@require_GET
def vendor_invoice(request: HttpRequest, uid: UUID) -> HttpResponse:
    """One of them, with what came of comparing it."""
    _demand_officer(request)
    found: VendorInvoice | None = reading.vendor_invoices(request.user).filter(uid=uid).first()
    if found is None:
        raise Http404
    return page(request, "vendor_invoice", {"invoice": found, **_compared(found)})


@login_required
@require_POST
def reconcile(request: HttpRequest) -> HttpResponse:
    """Take a file in, and show what came of it."""
    _demand_officer(request)
    file = request.FILES.get("file")
    if file is None or file.size is None or file.size > MOST_BYTES:
        what = _("file: expected a file of up to %(most)s bytes") % {"most": MOST_BYTES}
        return page(request, "vendor_invoices", _again(request, what), status=400)
    try:
        invoice, _found = reconciling.reconcile(file.read(), by=request.user)
    except (ClaimNotReadError, reconciling.NotReconciledError) as fault:
        return page(request, "vendor_invoices", _again(request, str(fault)), status=400)
    return redirect("vendor-invoice", uid=invoice.uid)


def _compared(invoice: VendorInvoice) -> dict[str, object]:
    """What was found, what is not as metered first, and what it comes to."""
    findings = named(invoice.findings)
    wrong = [one for one in findings if one["status"] != MATCHED]
    right = [one for one in findings if one["status"] == MATCHED]
    return {
        "faults": [_rule(one) for one in invoice.faults or []],
        "findings": [*wrong, *right], "has_differences": bool(wrong),
        "matched": len(right), "differing": len(wrong),
        "sums": {
            name: sum(Decimal(one[f"{name}_amount"]) for one in findings)
            for name in ("due", "claimed")
        },
    }  # fmt: skip


def _rule(fault: str) -> dict[str, str]:
    """A fault by the name of its rule, and what that demands."""
    rule, _colon, text = fault.partition(": ")
    return {"rule": rule, "text": text}


def _again(request: HttpRequest, fault: str) -> dict[str, object]:
    rows = Paginator(reading.vendor_invoices(request.user), PAGE_SIZE)
    return {"page": rows.get_page(1), "fault": fault}


def _demand_officer(request: HttpRequest) -> None:
    if not holds_role(request.user, roles=CONTRACT_ROLES):
        raise PermissionDenied(_("This page is for those who buy."))

"""Holds a vendor's own invoice against what was metered and rated, and keeps what came of it.

Its number is taken once, and what was claimed before counts: nobody is paid twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Sum as Total
from django.utils import timezone
from django.utils.translation import gettext as _

from contracts.billing import claims, crediting
from contracts.billing.claims import Claim, Found, Place, Sum
from contracts.billing.issuing import CREDITED
from contracts.models import CallOff, InvoiceLine, VendorInvoice, VendorInvoiceLine
from hub import audit
from hub.access import CONTRACT_ROLES, holds_role_for


class NotReconciledError(Exception):
    """The invoice cannot be taken; the sentence names field and rule."""


def reconcile(content: bytes, *, by: Any) -> tuple[VendorInvoice, list[Found]]:
    """Compare the file and keep it. Raises ClaimNotReadError and NotReconciledError."""
    claim = claims.read(content)
    call_off = _call_off(claim, by=by)
    if claim.currency != call_off.framework.currency:
        raise NotReconciledError(
            _("currency: expected %(currency)s") % {"currency": call_off.framework.currency}
        )
    try:
        with transaction.atomic():
            CallOff.objects.select_for_update(no_key=True).get(pk=call_off.pk)
            found = claims.compare(
                claim, due=_due(call_off), before=_before(call_off), given_up=_given_up(call_off)
            )
            invoice = _keep(claim, found, content, call_off=call_off, by=by)
    except IntegrityError:
        raise NotReconciledError(
            _("invoice: %(number)s of this vendor was taken before") % {"number": claim.number}
        ) from None
    return invoice, found


def told(found: Iterable[Found]) -> list[dict[str, Any]]:
    """Findings as JSON values."""
    return [
        {
            "status": one.status, "call_off": one.place[0], "algorithm": one.place[1],
            "site": one.place[2], "month": f"{one.place[3]:%Y-%m}",
            "due_quantity": one.due.quantity, "due_amount": f"{one.due.amount:.2f}",
            "given_up_amount": f"{one.given_up:.2f}",
            "claimed_quantity": one.claimed.quantity,
            "claimed_amount": f"{one.claimed.amount:.2f}",
        }
        for one in found
    ]  # fmt: skip


def _call_off(claim: Claim, *, by: Any) -> CallOff:
    codes = {place[0] for place in claim.places}
    if len(codes) != 1:
        raise NotReconciledError(_("call_off: expected one in all lines"))
    row = CallOff.objects.select_related(
        "framework__supplier", "framework__holder", "supplier", "organisation"
    )
    found = row.filter(code=codes.pop()).first()
    if found is None or not _may_reconcile(by, found):
        raise NotReconciledError(_("call_off: you have no call-off with this code"))
    return found


def _may_reconcile(by: Any, call_off: CallOff) -> bool:
    """Who stands for the buyer, or for the holder of the agreement; a command is nobody's."""
    return isinstance(by, str) or any(
        holds_role_for(by, party, roles=CONTRACT_ROLES)
        for party in (call_off.organisation, call_off.framework.holder)
    )


def _due(call_off: CallOff) -> dict[Place, Sum]:
    rows = InvoiceLine.objects.filter(invoice__call_off=call_off, line__isnull=False)
    usage = rows.exclude(key__startswith=CREDITED).order_by().values_list(
        "line__algorithm__code", "line__site__code", "month", "kind"
    )  # fmt: skip
    return claims.summed(
        (
            (call_off.code, algorithm, site, month),
            Sum(int(quantity) if kind == "usage" else 0, amount),
        )
        for algorithm, site, month, kind, quantity, amount in usage.annotate(
            quantity_=Total("quantity"), amount_=Total("amount")
        )
    )


def _given_up(call_off: CallOff) -> dict[Place, Sum]:
    """What credit notes took back for good, below 0: it was invoiced, and is not due any more."""
    rows = InvoiceLine.objects.filter(
        invoice__call_off=call_off, line__isnull=False, key__startswith=CREDITED
    ).select_related("line__algorithm", "line__site", "invoice")
    return claims.summed(
        (
            (call_off.code, one.line.algorithm.code, one.line.site.code, one.month),
            Sum(crediting.examinations_in(one), one.amount),
        )
        for one in rows
        if one.line is not None
    )


def _before(call_off: CallOff) -> dict[Place, Sum]:
    rows = VendorInvoiceLine.objects.filter(call_off=call_off.code)
    return claims.summed(
        ((one.call_off, one.algorithm, one.site, one.month), Sum(one.quantity, one.amount))
        for one in rows
    )


def _keep(
    claim: Claim, found: list[Found], content: bytes, *, call_off: CallOff, by: Any
) -> VendorInvoice:
    actor = str(getattr(by, "username", by))
    invoice = VendorInvoice.objects.create(
        supplier=call_off.sold_by, organisation=call_off.organisation,
        number=claim.number, kind=claim.kind, month=claim.month, currency=claim.currency,
        net=claim.net, sha256=hashlib.sha256(content).hexdigest(), received_at=timezone.now(),
        received_by=actor, findings=[*told(found)], faults=list(claim.faults),
    )  # fmt: skip
    VendorInvoiceLine.objects.bulk_create(
        VendorInvoiceLine(
            invoice=invoice, call_off=place[0], algorithm=place[1][:64], site=place[2][:64],
            month=place[3], quantity=one.quantity, amount=one.amount,
        )
        for place, one in claim.places.items()
    )  # fmt: skip
    audit.record(
        "vendor_invoice.reconciled", actor=by, subject=claim.number, call_off=call_off.code,
        statuses=sorted({one.status for one in found}), faults=list(claim.faults),
    )  # fmt: skip
    return invoice

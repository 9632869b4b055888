"""Who sees which invoices and runs, and what they were made of."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from contracts.billing import booking, documents
from contracts.models import (
    BillingRun,
    CallOff,
    Invoice,
    InvoiceLine,
    UsageEvent,
    VendorInvoice,
    VendorInvoiceLine,
)
from hub.access import CONTRACT_ROLES, organisation_clause


def invoices(user: Any) -> QuerySet[Invoice]:
    """The invoices that a user may see, the newest first."""
    related = ("organisation", "supplier", "call_off__framework", "run", "credits")
    return Invoice.objects.visible_to(user).select_related(*related).order_by("-pk")


def invoice(user: Any, uid: UUID) -> Invoice | None:
    """One of them."""
    return invoices(user).filter(uid=uid).first()


def runs(user: Any) -> QuerySet[BillingRun]:
    """The runs that made an invoice which a user may see, the newest first."""
    theirs = Invoice.objects.visible_to(user).filter(run__isnull=False)
    return BillingRun.objects.filter(pk__in=theirs.values("run")).order_by("-pk")


def credited(user: Any, one: Invoice) -> QuerySet[Invoice]:
    """The invoices that a credit note refers to."""
    numbers = [number for number, _day in documents.credited(one)]
    return invoices(user).filter(number__in=numbers).order_by("pk")


def vendor_invoices(user: Any) -> QuerySet[VendorInvoice]:
    """What vendors claimed of the user's organisations and under agreements they hold."""
    theirs = organisation_clause(user, path="organisation", roles=CONTRACT_ROLES)
    held = organisation_clause(user, path="framework__holder", roles=CONTRACT_ROLES)
    under = VendorInvoiceLine.objects.filter(
        call_off__in=CallOff.objects.filter(held).values("code")
    )
    rows = VendorInvoice.objects.filter(theirs | Q(pk__in=under.values("invoice")))
    return rows.select_related("supplier", "organisation").order_by("-pk")


def lines_of(one: Invoice) -> list[InvoiceLine]:
    """The lines of an invoice in their order."""
    rows = one.lines.select_related("line__algorithm", "line__site", "snapshot")
    return list(rows.order_by("position"))


def events_of(one: InvoiceLine) -> QuerySet[UsageEvent]:
    """The usage events that a line was rated on, those of its own run among them."""
    if one.line_id is None or one.invoice.run is None:
        return UsageEvent.objects.none()
    found = booking.events_of(line=one.line_id, month=one.month, until=one.invoice.run)
    return found.select_related("version", "booking__run").prefetch_related("adjustments")

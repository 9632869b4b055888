"""An invoice as a row, for tests of who may see it; how one comes to be: tests/contracts."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from contracts.billing.documents import document_of
from contracts.models import Invoice, InvoiceLine, VendorInvoice
from tests.builders.parties import FirstSite


def invoice_of(here: FirstSite) -> Invoice:
    """An invoice of April 2026 under the call-off of the first site, with one line."""
    april = date(2026, 4, 1)
    invoice = Invoice.objects.create(
        kind="380", number="examplemed-000001", supplier=here.vendor, sequence=1,
        organisation=here.organisation, call_off=here.call_off, call_off_sequence=1,
        period_from=april, period_to=date(2026, 4, 30), issued_on=date(2026, 5, 4),
        due_on=date(2026, 6, 3), currency="NOK", net=Decimal("240.00"), vat=Decimal("60.00"),
        gross=Decimal("300.00"), document=document_of(here.call_off, period=april),
    )  # fmt: skip
    InvoiceLine.objects.create(
        invoice=invoice, position=1, line=here.line, kind="usage", key="of a test", month=april,
        span_from=date(2026, 1, 1), description="Examinations", quantity=10, unit_price=24,
        amount=Decimal("240.00"), vat_rate=Decimal("0.25"),
    )  # fmt: skip
    return invoice


def claim_of(here: FirstSite, *, number: str) -> VendorInvoice:
    """What the vendor itself asks for April 2026, as it was taken in and found to match."""
    return VendorInvoice.objects.create(
        supplier=here.vendor, organisation=here.organisation, number=number, kind="380",
        month=date(2026, 4, 1), currency="NOK", net=Decimal("240.00"), sha256="0" * 64,
        received_at=datetime(2026, 5, 5, 8, tzinfo=UTC), received_by=here.officer.username,
    )  # fmt: skip

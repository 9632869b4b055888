"""An invoice as a row, for tests of who may see it; how one comes to be: tests/contracts."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from contracts.billing.documents import document_of
from contracts.models import Invoice, InvoiceLine
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

"""The specification of an invoice as CSV: one row for each line, as it is attached to it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from contracts.models import Invoice, InvoiceLine

COLUMNS = (
    "invoice", "type", "call_off", "position", "month", "site", "algorithm", "charge",
    "description", "quantity", "unit_price", "amount", "vat_percent", "currency",
)  # fmt: skip
# A cell that begins with one of these is a formula to a spreadsheet.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_of(invoice: Invoice, lines: Sequence[InvoiceLine]) -> bytes:
    """UTF-8 with commas and CRLF (RFC 4180); amounts are signed as in the document."""
    sign = -1 if invoice.kind == Invoice.Kind.CREDIT_NOTE else 1
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for one in lines:
        line = one.line
        writer.writerow([
            invoice.number, invoice.kind, _cell(invoice.document["call_off"]), one.position,
            f"{one.month:%Y-%m}", _cell(line.site.code if line else ""),
            _cell(line.algorithm.code if line else ""), one.kind, _cell(one.description),
            f"{sign * one.quantity:f}", f"{one.unit_price:f}", f"{sign * one.amount:f}",
            f"{(one.vat_rate * 100).normalize():f}", invoice.currency,
        ])  # fmt: skip
    return out.getvalue().encode()


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text

"""What an invoice says besides its lines, as it was on the day of issue: parties, tax, references.

Amounts are signed as booked. Taxes are reckoned for each rate on the sum of its lines (EN 16931).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from contracts.models import CallOff, CallOffLine, Invoice, InvoiceLine
from contracts.pricing import value_added_tax
from contracts.vat import STANDARD

# ISO 6523 code of the electronic address, and what comes before and after the number for the tax.
_ADDRESSES = {"NO": ("0192", "NO", "MVA"), "DK": ("0184", "DK", ""), "SE": ("0007", "SE", "01")}
_GLN = "0088"
# UNCL5305 by how the agreement is taxed
CATEGORIES = {STANDARD: "S", "reverse_charge": "AE", "exempt": "E", "out_of_scope": "O"}
PAID_WITHIN_DAYS = 30
_LANGUAGES = {"NO": "nb", "DK": "da"}


@dataclass(frozen=True, slots=True)
class Tax:
    """One category and rate: what it is on, and what it is."""

    category: str
    rate: Decimal
    base: Decimal
    tax: Decimal


def taxes(lines: Iterable[tuple[Decimal, Decimal]], *, treatment: str) -> list[Tax]:
    """By rate, of (amount, rate) of each line."""
    bases: defaultdict[Decimal, Decimal] = defaultdict(lambda: Decimal("0.00"))
    for amount, rate in lines:
        bases[rate] += amount
    return [
        Tax(CATEGORIES[treatment], rate, base, value_added_tax(base, rate=rate))
        for rate, base in sorted(bases.items())
    ]


def document_of(call_off: CallOff, *, period: date) -> dict[str, Any]:
    """Parties and references of the invoices under a call-off."""
    framework = call_off.framework
    return {
        "supplier": party(call_off.sold_by),
        "buyer": party(call_off.organisation),
        "buyer_reference": getattr(call_off, "buyer_reference", "") or call_off.code,
        "cost_centre": getattr(call_off, "cost_centre", "") or "",
        "framework": framework.code,
        "call_off": call_off.code,
        "treatment": framework.vat,
        "period": period.isoformat(),
    }


def party(row: Any) -> dict[str, str]:
    """A vendor or an organisation as a party to an invoice."""
    scheme, before, after = _ADDRESSES.get(row.country, ("", "", ""))
    number, gln = row.organisation_number, getattr(row, "gln", "")
    vat_number = getattr(row, "vat_number", "") or (f"{before}{number}{after}" if number else "")
    endpoint = (_GLN, gln) if gln else (scheme, number)
    return {
        "code": row.code, "name": row.name, "country": row.country,
        "organisation_number": number, "scheme": scheme, "vat_number": vat_number,
        "endpoint_scheme": endpoint[0], "endpoint": endpoint[1],
    }  # fmt: skip


def language_of(country: str) -> str:
    """The language in which somebody in a country is invoiced."""
    return _LANGUAGES.get(country, "en")


def lacking(document: dict[str, Any]) -> list[str]:
    """What is missing for the document to be sent, each as ``field: rule``."""
    found = []
    for name in ("supplier", "buyer"):
        one = document[name]
        if not one["endpoint"] or not one["endpoint_scheme"]:
            found.append(
                f"{one['code']}: organisation_number: expected one for the electronic address of"
                f" the {name} (PEPPOL-EN16931-R010, R020), found nothing"
            )
    return found


def credited(invoice: Invoice) -> list[tuple[str, str]]:
    """Number and day of issue of the invoices that a credit note refers to (BG-3).

    One that a person made refers to one; a month below nothing to all that it takes back from.
    """
    if invoice.credits is not None:
        return [(invoice.credits.number, invoice.credits.issued_on.isoformat())]
    return [(one["number"], one["issued_on"]) for one in invoice.document.get("corrects", ())]


def reason_of(invoice: Invoice) -> str:
    """Why a person credited an invoice, in their words; nothing of what a run made."""
    return str(invoice.document.get("reason", "")) if invoice.credits_id is not None else ""


def span_within(month: date, invoice: Invoice) -> tuple[date, date]:
    """The days of a line that lie in the period of its invoice (BR-CO-20 and PEPPOL R110, R111).

    What is billed late is of an earlier month, which the description of the line tells.
    """
    if month == invoice.period_from:
        return month, invoice.period_to
    return invoice.period_from, invoice.period_to


def properties_of(line: InvoiceLine) -> list[tuple[str, str]]:
    """What the item of a line says of itself besides its description."""
    found = [("Month", f"{line.month:%Y-%m}"), ("Charge", line.kind)]
    if line.line is not None:
        found += [("Algorithm", line.line.algorithm.code), ("Site", line.line.site.code)]
        if line.kind == "usage":
            found += [("UDI-DI", one) for one in _devices(line, line.line)]
    return found


def _devices(line: InvoiceLine, of: CallOffLine) -> Iterator[str]:
    place = (of.algorithm.code, of.site.code, f"{line.month:%Y-%m}")
    for one in line.invoice.document.get("devices", ()):
        if (one["algorithm"], one["site"], one["month"]) == place:
            yield from one["udi_di"]


def allowances(lines: Sequence[InvoiceLine], *, sign: int) -> dict[int, Decimal]:
    """By position: what is taken off each line that an introduction discounts.

    An introductory discount is an allowance of the lines of its month, where they can bear it.
    Those discounts have 0 here themselves, and are no lines of the document.
    """
    found: dict[int, Decimal] = {}
    for one in lines:
        left = -sign * one.amount
        if one.kind != "introduction" or left <= 0:
            continue
        taken: dict[int, Decimal] = {}
        for other in lines:
            is_same = (other.line_id, other.month, other.vat_rate, other.kind) == (
                one.line_id, one.month, one.vat_rate, "usage",
            )  # fmt: skip
            bears = sign * other.amount - found.get(other.position, Decimal(0))
            if is_same and left and bears > 0:
                taken[other.position] = min(left, bears)
                left -= taken[other.position]
        if not left:
            for position, amount in taken.items():
                found[position] = found.get(position, Decimal(0)) + amount
            found[one.position] = Decimal(0)
    return found

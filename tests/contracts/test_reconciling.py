"""A vendor's own invoice beside what was metered: matched, missing, extra, differing; paid once."""

from __future__ import annotations

from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client

from contracts.billing import crediting, kept, wording
from contracts.billing.claims import ClaimNotReadError, read
from contracts.models import Invoice, VendorInvoice
from hub.models import User
from tests.builders import parties
from tests.contracts.billed import Buyer, billed, buyer

HEAD = "invoice,type,call_off,month,site,algorithm,charge,quantity,amount,currency"
WHERE = "/api/v1/vendor-invoices"


def claim(*rows: str, number: str = "V-1", kind: str = "380") -> bytes:
    told = [f"{number},{kind},CO-0001,2026-04,{row},NOK" for row in rows]
    return "\n".join([HEAD, *told]).encode()


def sent(user: User, content: bytes) -> Any:
    client = Client()
    client.force_login(user)
    return client.post(WHERE, {"file": SimpleUploadedFile("claim", content)})


def statuses(user: User, content: bytes) -> list[str]:
    answer = sent(user, content)
    assert answer.status_code == 201, answer.content
    return [one["status"] for one in answer.json()["findings"]]


@pytest.fixture
def trust(db: None) -> Buyer:
    found = buyer()
    found.uses(10, on="2026-04-10")
    billed(4)
    return found


def test_what_agrees_is_matched_and_the_same_again_is_extra(trust: Buyer) -> None:
    ours = claim("drammen,ich-triage,usage,10,240.00")
    assert statuses(trust.here.officer, ours) == ["matched"]
    assert sent(trust.here.officer, ours).status_code == 409
    again = claim("drammen,ich-triage,usage,10,240.00", number="V-2")
    assert statuses(trust.here.officer, again) == ["extra"]


def test_what_differs_is_missing_or_was_never_metered_is_told(trust: Buyer) -> None:
    officer = trust.here.officer
    other = claim("drammen,ich-triage,usage,11,264.00", "drammen,fracture,usage,1,9.00")
    assert statuses(officer, other) == ["extra", "differing"]
    elsewhere = claim("drammen,bleed,usage,1,9.00", number="V-2")
    assert statuses(officer, elsewhere) == ["extra", "extra"]  # of which the second was claimed


def test_what_nobody_claimed_is_missing(trust: Buyer) -> None:
    elsewhere = claim("drammen,bleed,usage,1,9.00")
    assert statuses(trust.here.officer, elsewhere) == ["extra", "missing"]


def test_the_pages_take_a_file_and_show_what_came_of_it_to_its_buyer_alone(trust: Buyer) -> None:
    client = Client()
    client.force_login(trust.here.officer)
    ours = SimpleUploadedFile("claim", claim("drammen,ich-triage,usage,11,1264.00"))
    shown = client.post("/vendor-invoices/reconcile/", {"file": ours}, follow=True)
    assert "differing" in shown.content.decode()
    assert "1\N{NARROW NO-BREAK SPACE}264.00" in shown.content.decode()
    assert "1 line is not: ask the vendor before you pay." in shown.content.decode()
    assert "V-1" in client.get("/vendor-invoices/").content.decode()
    refused = client.post("/vendor-invoices/reconcile/", {"file": SimpleUploadedFile("c", b"x")})
    assert refused.status_code == 400
    assert "file: expected" in refused.content.decode()

    their_client = Client()
    theirs = parties.member(
        "their.officer", role="procurement_officer", organisation=trust.here.other_organisation
    )
    their_client.force_login(theirs)
    uid = VendorInvoice.objects.get().uid
    assert their_client.get(f"/vendor-invoices/{uid}/").status_code == 404
    assert "V-1" not in their_client.get("/vendor-invoices/").content.decode()
    their_client.force_login(trust.here.radiologist)
    assert their_client.get("/vendor-invoices/").status_code == 403


def test_what_is_wrong_stands_first_with_the_names_of_things_and_the_sums(trust: Buyer) -> None:
    client = parties.client_of(trust.here.officer)
    rows = ("drammen,aaa,usage,1,9.00", "drammen,ich-triage,usage,10,240.00",
            "drammen,zzz,usage,1,9.00")  # fmt: skip
    file = SimpleUploadedFile("claim", claim(*rows))
    shown = client.post("/vendor-invoices/reconcile/", {"file": file}, follow=True)
    assert [one["status"] for one in shown.context["findings"]] == ["extra", "extra", "matched"]
    assert shown.context["sums"] == {"due": Decimal("240.00"), "claimed": Decimal("258.00")}
    assert "ICH Triage" in shown.content.decode()


def test_a_credit_note_takes_back_what_was_claimed_too_much(trust: Buyer) -> None:
    officer = trust.here.officer
    statuses(officer, claim("drammen,ich-triage,usage,11,264.00"))
    note = claim("drammen,ich-triage,usage,1,24.00", number="V-2", kind="381")
    assert statuses(officer, note) == ["matched"]


def test_our_own_document_matches_itself_as_csv_and_as_ubl(trust: Buyer, tmp_path: Path) -> None:
    invoice = Invoice.objects.get()
    files = [bytes(kept.file_of(invoice, form).content) for form in ("csv", "ubl.xml")]
    found = [read(one) for one in files]
    assert found[0].places == found[1].places
    assert found[1].faults == ()

    (tmp_path / "claim.xml").write_bytes(files[1])
    out = StringIO()
    call_command("reconcile", tmp_path / "claim.xml", stdout=out)
    assert out.getvalue().startswith("matched    CO-0001  ich-triage  drammen  2026-04")


def test_a_charge_on_the_whole_document_is_no_part_of_lines_that_match(trust: Buyer) -> None:
    ours = bytes(kept.file_of(Invoice.objects.get(), "ubl.xml").content)
    charge = (
        b'<cac:AllowanceCharge><cbc:ChargeIndicator>%s</cbc:ChargeIndicator>'
        b'<cbc:Amount currencyID="NOK">%s</cbc:Amount></cac:AllowanceCharge><cac:TaxTotal>'
    )
    more = charge % (b"true", b"5000.00")
    dearer = ours.replace(b"<cac:TaxTotal>", more, 1)

    answer = sent(trust.here.officer, dearer)

    told = {(one["algorithm"], one["status"]): one for one in answer.json()["findings"]}
    assert set(told) == {("ich-triage", "matched"), ("", "extra")}
    assert told["", "extra"]["claimed_amount"] == "5000.00"
    assert answer.json()["net"] == "5240.00"
    lesser = ours.replace(b"<cac:TaxTotal>", charge % (b"false", b"40.00"), 1)
    assert read(lesser).net == Decimal("200.00")


def test_what_was_claimed_otherwise_before_is_not_missing(trust: Buyer) -> None:
    officer = trust.here.officer
    statuses(officer, claim("drammen,ich-triage,usage,4,96.00"))
    other = claim("baerum,ich-triage,usage,1,24.00", number="V-2")
    assert statuses(officer, other) == ["extra", "differing"]


def test_faults_of_form_are_told_to_who_brought_the_file_and_stay_on_the_page(
    trust: Buyer, tmp_path: Path
) -> None:
    """It is compared all the same; over the API, on the page, and by the command."""
    content = bytes(kept.file_of(Invoice.objects.get(), "ubl.xml").content)
    bad = content.replace(b"fdc:peppol.eu:2017:poacc:billing:01:1.0", b"x").replace(
        b"<cbc:DocumentCurrencyCode>", b"<cbc:Note></cbc:Note><cbc:DocumentCurrencyCode>"
    )
    client = parties.client_of(trust.here.officer)
    page = client.post(
        "/vendor-invoices/reconcile/", {"file": SimpleUploadedFile("c", bad)}, follow=True
    ).content.decode()
    for rule in ("PEPPOL-EN16931-R007", "PEPPOL-EN16931-R008"):
        assert f"<b>{rule}</b>" in page
    assert "2 rules of EHF are broken" in page
    (told,) = client.get(WHERE).json()["results"]
    assert [one.partition(":")[0] for one in told["faults"]] == [
        "PEPPOL-EN16931-R007", "PEPPOL-EN16931-R008",
    ]  # fmt: skip
    assert {one["status"] for one in told["findings"]} == {"matched"}
    (tmp_path / "claim.xml").write_bytes(bad.replace(told["number"].encode(), b"V-2"))
    err = StringIO()
    call_command("reconcile", tmp_path / "claim.xml", stdout=StringIO(), stderr=err)
    assert "warning: PEPPOL-EN16931-R007: ProfileID" in err.getvalue()
    assert "of EHF" not in client.get(
        f"/vendor-invoices/{_good(trust, content).uid}/"
    ).content.decode()


def _good(trust: Buyer, content: bytes) -> VendorInvoice:
    good = content.replace(Invoice.objects.get().number.encode(), b"V-3")
    assert sent(trust.here.officer, good).status_code == 201
    return VendorInvoice.objects.get(number="V-3")


def test_another_trust_reconciles_and_sees_nothing_of_ours(trust: Buyer) -> None:
    theirs = parties.member(
        "their.officer", role="procurement_officer",
        organisation=trust.here.other_organisation,
    )  # fmt: skip
    ours = claim("drammen,ich-triage,usage,10,240.00")
    assert sent(theirs, ours).status_code == 409
    assert sent(trust.here.radiologist, ours).status_code == 403
    assert not VendorInvoice.objects.exists()
    statuses(trust.here.officer, ours)
    client = Client()
    client.force_login(theirs)
    assert client.get(WHERE).json()["results"] == []


def test_twice_a_small_number_differs_and_is_extra_only_once_it_was_claimed(trust: Buyer) -> None:
    officer = trust.here.officer
    twice = claim("drammen,ich-triage,usage,20,480.00")
    assert statuses(officer, twice) == ["differing"]
    more = claim("drammen,ich-triage,usage,1,24.00", number="V-2")
    assert statuses(officer, more) == ["extra"]
    rest = claim("drammen,ich-triage,usage,11,264.00", number="V-3", kind="381")
    assert statuses(officer, rest) == ["matched"]


def test_who_holds_the_agreement_reconciles_for_its_buyers(trust: Buyer) -> None:
    holder = parties.member(
        "holder", role="procurement_officer", organisation=trust.here.framework.holder
    )
    assert statuses(holder, claim("drammen,ich-triage,usage,10,240.00")) == ["matched"]
    client = parties.client_of(holder)
    (shown,) = client.get(WHERE).json()["results"]
    assert (shown["number"], shown["organisation"]) == ("V-1", "vestre-viken")
    assert client.get(f"/vendor-invoices/{shown['id']}/").status_code == 200

    other = parties.organisation("helse-nord", name="Helse Nord RHF")
    stranger = parties.member("stranger", role="procurement_officer", organisation=other)
    client = parties.client_of(stranger)
    assert client.get(WHERE).json()["results"] == []
    assert client.get(f"/vendor-invoices/{shown['id']}/").status_code == 404
    more = claim("drammen,ich-triage,usage,1,24.00", number="V-2")
    assert sent(stranger, more).status_code == 409
    assert VendorInvoice.objects.count() == 1


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b"", "file: "),
        (b"\xff\xfe", "file: "),
        (b"a,b\n1,2", "invoice: expected this column"),
        (claim("drammen,ich-triage,usage,ten,240.00"), "row 2: quantity: "),
        (claim("drammen,ich-triage,usage,10,NaN"), "row 2: amount: "),
        (claim("d,i,usage,1,1") + b"\nV-9,380,CO-0001,2026-04,d,i,usage,1,1,NOK", "invoice: "),
        # half an examination, a decimal comma, an invoice that is a credit note further down
        (claim("drammen,ich-triage,usage,10.5,240.00"), "row 2: quantity: expected a whole"),
        (claim("drammen,ich-triage,usage,10,240,00"), "row 2: expected a value for each column"),
        (claim("d,i,usage,1,1") + b"\nV-1,381,CO-0001,2026-04,d,i,usage,1,1,NOK", "type: "),
        (claim("d,i,usage,1,1") + b"\nV-1,380,CO-0001,2026-04,d,i,usage,1,1,EUR", "currency: "),
        (b"<html/>", "file: expected a UBL Invoice"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "file: expected XML without a DTD"),
    ],
)
def test_a_file_that_cannot_be_compared_is_refused_by_field(content: bytes, field: str) -> None:
    with pytest.raises(ClaimNotReadError) as refusal:
        read(content)
    assert str(refusal.value).startswith(field)


def test_what_was_credited_for_good_is_not_due(trust: Buyer) -> None:
    officer = trust.here.officer
    invoice = Invoice.objects.get()
    (line,) = invoice.lines.all()
    crediting.credit(invoice, by="t", reason="a part", amounts={line.position: Decimal("40.00")})
    full = claim("drammen,ich-triage,usage,10,240.00")
    answer = sent(officer, full).json()
    (found,) = answer["findings"]
    assert (found["status"], found["due_amount"], found["given_up_amount"]) == (
        "differing", "200.00", "-40.00",
    )  # fmt: skip
    assert found["due_quantity"] == 10
    page = parties.client_of(officer).get(f"/vendor-invoices/{answer['id']}/").content.decode()
    assert "credited for good: \N{MINUS SIGN}40.00" in page
    note = claim("drammen,ich-triage,other,1,40.00", number="V-2", kind="381")
    assert statuses(officer, note) == ["matched"]


def test_what_was_credited_whole_is_not_due_at_all(trust: Buyer) -> None:
    crediting.credit(Invoice.objects.get(), by="t", reason="all of it")
    officer = trust.here.officer
    other = claim("drammen,bleed,usage,1,9.00")
    assert statuses(officer, other) == ["extra"]  # and nothing is missing
    full = claim("drammen,ich-triage,usage,10,240.00", number="V-2")
    assert statuses(officer, full) == ["extra"]


def test_what_is_billed_again_is_due_when_it_is(trust: Buyer) -> None:
    crediting.credit(Invoice.objects.get(), by="t", reason="reference", is_billed_again=True)
    full = claim("drammen,ich-triage,usage,10,240.00")
    assert statuses(trust.here.officer, full) == ["extra"]
    billed(4)
    again = sent(trust.here.officer, claim("drammen,ich-triage,usage,0,0.00", number="V-2"))
    assert again.json()["findings"][0]["status"] == "matched"


@pytest.mark.parametrize(
    ("kind", "amount", "told"),
    [
        ("introduction", "-5.00", "Introductory discount"),
        ("introduction", "5.00", "Introductory discount taken back"),
        ("service", "5.00", "Credit for the level of service taken back"),
        ("cap", "5.00", "What was above the agreed cap, taken back"),
        ("usage", "5.00", "Examinations"),
    ],
)
def test_a_line_says_whether_a_discount_is_given_or_taken_back(
    kind: str, amount: str, told: str
) -> None:
    assert wording.description_of(kind, amount=Decimal(amount)) == told

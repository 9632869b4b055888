"""An invoice as a file is written once: the same bytes for ever, here and elsewhere."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client

from contracts.billing import crediting, kept
from contracts.models import BilledIsFinal, Invoice, InvoiceFile
from hub import VERSION
from hub.configuration.belongings import digest
from hub.configuration.importing import ImportRefused, import_organisation
from hub.models import Organisation, Site
from marketplace.models import Algorithm
from tests.builders import parties
from tests.builders.invoices import invoice_of
from tests.contracts.billed import Buyer, billed, buyer
from tests.contracts.test_belongings import as_a_file_writes_it, empty_database

FORMS = ("csv", "pdf", "ubl.xml")
Bytes = dict[str, bytes]


@pytest.fixture
def trust(db: None) -> Buyer:
    found = buyer()
    found.uses(10, on="2026-04-10")
    return found


@pytest.fixture
def leaving(db: None, tmp_path: Path) -> Buyer:
    """One whose prices are as a file writes them: those that were used never change."""
    found = buyer()
    as_a_file_writes_it(tmp_path)
    found.uses(10, on="2026-04-10")
    billed(4)
    return found


def given_to(client: Client, one: Invoice) -> Bytes:
    answers = {form: client.get(f"/api/v1/invoices/{one.uid}.{form}") for form in FORMS}
    assert [answer.status_code for answer in answers.values()] == [200, 200, 200]
    return {form: answer.content for form, answer in answers.items()}


def in_rows(one: Invoice) -> Bytes:
    return {row.kind: bytes(row.content) for row in one.files.all()}


def change_what_it_was_written_from() -> None:
    """All that an upgrade or an editor may change behind an invoice."""
    Organisation.objects.update(name="Renamed", country="DK", organisation_number="983971636")
    Site.objects.filter(code="drammen").update(code="drammen-new", name="New name")
    Algorithm.objects.update(code="ich-triage-2", name="New name")


def test_what_was_issued_stays_as_it_was_though_all_behind_it_changes(trust: Buyer) -> None:
    billed(4)
    one = Invoice.objects.get()
    before = in_rows(one)
    assert sorted(before) == sorted(FORMS)
    change_what_it_was_written_from()
    fresh = {row.kind: bytes(row.content) for row in kept._made(one)}
    assert fresh["csv"] != before["csv"]  # else this test would show nothing

    client = parties.client_of(trust.here.officer)
    assert given_to(client, one) == before
    note = crediting.credit(one, by="test", reason="wrong reference")
    assert sorted(in_rows(note)) == sorted(FORMS)
    assert given_to(client, one) == before


def test_each_file_has_its_digest_its_moment_and_the_version_of_the_hub(trust: Buyer) -> None:
    billed(4)
    one = Invoice.objects.get()
    client = parties.client_of(trust.here.officer)
    told = {row["form"]: row for row in client.get(f"/api/v1/invoices/{one.uid}").json()["files"]}
    for form, content in given_to(client, one).items():
        assert told[form]["sha256"] == hashlib.sha256(content).hexdigest()
        assert (told[form]["size"], told[form]["version"]) == (len(content), VERSION)
        assert told[form]["name"] == f"{one.number}.{form}"
    page = client.get(f"/invoices/{one.uid}/").content.decode()
    assert told["pdf"]["sha256"] in page


def test_a_dry_run_writes_no_file(trust: Buyer) -> None:
    billed(4, is_dry=True)
    assert not InvoiceFile.objects.exists()


def test_an_invoice_of_before_is_written_at_its_first_reading_and_never_again(
    trust: Buyer,
) -> None:
    one = invoice_of(trust.here)
    assert not one.files.exists()
    client = parties.client_of(trust.here.officer)

    first = given_to(client, one)
    change_what_it_was_written_from()

    assert given_to(client, one) == first == in_rows(one)
    assert one.files.count() == 3


@pytest.mark.django_db(transaction=True)
def test_of_ten_who_read_first_at_once_all_get_the_same() -> None:
    one = invoice_of(buyer().here)
    start = threading.Barrier(10)

    def read(number: int) -> tuple[str, bytes]:
        try:
            form = FORMS[number % 3]
            start.wait()
            return form, bytes(kept.file_of(one, form).content)
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as people:
        got = list(people.map(read, range(10)))

    rows = in_rows(one)
    assert one.files.count() == 3
    assert all(content == rows[form] for form, content in got)


def test_the_later_of_two_writers_adds_nothing_and_reads_what_the_first_wrote(
    trust: Buyer,
) -> None:
    one = invoice_of(trust.here)
    late = kept._made(one)
    kept.keep([one])
    for row in late:
        row.content, row.version = b"of another version", "9.9"
    InvoiceFile.objects.bulk_create(late, ignore_conflicts=True)
    assert {row.version for row in one.files.all()} == {VERSION}
    assert kept.file_of(one, "pdf").content != b"of another version"


@pytest.mark.usefixtures("database_as_in_production")
def test_nobody_changes_or_deletes_a_file(trust: Buyer) -> None:
    billed(4)
    row = InvoiceFile.objects.filter(kind="pdf").get()
    rows = InvoiceFile.objects.filter(pk=row.pk)
    with pytest.raises(BilledIsFinal):
        row.save()
    with pytest.raises(BilledIsFinal):
        row.delete()
    for act in (lambda: rows.update(content=b"x"), rows.delete):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            act()
    client = parties.client_of(trust.here.administrator)
    where = f"/api/v1/invoices/{row.invoice.uid}.pdf"
    for ask in (client.put, client.patch, client.post, client.delete):
        assert ask(where).status_code == 405
    assert bytes(rows.get().content) == bytes(row.content)


def test_another_trust_gets_no_file(trust: Buyer) -> None:
    billed(4)
    one, here = Invoice.objects.get(), trust.here
    theirs = parties.member(
        "theirs", role="procurement_officer", organisation=here.other_organisation
    )
    assert InvoiceFile.objects.visible_to(here.officer).count() == 3
    for stranger in (theirs, here.radiologist):
        assert not InvoiceFile.objects.visible_to(stranger).exists()
    client = parties.client_of(theirs)
    for form in FORMS:
        assert client.get(f"/api/v1/invoices/{one.uid}.{form}").status_code == 404
    assert client.get(f"/invoices/{one.uid}/").status_code == 404


def test_asking_for_another_trusts_invoice_of_before_writes_nothing(trust: Buyer) -> None:
    one = invoice_of(trust.here)
    theirs = parties.member(
        "theirs", role="procurement_officer", organisation=trust.here.other_organisation
    )
    client = parties.client_of(theirs)
    assert client.get(f"/api/v1/invoices/{one.uid}.pdf").status_code == 404
    assert not InvoiceFile.objects.exists()


def test_bytes_that_are_not_what_was_issued_are_not_handed_out(trust: Buyer) -> None:
    one = invoice_of(trust.here)
    damaged = kept._made(one)
    damaged[1].content = b"%PDF- of somebody else"
    InvoiceFile.objects.bulk_create(damaged)
    answer = parties.client_of(trust.here.officer).get(f"/api/v1/invoices/{one.uid}.pdf")
    assert answer.status_code == 409
    assert damaged[1].sha256 in answer.json()["detail"]


def test_an_organisation_takes_the_very_bytes_along_as_files_that_people_open(
    leaving: Buyer, tmp_path: Path
) -> None:
    issued, old = Invoice.objects.get(), copied(Invoice.objects.get(), sequence=2)
    before = in_rows(issued)
    folder = tmp_path / "out"
    exported(folder)
    before_of_old = in_rows(old)
    names = {path.name: path.read_bytes() for path in (folder / "invoices").iterdir()}
    assert names == {
        f"{one.number}.{form}": content
        for one, files in ((issued, before), (old, before_of_old))
        for form, content in files.items()
    }
    assert import_organisation(folder, by="tester").there["invoice-files"] == 6
    empty_database()

    assert import_organisation(folder, by="tester").added["invoice-files"] == 6

    change_what_it_was_written_from()
    again = Invoice.objects.get(number=issued.number)
    assert in_rows(again) == before
    somebody = parties.member("somebody", role="administrator")
    assert given_to(parties.client_of(somebody), again) == before


def test_another_trusts_files_stay_behind(trust: Buyer, tmp_path: Path) -> None:
    billed(4)
    exported(tmp_path, "ahus")
    assert not (tmp_path / "invoices").exists()
    assert (tmp_path / "invoice-files.jsonl").read_text() == ""


def test_a_row_that_names_no_file_of_the_export_is_refused(
    leaving: Buyer, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    exported(folder)
    (tmp_path / "outside.pdf").write_bytes(b"%PDF-")
    (folder / "invoices" / "unlisted.pdf").write_bytes(b"%PDF-")
    path = folder / "invoice-files.jsonl"
    rows = path.read_text().splitlines()
    contents = json.loads((folder / "contents.json").read_text())
    for name in ("../outside.pdf", "invoices/unlisted.pdf", 7, ["x"]):
        said = [json.loads(row) | {"content": name} for row in rows]
        path.write_text("".join(f"{json.dumps(row)}\n" for row in said))
        contents["files"][path.name] = digest(path)
        (folder / "contents.json").write_text(json.dumps(contents))
        with pytest.raises(ImportRefused, match=r"jsonl:1: content: expected a file in contents"):
            import_organisation(folder, by="tester")


def exported(folder: Path, code: str = "vestre-viken") -> None:
    call_command("export", str(folder), organisation=code, stdout=io.StringIO())


def copied(one: Invoice, *, sequence: int) -> Invoice:
    """A second invoice beside the first, of before files were kept."""
    lines = list(one.lines.all())
    one.pk, one.uid = None, uuid.uuid4()
    one.number, one.sequence, one.call_off_sequence = f"old-{sequence}", sequence, sequence
    one._state.adding = True
    one.save()
    for line in lines:
        line.pk, line.invoice = None, one
        line._state.adding = True
        line.save()
    return one

"""Leaving a platform: all that an organisation owns goes to files, and comes back from them."""

from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection
from django.urls import reverse

from contracts import call_offs, metering
from contracts.billing import parts
from contracts.billing.running import run
from contracts.models import (
    Authority,
    AuthorityOption,
    AvailabilityReading,
    CallOff,
    CallOffApproval,
    EventBooking,
    FrameworkAgreement,
    Invoice,
    OutcomeReading,
    RatingSnapshot,
    UsageEvent,
    VendorInvoice,
    VolumeCounter,
)
from contracts.taking_usage import take
from hub import audit
from hub.configuration import belongings
from hub.configuration.applying import apply
from hub.configuration.belongings import digest
from hub.configuration.exporting import export_to
from hub.configuration.importing import ImportRefused, import_organisation
from hub.configuration.problems import SetUpRefused
from hub.models import AuditEvent, Organisation, User
from tests.builders.parties import (
    FirstSite,
    call_off_under,
    client_of,
    draft_under,
    line_of,
    member,
)
from tests.contracts.billed import buyer
from tests.contracts.usage_reports import adjusted
from vendors.models import Vendor, VendorMember

pytestmark = pytest.mark.django_db
HALF_PRICE = {"tiers": [{"unit_price": "12.00"}]}
AT = datetime(2026, 7, 1, 10, 0, tzinfo=UTC)


def as_a_file_writes_it(folder: Path) -> None:
    """The rows of the builders leave out what a set-up file fills in by default."""
    (path,) = [one for one in export_to(folder / "canonical.yaml") if one.suffix == ".yaml"]
    apply([str(path)], actor="tester")


@pytest.fixture
def here(tmp_path: Path) -> FirstSite:
    """Two trusts under one agreement, both with usage, approvals, options and a trail."""
    made = buyer(terms=HALF_PRICE).here
    as_a_file_writes_it(tmp_path)  # a price that is in use is never changed
    named = Authority.objects.create(
        framework=made.framework, organisation=made.other_organisation, role="option_authority"
    )
    AuthorityOption.objects.create(authority=named, state="active", soft_cap=Decimal(77))
    theirs = call_off_under(made.framework, organisation=made.other_organisation, code="CO-0009")
    line_of(theirs, algorithm=made.algorithm, site=made.other_site)
    ordered = draft_under(made.framework, organisation=made.organisation, site=made.site)
    for name in ("one", "two"):
        user = member(name, role="procurement_officer")
        call_offs.approve(ordered, by=user)
    for number, line in enumerate((made.line, made.line, theirs.lines.get())):
        metering.record(
            study_ref_of=(line.site.code, f"2.25.{number}"), line=line, version=made.version,
            source="hub", event_id=str(number), at=AT, details={"latency_s": 7.5},
        )  # fmt: skip
    corrected = adjusted(1, of=0, units=-1, ref_id="0")
    take([corrected | {"source": "hub"}], by=made.administrator)
    AvailabilityReading.objects.create(line=made.line, month=date(2026, 7, 1), share="0.99")
    OutcomeReading.objects.create(
        framework=made.framework, algorithm=made.algorithm, kpi="sent home",
        contract_year=date(2026, 1, 1), successes=29, n=100,
    )  # fmt: skip
    run(date(2026, 7, 1), by="tester", is_dry=False)
    for place in (made.site, made.other_site):
        audit.record("study.viewed", actor="somebody", site=place, subject=place.code)
    as_a_file_writes_it(tmp_path)
    return made


def exported(folder: Path, code: str = "vestre-viken") -> Path:
    call_command("export", str(folder), organisation=code, stdout=io.StringIO())
    return folder


def empty_database() -> None:
    """Take every row away, as it is in a hub that was just installed."""
    tables = [model._meta.db_table for model in apps.get_models() if model._meta.managed]
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(table)}")  # noqa: S608


def rows(folder: Path, name: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]


def test_what_was_exported_comes_back_in_an_empty_database(here: FirstSite, tmp_path: Path) -> None:
    first = exported(tmp_path / "first")
    empty_database()

    call_command("import", str(first), stdout=io.StringIO())

    second = exported(tmp_path / "second")
    tables = {table.name for table in belongings.tables()} - {"audit"}
    # what procedures leave behind has a scene of its own: test_procedure_belongings.py
    empty = {f"{one}.jsonl" for one in tables if not rows(first, one)}
    assert {"usage.jsonl", "invoices.jsonl", "call-off-approvals.jsonl"}.isdisjoint(empty)
    for name in ("setup.yaml", "ich-triage-1.0.0.json", *(f"{one}.jsonl" for one in tables)):
        assert name in empty or (first / name).stat().st_size, name
        assert (second / name).read_text() == (first / name).read_text(), name
    trail = rows(second, "audit")
    assert [row for row in rows(first, "audit") if row not in trail] == []
    assert CallOff.objects.get(code="CO-0001").invoiced_to_date == Decimal("12.00")
    assert Invoice.objects.get().net == Decimal("12.00")
    assert EventBooking.objects.count() == 2
    assert CallOff.objects.get(code="CO-0100").state == "approved"
    assert VolumeCounter.objects.get().quantity == 1
    assert CallOffApproval.objects.count() == 2
    assert not User.objects.get(username="one").is_active  # no account of this organisation


def test_nothing_of_another_trust_is_in_it(here: FirstSite, tmp_path: Path) -> None:
    folder = exported(tmp_path / "out")
    text = "".join(
        path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file()
    )
    for word in ("CO-0009", "nordbyhagen", "77.00"):
        assert word not in text, word
    assert len(rows(folder, "usage")) == 2

    own = exported(tmp_path / "own", "ahus")
    assert "77.00" in (own / "setup.yaml").read_text()
    files = [path for path in own.rglob("*") if path.is_file()]
    assert "CO-0001" not in "".join(path.read_text(errors="replace") for path in files)


def test_who_is_named_no_more_learns_nothing_of_the_options_of_others(
    here: FirstSite, tmp_path: Path
) -> None:
    Authority.objects.filter(organisation=here.organisation).delete()
    written = (exported(tmp_path / "out") / "setup.yaml").read_text()
    assert "2020-1968" in written
    assert "soft_cap" not in written


def test_a_supplier_leaves_whole_without_its_people_though_it_sent_an_invoice(
    here: FirstSite, tmp_path: Path
) -> None:
    Vendor.objects.update(srn="NO-MF-000012345")
    seller = User.objects.create_user("examplemed.sales")
    VendorMember.objects.create(vendor=here.vendor, user=seller)
    claimed = VendorInvoice.objects.create(
        supplier=here.vendor, organisation=here.organisation, number="V-1", kind="380", net=1,
        month=date(2026, 7, 1), currency="NOK", sha256="0" * 64, received_by="t", received_at=AT,
    )  # fmt: skip
    written = (exported(tmp_path / "out") / "setup.yaml").read_text()
    assert claimed.supplier.name in written
    assert "srn: NO-MF-000012345" in written
    assert "examplemed.sales" not in written


def test_an_invoice_line_is_traced_after_leaving_without_the_use_of_others(
    here: FirstSite, tmp_path: Path
) -> None:
    """Two months of a pool: each charge is what was invoiced of it, and the whole has a digest."""
    theirs = CallOff.objects.get(code="CO-0009").lines.get()
    for number, line in enumerate((here.line, theirs, theirs, here.line)):
        metering.record(
            study_ref_of=(line.site.code, f"2.26.{number}"), line=line, version=here.version,
            source="hub", event_id=f"m{number}", at=AT.replace(month=8), details={},
        )  # fmt: skip
    run(date(2026, 8, 1), by="tester", is_dry=False)
    wholes = {one.run_id: one.sha256 for one in RatingSnapshot.objects.all()}
    kept = {one.number: wholes[one.run_id] for one in Invoice.objects.exclude(run=None)}
    folder = exported(tmp_path / "out")
    assert import_organisation(folder, by="tester").there["invoices"] == 2
    told = rows(folder, "invoices")
    assert all("nordbyhagen" not in json.dumps(one) for one in told)
    empty_database()

    import_organisation(folder, by="tester")

    invoices = list(Invoice.objects.order_by("call_off_sequence"))
    assert len(invoices) == 2
    assert {one.number: one.document["rated"]["sha256"] for one in invoices} == {
        one.number: kept[one.number] for one in invoices
    }
    assert sum(len(one.document["rated"]["charges"]) for one in invoices) == 3
    assert parts.differing(invoices) == {}
    last = invoices[-1].lines.get()
    assert parts.rated_of(last)["units"] == 3  # its own, of five in the pool
    assert parts.digest_of(last) == kept[invoices[-1].number]
    invoices[-1].document["rated"]["charges"][-1]["amount"] = "99.00"
    assert list(parts.differing(invoices)) == [last.key]
    page = client_of(User.objects.get(username="officer")).get(
        reverse("invoice-line", args=[invoices[-1].uid, 1])
    )
    assert kept[invoices[-1].number] in page.content.decode()


def test_the_files_are_documented_and_name_no_password(here: FirstSite, tmp_path: Path) -> None:
    User.objects.filter(username="officer").update(password="hash-of-a-password")
    folder = exported(tmp_path / "out")
    told = (folder / "README.md").read_text()
    contents = json.loads((folder / "contents.json").read_text())
    assert set(contents["files"]) == {
        str(path.relative_to(folder)) for path in folder.rglob("*")
        if path.is_file() and path.name != "contents.json"
    }  # fmt: skip
    assert all(f"`{name}`" in told for name in contents["files"] if name.endswith(".jsonl"))
    everything = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert b"hash-of-a-password" not in everything
    assert AuditEvent.objects.get(action="organisation_exported").subject == "vestre-viken"


def test_what_was_invoiced_beyond_the_maximum_keeps_nobody_from_leaving(
    here: FirstSite, tmp_path: Path
) -> None:
    ordered = CallOff.objects.get(state="approved")
    FrameworkAgreement.objects.update(
        maximum_value=ordered.committed_value, estimated_value=ordered.committed_value
    )
    assert CallOff.objects.filter(invoiced_to_date__gt=0, organisation=here.organisation).exists()
    folder = exported(tmp_path / "out")
    empty_database()

    with pytest.raises(SetUpRefused, match="The maximum value of 2020-1968"):
        apply([str(folder / "setup.yaml")], actor="tester")  # as what somebody means to order
    import_organisation(folder, by="tester")

    assert CallOff.objects.get(code=ordered.code).state == "approved"


def test_to_import_twice_adds_nothing(here: FirstSite, tmp_path: Path) -> None:
    folder = exported(tmp_path / "out")
    taken = import_organisation(folder, by="tester")
    assert taken.outcome.lines == []
    assert set(taken.added.values()) == {0}
    assert (taken.there["usage"], taken.there["invoice-lines"]) == (2, 1)
    assert VolumeCounter.objects.get().quantity == 2


def test_a_later_export_brings_what_was_invoiced_since(here: FirstSite, tmp_path: Path) -> None:
    """Whoever moves tries it out first: what is left of the maximum is right after both."""
    rehearsal = exported(tmp_path / "rehearsal")
    metering.record(
        study_ref_of=(here.site.code, "2.27.1"), line=here.line, version=here.version,
        source="hub", event_id="later", at=AT.replace(month=8), details={},
    )  # fmt: skip
    run(date(2026, 8, 1), by="tester", is_dry=False)
    final = exported(tmp_path / "final")
    empty_database()

    for folder, invoiced in ((rehearsal, "12.00"), (final, "24.00"), (final, "24.00")):
        import_organisation(folder, by="tester")
        assert CallOff.objects.get(code="CO-0001").invoiced_to_date == Decimal(invoiced)


def test_a_row_that_is_there_with_other_content_is_refused_and_nothing_taken(
    here: FirstSite, tmp_path: Path
) -> None:
    folder = exported(tmp_path / "out")
    empty_database()
    import_organisation(folder, by="tester")
    lines = (folder / "usage.jsonl").read_text().replace("7.5", "8.5", 1)
    (folder / "usage.jsonl").write_text(lines)

    with pytest.raises(ImportRefused, match=r"usage\.jsonl: was changed since it was exported"):
        import_organisation(folder, by="tester")

    contents = json.loads((folder / "contents.json").read_text())
    del contents["files"]["README.md"]
    contents["files"]["usage.jsonl"] = digest(folder / "usage.jsonl")
    (folder / "contents.json").write_text(json.dumps(contents))
    Organisation.objects.filter(code="vestre-viken").update(name="Other")
    with pytest.raises(ImportRefused, match="vestre-viken, hub, 0 is there already, with other"):
        import_organisation(folder, by="tester")
    assert Organisation.objects.get(code="vestre-viken").name == "Other"
    assert UsageEvent.objects.count() == 2


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("export", "--organisation", "vestre-vikn", "x"), "did you mean vestre-viken"),
        (("export", "--organisation", "vestre-viken"), "expected a folder"),
        (("import", "nowhere"), "cannot be read as a list of contents"),
    ],
)
def test_a_command_says_what_it_expects(
    here: FirstSite, words: tuple[str, ...], problem: str
) -> None:
    with pytest.raises(CommandError, match=problem):
        call_command(*words)

"""Gates, notices, papers and evidence in the set-up file, and what a file may not undo."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from hub.configuration.exporting import export_text
from hub.models import User
from marketplace import deploying, gates
from marketplace.models import Deployment, Evidence, Gate, SafetyNotice, Sbom
from tests.hub.configuration.setups import SETUP, applied, refused, write

pytestmark = pytest.mark.django_db
STATE = "state: clinical, write_back: automatic}"
GATE = "{gate: dpia, evidence: case 26/1, decided_by: Kari, decided_on: 2026-01-05}"
WITH_GATE = SETUP.replace(STATE, STATE[:-1] + f", gates: [{GATE}]}}")
NOTICE = """\
safety_notices:
  - code: FSN-7
    vendor: acme
    title: Wrong side
    action: stop
    received: 2026-05-01
    decided_by: Chief of radiology
    versions: [{algorithm: bleed, version: 1.10}]
"""
SUSPENDED = SETUP.replace("state: clinical", "state: suspended")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    applied(write(tmp_path))
    return tmp_path


def the_deployment() -> Deployment:
    return Deployment.objects.get()


def test_who_applies_clinical_vouches_for_the_gates_and_is_named(folder: Path) -> None:
    row = the_deployment()
    assert (row.attested_by, row.attested_state) == ("tester", "clinical")
    told = {one.kind: one for one in gates.standing(row)}
    assert str(told["dpia"].why) == "attested by set-up file (tester)"
    assert [one.kind for one in told.values() if not one.is_attested] == ["call_off_line"]
    assert gates.missing(row, to="clinical") == ()
    assert [one.by for one in row.moves.all()] == ["tester"]
    assert applied(write(folder)).changes == ()


def test_a_gate_of_the_file_is_a_row_and_comes_back_in_the_export(folder: Path) -> None:
    applied(write(folder, WITH_GATE))
    gate = Gate.objects.get()
    assert (gate.kind, gate.is_passed, gate.decided_by) == ("dpia", True, "Kari")
    exported = yaml.safe_load(export_text())["deployments"][0]
    assert exported["gates"][0]["evidence"] == "case 26/1"
    assert applied(write(folder)).changes == ()  # a file that does not mention it lets it stand
    assert Gate.objects.count() == 1
    applied(write(folder, SETUP.replace(STATE, STATE[:-1] + ", gates: []}")))
    assert Gate.objects.count() == 0


@pytest.mark.parametrize(
    ("gate", "path", "text"),
    [
        ("{gate: dpia, evidence: e, decided_by: K, decided_on: 2126-01-05}",
         "gates[dpia].decided_on", "expected no day to come, found 2126-01-05"),
        ("{gate: dpia, decided_by: K, decided_on: 2026-01-05}", "gates[dpia].evidence",
         "expected where the evidence is found, found nothing"),
        ("{gate: mini_hta, evidence: e, decided_by: K, decided_on: 2026-01-05, "
         "details: {decision: reject}}", "gates[mini_hta].details.decision",
         "expected introduce or introduce_with_conditions for a gate that stands"),
        ("{gate: regulatory_snapshot, evidence: e, decided_by: K, decided_on: 2026-01-05}",
         "gates[regulatory_snapshot].udi_di",
         "expected the UDI-DI that was looked at, found nothing"),
        ("{gate: dpa, passed: false, decided_by: K, decided_on: 2026-01-05}", "state",
         "expected a state without dpa, which is not passed; found clinical"),
    ],
)  # fmt: skip
def test_a_gate_of_the_file_is_held_to_its_rules(
    tmp_path: Path, gate: str, path: str, text: str
) -> None:
    problem = refused(write(tmp_path, SETUP.replace(STATE, STATE[:-1] + f", gates: [{gate}]}}")))[0]
    assert problem.text == text
    assert problem.field.replace("[0]", f"[{gate[7:].split(',')[0]}]") == path


def test_an_open_notice_suspends_as_it_is_applied_and_names_who_decided(folder: Path) -> None:
    applied(write(folder, alone := f"version: 1\n{NOTICE}", name="notice.yaml"))
    row = the_deployment()
    assert (row.state, row.suspended_by) == ("suspended", "Chief of radiology")
    assert SafetyNotice.objects.get().is_open
    told = {str(problem.text) for problem in refused(write(folder))}
    assert told == {"expected suspended or retired: the field safety notice FSN-7 is open"}
    lifted = alone.replace(
        "    versions", "    lifted: 2026-05-09\n    lifted_by: Chief\n    versions"
    )
    applied(write(folder, lifted, name="notice.yaml"))
    assert the_deployment().state == "suspended"  # each site takes it up again by itself


def test_a_suspension_made_in_the_hub_is_not_lifted_by_a_file(folder: Path) -> None:
    kari = User.objects.get(username="radiologist.drammen")
    deploying.step(the_deployment(), to="suspended", why="odd results", by=kari)
    (problem,) = refused(write(folder))
    assert problem.text == (
        "expected suspended, because Kari Bærum suspended it (odd results); lift that in the hub, "
        "found clinical"
    )
    assert the_deployment().state == "suspended"
    applied(write(folder, SUSPENDED))
    assert the_deployment().suspended_by == "Kari Bærum"


def test_what_a_file_suspended_a_file_takes_up_again(folder: Path) -> None:
    applied(write(folder, SUSPENDED))
    applied(write(folder))
    assert the_deployment().state == "clinical"


def test_another_udi_di_in_the_file_opens_validation_again(folder: Path) -> None:
    other = SETUP.replace("09506000134352", "09506000134369")
    applied(write(folder, other.replace("write_back: automatic", "write_back: after_acceptance")))
    row = the_deployment()
    assert (row.state, row.write_back) == ("validation", "after_acceptance")
    assert {one.kind for one in gates.missing(row, to="clinical")} == {
        "regulatory_snapshot", "local_validation"
    }  # fmt: skip


def test_papers_and_evidence_of_a_version_come_back_in_the_export(folder: Path) -> None:
    sbom = {
        "bomFormat": "CycloneDX", "specVersion": "1.6",
        "components": [{"name": "numpy", "version": "2.4", "licenses": [
            {"license": {"id": "BSD-3-Clause"}}]}],
    }  # fmt: skip
    (folder / "sbom.json").write_text(json.dumps(sbom))
    more = SETUP.replace(
        "      - manifest: manifests/bleed.json\n",
        "      - manifest: manifests/bleed.json\n        sbom: {document: sbom.json}\n",
    ).replace(
        "    name: Bleed\n",
        "    name: Bleed\n    body_parts: [head]\n    evidence:\n"
        "      - {reference: 10.1000/1, title: Study, year: 2024, use: clinical, level: 3}\n",
    )
    applied(write(folder, more))
    assert Sbom.objects.get().document == sbom
    assert Evidence.objects.get().level == "3"
    exported = yaml.safe_load(export_text())["algorithms"][0]
    assert exported["versions"][0]["sbom"]["document"] == sbom
    assert exported["evidence"][0]["use"] == "clinical"
    assert applied(write(folder, more)).changes == ()
    (folder / "sbom.json").write_text('{"bomFormat": "CycloneDX", "specVersion": "1.6"}')
    assert "components: expected a list" in str(refused(write(folder, more))[0])


def test_a_legacy_certificate_that_holds_on_by_law_is_not_told_as_one_that_ended(
    tmp_path: Path,
) -> None:
    before = "issued: 2025-01-15, expires: 2030-01-14}"
    ended = SETUP.replace("regime: MDR", "regime: MDD_LEGACY").replace(
        before, "issued: 2019-01-15, expires: 2024-01-14}"
    )
    kept = ended.replace(
        "          intended_use:",
        "          legacy: {application_lodged: 2024-05-01, agreement_signed: 2024-09-01, "
        "unchanged: true}\n          intended_use:",
    )
    told = [
        any("every study will be refused" in one.text for one in applied(path).warnings)
        for path in (write(tmp_path, ended), write(tmp_path, kept, name="kept.yaml"))
    ]
    assert told == [True, False]


@pytest.mark.parametrize("name", ["received", "lifted"])
def test_a_notice_is_neither_received_nor_lifted_on_a_day_to_come(
    folder: Path, name: str
) -> None:
    days = {"received": "2026-05-01", "lifted": "2026-05-09"} | {name: "2126-05-01"}
    text = NOTICE.replace("received: 2026-05-01", f"received: {days['received']}").replace(
        "    versions", f"    lifted: {days['lifted']}\n    lifted_by: Chief\n    versions"
    )
    (problem,) = refused(write(folder, f"version: 1\n{text}", name="notice.yaml"))
    assert problem.text == "expected no day to come, found 2126-05-01"
    assert not SafetyNotice.objects.exists()

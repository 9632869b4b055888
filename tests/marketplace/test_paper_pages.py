"""Versions, papers, evidence and notices are put on record on pages; what is refused says why."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from hub.models import User
from marketplace.models import Algorithm, AlgorithmVersion, Deployment, Evidence, Gate, SafetyNotice
from tests.builders import parties
from tests.builders.parties import FirstSite, client_of
from vendors.models import Vendor, VendorMember

pytestmark = pytest.mark.django_db
PAGE = "/catalogue/ich-triage/"
REFERENCE = {"reference": "10.1000/1", "title": "A study", "year": "2024", "use": "clinical",
             "level": "3"}  # fmt: skip
BOM = {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": []}
VALIDATION = {
    "is_passed": "yes", "evidence": "case 7", "true_positive": "305", "false_negative": "10",
    "true_negative": "720", "false_positive": "15", "expected_sensitivity": "0.92",
    "margin": "0.03", "prevalence": "0.3", "least_sensitivity": "0.9",
    "least_specificity": "0.95", "confidence": "0.95",
}  # fmt: skip


@pytest.fixture
def here() -> FirstSite:
    return parties.first_site()


@pytest.fixture
def keeper(here: FirstSite) -> Client:
    return client_of(here.administrator)


@pytest.fixture
def seller(here: FirstSite) -> Client:
    user = User.objects.create(username="seller")
    VendorMember.objects.create(user=user, vendor=here.vendor)
    return client_of(user)


def file_of(document: Any) -> SimpleUploadedFile:
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    return SimpleUploadedFile("paper.json", raw)


def said(client: Client, path: str, form: dict[str, Any]) -> str:
    answer = client.post(path, form)
    assert answer.status_code == 400, path
    return answer.content.decode()


def test_an_algorithm_comes_into_the_catalogue_with_a_version(keeper: Client) -> None:
    form = {"vendor": "examplemed", "code": "new", "name": "Nodule"}
    assert 'id="offer-code_error"' in said(keeper, "/catalogue/new/", form)
    assert keeper.post("/catalogue/new/", form | {"code": "nodule"}).status_code == 302
    manifest = parties.MANIFEST | {"algorithm": "nodule", "version": "2.0.0"}
    where = "/catalogue/nodule/versions/new/"
    assert "expected JSON" in said(keeper, where, {"manifest": "{"})
    wrong = said(keeper, where, {"manifest": json.dumps(manifest | {"algorithm": "other"})})
    assert "expected nodule, got other" in wrong
    assert not AlgorithmVersion.objects.filter(algorithm__code="nodule").exists()
    assert keeper.post(where, {"manifest": json.dumps(manifest)}).status_code == 302
    assert AlgorithmVersion.objects.get(algorithm__code="nodule").version == "2.0.0"


def test_a_package_becomes_a_draft_and_nothing_is_kept(keeper: Client) -> None:
    form = {"packaging": "map", "version": "3.0.0", "image": "x@sha256:" + "1" * 64,
            "app": file_of({"command": "python app"}), "package": file_of({})}  # fmt: skip
    answer = keeper.post(f"{PAGE}versions/new/", form)
    told = answer.content.decode()
    assert answer.status_code == 200
    assert "What only the vendor knows is missing" in told
    assert "3.0.0" in told
    assert AlgorithmVersion.objects.count() == 1
    assert "app" in said(keeper, f"{PAGE}versions/new/", form | {"app": file_of({})})


def test_the_ce_mark_is_recorded_and_a_wrong_check_digit_refused(
    here: FirstSite, keeper: Client
) -> None:
    where = f"{PAGE}versions/1.0.0/ce-mark/"
    form = {"regime": "MDR", "risk_class": "IIb", "notified_body": "2460",
            "certificate_number": "CE-9", "issued": "2026-01-01", "expires": "2030-01-01",
            "udi_di": "09506000134353"}  # fmt: skip
    assert here.clearance.udi_di in keeper.get(where).content.decode()
    assert 'id="clearance-udi_di_error"' in said(keeper, where, form)
    assert keeper.post(where, form | {"udi_di": "09506000134352"}).status_code == 302
    here.clearance.refresh_from_db()
    assert here.clearance.risk_class == "IIb"


def test_a_vendor_brings_papers_of_its_own_and_no_ce_mark(
    here: FirstSite, seller: Client
) -> None:
    assert seller.post(f"{PAGE}evidence/new/", REFERENCE).status_code == 302
    found = Evidence.objects.get()
    assert "A study" in seller.get(PAGE).content.decode()
    assert 'id="evidence-year_error"' in said(
        seller, f"{PAGE}evidence/new/", REFERENCE | {"year": "1"}
    )
    sbom = f"{PAGE}versions/1.0.0/sbom/"
    assert 'id="paper-file_error"' in said(seller, sbom, {"file": file_of(b"NaN")})
    assert 'id="paper-file_error"' in said(seller, sbom, {"file": file_of({"a": 1})})
    assert seller.post(sbom, {"file": file_of(BOM)}).status_code == 302
    assert here.version.sbom.document == BOM
    card = f"{PAGE}versions/1.0.0/model-card/"
    assert 'id="paper-file_error"' in said(seller, card, {"file": file_of(b"<a/>")})
    assert not hasattr(AlgorithmVersion.objects.get(), "model_card")
    assert seller.post(f"{PAGE}evidence/{found.pk}/withdraw/").status_code == 302
    assert not Evidence.objects.exists()
    for path in (f"{PAGE}versions/1.0.0/ce-mark/", "/catalogue/new/", "/safety-notices/new/"):
        assert seller.get(path).status_code == 403, path


def test_another_vendor_finds_nothing_and_brings_nothing(here: FirstSite) -> None:
    user = User.objects.create(username="rival")
    VendorMember.objects.create(user=user, vendor=Vendor.objects.create(code="rival"))
    rival = client_of(user)
    for path in ("evidence/new/", "versions/1.0.0/sbom/", "versions/1.0.0/model-card/"):
        assert rival.post(f"{PAGE}{path}", REFERENCE).status_code == 404, path
    assert not Evidence.objects.exists()
    assert rival.get("/safety-notices/").status_code == 200


def test_a_notice_suspends_at_once_and_is_lifted_with_its_reason(
    here: FirstSite, keeper: Client
) -> None:
    form = {"code": "FSN-1", "vendor": "examplemed", "action": "stop", "received": "2026-01-02",
            "title": "Mirrored overlays", "versions": [here.version.pk],
            "is_suspending": "on"}  # fmt: skip
    assert 'id="notice-code_error"' in said(keeper, "/safety-notices/new/", form | {"code": "new"})
    assert Deployment.objects.get().state == "clinical"
    told = keeper.post("/safety-notices/new/", form, follow=True).content.decode()
    assert "1 deployment is suspended" in told
    assert "Drammen sykehus" in told
    assert Deployment.objects.get().state == "suspended"
    assert "Mirrored overlays" in keeper.get("/safety-notices/").content.decode()
    assert 'id="lift-why_error"' in said(keeper, "/safety-notices/FSN-1/lift/", {})
    keeper.post("/safety-notices/FSN-1/lift/", {"why": "A new version"})
    assert SafetyNotice.objects.get().lifted_why == "A new version"
    assert client_of(here.radiologist).post(
        "/safety-notices/FSN-1/lift/", {"why": "I wish"}
    ).status_code == 403  # fmt: skip


def test_a_version_begins_in_shadow_on_a_page_at_ones_own_site(here: FirstSite) -> None:
    Deployment.objects.all().delete()
    client = client_of(here.radiologist)
    form = {"site": "nordbyhagen", "version": here.version.pk}
    assert 'id="begin-site_error"' in said(client, "/deployments/new/", form)
    assert client.post("/deployments/new/", form | {"site": "drammen"}).status_code == 302
    assert Deployment.objects.get().state == "shadow"
    assert "is deployed at" in said(client, "/deployments/new/", form | {"site": "drammen"})
    assert "Nothing fits" in client.get("/deployments/?state=clinical").content.decode()


def test_a_vendors_person_judges_nothing_whatever_role_it_was_given(here: FirstSite) -> None:
    VendorMember.objects.create(user=here.radiologist, vendor=here.vendor)
    client = client_of(here.radiologist)
    form = {"site": "drammen", "version": here.version.pk}
    assert client.post("/deployments/new/", form).status_code == 403
    where = f"/deployments/{here.deployment.pk}/"
    assert client.get(where).status_code == 404
    assert client.post(f"{where}sign/", {"to": "validation"}).status_code == 404
    assert client.post(f"{where}gates/dpia/", {"is_passed": "yes"}).status_code == 404
    assert Deployment.objects.count() == 1
    assert not Gate.objects.exists()


def test_gates_are_decided_on_forms_of_what_they_hold(here: FirstSite) -> None:
    client = client_of(here.radiologist)
    where = f"/deployments/{here.deployment.pk}/gates/"
    few = said(client, f"{where}local_validation/", VALIDATION | {"true_positive": "1"})
    assert "gate-true_positive" in few
    assert not Gate.objects.exists()
    assert client.post(f"{where}local_validation/", VALIDATION).status_code == 302
    shown = client.get(f"/deployments/{here.deployment.pk}/").content.decode()
    assert "96.83" in shown
    assert 'value="305"' in client.get(f"{where}local_validation/").content.decode()
    # What is shown and saved again unchanged is not judged by another measure.
    assert client.post(
        f"{where}local_validation/", VALIDATION | {"confidence": "0.9"}
    ).status_code == 302  # fmt: skip
    assert 'value="0.9"' in client.get(f"{where}local_validation/").content.decode()
    assert Gate.objects.get(kind="local_validation").details["confidence"] == 0.9
    plan = {"is_passed": "yes", "evidence": "plan 2", "metrics-TOTAL_FORMS": "1",
            "metrics-INITIAL_FORMS": "0", "metrics-0-metric": "psi"}  # fmt: skip
    assert 'metrics-0-threshold' in said(client, f"{where}monitoring_plan/", plan)
    plan |= {"metrics-0-threshold": "0.2", "metrics-0-window_days": "30", "metrics-0-least": "50",
             "metrics-0-action": "review"}  # fmt: skip
    assert client.post(f"{where}monitoring_plan/", plan).status_code == 302
    assert Gate.objects.get(kind="monitoring_plan").details["metrics"][0]["least"] == 50
    hta = {"is_passed": "yes", "evidence": "FHI 1", "decision": "reject"}
    assert 'id="gate-decision_error"' in said(client, f"{where}mini_hta/", hta)
    assert client.post(f"{where}mini_hta/", hta | {"decision": "introduce"}).status_code == 302
    stranger = client_of(here.other_radiologist)
    assert stranger.post(f"{where}dpia/", {"is_passed": "yes"}).status_code == 404
    assert client.get(f"{where}call_off_line/").status_code == 404
    assert not Gate.objects.filter(kind="dpia").exists()


def test_the_catalogue_has_a_second_page(here: FirstSite, keeper: Client) -> None:
    Algorithm.objects.bulk_create(
        Algorithm(vendor=here.vendor, code=f"a{n}", name=f"Algorithm {n:03}") for n in range(60)
    )
    first = keeper.get("/catalogue/?q=algorithm").content.decode()
    assert "Page 1 of 2" in first
    assert "q=algorithm&amp;page=2" in first

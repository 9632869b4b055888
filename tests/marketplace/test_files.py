"""Evidence byte for byte: verified, bounded, replaced but never gone, given to who may have it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, transaction
from django.test import Client

from hub.configuration.applying import apply
from hub.configuration.exporting import export_text, export_to
from hub.configuration.problems import SetUpRefused
from hub.models import AuditEvent, User
from marketplace import deploying
from marketplace.gates import digest_of, facts_for
from marketplace.models import Deployment, Evidence, GateFile, PaperFile
from tests.builders import parties
from tests.builders.parties import FirstSite, client_of
from vendors.models import KeptFile, OnboardingFile, OnboardingItem, Vendor, VendorMember

pytestmark = pytest.mark.django_db
CONTENT = b"%PDF-1.7 DPIA \x00\xff"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
NEWER = b"%PDF-1.7 newer"
ITEM = "/api/v1/vendors/examplemed/onboarding/certificate/files/"
PAPERS = "/api/v1/algorithms/ich-triage/papers/"


@pytest.fixture
def here() -> FirstSite:
    return parties.first_site()


@pytest.fixture
def gate(here: FirstSite) -> str:
    return f"/api/v1/deployments/{here.deployment.pk}/gates/dpia/files/"


def seller_of(vendor: Vendor) -> Client:
    user = User.objects.create(username=f"seller-{vendor.code}")
    VendorMember.objects.create(user=user, vendor=vendor)
    return client_of(user)


def other_seller() -> Client:
    return seller_of(Vendor.objects.create(code="other", name="Other AS"))


def sent(client: Client, where: str, content: bytes = CONTENT, **fields: Any) -> Any:
    name = fields.pop("name", "vurdering æ.pdf")
    return client.post(where, {"file": SimpleUploadedFile(name, content)} | fields)


def test_a_file_is_kept_once_and_given_back_whole(here: FirstSite, gate: str) -> None:
    client = client_of(here.radiologist)
    assert DIGEST in sent(client, gate, sha256="0" * 64).json()["sha256"][0]
    assert not KeptFile.objects.exists()
    told = sent(client, gate, sha256=DIGEST.upper()).json()
    assert (told["sha256"], told["size"], told["by"]) == (
        DIGEST, len(CONTENT), here.radiologist.username,
    )  # fmt: skip
    assert sent(client, gate).json()["id"] == told["id"]
    page = f"/deployments/{here.deployment.pk}/gates/dpia/files/{told['id']}/"
    for got in (client.get(f"{gate}{told['id']}/"), client.get(page)):
        assert got.content == CONTENT
        assert got["Content-Type"] == "application/octet-stream"
        assert got["Content-Disposition"].startswith("attachment")
        assert (got["X-Content-Type-Options"], got["Cache-Control"]) == ("nosniff", "no-store")
    assert AuditEvent.objects.get(action="evidence.kept").site == here.deployment.site
    for model in (KeptFile, GateFile):
        with pytest.raises(DatabaseError), transaction.atomic():
            model.objects.update(**({"size": 1} if model is KeptFile else {"name": "x"}))


def test_one_that_is_replaced_stays_and_can_come_back(here: FirstSite, gate: str) -> None:
    client = client_of(here.radiologist)
    sent(client, gate)
    assert "stands" in sent(client, gate, NEWER, replaces="0" * 64).json()["replaces"][0]
    sent(client, gate, NEWER, replaces=DIGEST)
    told = client.get(gate).json()
    assert [(one["is_replaced"], one["replaces"]) for one in told] == [
        (True, None), (False, DIGEST),
    ]  # fmt: skip
    assert client.get(f"{gate}{told[0]['id']}/").content == CONTENT
    again = sent(client, gate, replaces=told[1]["sha256"]).json()
    assert again["id"] not in {one["id"] for one in told}
    assert KeptFile.objects.count() == 2


def test_what_is_too_large_or_empty_is_refused_at_the_field(
    here: FirstSite, gate: str, settings: Any
) -> None:
    settings.HUB_DOCUMENT_BYTES = len(CONTENT) - 1
    client = client_of(here.administrator)
    for where in (gate, ITEM):
        assert "expected at most" in sent(client, where).json()["file"][0]
    assert sent(client, gate, b"").status_code == 400
    page = client.post("/vendors/examplemed/items/ifu/",
                       {"file": SimpleUploadedFile("a.pdf", CONTENT)})  # fmt: skip
    assert 'id="item-file_error"' in page.content.decode()
    assert not KeptFile.objects.exists()
    assert not OnboardingItem.objects.exists()


def test_each_sees_the_files_of_its_own_places_alone(here: FirstSite, gate: str) -> None:
    officer, seller = client_of(here.administrator), seller_of(here.vendor)
    theirs = sent(officer, gate).json()["id"]
    shown = sent(seller, ITEM).json()["id"]
    stranger = parties.member("stranger", role="radiologist", site=here.other_site)
    assert client_of(stranger).get(f"{gate}{theirs}/").status_code == 404
    assert sent(client_of(stranger), gate).status_code == 404
    assert client_of(stranger).get(f"{ITEM}{shown}/").content == CONTENT
    assert sent(client_of(stranger), ITEM, NEWER).status_code == 403
    other = other_seller()
    for client in (seller, other):
        assert client.get(f"{gate}{theirs}/").status_code == 404
    for verb in (other.get, lambda where: sent(other, where)):
        assert verb(f"{ITEM}").status_code == 404
        assert verb(PAPERS).status_code == 404
    assert OnboardingFile.objects.count() == 1


def test_a_gate_is_decided_on_a_file_and_says_when_it_has_none(here: FirstSite, gate: str) -> None:
    client = client_of(here.radiologist)
    page = f"/deployments/{here.deployment.pk}/"

    def missing(kind: str) -> bool:
        told = client.get(f"/api/v1{page}").json()["gates"]
        return bool(next(one["is_file_missing"] for one in told if one["gate"] == kind))

    assert missing("dpia")
    assert not missing("call_off_line")
    assert "its file is missing" in client.get(page).content.decode()
    bare = client.post(f"{page}gates/dpia/", {"is_passed": "yes"})
    assert 'id="gate-evidence_error"' in bare.content.decode()
    file = SimpleUploadedFile("dpia.pdf", CONTENT)
    assert client.post(f"{page}gates/dpia/", {"is_passed": "yes", "file": file}).status_code == 302
    assert not missing("dpia")
    assert DIGEST in client.get(page).content.decode()
    refused = client.post(f"{page}gates/local_validation/", {
        "is_passed": "yes", "file": SimpleUploadedFile("report.pdf", CONTENT),
    })  # fmt: skip
    assert refused.status_code == 400
    assert GateFile.objects.count() == 1
    live = f"/api/v1/deployments/{here.deployment.pk}/gates/call_off_line/files/"
    assert sent(client, live).status_code == 400


def test_two_people_sign_for_the_same_files(here: FirstSite, gate: str) -> None:
    Deployment.objects.update(state="shadow")
    before = digest_of(facts_for(here.deployment, to="validation"))
    sent(client_of(here.radiologist), gate)
    after = facts_for(here.deployment, to="validation")
    assert after["dpia"]["files"] == [DIGEST]
    with pytest.raises(deploying.MoveNotAllowed):
        deploying.sign(here.deployment, to="validation", by=here.officer, seen=before)


def test_papers_are_of_a_version_or_of_a_reference(here: FirstSite) -> None:
    seller = seller_of(here.vendor)
    Evidence.objects.create(algorithm=here.algorithm, reference="10.1/1", title="A study",
                            year=2024, use="clinical", level="3")  # fmt: skip
    assert "version" in sent(seller, PAPERS, kind="certificate").json()
    assert "reference" in sent(seller, PAPERS, kind="reference", reference="10.1/2").json()
    made = sent(seller, PAPERS, kind="clinical_evaluation", version="1.0.0").json()
    assert made["version"] == "1.0.0"
    form = {"kind": "reference", "reference": "10.1/1",
            "file": SimpleUploadedFile("study.pdf", NEWER)}  # fmt: skip
    assert seller.post("/catalogue/ich-triage/papers/new/", form).status_code == 302
    text = seller.get("/catalogue/ich-triage/").content.decode()
    assert text.count("study.pdf") == 1
    assert "vurdering æ.pdf" in text
    paper = PaperFile.objects.get(kind="reference")
    assert seller.get(f"/catalogue/ich-triage/papers/{paper.pk}/").content == NEWER
    seller.post(f"/catalogue/ich-triage/evidence/{Evidence.objects.get().pk}/withdraw/")
    assert "study.pdf" in seller.get("/catalogue/ich-triage/").content.decode()


def test_a_set_up_file_brings_files_and_takes_them_elsewhere(
    here: FirstSite, gate: str, tmp_path: Path
) -> None:
    client = client_of(here.radiologist)
    sent(client, gate)
    sent(client, gate, NEWER, replaces=DIGEST)
    sent(seller_of(here.vendor), ITEM)
    out = tmp_path / "out"
    out.mkdir()
    written = export_to(out)
    assert CONTENT in [one.read_bytes() for one in written]
    apply([str(written[-1])], actor="x")  # rows of the builders leave out what a file fills in
    assert apply([str(export_to(out)[-1])], actor="x").lines == []
    (tmp_path / "bare.yaml").write_text(export_text())
    assert apply([str(tmp_path / "bare.yaml")], actor="x").lines == []
    before = [(one.by, one.at, one.name) for one in GateFile.objects.order_by("pk")]
    for model in (GateFile, OnboardingFile, KeptFile):
        model.objects.all()._raw_delete("default")  # type: ignore[attr-defined]
    with pytest.raises(SetUpRefused, match="the hub has none with this digest"):
        apply([str(tmp_path / "bare.yaml")], actor="x")
    apply([str(written[-1])], actor="x")
    assert [(one.by, one.at, one.name) for one in GateFile.objects.order_by("pk")] == before
    assert OnboardingFile.objects.get().file.sha256 == DIGEST
    (out / "evidence").rename(tmp_path / "elsewhere")
    text = written[-1].read_text().replace("evidence/", "../elsewhere/")
    written[-1].write_text(text)
    with pytest.raises(SetUpRefused, match="in the folder of the set-up file"):
        apply([str(written[-1])], actor="x")

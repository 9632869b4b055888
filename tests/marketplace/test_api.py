"""The catalogue, its papers and the deployments over HTTP: who gets what, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from hub.models import User
from marketplace import model_cards
from marketplace.models import Deployment, Evidence
from tests.builders import parties
from tests.builders.parties import FirstSite
from vendors.models import Vendor, VendorMember

pytestmark = pytest.mark.django_db
FIELDS = model_cards.FIELDS
VERSION = "/api/v1/algorithms/ich-triage/versions/1.0.0"


@pytest.fixture
def here() -> FirstSite:
    return parties.first_site()


def signed_in(user: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


def of_vendor(vendor: Vendor, name: str) -> Client:
    user = User.objects.create(username=name)
    VendorMember.objects.create(user=user, vendor=vendor)
    return signed_in(user)


def sent(
    client: Client, method: str, where: str, data: Any = None, *, seen: str | None = "*"
) -> Any:
    headers = {"If-Match": seen} if seen else {}
    return client.generic(
        method, where, json.dumps(data), content_type="application/json", headers=headers
    )


def codes(answer: Any) -> list[str]:
    return [one["code"] for one in answer.json()["results"]]


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("", 2), ("modality=ct", 1), ("modality=MR", 1), ("finding=hemorrhage", 2),
        ("finding=nodule", 0), ("risk_class=IIb", 1), ("level=3", 1), ("level=5", 0),
        ("framework=2020-1968", 1), ("framework=none", 0), ("q=lesion", 1),
        ("body_part=brain", 1), ("vendor=examplemed", 2),
    ],
)  # fmt: skip
def test_the_catalogue_answers_each_question(here: FirstSite, question: str, found: int) -> None:
    other = parties.algorithm_version("brain-lesion", name="Brain Lesion", risk_class="IIb")
    other.manifest["needs"]["modality"] = ["MR"]
    other.save()
    other.algorithm.body_parts = ["Brain"]
    other.algorithm.save()
    Evidence.objects.create(
        algorithm=other.algorithm, reference="10.1000/1", title="T", year=2024, use="clinical",
        level="4",
    )  # fmt: skip
    answer = signed_in(here.officer).get(f"/api/v1/algorithms/?{question}")
    assert len(codes(answer)) == found


def test_a_question_that_is_not_known_is_refused(here: FirstSite) -> None:
    client = signed_in(here.officer)
    for question in ("modalty=CT", "risk_class=XX", "level=9"):
        assert client.get(f"/api/v1/algorithms/?{question}").status_code == 400


def test_up_to_four_are_compared_and_no_stranger_s(here: FirstSite) -> None:
    for number in range(4):
        parties.algorithm_version(f"other-{number}", name=f"Other {number}")
    client = signed_in(here.officer)
    told = client.get("/api/v1/comparisons/?codes=other-1,ich-triage").json()
    assert told["algorithms"] == ["other-1", "ich-triage"]
    by_what = {row["what"]: row["values"] for row in told["rows"]}
    assert by_what["CE class and year"] == ["IIa 2025", "IIa 2025"]
    for wrong in ("ich-triage", "ich-triage,nothing", "a,b,c,d,e", ""):
        assert client.get(f"/api/v1/comparisons/?codes={wrong}").status_code == 400


def test_a_vendor_sees_its_own_algorithms_and_no_deployment(here: FirstSite) -> None:
    other = Vendor.objects.create(code="othermed", name="Other")
    own, stranger = of_vendor(here.vendor, "anna"), of_vendor(other, "otto")
    assert codes(own.get("/api/v1/algorithms/")) == ["ich-triage"]
    assert codes(stranger.get("/api/v1/algorithms/")) == []
    assert stranger.get("/api/v1/algorithms/ich-triage/").status_code == 404
    for client in (own, stranger):
        assert client.get("/api/v1/deployments/").json()["results"] == []
        assert client.get(f"/deployments/{here.deployment.pk}/").status_code == 404
    clearance = {"regime": "MDR", "risk_class": "III"}
    assert sent(own, "PUT", f"{VERSION}/clearance/", clearance).status_code == 403
    assert sent(stranger, "PUT", f"{VERSION}/sbom/", {}).status_code == 404


def card() -> dict[str, Any]:
    """A card in which every field has its own name as text."""
    def value(name: str, kind: str) -> Any:
        if kind == model_cards.TEXTS:
            return [name]
        if kind == model_cards.METRIC:
            ends = {"Label": "Sensitivity", "ValueJson": '{"kind": "single", "value": 96.15}'}
            return {one: one for one in model_cards._METRIC} | {"Results": [ends]}
        below = model_cards._BELOW.get(kind)
        return {one: one for one, _, _ in below} if below else name

    made: dict[str, Any] = {
        section: {name: value(name, kind) for name, kind, _ in fields}
        for section, fields in FIELDS.items()
        if fields
    }
    return made | {"Bibliography": "Bibliography"}


def test_a_model_card_comes_in_as_json_or_xml_and_goes_out_as_both(here: FirstSite) -> None:
    own = of_vendor(here.vendor, "anna")
    assert sent(own, "PUT", f"{VERSION}/model-card/", card()).status_code == 200
    xml = own.get(f"{VERSION}/model-card/?as=xml")
    assert xml.headers["Content-Type"] == "application/xml"
    assert model_cards.from_xml(xml.content) == card()
    seen = {"If-Match": xml["ETag"]}
    back = own.generic(
        "PUT", f"{VERSION}/model-card/", xml.content, "application/xml", headers=seen
    )
    assert back.json() == card()
    bomb = b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'
    told = own.generic("PUT", f"{VERSION}/model-card/", bomb, "application/xml", headers=seen)
    assert (told.status_code, told.json()) == (400, {"(the whole)": ["expected no DOCTYPE"]})
    missing = card()
    del missing["BasicInfo"]["ModelName"]
    told = sent(own, "PUT", f"{VERSION}/model-card/", missing)
    assert told.json() == {"BasicInfo.ModelName": ["expected a value"]}


def test_an_sbom_is_kept_and_summarised(here: FirstSite) -> None:
    document = {
        "spdxVersion": "SPDX-2.3", "name": "image", "creationInfo": {"created": "2026-01-01"},
        "packages": [
            {"name": "a", "versionInfo": "1", "licenseConcluded": "MIT"},
            {"name": "b", "licenseConcluded": "NOASSERTION", "licenseDeclared": "MIT"},
            {"name": "c"},
        ],
    }  # fmt: skip
    told = sent(signed_in(here.administrator), "PUT", f"{VERSION}/sbom/", document).json()
    assert told == {
        "format": "SPDX 2.3", "made_at": "2026-01-01", "subject": "image", "components": 3,
        "without_version": 2, "without_licence": 1, "licences": [["MIT", 2]],
    }  # fmt: skip
    assert signed_in(here.officer).get(f"{VERSION}/sbom/").json() == document
    wrong = sent(signed_in(here.administrator), "PUT", f"{VERSION}/sbom/", {"packages": []})
    assert list(wrong.json()) == ["bomFormat"]


SBOM = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": []}


@pytest.mark.parametrize(
    ("what", "first", "second"),
    [("sbom", SBOM, SBOM | {"version": 2}),
     ("model-card", card(), card() | {"Bibliography": "another"})],
)  # fmt: skip
def test_the_second_of_two_who_bring_a_paper_is_told(
    here: FirstSite, what: str, first: Any, second: Any
) -> None:
    """Over the API and on the page; what the first brought stays."""
    own, where = of_vendor(here.vendor, "anna"), f"{VERSION}/{what}/"
    made = sent(own, "PUT", where, first, seen=None)  # nothing was there to be seen
    assert (made.status_code, own.get(where)["ETag"]) == (200, made["ETag"])
    page = f"/catalogue/ich-triage/versions/1.0.0/{what}/"
    typed = own.get(page).context["form"].initial["revision"]
    assert sent(own, "PUT", where, second, seen=None).status_code == 428
    assert sent(own, "PUT", where, second, seen=made["ETag"]).status_code == 200
    late = sent(own, "PUT", where, first, seen=made["ETag"])
    assert (late.status_code, "anna changed" in late.json()["detail"]) == (412, True)
    file = SimpleUploadedFile("x.json", json.dumps(first).encode())
    told = own.post(page, {"file": file, "revision": typed})
    assert (told.status_code, "anna changed" in told.content.decode()) == (400, True)
    assert own.get(where).json() == second


def test_the_second_of_two_at_a_gate_is_told(here: FirstSite) -> None:
    officer = signed_in(here.officer)
    where = f"/api/v1/deployments/{here.deployment.pk}/gates/dpia/"
    page = f"/deployments/{here.deployment.pk}/gates/dpia/"
    assert officer.get(where).status_code == 404
    made = sent(officer, "PUT", where, {"is_passed": True, "evidence": "a"}, seen=None)
    assert (made.status_code, officer.get(where)["ETag"]) == (200, made["ETag"])
    typed = officer.get(page).context["form"].initial["revision"]
    again = {"is_passed": True, "evidence": "b"}
    assert sent(officer, "PUT", where, again, seen=None).status_code == 428
    assert sent(officer, "PUT", where, again, seen=made["ETag"]).status_code == 200
    assert sent(officer, "PUT", where, again, seen=made["ETag"]).status_code == 412
    form = {"is_passed": "yes", "evidence": "c", "revision": typed}
    late = officer.post(page, form)
    assert (late.status_code, "officer changed" in late.content.decode()) == (400, True)
    assert officer.get(where).json()["evidence"] == "b"
    typed = officer.get(page).context["form"].initial["revision"]
    assert officer.post(page, form | {"revision": typed}).status_code == 302
    assert officer.get(where).json()["evidence"] == "c"


def test_a_deployment_goes_up_by_two_people_and_down_by_one(here: FirstSite) -> None:
    officer, radiologist = signed_in(here.officer), signed_in(here.radiologist)
    row = f"/api/v1/deployments/{here.deployment.pk}"
    down = sent(officer, "POST", f"{row}/step/", {"to": "suspended", "why": "odd"})
    assert (down.json()["state"], down.json()["why"]) == ("suspended", "odd")
    refused = sent(officer, "POST", f"{row}/sign/", {"to": "validation"})
    assert refused.status_code == 409
    assert refused.json()["detail"].startswith("Validation needs gates that do not stand: ")
    for gate in ("dpia", "dpa", "risk_analysis", "regulatory_snapshot"):
        done = sent(officer, "PUT", f"{row}/gates/{gate}/", {"is_passed": True, "evidence": "e"})
        assert done.status_code == 200, done.content
    shown = officer.get(f"{row}/").json()["signing"]
    (way,) = [one for one in shown if one["to"] == "validation"]
    sent(officer, "PUT", f"{row}/gates/dpia/", {"is_passed": True, "evidence": "another"})
    late = sent(officer, "POST", f"{row}/sign/", way)
    assert late.status_code == 409
    assert "changed since you were shown" in late.json()["detail"]
    shown = officer.get(f"{row}/").json()
    assert shown["waiting"] == []
    (way,) = [one for one in shown["signing"] if one["to"] == "validation"]
    assert sent(officer, "POST", f"{row}/sign/", way).json()["waiting"]
    up = sent(radiologist, "POST", f"{row}/sign/", {"to": "validation"}).json()
    assert (up["state"], up["waiting"], len(up["moves"])) == ("validation", [], 2)
    wrong = sent(officer, "PUT", f"{row}/gates/dpia/", {"is_passed": True})
    assert "evidence" in wrong.json()
    other = signed_in(here.other_radiologist)
    assert sent(other, "POST", f"{row}/step/", {"to": "retired", "why": "x"}).status_code == 404


def test_a_notice_suspends_every_site_before_the_answer_comes(here: FirstSite) -> None:
    parties.deployment_of(here.version, site=here.other_site)
    notice = {
        "code": "FSN-1", "vendor": "examplemed", "title": "Wrong side", "action": "stop",
        "received": "2026-05-01", "versions": [{"algorithm": "ich-triage", "version": "1.0.0"}],
    }  # fmt: skip
    where = "/api/v1/safety-notices/"
    assert sent(signed_in(here.officer), "POST", where, notice).status_code == 403
    made = sent(signed_in(here.administrator), "POST", where, notice)
    assert (made.status_code, made.json()["decided_by"]) == (201, "admin")
    assert set(Deployment.objects.values_list("state", "suspended_by")) == {("suspended", "admin")}
    row = f"/api/v1/deployments/{here.deployment.pk}"
    told = sent(signed_in(here.officer), "POST", f"{row}/step/", {"to": "shadow", "why": "x"})
    assert "The field safety notice FSN-1 is open" in told.json()["detail"]
    lifted = sent(signed_in(here.administrator), "POST", f"{where}FSN-1/lift/", {"why": "fixed"})
    assert lifted.json()["lifted_by"] == "admin"
    told = sent(signed_in(here.officer), "POST", f"{row}/step/", {"to": "shadow", "why": "x"})
    assert told.json()["state"] == "shadow"


def test_a_package_of_another_convention_becomes_the_draft_of_a_manifest(here: FirstSite) -> None:
    image = "registry.example.org/a@sha256:" + "0" * 64
    asked = {
        "packaging": "map", "algorithm": "spleen", "version": "1.0", "image": image,
        "app": {"command": ["python", "/opt/app"], "timeout": 600},
        "package": {"resources": {"cpu": 1, "memory": "8Gi", "gpu": 1}},
    }  # fmt: skip
    told = sent(signed_in(here.officer), "POST", "/api/v1/manifest-drafts/", asked).json()
    assert told["manifest"]["performer"] == {
        "kind": "container", "image": image, "packaging": "map", "timeout_seconds": 600,
        "command": ["python", "/opt/app"],
        "resources": {"cpu": "1", "memory": "8Gi", "gpu": 1},
    }  # fmt: skip
    assert [one.split(":")[0] for one in told["missing"]] == ["returns.findings"]
    wrong = sent(
        signed_in(here.officer), "POST", "/api/v1/manifest-drafts/",
        asked | {"package": {"resources": {"memory": "lots"}}},
    )  # fmt: skip
    assert list(wrong.json()) == ["resources.memory"]


@pytest.mark.parametrize(
    "document",
    [
        {"spdxVersion": "SPDX-2.3", "packages": [{"name": "a", "licenseConcluded": ["x"]}]},
        {"bomFormat": "CycloneDX", "specVersion": "1.6", "metadata": {"component": 1},
         "components": [{"name": "a", "licenses": [{"license": {"id": ["x"]}}], "components": [1]}]},  # noqa: E501
    ],
)  # fmt: skip
def test_an_odd_sbom_is_read_as_far_as_it_says_something(
    here: FirstSite, document: dict[str, Any]
) -> None:
    told = sent(signed_in(here.administrator), "PUT", f"{VERSION}/sbom/", document)
    assert (told.status_code, told.json()["without_licence"]) == (200, 1)


def test_what_no_database_can_hold_is_refused(here: FirstSite) -> None:
    client = signed_in(here.administrator)
    document = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [], "x": "a\x00"}
    assert list(sent(client, "PUT", f"{VERSION}/sbom/", document).json()) == ["(the whole)"]
    document["x"] = "a\\u0000 \N{GRINNING FACE}"
    assert sent(client, "PUT", f"{VERSION}/sbom/", document).status_code == 200
    for where in (
        f"/api/v1/deployments/{10**30}/", "/api/v1/algorithms/ich-triage/versions/%00/sbom/",
        f"/deployments/{10**30}/",
    ):  # fmt: skip
        assert client.get(where).status_code == 404

"""Organisations with their dated roles are put on record on pages and over the API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hub.models import Organisation, User
from tests.builders import parties
from tests.builders.parties import FirstSite

pytestmark = pytest.mark.django_db
API = "/api/v1/organisations/"
ENTRY: dict[str, Any] = {
    "code": "unn", "name": "UNN HF", "kind": "hospital_trust", "country": "NO",
    "organisation_number": "916879067", "vat_number": "NO916879067MVA", "gln": "1238764941386",
    "roles": [{"role": "contracting_authority", "valid": {"from": "2026-01-01"}}],
}


@pytest.fixture
def here() -> FirstSite:
    return parties.first_site()


@pytest.fixture
def keeper(here: FirstSite) -> User:
    agent = parties.organisation("si", name="Sykehusinnkjøp HF", kind="purchasing_agent")
    return parties.member("keeper", role="procurement_officer", organisation=agent)


def send(user: User, method: str, where: str, body: Any, *, seen: str | None = "*") -> Any:
    client, headers = parties.client_of(user), {"If-Match": seen} if seen else {}
    return client.generic(
        method, where, json.dumps(body), content_type="application/json", headers=headers
    )


def test_an_organisation_is_put_on_record_and_changed_over_the_api(keeper: User) -> None:
    answer = send(keeper, "POST", API, ENTRY)
    assert (answer.status_code, answer.json()["gln"]) == (201, "1238764941386")
    assert answer.json()["roles"][0]["valid_from"] == "2026-01-01"
    changed = send(keeper, "PATCH", f"{API}unn/", {"name": "UNN", "roles": []})
    assert (changed.json()["name"], changed.json()["roles"]) == ("UNN", [])
    assert changed.json()["vat_number"] == "NO916879067MVA"
    assert parties.client_of(keeper).get(f"{API}unn/").json()["name"] == "UNN"


def test_of_two_who_change_an_organisation_the_second_is_told_and_overwrites_nothing(
    here: FirstSite, keeper: User
) -> None:
    where, client = f"{API}ahus/", parties.client_of(keeper)
    seen = client.get(where)["ETag"]
    page = "/organisations/ahus/edit/"
    typed = client.get(page).context["form"].initial
    assert send(keeper, "PATCH", where, {"name": "Ahus"}, seen=seen).status_code == 200
    late = send(keeper, "PATCH", where, {"name": "Other"}, seen=seen)
    assert (late.status_code, "keeper changed ahus meanwhile" in late.json()["detail"]) == (
        412, True,
    )  # fmt: skip
    assert send(keeper, "PATCH", where, {"name": "Other"}, seen=None).status_code == 428
    form = {name: str(held) for name, held in typed.items() if isinstance(held, str)}
    form |= {"name": "Other", "roles-TOTAL_FORMS": "0", "roles-INITIAL_FORMS": "0"}
    told = client.post(page, form)
    assert told.status_code == 400
    assert "keeper changed ahus meanwhile" in told.content.decode()
    assert Organisation.objects.get(code="ahus").name == "Ahus"


def test_a_wrong_number_is_refused_by_its_field(here: FirstSite, keeper: User) -> None:
    for fields, field in (
        ({"organisation_number": "916879068"}, "organisation_number"), ({"code": "new"}, "code"),
        ({"vat_number": "NO916879068MVA"}, "vat_number"), ({"gln": "1238764941387"}, "gln"),
        ({"code": "ahus"}, "code"), ({"roles": [{"role": "owner"}]}, "roles[0].role"),
        ({"roles": [{"role": "supplier", "valid": {"from": "2026-01-02", "to": "2026-01-01"}}]},
         "roles[0].valid.to"),
    ):  # fmt: skip
        answer = send(keeper, "POST", API, ENTRY | fields)
        assert (answer.status_code, list(answer.json())) == (400, [field]), answer.json()
    assert list(send(keeper, "PATCH", f"{API}ahus/", {"code": "x"}).json()) == ["code"]
    assert not Organisation.objects.filter(code="unn").exists()


def test_it_is_put_on_record_and_changed_on_pages(keeper: User) -> None:
    client = parties.client_of(keeper)
    form = {name: value for name, value in ENTRY.items() if name != "roles"} | {
        "roles-TOTAL_FORMS": "1", "roles-INITIAL_FORMS": "0",
        "roles-0-role": "data_controller", "roles-0-valid_from": "2026-01-01",
    }  # fmt: skip
    wrong = client.post("/organisations/new/", form | {"gln": "1238764941387"})
    assert (wrong.status_code, 'id="organisation-gln_error"' in wrong.content.decode()) == (
        400, True,
    )  # fmt: skip
    done = client.post("/organisations/new/", form, follow=True).content.decode()
    assert "/organisations/unn/edit/" in done
    client.post("/organisations/unn/edit/", form | {"name": "UNN", "code": "other"})
    row = Organisation.objects.get(code="unn")
    assert (row.name, row.roles.get().role) == ("UNN", "data_controller")


def test_one_trust_alone_sees_its_own_and_changes_none(here: FirstSite) -> None:
    client = parties.client_of(here.officer)
    page = client.get("/organisations/").content.decode()
    assert "Vestre Viken HF" in page
    assert "Akershus" not in page
    assert "/organisations/new/" not in page
    for where in ("/organisations/new/", "/organisations/vestre-viken/edit/"):
        assert client.post(where, {"name": "Mine"}).status_code == 403
    assert client.get("/organisations/ahus/edit/").status_code == 404
    assert send(here.officer, "POST", API, ENTRY).status_code == 403
    assert send(here.officer, "PATCH", f"{API}vestre-viken/", {"name": "x"}).status_code == 403
    assert send(here.officer, "PATCH", f"{API}ahus/", {"name": "x"}).status_code == 404
    assert parties.client_of(here.radiologist).get("/organisations/").status_code == 403
    assert set(Organisation.objects.values_list("name", flat=True)) & {"Mine", "x"} == set()

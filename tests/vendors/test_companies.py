"""A company is put on record on a page or over the API, by the rules that a set-up file has."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hub.configuration.exporting import export_text
from hub.models import AuditEvent, User
from tests.builders import parties
from tests.builders.parties import FirstSite
from vendors import registering
from vendors.models import Vendor

pytestmark = pytest.mark.django_db
API = "/api/v1/vendors/"
COMPANY = {"code": "acme", "name": "Acme AS", "country": "NO", "organisation_number": "916879067",
           "srn": "NO-MF-000012345"}  # fmt: skip


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


def test_a_company_is_put_on_record_over_the_api_and_stands_in_the_export(keeper: User) -> None:
    answer = send(keeper, "POST", API, COMPANY)
    assert (answer.status_code, answer.json()["is_complete"]) == (201, False)
    row = Vendor.objects.get(code="acme")
    assert (row.organisation_number, row.srn) == ("916879067", "NO-MF-000012345")
    assert "code: acme" in export_text()
    event = AuditEvent.objects.get(action="entry_written")
    assert (event.actor, event.subject, event.details["section"]) == ("keeper", "acme", "vendors")
    changed = send(keeper, "PATCH", f"{API}acme/", {"name": "Acme Medical AS"})
    row.refresh_from_db()
    assert (changed.status_code, row.name, row.srn) == (200, "Acme Medical AS", "NO-MF-000012345")


def test_of_two_who_change_a_company_the_second_is_told_and_overwrites_nothing(
    here: FirstSite, keeper: User
) -> None:
    where, client = f"{API}examplemed/", parties.client_of(keeper)
    seen = client.get(where)["ETag"]
    typed = client.get("/vendors/examplemed/edit/").context["form"].initial
    assert send(keeper, "PATCH", where, {"name": "One"}, seen=seen).status_code == 200
    assert send(keeper, "PATCH", where, {"name": "Two"}, seen=seen).status_code == 412
    assert send(keeper, "PATCH", where, {"name": "Two"}, seen=None).status_code == 428
    told = client.post("/vendors/examplemed/edit/", typed | {"name": "Two"})
    assert (told.status_code, "changed examplemed meanwhile" in told.content.decode()) == (
        400, True,
    )  # fmt: skip
    assert Vendor.objects.get(code="examplemed").name == "One"


def test_what_is_wrong_is_refused_by_field_and_nothing_is_kept(
    here: FirstSite, keeper: User
) -> None:
    before = set(Vendor.objects.values_list("name", flat=True))
    for fields, field in (
        ({"organisation_number": "916879068"}, "organisation_number"), ({"srn": "x"}, "srn"),
        ({"country": "Norge"}, "country"), ({"country": "no"}, "country"), ({"name": ""}, "name"),
        ({"code": "new"}, "code"), ({"code": "a b"}, "code"), ({"code": "examplemed"}, "code"),
        ({"signing_key": "none"}, "signing_key"), ({"code": None}, "code"),
    ):  # fmt: skip
        answer = send(keeper, "POST", API, COMPANY | fields)
        assert (answer.status_code, list(answer.json())) == (400, [field]), fields
    bad = send(keeper, "PATCH", f"{API}examplemed/", {"organisation_number": "1"})
    assert (bad.status_code, list(bad.json())) == (400, ["organisation_number"])
    assert set(Vendor.objects.values_list("name", flat=True)) == before
    assert not AuditEvent.objects.filter(action="entry_written").exists()


def test_a_company_is_put_on_record_and_changed_on_pages(keeper: User) -> None:
    client = parties.client_of(keeper)
    assert "/vendors/new/" in client.get("/vendors/").content.decode()
    wrong = client.post("/vendors/new/", COMPANY | {"organisation_number": "916879068"})
    field = wrong.content.decode().split('id="company-organisation_number_error"')[1]
    assert (wrong.status_code, "check digit" in field.partition("</p>")[0]) == (400, True)
    assert not Vendor.objects.filter(code="acme").exists()
    done = client.post("/vendors/new/", COMPANY | {"country": "no"}, follow=True)
    assert "/vendors/acme/edit/" in done.content.decode()
    client.post("/vendors/acme/edit/", COMPANY | {"name": "Acme Medical AS", "code": "other"})
    row = Vendor.objects.get(code="acme")
    assert (row.name, row.country) == ("Acme Medical AS", "NO")


def test_what_all_trusts_share_is_not_for_one_trust_alone(here: FirstSite) -> None:
    for user in (here.officer, here.radiologist):
        assert send(user, "POST", API, COMPANY).status_code == 403
        assert send(user, "PATCH", f"{API}examplemed/", {"name": "Mine"}).status_code == 403
        for where in ("/vendors/new/", "/vendors/examplemed/edit/"):
            assert parties.client_of(user).get(where).status_code == 403
            assert parties.client_of(user).post(where, COMPANY).status_code == 403
        assert "/vendors/new/" not in parties.client_of(user).get("/vendors/").content.decode()
    own = User.objects.create(username="sales")
    here.vendor.people.create(user=own)
    assert send(own, "PATCH", f"{API}examplemed/", {"name": "Mine"}).status_code == 403
    assert Vendor.objects.get().name == "Example Medical AS"


def test_who_changes_another_field_takes_back_nothing_of_what_was_changed_meanwhile(
    keeper: User,
) -> None:
    row = registering.register(by=keeper, **COMPANY)
    seen_before = Vendor.objects.get(pk=row.pk)
    registering.change(row, by=keeper, name="Acme Medical AS")
    registering.change(seen_before, by=keeper, srn="NO-MF-000099999")
    row.refresh_from_db()
    assert (row.name, row.srn) == ("Acme Medical AS", "NO-MF-000099999")

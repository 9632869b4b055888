"""Sites and people are put on record by who administers them, on pages and over the API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hub.configuration.exporting import export_text
from hub.models import AuditEvent, Membership, Organisation, Site, User
from tests.builders import parties
from tests.builders.parties import FirstSite

pytestmark = pytest.mark.django_db
SITES, MEMBERS = "/api/v1/sites/", "/api/v1/members/"
KONGSBERG = {"code": "kongsberg", "organisation": "vestre-viken", "name": "Kongsberg sykehus",
             "retention": {"messages": 90}}  # fmt: skip
NURSE = {"username": "nurse@vv.no", "name": "Nurse",
         "roles": [{"role": "radiologist", "site": "drammen"}]}  # fmt: skip


@pytest.fixture
def here() -> FirstSite:
    return parties.first_site()


@pytest.fixture
def own(here: FirstSite) -> User:
    """An administrator of the first trust, and of nothing else."""
    return parties.member("own", role="administrator", organisation=here.organisation)


def send(user: User, method: str, where: str, body: Any, *, seen: str | None = "*") -> Any:
    client, headers = parties.client_of(user), {"If-Match": seen} if seen else {}
    return client.generic(
        method, where, json.dumps(body), content_type="application/json", headers=headers
    )


def rows_of(user: User, where: str) -> list[Any]:
    found: list[Any] = parties.client_of(user).get(where).json()
    return found


# -- sites -----------------------------------------------------------------------------------------
def test_a_site_is_put_on_record_and_changed_by_who_administers_its_trust(own: User) -> None:
    made = send(own, "POST", SITES, KONGSBERG)
    assert (made.status_code, made.json()["timezone"]) == (201, "Europe/Oslo")
    assert "code: kongsberg" in export_text()
    event = AuditEvent.objects.get(action="entry_written")
    assert (event.actor, event.subject, event.details["section"]) == ("own", "kongsberg", "sites")
    where, seen = f"{SITES}kongsberg/", made["ETag"]
    assert send(own, "PATCH", where, {"name": "Kongsberg"}, seen=seen).status_code == 200
    assert send(own, "PATCH", where, {"name": "Late"}, seen=seen).status_code == 412
    assert send(own, "PATCH", where, {"name": "Late"}, seen=None).status_code == 428
    row = Site.objects.get(code="kongsberg")
    assert (row.name, row.retention["messages"]) == ("Kongsberg", 90)
    assert [one["code"] for one in rows_of(own, SITES)] == ["drammen", "kongsberg"]


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"organisation": "ahus"}, "organisation"), ({"timezone": "Oslo"}, "timezone"),
        ({"code": "drammen"}, "code"), ({"code": "new"}, "code"), ({"name": None}, "name"),
        ({"her_id": "80A4866"}, "her_id"), ({"resh_id": "0"}, "resh_id"),
        ({"npr_activity_unit": "9168790681"}, "npr_activity_unit"),
        ({"npr_dose_unit": "9168790671"}, "npr_dose_unit"),
        ({"retention": {"audit": 3}}, "retention.audit"), ({"sort": "x"}, "sort"),
    ],
)  # fmt: skip
def test_a_site_that_does_not_fit_is_refused_by_field(own: User, said: Any, field: str) -> None:
    answer = send(own, "POST", SITES, KONGSBERG | said)
    assert (answer.status_code, list(answer.json())) == (400, [field])
    assert not Site.objects.filter(code="kongsberg").exists()


def test_nobody_keeps_what_another_administers(here: FirstSite, own: User) -> None:
    assert send(own, "PATCH", f"{SITES}nordbyhagen/", {"name": "x"}).status_code == 404
    assert send(own, "PATCH", f"{SITES}drammen/", {"organisation": "ahus"}).status_code == 400
    assert send(own, "PATCH", f"{MEMBERS}radiologist.nordbyhagen/", {"name": "x"}).status_code == (
        404
    )
    at_a_site = parties.member("at.site", role="administrator", site=here.site)
    for who in (here.officer, here.radiologist, at_a_site):
        for where, entry in ((SITES, KONGSBERG), (MEMBERS, NURSE)):
            assert send(who, "POST", where, entry).status_code == 403
        assert parties.client_of(who).get("/members/").status_code == 403
    assert not User.objects.filter(username="nurse@vv.no").exists()
    assert {one["username"] for one in rows_of(own, MEMBERS)} == {
        "radiologist.drammen", "officer", "own", "at.site",
    }  # fmt: skip
    assert len(rows_of(here.administrator, SITES)) == 2


NUMBERS = {"her_id": "8094866", "resh_id": "4001031", "npr_activity_unit": "9168790671",
           "npr_dose_unit": "9168790672"}  # fmt: skip


def test_a_site_has_the_numbers_of_norwegian_registries(own: User) -> None:
    """The same by file, over the API and on the page; an export brings them back."""
    made = send(own, "POST", SITES, KONGSBERG | NUMBERS)
    assert (made.status_code, made.json()["warnings"]) == (201, [])
    assert NUMBERS.items() <= made.json().items()
    assert all(number in export_text() for number in NUMBERS.values())
    again = send(own, "PATCH", f"{SITES}kongsberg/", made.json() | {"name": "K"}, seen=made["ETag"])
    assert (again.status_code, again.json()["name"]) == (200, "K"), again.content
    page = parties.client_of(own).get("/sites/").content.decode()
    assert all(number in page for number in NUMBERS.values())
    client, form = parties.client_of(own), {
        "name": "K", "organisation": "vestre-viken", "timezone": "Europe/Oslo", "revision": "*",
        **NUMBERS,
    }  # fmt: skip
    bad = client.post("/sites/kongsberg/edit/", form | {"npr_dose_unit": "9168790682"})
    assert (bad.status_code, 'id="site-npr_dose_unit_error"' in bad.content.decode()) == (400, True)
    assert client.post("/sites/kongsberg/edit/", form | {"resh_id": ""}).status_code == 302
    row = Site.objects.get(code="kongsberg")
    assert (row.resh_id, row.her_id, row.npr_dose_unit) == ("", "8094866", "9168790672")


def test_a_number_that_another_site_has_or_norway_did_not_give_is_doubted(own: User) -> None:
    send(own, "POST", SITES, KONGSBERG | {"her_id": "8094866"})
    same = send(own, "PATCH", f"{SITES}drammen/", {"her_id": "8094866"})
    assert [one["field"] for one in same.json()["warnings"]] == ["her_id"]
    assert "kongsberg has the same" in same.json()["warnings"][0]["text"]
    Organisation.objects.filter(code="vestre-viken").update(country="DK")
    told = parties.client_of(own).get(f"{SITES}drammen/").json()["warnings"]
    assert any("vestre-viken is of DK" in one["text"] for one in told)


# -- people ----------------------------------------------------------------------------------------
def test_a_person_is_put_on_record_without_the_means_to_sign_in(own: User) -> None:
    made = send(own, "POST", MEMBERS, NURSE)
    assert made.status_code == 201, made.content
    row = User.objects.get(username="nurse@vv.no")
    assert not row.has_usable_password()
    assert row.memberships.get().site == Site.objects.get(code="drammen")
    where = f"{MEMBERS}nurse@vv.no/"
    closed = send(own, "PATCH", where, {"active": False}, seen=made["ETag"])
    assert closed.json()["active"] is False
    assert send(own, "PATCH", where, {"active": True}, seen=made["ETag"]).status_code == 412
    row.refresh_from_db()
    assert not row.is_active


@pytest.mark.parametrize(
    ("roles", "field"),
    [
        ([{"role": "administrator"}], "roles[0]"), ([], "roles"),
        ([{"role": "radiologist", "site": "nordbyhagen"}], "roles[0]"),
        ([{"role": "radiologist", "organisation": "ahus"}], "roles[0]"),
        ([{"role": "owner", "site": "drammen"}], "roles[0].role"),
        ([{"role": "radiologist", "site": ["drammen"]}], "roles[0]"), (["radiologist"], "roles[0]"),
        (7, "roles"), ({"role": "radiologist"}, "roles"),
        ([{"role": "radiologist", "site": "drammen", "organisation": "vestre-viken"}], "roles[0]"),
    ],
)  # fmt: skip
def test_nobody_gives_a_role_at_what_they_do_not_administer(
    own: User, roles: Any, field: str
) -> None:
    before = Membership.objects.count()
    answer = send(own, "POST", MEMBERS, NURSE | {"roles": roles})
    assert (answer.status_code, list(answer.json())) == (400, [field]), answer.content
    if roles:  # to take the last one away is theirs
        again = send(own, "PATCH", f"{MEMBERS}officer/", {"roles": roles})
        assert (again.status_code, list(again.json())) == (400, [field]), again.content
    assert Membership.objects.count() == before


def test_roles_held_elsewhere_stay_and_are_not_told(here: FirstSite, own: User) -> None:
    both = parties.member("both", role="radiologist", site=here.site)
    Membership.objects.create(user=both, role="radiologist", site=here.other_site)
    where = f"{MEMBERS}both/"
    told = parties.client_of(own).get(where)
    assert told.json()["roles"] == [{"role": "radiologist", "site": "drammen"}]
    assert "nordbyhagen" not in told.content.decode()
    officer = [{"role": "procurement_officer", "organisation": "vestre-viken"}]
    answer = send(own, "PATCH", where, {"roles": officer}, seen=told["ETag"])
    assert answer.json()["roles"] == officer
    held = {(one.role, str(one.site or one.organisation)) for one in both.memberships.all()}
    assert held == {("procurement_officer", "Vestre Viken HF"),
                    ("radiologist", "Nordbyhagen sykehus")}  # fmt: skip
    assert list(send(own, "PATCH", where, {"active": False}).json()) == ["active"]
    both.refresh_from_db()
    assert both.is_active


def test_nobody_changes_roles_of_their_own(here: FirstSite, own: User) -> None:
    more = [{"role": "procurement_officer", "organisation": "vestre-viken"},
            {"role": "administrator", "organisation": "vestre-viken"}]  # fmt: skip
    assert list(send(own, "PATCH", f"{MEMBERS}own/", {"roles": more}).json()) == ["roles"]
    assert list(send(own, "PATCH", f"{MEMBERS}own/", {"active": False}).json()) == ["active"]
    assert own.memberships.get().role == "administrator"
    assert send(own, "PATCH", f"{MEMBERS}own/", {"name": "Me"}).status_code == 200


# -- the pages -------------------------------------------------------------------------------------
def test_sites_and_people_are_written_on_pages(here: FirstSite, own: User) -> None:
    client = parties.client_of(own)
    form = {"code": "kongsberg", "name": "Kongsberg", "organisation": "vestre-viken",
            "timezone": "Europe/Oslo", "keep_messages": "90"}  # fmt: skip
    bad = client.post("/sites/new/", form | {"keep_audit": "3"})
    page = bad.content.decode()
    assert bad.status_code == 400
    assert 'id="site-keep_audit_error"' in page
    assert "Kongsberg" in client.post("/sites/new/", form, follow=True).content.decode()
    assert Site.objects.get(code="kongsberg").retention["messages"] == 90
    typed = client.get("/sites/kongsberg/edit/").context["form"].initial
    assert send(own, "PATCH", f"{SITES}kongsberg/", {"name": "First"}).status_code == 200
    late = client.post("/sites/kongsberg/edit/", form | {"revision": typed["revision"]})
    assert late.status_code == 400
    assert "own changed kongsberg meanwhile" in late.content.decode()
    person = {"username": "nurse", "name": "Nurse", "active": "on", "roles-TOTAL_FORMS": "1",
              "roles-INITIAL_FORMS": "0", "roles-0-role": "radiologist",
              "roles-0-site": "kongsberg"}  # fmt: skip
    done = client.post("/members/new/", person, follow=True).content.decode()
    assert "nurse" in done
    assert "First" in done
    assert "nordbyhagen" not in done
    seen = client.get("/members/nurse/edit/").context["form"].initial["revision"]
    emptied = person | {"roles-0-role": "", "roles-0-site": "", "active": "", "revision": seen}
    assert client.post("/members/nurse/edit/", emptied).status_code == 302
    row = User.objects.get(username="nurse")
    assert (row.is_active, row.memberships.count()) == (False, 0)

"""The checklist of a vendor, and how its people come in and see their own company alone."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from hub.configuration.applying import apply
from hub.configuration.exporting import export_text
from hub.configuration.problems import SetUpRefused
from hub.models import User
from tests.builders import parties
from tests.builders.parties import FirstSite
from vendors import inviting, onboarding
from vendors.models import Invitation, OnboardingItem, Vendor, VendorMember
from vendors.onboarding import OnboardingRefused, Processor, Shown

pytestmark = pytest.mark.django_db
Kind = OnboardingItem.Kind
WHERE = "/api/v1/vendors/examplemed"
SHOWN = Shown("case 26/7", owner="Kari Nordmann", dated=date(2026, 9, 1))


@pytest.fixture
def here() -> FirstSite:
    return parties.first_site()


def signed_in(user: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


def sent(client: Client, method: str, where: str, data: Any = None) -> Any:
    return client.generic(method, where, json.dumps(data), content_type="application/json")


def test_everything_is_open_until_it_is_handed_in_and_accepted(here: FirstSite) -> None:
    items = onboarding.checklist(here.vendor)
    assert [one.kind for one in items] == list(Kind)
    assert {one.state for one in items} == {"open"}
    until = timezone.localdate() + timedelta(days=10)
    for kind in Kind:
        onboarding.submit(here.vendor, kind, replace(SHOWN, valid_until=until), by=here.officer)
        onboarding.decide(
            here.vendor, kind, is_accepted=True, comment="", by=here.administrator
        )
    items = onboarding.checklist(here.vendor)
    assert onboarding.is_complete(items, on=until)
    assert not onboarding.is_complete(items, on=until + timedelta(days=1))


def test_what_lacks_its_rule_is_not_accepted(here: FirstSite) -> None:
    Vendor.objects.update(srn="")
    vendor = Vendor.objects.get()
    for kind, field in ((Kind.COMPANY, "srn"), (Kind.INSURANCE, "valid_until")):
        onboarding.submit(vendor, kind, SHOWN, by=here.officer)
        with pytest.raises(OnboardingRefused) as refused:
            onboarding.decide(vendor, kind, is_accepted=True, comment="", by=here.administrator)
        assert refused.value.field == field
    with pytest.raises(OnboardingRefused, match="nothing was handed in"):
        onboarding.decide(vendor, Kind.IFU, is_accepted=True, comment="", by=here.administrator)


@pytest.mark.parametrize(
    ("shown", "field", "label"),
    [(Shown("case 26/7", dated=date(2026, 9, 1)), "owner", "In charge: "),
     (Shown("case 26/7", owner="Kari"), "dated", "Dated: ")],
)  # fmt: skip
def test_nothing_is_accepted_without_an_owner_and_a_day(
    here: FirstSite, shown: Shown, field: str, label: str
) -> None:
    """Not by the verb, not over the API, not on the page; and it stays handed in."""
    onboarding.submit(here.vendor, Kind.SUPPORT, shown, by=here.officer)
    keeper = signed_in(here.administrator)
    answer = sent(keeper, "POST", f"{WHERE}/onboarding/support/verdict/", {"is_accepted": True})
    assert (answer.status_code, list(answer.json())) == (400, [field])
    page = keeper.post(
        "/vendors/examplemed/verdicts/support/", {"verdict": "accept"}, follow=True
    ).content.decode()
    assert f"{label}expected" in page
    assert "Not to be accepted yet" in page  # and so no button that would be refused
    assert 'value="accept"' not in page
    assert here.vendor.onboarding.get().state == "submitted"


def _file_of(item: dict[str, Any], folder: Path) -> str:
    name = folder / "setup.yaml"
    company = {"code": "c", "name": "C", "country": "NO", "onboarding": [item]}
    name.write_text(json.dumps({"version": "1", "vendors": [company]}))
    return str(name)


def test_a_file_accepts_nothing_without_an_owner_and_a_day_either(tmp_path: Path) -> None:
    item = {"item": "support", "state": "accepted", "evidence": "x", "decided_by": "x",
            "decided_on": "2026-01-01"}  # fmt: skip
    with pytest.raises(SetUpRefused) as refused:
        apply([_file_of(item, tmp_path)], actor="test")
    assert [one.field for one in refused.value.problems] == [
        "onboarding[0].dated", "onboarding[0].owner",
    ]  # fmt: skip
    whole = item | {"owner": "Kari", "dated": "2026-01-01"}
    with pytest.raises(SetUpRefused, match="earlier_rule: expected nothing"):
        apply([_file_of(whole | {"earlier_rule": True}, tmp_path)], actor="test")
    assert not Vendor.objects.exists()
    assert apply([_file_of(whole, tmp_path)], actor="test").warnings == ()


def test_what_was_accepted_by_an_earlier_rule_comes_back_from_an_export(
    here: FirstSite, tmp_path: Path
) -> None:
    """From a file that tells so, and from what an earlier release exported, which does not."""
    name = tmp_path / "setup.yaml"
    name.write_text(export_text())
    apply([str(name)], actor="test")
    OnboardingItem.objects.create(
        vendor=here.vendor, kind=Kind.SUPPORT, state="accepted", evidence="x", decided_by="x",
        decided_on=date(2026, 1, 1),
    )  # fmt: skip
    text = export_text()
    name.write_text(text)
    assert text.count("earlier_rule: true") == 1
    assert apply([str(name)], actor="test").lines == []
    OnboardingItem.objects.all().delete()
    told = apply([str(name)], actor="test")
    assert {one.field for one in told.warnings} >= {"onboarding[0].owner", "onboarding[0].dated"}
    assert here.vendor.onboarding.get().state == "accepted"
    name.write_text("\n".join(one for one in text.splitlines() if "earlier_rule" not in one))
    with pytest.raises(SetUpRefused, match="owner: expected who is in charge"):
        apply([str(name)], actor="test")
    assert apply([str(name)], actor="test", is_return=True).lines == []


def test_an_item_is_handed_in_and_decided_as_it_was_seen(here: FirstSite) -> None:
    where, keeper = f"{WHERE}/onboarding/ifu/", signed_in(here.administrator)
    assert keeper.get(where).status_code == 404
    first = sent(keeper, "PUT", where, {"evidence": "one"})
    assert (first.status_code, keeper.get(where)["ETag"]) == (200, first["ETag"])
    assert sent(keeper, "PUT", where, {"evidence": "two"}).status_code == 428
    form = keeper.get("/vendors/examplemed/items/ifu/").context["form"].initial
    seen = {"If-Match": first["ETag"]}
    second = keeper.put(
        where, {"evidence": "two"}, content_type="application/json", headers=seen
    )
    assert (second.status_code, second.json()["evidence"]) == (200, "two")
    for method, path, body in (
        ("put", where, {"evidence": "three"}), ("post", f"{where}verdict/", {"is_accepted": False}),
    ):  # fmt: skip
        late = getattr(keeper, method)(
            path, body, content_type="application/json", headers=seen
        )
        assert (late.status_code, "admin changed examplemed" in late.json()["detail"]) == (
            412, True,
        ), late.content  # fmt: skip
    typed = {"evidence": "three", "revision": form["revision"]}
    page = keeper.post("/vendors/examplemed/items/ifu/", typed)
    assert (page.status_code, "admin changed examplemed" in page.content.decode()) == (400, True)
    stale = {"verdict": "accept", "revision": form["revision"]}
    told = keeper.post("/vendors/examplemed/verdicts/ifu/", stale, follow=True)
    assert "admin changed examplemed" in told.content.decode()
    row = here.vendor.onboarding.get()
    assert (row.evidence, row.state) == ("two", "submitted")


@pytest.mark.parametrize(
    ("country", "basis", "problem"),
    [
        ("IE", "", ""), ("GB", "adequacy", ""), ("IN", "standard_clauses", ""),
        ("IN", "", "IN lies outside of the EEA: expected the basis of the transfer"),
        ("IN", "adequacy", "there is no adequacy decision for IN"),
    ],
)  # fmt: skip
def test_a_transfer_needs_its_basis_outside_of_the_eea(
    country: str, basis: str, problem: str
) -> None:
    assert onboarding.transfer_problem(country, basis) == problem


def test_other_sub_processors_open_the_agreement_again(here: FirstSite) -> None:
    onboarding.submit(here.vendor, Kind.DPA, SHOWN, by=here.officer)
    onboarding.decide(here.vendor, Kind.DPA, is_accepted=True, comment="", by=here.administrator)
    named = [Processor("Cloud Ltd", "GB", "hosting", "adequacy")]
    onboarding.name_sub_processors(here.vendor, named, by=here.administrator)
    assert OnboardingItem.objects.get().state == "submitted"


def invited(here: FirstSite) -> str:
    invitation = {"name": "Anna", "email": "anna@example.org"}
    answer = sent(signed_in(here.administrator), "POST", f"{WHERE}/invitations/", invitation)
    assert answer.status_code == 201
    return str(answer.json()["code"])


def accepting(code: str, **change: str) -> Any:
    client = Client(REMOTE_ADDR=f"10.9.{len(code) % 250}.{len(change)}")
    said = {"code": code, "username": "anna", "password": "a long pass phrase"} | change
    return sent(client, "POST", "/api/v1/vendor-invitations/accept/", said)


def test_an_invitation_makes_one_account_that_sees_its_company_alone(here: FirstSite) -> None:
    other = Vendor.objects.create(code="othermed", name="Other Medical AS")
    code = invited(here)
    assert code not in str(Invitation.objects.values_list())
    assert accepting(code, password="short").status_code == 400
    assert accepting(code, username="admin").status_code == 400
    assert accepting(code).json() == {"username": "anna", "vendor": "examplemed"}
    assert accepting(code, username="anna2").json() == {
        "code": ["this code is wrong, was used, or is over"]
    }
    anna = signed_in(User.objects.get(username="anna"))
    assert [one["code"] for one in anna.get("/api/v1/vendors/").json()["results"]] == [
        "examplemed"
    ]
    assert anna.get(f"/api/v1/vendors/{other.code}/").status_code == 404
    assert anna.get("/api/v1/worklist/").json()["results"] == []
    handed_in = sent(anna, "PUT", f"{WHERE}/onboarding/ifu/", {"evidence": "IFU 3"})
    assert handed_in.json()["submitted_by"] == "Anna"
    verdict = {"is_accepted": True}
    assert sent(anna, "POST", f"{WHERE}/onboarding/ifu/verdict/", verdict).status_code == 403
    assert anna.get(f"{WHERE}/invitations/").status_code == 403


def test_an_invitation_ends_by_time_and_by_being_withdrawn(here: FirstSite) -> None:
    late, withdrawn = invited(here), invited(here)
    Invitation.objects.filter(digest=inviting.digest_of(late)).update(expires_at=timezone.now())
    row = Invitation.objects.get(digest=inviting.digest_of(withdrawn))
    inviting.withdraw(row, by=here.administrator)
    for code in (late, withdrawn, "x" * 43):
        with pytest.raises(inviting.InvitationRefused) as refused:
            inviting.accept(code, username="anna", password="a long pass phrase")
        assert refused.value.field == "code"
    assert not VendorMember.objects.exists()


def test_a_person_of_a_vendor_makes_and_ends_tokens_of_her_own(here: FirstSite) -> None:
    user = User.objects.create(username="anna")
    VendorMember.objects.create(user=user, vendor=here.vendor)
    made = sent(signed_in(user), "POST", "/api/v1/vendor-tokens/", {"days": 30}).json()
    program = Client(HTTP_AUTHORIZATION=f"Token {made['token']}")
    assert program.get("/api/v1/vendors/").status_code == 200
    too_long = sent(signed_in(user), "POST", "/api/v1/vendor-tokens/", {"days": 3660})
    assert list(too_long.json()) == ["days"]
    assert sent(signed_in(here.officer), "POST", "/api/v1/vendor-tokens/", {}).status_code == 403
    ended = signed_in(user).delete(f"/api/v1/vendor-tokens/{made['key']}/")
    assert ended.status_code == 204
    assert program.get("/api/v1/vendors/").status_code == 401


def test_a_dismissed_person_has_neither_account_nor_tokens(here: FirstSite) -> None:
    user = User.objects.create(username="anna")
    VendorMember.objects.create(user=user, vendor=here.vendor)
    _row, token = inviting.issue_token(user, days=1)
    keeper = signed_in(here.administrator)
    assert keeper.get(f"{WHERE}/people/").json() == [
        {"username": "anna", "name": "", "email": ""}
    ]
    assert signed_in(here.officer).delete(f"{WHERE}/people/anna/").status_code == 403
    assert keeper.delete(f"{WHERE}/people/anna/").status_code == 204
    client = Client(HTTP_AUTHORIZATION=f"Token {token}")
    assert client.get("/api/v1/vendors/").status_code == 401
    assert not User.objects.get(username="anna").is_active

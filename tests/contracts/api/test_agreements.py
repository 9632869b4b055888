"""Agreements and call-offs over the API: who sees what, and what may be done by whom."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from knox.models import AuthToken
from rest_framework.test import APIClient

from contracts.models import Authority, AuthorityOption, CallOff, FrameworkAgreement, TermOption
from hub.models import AuditEvent, Organisation, User
from tests.builders.parties import (
    FirstSite,
    call_off_under,
    draft_under,
    first_site,
    framework_for,
    line_of,
    member,
)

pytestmark = pytest.mark.django_db
FRAMEWORKS, CALL_OFFS = "/api/v1/frameworks/", "/api/v1/call-offs/"


@pytest.fixture
def here() -> FirstSite:
    """Both trusts under one agreement, each with a call-off; and an officer of each."""
    made = first_site()
    Authority.objects.create(
        framework=made.framework, organisation=made.other_organisation, role="option_authority"
    )
    theirs = call_off_under(made.framework, organisation=made.other_organisation, code="CO-0009")
    line_of(theirs, algorithm=made.algorithm, site=made.other_site)
    member("second", role="procurement_officer", organisation=made.organisation)
    member("theirs", role="procurement_officer", organisation=made.other_organisation)
    return made


def as_(who: User | str) -> APIClient:
    user = who if isinstance(who, User) else User.objects.get(username=who)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {AuthToken.objects.create(user=user)[1]}")
    return client


def codes(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [row["code"] for row in answer.json()["results"]]


def a_draft(here: FirstSite, **fields: Any) -> dict[str, Any]:
    line = {"algorithm": "ich-triage", "site": "drammen", "activated": "2026-12-01"}
    return {
        "code": "CO-0100", "framework": "2020-1968", "organisation": "vestre-viken",
        "valid_from": "2026-12-01", "committed_value": "1000000.00", "lines": [line],
    } | fields  # fmt: skip


# -- who sees what -------------------------------------------------------------------------------
def test_two_buyers_under_one_agreement_see_it_and_not_what_the_other_ordered(
    here: FirstSite,
) -> None:
    for who, own, other in (("officer", "CO-0001", "CO-0009"), ("theirs", "CO-0009", "CO-0001")):
        client = as_(who)
        assert codes(client.get(FRAMEWORKS)) == ["2020-1968"]
        assert codes(client.get(CALL_OFFS)) == [own]
        whole = client.get(f"{FRAMEWORKS}{here.framework.pk}/")
        assert [row["code"] for row in whole.json()["call_offs"]] == [own]
        assert other not in whole.content.decode()
        hidden = CallOff.objects.get(code=other)
        assert client.get(f"{CALL_OFFS}{hidden.pk}/").status_code == 404


def test_who_holds_the_agreement_sees_all_that_is_called_off_and_orders_nothing(
    here: FirstSite,
) -> None:
    member("holder", role="procurement_officer", organisation=here.framework.holder)
    client = as_("holder")
    ordered = draft_under(here.framework, organisation=here.organisation, site=here.site)

    assert set(codes(client.get(CALL_OFFS))) == {"CO-0001", "CO-0009", "CO-0100"}
    answer = client.post(f"{CALL_OFFS}{ordered.pk}/approve/")

    assert answer.status_code == 403
    assert "Only a procurement officer of Vestre Viken HF" in answer.json()["detail"]


@pytest.mark.parametrize("who", ["radiologist.drammen", "site-officer", "nobody"])
def test_who_has_no_role_for_a_whole_organisation_sees_no_contract(
    here: FirstSite, who: str
) -> None:
    member("site-officer", role="procurement_officer", site=here.site)
    User.objects.create(username="nobody")
    client = as_(who)

    for where in (FRAMEWORKS, CALL_OFFS, "/api/v1/organisations/"):
        assert codes(client.get(where)) == []
    assert client.get(f"{FRAMEWORKS}{here.framework.pk}/").status_code == 404


def test_an_agreement_that_names_neither_trust_is_seen_by_neither(here: FirstSite) -> None:
    alone = Organisation.objects.create(code="alone", name="Alone HF")
    framework_for(here.algorithm, authorities=[alone], code="F-9", holder=alone)

    assert "F-9" not in codes(as_("officer").get(FRAMEWORKS))
    assert "alone" not in codes(as_("officer").get("/api/v1/organisations/"))
    assert codes(as_("admin").get(FRAMEWORKS, {"q": "f-9"})) == ["F-9"]


# -- what it tells -------------------------------------------------------------------------------
def test_an_agreement_tells_how_much_of_it_is_bound(here: FirstSite) -> None:
    CallOff.objects.filter(code="CO-0001").update(committed_value="31200000.00")

    (row,) = as_("officer").get(FRAMEWORKS).json()["results"]

    assert row["utilisation"] == {
        "used": "31200000.00", "maximum": "40000000.00", "headroom": "8800000.00",
        "percent": "78.00", "warning": 70,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"organisation": "ahus"}, True),
        ({"organisation": "sykehuspartner"}, True),
        ({"supplier": "examplemed", "algorithm": "ich-triage"}, True),
        ({"in_force_on": "2029-12-31"}, True),
        ({"in_force_on": "2030-01-01"}, False),
        ({"q": "artificial 2020"}, True),
        ({"code": "other"}, False),
    ],
)
def test_agreements_are_narrowed(here: FirstSite, asked: dict[str, str], found: bool) -> None:
    assert codes(as_("officer").get(FRAMEWORKS, asked)) == (["2020-1968"] if found else [])


def test_call_offs_are_narrowed_and_a_misspelt_filter_is_refused(here: FirstSite) -> None:
    client = as_("admin")
    assert codes(client.get(CALL_OFFS, {"state": "active", "site": "nordbyhagen"})) == ["CO-0009"]
    assert codes(client.get(CALL_OFFS, {"algorithm": "other"})) == []
    assert client.get(CALL_OFFS, {"stat": "active"}).status_code == 400
    assert client.get(CALL_OFFS, {"state": "open"}).status_code == 400


def test_more_rows_take_no_more_questions_to_the_database(here: FirstSite) -> None:
    client = as_("admin")

    def asked(where: str) -> int:
        with CaptureQueriesContext(connection) as questions:
            assert client.get(where).status_code == 200
        return len(questions)

    draft_under(here.framework, organisation=here.organisation, site=here.site)
    asked(FRAMEWORKS)  # the first use of a token leaves its mark
    before = [asked(FRAMEWORKS), asked(f"{FRAMEWORKS}{here.framework.pk}/")]
    for number in range(5):
        more = framework_for(here.algorithm, authorities=[here.organisation], code=f"F-{number}")
        for under in (more, here.framework):
            code = f"C-{number}-{under.pk}"
            draft_under(under, organisation=here.organisation, site=here.site, code=code)

    after = [asked(FRAMEWORKS), asked(f"{FRAMEWORKS}{here.framework.pk}/")]
    assert after == before


# -- what may be done ----------------------------------------------------------------------------
def test_a_call_off_is_drafted_approved_by_two_ordered_and_activated(here: FirstSite) -> None:
    made = as_("officer").post(CALL_OFFS, a_draft(here), format="json")
    assert (made.status_code, made.json()["state"]) == (201, "draft")
    one = f"{CALL_OFFS}{made.json()['id']}/"

    assert as_("officer").post(f"{one}approve/").json()["state"] == "draft"
    assert as_("officer").post(f"{one}approve/").status_code == 409
    assert as_("second").post(f"{one}approve/").json()["state"] == "approved"
    for state in ("ordered", "active"):
        answer = as_("second").post(f"{one}move/", {"state": state}, format="json")
        assert answer.json()["state"] == state

    told = as_("officer").get(one).json()
    assert [row["user"] for row in told["approvals"]] == ["officer", "second"]
    assert told["moves"] == ["closed"]
    assert AuditEvent.objects.filter(subject="CO-0100").count() == 6


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"framework": "F-9"}, "framework"),
        ({"organisation": "ahus"}, "organisation"),
        ({"lines": []}, "lines"),
        ({"lot": "x"}, "lot"),
        ({"mode": "mini_competition"}, "mode"),
        ({"valid_to": "2026-11-01"}, "valid_to"),
        ({"committed_value": "-1"}, "committed_value"),
        ({"supplier": "nobody"}, "supplier"),
    ],
)
def test_a_draft_that_cannot_be_is_refused_with_its_field(
    here: FirstSite, fields: dict[str, Any], field: str
) -> None:
    answer = as_("officer").post(CALL_OFFS, a_draft(here, **fields), format="json")
    assert (answer.status_code, list(answer.json())) == (400, [field])
    assert not CallOff.objects.filter(code="CO-0100").exists()


def test_a_code_is_given_once_and_a_line_is_for_an_own_site(here: FirstSite) -> None:
    client = as_("officer")
    assert client.post(CALL_OFFS, a_draft(here, code="CO-0009"), format="json").status_code == 409
    line = {"algorithm": "ich-triage", "site": "nordbyhagen", "activated": "2026-12-01"}
    answer = client.post(CALL_OFFS, a_draft(here, lines=[line]), format="json")
    assert answer.json() == {"lines": ["expected a site of Vestre Viken HF"]}


def test_what_would_pass_the_maximum_is_refused_with_the_headroom(here: FirstSite) -> None:
    ordered = draft_under(
        here.framework, organisation=here.organisation, site=here.site, value="40000000.01"
    )
    answer = as_("officer").post(f"{CALL_OFFS}{ordered.pk}/approve/")
    assert answer.status_code == 409
    assert "40\N{NO-BREAK SPACE}000\N{NO-BREAK SPACE}000.00 are left" in answer.json()["detail"]


def option_moved(username: str, where: str, *, to: str) -> Any:
    return as_(username).post(
        where, {"state": to}, format="json", headers={"If-Match": "*"}
    )


def test_an_option_is_exercised_by_whose_it_is_and_by_nobody_else(here: FirstSite) -> None:
    named = Authority.objects.get(organisation=here.other_organisation)
    AuthorityOption.objects.create(authority=named, soft_cap=77)
    where = f"{FRAMEWORKS}{here.framework.pk}/options/ahus/"

    assert option_moved("officer", where, to="exercised").status_code == 403
    answer = option_moved("theirs", where, to="exercised")

    told = {row["organisation"]: row["option"] for row in answer.json()["authorities"]}
    beside = as_("officer").get(f"{FRAMEWORKS}{here.framework.pk}/").content.decode()
    assert (told["ahus"]["soft_cap"], "77.00" in beside) == ("77.00", False)
    assert told["ahus"]["state"] == "exercised"
    assert told["vestre-viken"] is None
    assert option_moved("theirs", where, to="declined").status_code == 409


def test_the_holder_extends_the_agreement(here: FirstSite) -> None:
    member("holder", role="procurement_officer", organisation=here.framework.holder)
    TermOption.objects.create(framework=here.framework, code="year 5/6", months=24)
    where = f"{FRAMEWORKS}{here.framework.pk}/term-options/year 5/6/"

    assert option_moved("officer", where, to="exercised").status_code == 403
    answer = option_moved("holder", where, to="exercised")

    assert answer.json()["valid_to"] == "2031-12-31"
    assert str(FrameworkAgreement.objects.get().valid_to) == "2031-12-31"

"""A call-off of the mode mini-competition follows from one that was concluded, and says so."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from contracts import call_offs, competing, protocols, submitting
from contracts.call_offs import CallOffMoveError
from contracts.models import (
    CallOff,
    CallOffApproval,
    CallOffCompetition,
    FrameworkAgreement,
    Participant,
    Procedure,
    Submission,
)
from contracts.submitting import ContentRefused
from hub.models import Site, User
from tests.builders import competitions as building
from tests.builders import parties
from tests.builders.competitions import Competition, draft_that_follows

pytestmark = pytest.mark.django_db
NBSP = "\N{NO-BREAK SPACE}"


def as_(username: str) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.get(username=username))
    return client


def send(who: str, method: str, where: str, body: Any) -> Any:
    return as_(who).generic(
        method, where, json.dumps(body), content_type="application/json",
        headers={"If-Match": "*"},
    )  # fmt: skip


def approve_twice(made: Competition, row: CallOff) -> None:
    second = User.objects.filter(username="second").first() or parties.member(
        "second", role="procurement_officer", organisation=made.here.organisation
    )
    for user in (made.buyer, second):
        call_offs.approve(row, by=user)


def body(made: Competition, **fields: Any) -> dict[str, Any]:
    line = {"algorithm": made.algorithm.code, "site": "drammen", "activated": "2026-03-16"}
    return {
        "code": "CO-9", "framework": made.framework.code, "organisation": "vestre-viken",
        "mode": "mini_competition", "competition": made.procedure.code, "supplier": "southern",
        "valid_from": "2026-03-01", "committed_value": "5.00", "lines": [line],
    } | fields  # fmt: skip


# -- the rule --------------------------------------------------------------------------------------
def test_a_call_off_that_follows_from_its_competition_is_approved() -> None:
    made = building.concluded()
    row = draft_that_follows(made)
    competing.name(row, made.procedure)
    approve_twice(made, row)
    row.refresh_from_db()
    assert row.state == "approved"


Change = Callable[[Competition, CallOff], Any]


def elsewhere(made: Competition, row: CallOff) -> None:
    """Another agreement of the same parties."""
    other = parties.framework_for(
        made.other, authorities=[made.here.organisation], code="F-2",
        valid_from="2020-01-01", valid_to="2099-12-31",
    )  # fmt: skip
    Procedure.objects.update(framework=other)


def without_algorithms(made: Competition, row: CallOff) -> None:
    row.lines.update(algorithm=made.other)


def at_another_site(made: Competition, row: CallOff) -> None:
    row.lines.update(site=Site.objects.create(
        code="kongsberg", name="Kongsberg", organisation=made.here.organisation
    ))  # fmt: skip
    Procedure.objects.update(sites=["drammen"])


REFUSALS: list[tuple[Change, str]] = [
    (lambda made, row: competing.name(row, None),
     "competition: expected the mini-competition that it follows from"),
    (lambda made, row: Procedure.objects.update(state="award_notified"),
     'competition: mini-1 stands at "Award notified": expected one concluded'),
    (lambda made, row: Procedure.objects.update(state="cancelled"), "competition: mini-1 st"),
    (elsewhere, "competition: expected one under 2020-1968, and mini-1 is not"),
    (lambda made, row: Procedure.objects.update(kind="comp-dial"), "is no mini-competition"),
    (lambda made, row: Procedure.objects.update(winner=made.first),
     "supplier: expected Example Medical AS, who won mini-1, and not Southern AS"),
    (lambda made, row: Procedure.objects.update(winner=None), "does not know who won"),
    (lambda made, row: Procedure.objects.update(lot="chest"), "lot: expected chest, which"),
    (lambda made, row: Procedure.objects.update(sites=["nordbyhagen"]),
     "organisation: Vestre Viken HF took no part in mini-1"),
    (without_algorithms, "lines: Southern AS did not offer ich-triage in mini-1: expected one "
     "of bleed"),
    (at_another_site, "lines: mini-1 was not about Kongsberg: expected one of Drammen"),
    (lambda made, row: CallOff.objects.filter(pk=row.pk).update(mode="direct"),
     "competition: expected nothing, because the mode is Direct"),
]  # fmt: skip


def test_one_that_does_not_fit_its_competition_is_refused_by_field() -> None:
    made = building.concluded()
    row = draft_that_follows(made)
    competing.name(row, made.procedure)
    for change, refusal in REFUSALS:
        before = transaction.savepoint()
        change(made, row)
        row = CallOff.objects.get(pk=row.pk)
        with pytest.raises(CallOffMoveError, match=refusal):
            call_offs.approve(row, by=made.buyer)
        assert not CallOffApproval.objects.exists()
        assert CallOff.objects.get(pk=row.pk).state == "draft"
        transaction.savepoint_rollback(before)
    approve_twice(made, CallOff.objects.get(pk=row.pk))


def test_what_a_direct_call_off_says_is_what_it_said_before(db: None) -> None:
    here = parties.first_site()
    FrameworkAgreement.objects.update(valid_from="2020-01-01", valid_to="2099-12-31")
    row = parties.draft_under(here.framework, organisation=here.organisation, site=here.site)
    told = parties.client_of(here.officer).get(f"/api/v1/call-offs/{row.pk}/").json()
    assert told["competition"] is None
    call_offs.approve(row, by=here.officer)
    before = [  # what the release before made a fingerprint of
        "2020-1968", "vestre-viken", "direct", "", "", "1000000.00", "2026-03-01", "",
        [["ich-triage", "drammen"]],
    ]  # fmt: skip
    known = hashlib.sha256(json.dumps(before).encode()).hexdigest()
    assert CallOffApproval.objects.get().fingerprint == known


def test_one_competition_leads_to_call_offs_of_all_who_took_part_and_of_nobody_else() -> None:
    made = building.concluded(sites=["drammen", "nordbyhagen"])
    here = made.here
    parties.member("theirs", role="procurement_officer",
                            organisation=here.other_organisation)  # fmt: skip
    parties.member("third", role="procurement_officer", organisation=here.other_organisation)
    ours = draft_that_follows(made)
    competing.name(ours, made.procedure)
    approve_twice(made, ours)
    line = {"algorithm": "bleed", "site": "nordbyhagen", "activated": "2026-03-16"}
    said = body(made, code="CO-8", organisation="ahus", lines=[line])
    answer = send("theirs", "POST", "/api/v1/call-offs/", said)
    assert (answer.status_code, answer.json()["competition"]) == (201, "mini-1")
    for who in ("theirs", "third"):
        as_(who).post(f"/call-offs/{answer.json()['id']}/approve/")
    assert CallOff.objects.get(code="CO-8").state == "approved"
    # they read the protocol that their call-off rests on, and nothing else of the procedure
    assert as_("theirs").get("/procedures/mini-1/protocol/").status_code == 200
    assert as_("theirs").get("/procedures/mini-1/").status_code == 404
    page = as_("theirs").get(f"/call-offs/{answer.json()['id']}/").content.decode()
    assert "/procedures/mini-1/protocol/" in page
    assert 'href="/procedures/mini-1/"' not in page
    # the buyer sees its own call-off alone
    assert as_("officer").get("/api/v1/procedures/mini-1/").json()["call_offs"] == ["CO-0100"]


def test_who_took_no_part_can_neither_name_it_nor_read_its_protocol() -> None:
    made = building.concluded()
    parties.member("theirs", role="procurement_officer",
                   organisation=made.here.other_organisation)  # fmt: skip
    line = {"algorithm": "bleed", "site": "nordbyhagen", "activated": "2026-03-16"}
    said = body(made, code="CO-8", organisation="ahus", lines=[line])
    answers = [
        send("theirs", "POST", "/api/v1/call-offs/", said | {"competition": code}).json()
        for code in ("mini-1", "nowhere")
    ]
    rule = "expected a mini-competition under 2020-1968 that Akershus"
    assert all(rule in one["competition"][0] for one in answers)
    assert answers[0] == answers[1]
    assert as_("theirs").get("/procedures/mini-1/protocol/").status_code == 404
    assert not CallOffCompetition.objects.exists()


def test_nobody_reads_a_protocol_before_the_competition_is_over() -> None:
    made = building.in_evaluation(sites=["drammen", "nordbyhagen"])
    parties.member("theirs", role="procurement_officer",
                   organisation=made.here.other_organisation)  # fmt: skip
    assert as_("officer").get("/procedures/mini-1/protocol/").status_code == 200
    assert as_("theirs").get("/procedures/mini-1/protocol/").status_code == 404


# -- what an offer says ----------------------------------------------------------------------------
def test_an_offer_says_which_own_algorithm_of_the_agreement_meets_an_item() -> None:
    made = building.in_final_tender()
    for other in ("ich-triage", "", "nothing"):
        content = made.offer(made.second, "10.00", algorithm=other)
        with pytest.raises(ContentRefused) as refused:
            submitting.submit(made.second, kind="final", by=made.second_user, content=content)
        ((field, rule),) = refused.value.problems
        assert field == "offer.lines[0].algorithm"
        assert rule == "expected the algorithm that meets triage, one of: bleed"
    assert not Submission.objects.exists()


def test_a_company_chooses_among_its_own_algorithms_on_the_page() -> None:
    made = building.in_final_tender()
    where = "/procedures/mini-1/specifications/specification/1/"
    page = as_("southern.sales").get(where).content.decode()
    assert '<option value="bleed">Bleed</option>' in page
    assert "ICH Triage" not in page
    sent = {"compliance-F-1": "full", "answer-F-1": "yes", "compliance-F-2": "full",
            "answer-F-2": "yes", "price-triage": "10.00"}  # fmt: skip
    refused = as_("southern.sales").post(f"{where}submit/", sent)
    assert (refused.status_code, Submission.objects.count()) == (400, 0)
    assert "triage, met with: choose the algorithm that meets it" in refused.content.decode()
    done = as_("southern.sales").post(f"{where}submit/", sent | {"algorithm-triage": "bleed"})
    assert (done.status_code, Submission.objects.get().state) == (302, "sealed")
    assert made.procedure.state == "final_tender"


def test_an_offer_of_before_named_no_algorithm_and_stands_for_those_of_the_winner() -> None:
    made = building.concluded()
    row = draft_that_follows(made)
    competing.name(row, made.procedure)
    Submission.objects.filter(participant=made.second).update(
        offer={"lines": [{"item": "triage", "model": "flat", "unit_price": "10.00"}]}
    )
    approve_twice(made, row)
    row.refresh_from_db()
    assert row.state == "approved"
    other = draft_that_follows(made, code="CO-0200")
    other.lines.update(algorithm=made.other)
    competing.name(other, made.procedure)
    with pytest.raises(CallOffMoveError, match="did not offer ich-triage"):
        call_offs.approve(other, by=made.buyer)


# -- drafts, over the API and on pages -------------------------------------------------------------
def test_a_draft_may_name_a_competition_that_still_runs_and_is_told_what_is_missing() -> None:
    made = building.in_evaluation()
    answer = send("officer", "POST", "/api/v1/call-offs/", body(made))
    assert answer.status_code == 201
    page = as_("officer").get(f"/call-offs/{answer.json()['id']}/").content.decode()
    assert "Mini-competition: mini-1 stands at &quot;Evaluation&quot;" in page
    assert 'href="/procedures/mini-1/"' in page
    bare = send("officer", "POST", "/api/v1/call-offs/", body(made, code="CO-7", competition=None))
    page = as_("officer").get(f"/call-offs/{bare.json()['id']}/").content.decode()
    assert "Not named yet." in page
    assert "expected the mini-competition that it follows from" in page


def test_a_draft_that_names_another_thing_is_refused_by_field() -> None:
    made = building.concluded()
    for fields in (
        {"mode": "direct"}, {"competition": "nowhere"}, {"competition": "x" * 41},
        {"competition": ["mini-1"]},
    ):  # fmt: skip
        answer = send("officer", "POST", "/api/v1/call-offs/", body(made, **fields))
        assert (answer.status_code, list(answer.json())) == (400, ["competition"])
    assert not CallOff.objects.filter(code="CO-9").exists()


def test_the_page_of_a_competition_leads_to_its_call_off_and_back() -> None:
    made = building.concluded()
    page = as_("officer").get("/procedures/mini-1/").content.decode()
    begin = f"/frameworks/{made.framework.pk}/call-offs/new/?competition=mini-1"
    assert begin in page
    form = as_("officer").get(begin).content.decode()
    for chosen in ('value="mini-1" selected', 'value="southern" selected', 'value="bleed" selected',
                   'value="drammen" selected', 'value="mini_competition" selected'):  # fmt: skip
        assert chosen in form
    sent = {
        "code": "CO-5", "organisation": "vestre-viken", "mode": "mini_competition",
        "competition": "mini-1", "supplier": "southern", "valid_from": "2026-03-01",
        "committed_value": "5.00", "lines-TOTAL_FORMS": "1", "lines-INITIAL_FORMS": "1",
        "lines-0-algorithm": "bleed", "lines-0-site": "drammen", "lines-0-activated": "2026-03-16",
    }  # fmt: skip
    done = as_("officer").post(begin, sent, follow=True).content.decode()
    protocol = made.procedure.protocols.get()
    assert 'href="/procedures/mini-1/"' in done
    assert f'title="{protocol.sha256}"' in done
    assert "It cannot be approved as it is" not in done
    assert ">CO-5</a>" in as_("officer").get("/procedures/mini-1/").content.decode()


def test_another_competition_voids_approvals() -> None:
    made = building.concluded()
    row = draft_that_follows(made)
    competing.name(row, made.procedure)
    call_offs.approve(row, by=made.buyer)
    other = Procedure.objects.get(pk=made.procedure.pk)
    other.pk, other.code, other.winner = None, "mini-2", None
    other.save()
    other.winner = Participant.objects.create(procedure=other, vendor=made.second.vendor, number=1)
    other.save()
    competing.name(row, other)
    told = as_("officer").get(f"/api/v1/call-offs/{row.pk}/").json()
    assert (told["competition"], told["approvals"][0]["is_current"]) == ("mini-2", False)


def test_what_was_ordered_before_stays_valid_and_says_that_it_names_none() -> None:
    made = building.planned()
    row = draft_that_follows(made, state=CallOff.State.ORDERED)
    call_offs.move(row, to="active", by=made.buyer)
    page = as_("officer").get(f"/call-offs/{row.pk}/").content.decode()
    assert "it was ordered before call-offs named the competition" in page
    assert as_("officer").get(f"/api/v1/call-offs/{row.pk}/").json()["competition"] is None


# -- what a competition is for ---------------------------------------------------------------------
def test_a_competition_is_for_sites_of_those_who_buy_under_its_agreement() -> None:
    made = building.planned(sites=["drammen", "nordbyhagen"])
    made.framework.authorities.filter(organisation=made.here.other_organisation).delete()
    told = as_("officer").get("/api/v1/procedures/mini-1/").json()
    (missing,) = [one["missing"] for one in told["following"] if one["state"] == "final_tender"]
    assert "sites: Nordbyhagen sykehus: no organisation of these buys under 2020-1968." in missing
    where = "/api/v1/procedures/mini-1/"
    refused = send("officer", "PATCH", where, {"sites": ["nowhere"]})
    assert refused.json() == {"sites": ["expected codes of sites, found nowhere"]}
    assert send("officer", "PATCH", where, {"sites": ["drammen"]}).json()["sites"] == ["drammen"]
    told = as_("officer").get(where).json()
    (missing,) = [one["missing"] for one in told["following"] if one["state"] == "final_tender"]
    assert not any(one.startswith("sites") for one in missing)



def test_sites_are_chosen_on_the_page_of_the_plan_and_stay_after_the_invitations() -> None:
    building.planned()
    where = "/procedures/mini-1/plan/"
    plan = {"title": "Triage", "framework": "2020-1968", "evaluation_model": "best-value",
            "notice_type": "16"}  # fmt: skip
    done = as_("officer").post(where, plan | {"sites": ["nordbyhagen", "drammen"]})
    assert done.status_code == 302
    row = Procedure.objects.get(code="mini-1")
    assert row.sites == ["drammen", "nordbyhagen"]
    assert "Nordbyhagen sykehus" in as_("officer").get("/procedures/mini-1/").content.decode()
    Procedure.objects.update(state="final_tender")
    refused = send("officer", "PATCH", "/api/v1/procedures/mini-1/", {"sites": None})
    assert (refused.status_code, Procedure.objects.get().sites) == (409, row.sites)


def test_the_protocol_tells_with_which_algorithm_an_item_was_met() -> None:
    made = building.concluded()
    written = protocols.write(made.procedure, by=made.buyer)
    assert "triage: bleed" in written.document

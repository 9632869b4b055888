"""What a competition may not give away, may not lose, and says in words that people understand."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from contracts import (
    dialogue,
    documents,
    evaluating,
    participating,
    protocols,
    specifying,
    submitting,
    tenders,
)
from contracts.models import EvaluationModel, Procedure, Score, Submission
from contracts.tenders import ProcedureMoveRefused
from hub.models import Organisation
from tests.builders import parties
from tests.builders import tenders as building
from tests.builders.parties import client_of
from vendors.models import VendorMember

pytestmark = pytest.mark.django_db
PAGE = "/procedures/2026-100/"
SPEC = f"{PAGE}specifications/specification/1/"
ANSWERS = {"compliance-F-1": "full", "answer-F-1": "yes", "compliance-F-2": "full",
           "answer-F-2": "yes"}  # fmt: skip


@pytest.fixture
def trust() -> Organisation:
    return parties.organisation("vestre-viken", name="Vestre Viken HF")


def _handed_in(made: building.Dialogue, price: str = "10.00") -> Submission:
    return submitting.submit(
        made.first, kind="final", content=building.tender_of(price), by=made.first_user
    )


def _awarded(made: building.Dialogue) -> None:
    """All is scored and admitted, and the first is told that it won."""
    for row in Submission.objects.filter(kind="final"):
        submitting.decide(row, to="admitted", why="", by=made.buyer)
        f2 = row.spec.requirements.get(code="F-2")
        for criterion, requirement, points in (("quality", f2, 4), ("environment", None, 8)):
            evaluating.score(
                row, criterion=criterion, requirement=requirement, points=Decimal(points),
                justification="as shown", is_moderated=False, by=made.buyer,
            )  # fmt: skip
    protocols.write(made.procedure, by=made.buyer)
    evaluating.notify_award(
        made.procedure, winner=made.first, reason="Cheapest of equals", by=made.buyer, why="told"
    )


def test_no_participant_reads_with_whom_the_buyer_spoke(trust: Organisation) -> None:
    made = building.in_dialogue(trust)
    made.procedure.market_contacts.create(
        on="2026-01-02", with_whom="Southern AS", summary="Plans were told", by="buyer"
    )
    theirs, api = client_of(made.first_user), f"/api/v1{PAGE}market-contacts/"
    page = theirs.get(PAGE).content.decode()
    assert "Plans were told" in page
    assert "Southern AS" not in page
    assert theirs.get(api).json()[0]["with_whom"] == ""
    assert "Southern AS" in client_of(made.buyer).get(PAGE).content.decode()
    assert client_of(made.buyer).get(api).json()[0]["with_whom"] == "Southern AS"


def test_the_buyer_is_not_told_before_the_deadline_whether_there_is_a_tender(
    trust: Organisation,
) -> None:
    made = building.in_final_tender(trust)
    none_yet = tenders.guards(made.procedure, "evaluation")
    _handed_in(made)
    assert list(map(str, tenders.guards(made.procedure, "evaluation"))) == list(map(str, none_yet))
    Submission.objects.all().delete()
    building.over(made.procedure)
    assert "No tender was handed in." in map(str, tenders.guards(made.procedure, "evaluation"))


def test_no_version_is_frozen_once_tenders_cannot_be_made_anew(trust: Organisation) -> None:
    made = building.in_final_tender(trust)
    row = _handed_in(made)
    spec = specifying.draft(made.procedure, stage="specification", by="test")
    shown = client_of(made.buyer).get(f"{PAGE}specifications/specification/2/").content.decode()
    assert "invalid and must be made anew" in shown
    building.over(made.procedure)
    with pytest.raises(ProcedureMoveRefused, match="deadline for tenders is over"):
        specifying.freeze(spec, by="test")
    evaluating.freeze(made.procedure, by="test")
    submitting.open_tenders(made.procedure, by="test", why="over")
    with pytest.raises(ProcedureMoveRefused, match="not changed at"):
        specifying.freeze(spec, by="test")
    row.refresh_from_db()
    assert row.state == "opened"


def test_what_was_judged_is_taken_back_no_longer(trust: Organisation) -> None:
    made = building.in_dialogue(trust)
    request = Submission.objects.create(
        participant=made.first, spec=made.procedure.specs.get(stage="espd"), kind="request",
        state="submitted", received_at=timezone.now(), received_by="x", sha256="0" * 64,
    )  # fmt: skip
    said = submitting.submit(
        made.first, kind="dialogue", by=made.first_user,
        content={"responses": [building.answer("F-1")]},
    )  # fmt: skip
    assert client_of(made.first_user).get(PAGE).content.decode().count("Take back") == 1
    dialogue.close_round(made.procedure, number=1, decision="Both go on", by=made.buyer)
    for row in (request, Submission.objects.get(pk=said.pk)):
        with pytest.raises(ProcedureMoveRefused, match="taken back no longer"):
            submitting.withdraw(row, by=made.first_user)
    assert "Take back" not in client_of(made.first_user).get(PAGE).content.decode()


def test_who_takes_part_is_told_what_is_asked_and_how_it_ended(trust: Organisation) -> None:
    made = building.in_final_tender(trust)
    loser = client_of(made.second_user)
    asked = loser.get(PAGE).content.decode()
    assert f'href="{SPEC}"' in asked
    assert "What you are asked for" in asked
    assert "Environment" in asked
    for participant, user in ((made.first, made.first_user), (made.second, made.second_user)):
        price = "10.00" if participant == made.first else "12.00"
        submitting.submit(
            participant, kind="final", content=building.tender_of(price), by=user
        )
    evaluating.freeze(made.procedure, by=made.buyer)
    building.over(made.procedure)
    assert "The deadline is over." in loser.get(PAGE).content.decode()
    assert "Hand in, sealed" not in loser.get(SPEC).content.decode()
    submitting.open_tenders(made.procedure, by=made.buyer, why="over")
    assert "Northern AS" not in loser.get(PAGE).content.decode()
    _awarded(made)
    told = loser.get(PAGE).content.decode()
    assert "The contract is awarded to Northern AS." in told
    assert "Cheapest of equals" in told
    assert "no contract is signed before it is over" in told
    assert "awarded to you" in client_of(made.first_user).get(PAGE).content.decode()
    assert "Cheapest of equals" in client_of(made.buyer).get(PAGE).content.decode()


def test_a_new_version_tells_who_must_hand_in_anew(trust: Organisation) -> None:
    made = building.in_final_tender(trust)
    _handed_in(made)
    spec = specifying.draft(made.procedure, stage="specification", by="test")
    specifying.freeze(spec, by="test")
    theirs = client_of(made.first_user)
    assert "made your tender invalid" in theirs.get(PAGE).content.decode()
    _handed_in(made)
    assert "made your tender invalid" not in theirs.get(PAGE).content.decode()


def test_who_comes_second_is_told_why_nothing_happened(trust: Organisation) -> None:
    made = building.in_dialogue(trust)
    buyer = client_of(made.buyer)
    assert buyer.post(f"{PAGE}rounds/1/close/", {"decision": "Both"}).status_code == 302
    again = buyer.post(f"{PAGE}rounds/1/close/", {"decision": "Again"})
    assert again.status_code == 400
    assert 'class="message error"' in again.content.decode()
    move = buyer.post(f"{PAGE}move/", {"to": "published", "why": "again"})
    assert "is not reached" in move.content.decode()


def test_what_a_tender_lacks_is_said_by_requirement_and_field(trust: Organisation) -> None:
    made = building.in_final_tender(trust)
    theirs = client_of(made.first_user)
    sent = ANSWERS | {"comment-F-1": "Costly", "price-triage": "10,00"}
    told = theirs.post(f"{SPEC}submit/", sent).content.decode()
    assert "F-1, Sort of comment: expected what sort of comment it is" in told
    assert "responses" not in told
    told = theirs.post(f"{SPEC}submit/", ANSWERS | {"price-triage": "much"}).content.decode()
    assert "triage: " in told
    assert "offer." not in told
    fixed = ANSWERS | {"price-triage": "10", "fixed-year": "much"}
    told = theirs.post(f"{SPEC}submit/", fixed).content.decode()
    assert "A year: " in told
    assert "offer." not in told
    assert not Submission.objects.filter(kind="final").exists()


def test_an_answer_rests_on_a_document_that_is_kept(trust: Organisation) -> None:
    made = building.in_dialogue(trust)
    made.procedure.specs.get(stage="specification").requirements.filter(code="F-1").update(
        needs_document=True
    )
    theirs = client_of(made.first_user)
    assert "add it to the procedure first" in theirs.get(SPEC).content.decode()
    kept = documents.keep(
        documents.Brought("evidence", "speed.pdf", b"%PDF"), of=made.procedure,
        participant=made.first, by=made.first_user,
    )  # fmt: skip
    sent = {"compliance-F-1": "full", "answer-F-1": "yes", "document-F-1": str(kept.pk)}
    assert theirs.post(f"{SPEC}submit/", sent).status_code == 302
    row = Submission.objects.get(kind="dialogue")
    assert row.responses.get().documents[0]["sha256"] == kept.sha256
    shown = theirs.get(f"{PAGE}submissions/{row.pk}/").content.decode()
    assert f'href="{PAGE}documents/{kept.pk}/"' in shown
    assert "Not answered: F-2." in shown
    other = client_of(made.second_user)
    other.post(f"{SPEC}submit/", sent)
    assert made.second.submissions.count() == 0


def test_amounts_are_typed_as_norwegians_write_them(trust: Organisation) -> None:
    made = building.in_final_tender(trust)
    theirs = client_of(made.first_user)
    theirs.cookies["django_language"] = "nb"
    sent = ANSWERS | {"price-triage": "10 000: 24,50; 18,00", "fixed-year": "50 000,50"}
    assert theirs.post(f"{SPEC}submit/", sent).status_code == 302
    evaluating.freeze(made.procedure, by=made.buyer)
    building.over(made.procedure)
    submitting.open_tenders(made.procedure, by=made.buyer, why="over")
    offer = Submission.objects.get(kind="final").offer
    assert offer["lines"][0]["tiers"] == [
        {"up_to": 10_000, "unit_price": "24.50"}, {"unit_price": "18.00"},
    ]  # fmt: skip
    assert offer["fixed"][0]["amount"] == "50000.50"
    buyer = client_of(made.buyer)
    buyer.cookies["django_language"] = "nb"
    row = Submission.objects.get(kind="final")
    given = {"submission": row.pk, "of": "quality:F-2", "points": "9,5", "justification": "x"}
    refused = buyer.post(f"{PAGE}evaluation/score/", given, follow=True).content.decode()
    assert "Poeng: forventet 0 til" in refused
    buyer.post(f"{PAGE}evaluation/score/", given | {"points": "4,5"})
    assert Score.objects.get().points == Decimal("4.5")


def test_a_model_and_a_plan_take_commas_and_spaces(trust: Organisation) -> None:
    model = building.evaluation_model(trust)
    buyer = client_of(parties.member("buyer", role="procurement_officer", organisation=trust))
    buyer.cookies["django_language"] = "nb"
    page = buyer.get(f"/evaluation-models/{model.code}/")
    form: dict[str, str] = {}
    for one in (page.context["form"], *(row for _h, rows, _a in page.context["sets"]
                                        for row in (rows.management_form, *rows))):  # fmt: skip
        form |= {bound.html_name: str(bound.value() or "") for bound in one}
    form |= {"criteria-0-weight": "39,5", "criteria-1-weight": "30,5"}
    assert buyer.post(f"/evaluation-models/{model.code}/", form).status_code == 302
    weights = EvaluationModel.objects.get().criteria.order_by("pk").values_list("weight", flat=True)
    assert sorted(weights) == [Decimal("30.0"), Decimal("30.5"), Decimal("39.5")]
    assert 'value="39,5"' in buyer.get(f"/evaluation-models/{model.code}/").content.decode()
    sent = {
        "code": "2027-1", "organisation": "vestre-viken", "kind": "comp-dial", "title": "AI",
        "notice_type": "16", "estimated_value": "33 000 000,00", "maximum_value": "40.000.000,50",
    }  # fmt: skip
    assert buyer.post("/procedures/new/", sent).status_code == 302
    row = Procedure.objects.get(code="2027-1")
    assert (row.estimated_value, row.maximum_value) == (Decimal(33_000_000), Decimal("40000000.50"))


def test_a_plan_offers_what_may_still_be_changed(trust: Organisation) -> None:
    made = building.in_final_tender(trust)
    buyer = client_of(made.buyer)
    shown = buyer.get(f"{PAGE}plan/").content.decode()
    assert 'name="tenders_due_at"' in shown
    assert 'name="estimated_value"' not in shown
    later = (timezone.localtime() + timedelta(days=20)).strftime("%Y-%m-%dT%H:%M")
    assert buyer.post(f"{PAGE}plan/", {"tenders_due_at": later}).status_code == 302
    made.procedure.refresh_from_db()
    assert made.procedure.estimated_value == Decimal(33_000_000)


def test_only_who_may_invite_is_led_there(trust: Organisation) -> None:
    made = building.in_dialogue(trust)
    vendor, _user = building.company("eastern")
    VendorMember.objects.filter(vendor=vendor).delete()
    made.procedure.participants.create(vendor=vendor, number=3)
    officer = client_of(made.buyer).get(PAGE).content.decode()
    assert "an IT administrator invites its people" in officer
    assert 'href="/vendors/eastern/"' not in officer


def test_where_the_law_demands_no_standstill_nobody_waits_for_one(trust: Organisation) -> None:
    today = timezone.localdate()
    for kind, missing in (("mini-competition", []), ("comp-dial", ["The standstill is not over."])):
        row = Procedure(organisation=trust, kind=kind, state="award_notified",
                        standstill_until=today, contract_reference="C-1")  # fmt: skip
        assert list(map(str, tenders.guards(row, "concluded"))) == missing


def test_who_is_asked_for_a_price_reads_the_volumes_it_is_compared_on(trust: Organisation) -> None:
    made = building.in_final_tender(trust)
    assert "1\u202f000 a month from 2027-01-01, for 24 months" in (
        client_of(made.first_user).get(SPEC).content.decode()
    )


def test_a_dialogue_that_was_won_becomes_an_agreement(trust: Organisation) -> None:
    made = building.opened(trust)
    _awarded(made)
    Procedure.objects.update(state="concluded", contract_reference="RA-2027")
    buyer = client_of(made.buyer)
    where = "/frameworks/new/?procedure=2026-100"
    assert f'href="{where}"' in buyer.get(PAGE).content.decode()
    shown = buyer.get(where).context["form"]
    assert shown["code"].value() == "RA-2027"
    assert shown["supplier"].value() == "northern"
    assert shown["estimated_value"].value() == Decimal(33_000_000)
    other = parties.organisation("ahus", name="Ahus")
    stranger = client_of(parties.member("x", role="procurement_officer", organisation=other))
    assert stranger.get(where).context["form"]["supplier"].value() is None


def test_a_number_that_is_none_is_refused_in_plain_norwegian(trust: Organisation) -> None:
    made = building.in_final_tender(trust)
    theirs = client_of(made.first_user)
    theirs.cookies["django_language"] = "nb"
    told = theirs.post(f"{SPEC}submit/", ANSWERS | {"price-triage": "10", "fixed-year": "mye"})
    assert "I året: Oppgi et tall." in told.content.decode()


def test_points_that_are_refused_stand_in_the_form_again(trust: Organisation) -> None:
    made = building.opened(trust)
    row = Submission.objects.filter(kind="final").first()
    assert row is not None
    sent = {"submission": row.pk, "of": "quality:F-2", "points": "99", "justification": "A text"}
    refused = client_of(made.buyer).post(f"{PAGE}evaluation/score/", sent)
    told = refused.content.decode()
    assert refused.status_code == 400
    assert "Points: expected 0 to" in told
    assert 'value="99"' in told
    assert ">A text</textarea>" in told
    assert not Score.objects.exists()


def test_of_two_who_decide_on_a_tender_the_second_is_told(trust: Organisation) -> None:
    made = building.opened(trust)
    row = Submission.objects.filter(kind="final").first()
    assert row is not None
    where, buyer = f"{PAGE}tenders/{row.pk}/decide/", client_of(made.buyer)
    assert '<input type="hidden" name="seen" value="open">' in (
        buyer.get(f"{PAGE}evaluation/").content.decode()
    )
    buyer.post(where, {"seen": "open", "decision": "admitted", "why": ""})
    late = buyer.post(where, {"seen": "open", "decision": "rejected", "why": "No"}, follow=True)
    assert "Somebody else was faster" in late.content.decode()
    row.refresh_from_db()
    assert row.decision == "admitted"
    buyer.post(where, {"seen": "admitted", "decision": "rejected", "why": "No"})
    row.refresh_from_db()
    assert row.decision == "rejected"


def test_no_standstill_is_told_where_the_law_demands_none(trust: Organisation) -> None:
    made = building.opened(trust)
    _awarded(made)
    buyer, loser = client_of(made.buyer), client_of(made.second_user)
    assert "Standstill until" in buyer.get(PAGE).content.decode()
    Procedure.objects.update(kind="mini-competition")
    assert "Standstill until" not in buyer.get(PAGE).content.decode()
    told = loser.get(PAGE).content.decode()
    assert "The contract is awarded to Northern AS." in told
    assert "no contract is signed" not in told


def test_who_takes_part_no_longer_is_awarded_nothing(trust: Organisation) -> None:
    made = building.opened(trust)
    participating.decide(made.first, to="excluded", why="A conviction", by=made.buyer)
    with pytest.raises(ProcedureMoveRefused, match="takes part no longer"):
        _awarded(made)
    tender = Submission.objects.get(participant=made.first, kind="final")
    submitting.decide(tender, to="rejected", why="Excluded", by=made.buyer)
    procedure = Procedure.objects.get()
    evaluating.notify_award(
        procedure, winner=made.second, reason="The one left", by=made.buyer, why="told"
    )
    participating.decide(made.second, to="withdrawn", why="Bankrupt", by=made.buyer)
    missing = tenders.guards(Procedure.objects.get(), "concluded")
    assert any("takes part no longer" in str(one) for one in missing)


def test_only_decisions_that_can_be_taken_are_offered(trust: Organisation) -> None:
    made = building.in_dialogue(trust)
    buyer = client_of(made.buyer)
    assert '<option value="reduced">' in buyer.get(PAGE).content.decode()
    dialogue.close_round(made.procedure, number=1, decision="Both", by=made.buyer)
    Procedure.objects.update(state="final_tender")
    shown = buyer.get(PAGE).content.decode()
    assert '<option value="reduced">' not in shown
    assert '<option value="excluded">' in shown

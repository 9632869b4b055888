"""The way of a procedure: what each state demands, and that nobody skips it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from contracts import (
    dialogue,
    evaluating,
    participating,
    protocols,
    result_notices,
    sealing,
    specifying,
    submitting,
    supplying,
    tender_access,
    tenders,
)
from contracts.models import (
    EvaluationFreeze,
    FrameworkAgreement,
    FrameworkSupplier,
    Lot,
    Procedure,
    ProcedureMove,
    RequirementResponse,
    Submission,
)
from contracts.submitting import ContentRefused
from contracts.tenders import ProcedureMoveRefused
from hub.models import AuditEvent, Organisation, User
from tests.builders import parties
from tests.builders import tenders as building
from tests.builders.tenders import answer, requirement, tender_of
from vendors.models import VendorMember

pytestmark = pytest.mark.django_db


@pytest.fixture
def trust() -> Organisation:
    return parties.organisation("vestre-viken", name="Vestre Viken HF")


def missing(procedure: Procedure, to: str) -> str:
    return " ".join(map(str, tenders.guards(procedure, to)))


def test_a_notice_needs_what_the_law_demands_of_a_dialogue(trust: Organisation) -> None:
    bare = Procedure.objects.create(
        code="bare", organisation=trust, title="x", kind=Procedure.Kind.COMPETITIVE_DIALOGUE
    )
    told = missing(bare, "published")
    for field in ("purpose", "estimated_value", "notice_reference", "reduces_successively",
                  "dialogue_plan", "espd", "requests_due_at", "evaluation_model"):  # fmt: skip
        assert f"{field}: " in told
    whole = building.planned(trust)
    assert missing(whole, "published") == ""
    whole.requests_due_at = timezone.now() + timedelta(days=29)
    assert missing(whole, "published") == "requests_due_at: expected at least 30 days from now."
    whole.requests_due_at = timezone.now() + timedelta(days=31)
    whole.most_candidates, whole.least_candidates = 5, 2
    assert "least_candidates: expected at least 3" in missing(whole, "published")
    assert "espd: expected criteria of selection" in missing(whole, "published")


def test_a_refused_move_leaves_nothing_and_a_made_one_is_kept_and_audited(
    trust: Organisation,
) -> None:
    procedure = building.planned(trust)
    with pytest.raises(ProcedureMoveRefused, match="is not reached"):
        tenders.advance(procedure, "dialogue", by="test", why="skip")
    with pytest.raises(ProcedureMoveRefused, match="BT-144"):
        tenders.advance(procedure, "cancelled", by="test", why="no", end_reason="bored")
    procedure.refresh_from_db()
    assert (procedure.state, ProcedureMove.objects.count()) == ("planning", 0)
    tenders.advance(procedure, "cancelled", by="test", why="no money", end_reason="ins-fund")
    (move,) = procedure.moves.all()
    assert (move.from_state, move.to_state, move.why) == ("planning", "cancelled", "no money")
    event = AuditEvent.objects.get(action="procedure_moved")
    assert (event.subject, event.details["to_state"]) == (procedure.code, "cancelled")
    with pytest.raises(DatabaseError), transaction.atomic():
        ProcedureMove.objects.update(why="otherwise")


def test_whoever_saw_an_older_state_is_told_so(trust: Organisation) -> None:
    procedure = building.planned(trust)
    stale = Procedure.objects.get(pk=procedure.pk)
    tenders.advance(procedure, "published", by="test", why="sent")
    with pytest.raises(ProcedureMoveRefused, match="faster"):
        tenders.advance(stale, "published", by="test", why="sent")


def test_the_dialogue_begins_when_all_candidates_are_judged(trust: Organisation) -> None:
    made = building.in_dialogue(trust)
    procedure = made.procedure
    Procedure.objects.filter(pk=procedure.pk).update(state="prequalification")
    procedure.refresh_from_db()
    vendor, _ = building.company("third")
    third = participating.add(procedure, vendor=vendor, by="test")
    assert missing(procedure, "dialogue") == "1 candidates are not judged yet."
    participating.decide(third, to="qualified", why="fulfils all", by="test")
    assert "Only 2 are invited, and others qualify" in missing(procedure, "dialogue")
    participating.decide(third, to="excluded", why="bankrupt", by="test")
    assert missing(procedure, "dialogue") == ""


def test_final_tenders_wait_for_answers_rounds_and_a_frozen_version(trust: Organisation) -> None:
    made = building.in_dialogue(trust)
    procedure = made.procedure
    question = dialogue.ask(made.first, text="Which PACS?", by=made.first_user)
    wanted = dialogue.suggest(made.first, text="DICOM SR", rationale="", by=made.first_user)
    told = missing(procedure, "final_tender")
    assert "A round of dialogue is still open." in told
    assert "A question is not answered." in told
    assert "A suggested requirement is neither accepted nor rejected." in told
    assert "tenders_due_at" in told
    dialogue.answer(question, text="Any", is_for_all=False, anonymised_text="", by="test")
    dialogue.accept_suggestion(wanted, requirement=requirement("F-3"), reply="Yes", by="test")
    dialogue.close_round(procedure, number=1, decision="All go on", by="test")
    procedure.tenders_due_at = timezone.now() + timedelta(days=9)
    assert missing(procedure, "final_tender") == (
        "specification: freeze the newest version of the requirements first."
    )
    specifying.freeze(specifying.draft(procedure, stage="specification", by="test"), by="test")
    assert missing(procedure, "final_tender") == ""


def test_an_accepted_suggestion_is_a_requirement_for_all_and_versions_differ_by_it(
    trust: Organisation,
) -> None:
    made = building.in_dialogue(trust)
    wanted = dialogue.suggest(made.first, text="Our FastPipe", rationale="", by=made.first_user)
    text = "Results within five minutes"
    dialogue.accept_suggestion(
        wanted, requirement=requirement("F-3", text=text), reply="In other words", by="test"
    )
    first, second = made.procedure.specs.filter(stage="specification")
    assert (first.version, second.version) == (1, 2)
    (found,) = specifying.differences(second, since=first)
    assert (found.code, found.what, found.text) == ("F-3", "added", text)
    assert second.requirements.get(code="F-3").source == "supplier_suggestion"
    with pytest.raises(ProcedureMoveRefused, match="Version 1 is frozen"):
        specifying.replace(first, [], by="test")
    with pytest.raises(ProcedureMoveRefused, match="decided already"):
        dialogue.reject_suggestion(wanted, reply="No", by="test")


def test_a_sealed_tender_is_readable_nowhere_before_the_opening(trust: Organisation) -> None:
    made = building.in_final_tender(trust)
    content = tender_of("10.00", answer("F-1", comment="HEMMELIG", comment_kind="other"),
                        answer("F-2"))  # fmt: skip
    row = submitting.submit(made.first, kind="final", content=content, by=made.first_user)
    assert (row.state, row.offer, row.evaluated_price) == ("sealed", {}, None)
    assert RequirementResponse.objects.count() == 0
    assert "HEMMELIG" not in str(Submission.objects.values_list().get())
    with pytest.raises(sealing.SealBroken):
        sealing.disclose(made.procedure.seal or _seal(made), "2026-100", row.sealed, of="another")
    told = missing(made.procedure, "evaluation")
    assert "deadline" in told
    assert "freeze it before" in told
    evaluating.freeze(made.procedure, by=made.buyer)
    with pytest.raises(ProcedureMoveRefused, match="deadline"):
        submitting.open_tenders(made.procedure, by=made.buyer, why="curious")
    building.over(made.procedure)
    submitting.open_tenders(made.procedure, by=made.buyer, why="the deadline is over")
    row.refresh_from_db()
    assert (row.state, row.evaluated_price) == ("opened", Decimal("240000.00"))
    assert row.responses.get(requirement__code="F-1").comment == "HEMMELIG"
    assert row.opened_at == made.procedure.opened_at


def _seal(made: building.Dialogue) -> str:
    return Procedure.objects.get(pk=made.procedure.pk).seal


def test_a_later_tender_replaces_the_earlier_and_none_comes_late(trust: Organisation) -> None:
    made = building.in_final_tender(trust)
    first = submitting.submit(
        made.first, kind="final", content=tender_of("10.00"), by=made.first_user
    )
    second = submitting.submit(
        made.first, kind="final", content=tender_of("9.00"), by=made.first_user
    )
    first.refresh_from_db()
    assert (first.state, second.state) == ("replaced", "sealed")
    assert first.sha256 != second.sha256
    building.over(made.procedure)
    with pytest.raises(ProcedureMoveRefused, match="deadline is over"):
        submitting.submit(
            made.second, kind="final", content=tender_of("1.00"), by=made.second_user
        )
    with pytest.raises(ProcedureMoveRefused, match="taken back no longer"):
        submitting.withdraw(second, by=made.first_user)


def test_a_new_version_makes_tenders_invalid(trust: Organisation) -> None:
    made = building.in_final_tender(trust)
    row = submitting.submit(
        made.first, kind="final", content=tender_of("10.00"), by=made.first_user
    )
    spec = specifying.draft(made.procedure, stage="specification", by="test")
    specifying.freeze(spec, by="test")
    row.refresh_from_db()
    assert row.state == "invalid"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"responses": [answer("F-1")]}, "responses: expected an answer to F-2"),
        ({"responses": [answer("F-1"), answer("F-1"), answer("F-2")]}, "F-1 is answered twice"),
        ({"responses": [answer("F-1"), answer("F-9"), answer("F-2")]}, "F-9 is no requirement"),
        ({"responses": [answer("F-1", answer="maybe"), answer("F-2")]}, "expected yes or no"),
        ({"responses": [answer("F-1", comment="?"), answer("F-2")]}, "comment_kind: expected"),
        ({"offer": {"lines": [], "fixed": []}}, "offer: lines: expected a price of triage"),
        ({"offer": building.offer("free")}, "unit_price"),
        ({"offer": building.offer("0.00")}, "expected a price above 0"),
    ],
)
def test_a_tender_that_does_not_answer_is_refused_by_field_and_rule(
    trust: Organisation, change: dict[str, Any], problem: str
) -> None:
    made = building.in_final_tender(trust)
    content = tender_of("10.00") | change
    with pytest.raises(ContentRefused, match=problem):
        submitting.submit(made.first, kind="final", content=content, by=made.first_user)
    assert Submission.objects.count() == 0


def test_the_model_is_frozen_once_and_before_the_opening(trust: Organisation) -> None:
    made = building.opened(trust)
    frozen = EvaluationFreeze.objects.get()
    assert frozen.frozen_at < made.procedure.opened_at
    assert len(frozen.sha256) == 64
    with pytest.raises(ProcedureMoveRefused, match="Tenders are open"):
        evaluating.freeze(made.procedure, by="test")
    with pytest.raises(DatabaseError), transaction.atomic():
        EvaluationFreeze.objects.update(sha256="0" * 64)


def score(row: Submission, by: Any, points: int, **fields: Any) -> None:
    evaluating.score(
        row, **{
            "criterion": "environment", "requirement": None, "points": Decimal(points),
            "justification": "as described", "is_moderated": False, "by": by,
        } | fields,
    )  # fmt: skip


def test_the_way_ends_with_the_award_to_whom_the_frozen_model_puts_first(
    trust: Organisation,
) -> None:
    made = building.opened(trust)
    procedure, buyer = made.procedure, made.buyer
    one, two = Submission.objects.filter(state="opened")
    assert evaluating.outcome(procedure).missing == (
        "1: quality", "1: environment", "2: quality", "2: environment",
    )  # fmt: skip
    for row, points in ((one, 8), (two, 7)):
        asked = row.spec.requirements.get(code="F-2")
        score(row, buyer, points)
        score(row, buyer, 4, criterion="quality", requirement=asked)
        submitting.decide(row, to="admitted", why="", by=buyer)
    ranked = evaluating.outcome(procedure).ranked
    assert [(place.code, round(float(place.figure), 2)) for place in ranked] == [
        ("1", 8.8), ("2", 7.7),
    ]  # fmt: skip
    with pytest.raises(ProcedureMoveRefused, match="participant 1"):
        evaluating.notify_award(procedure, winner=made.second, reason="r", by=buyer, why="w")
    with pytest.raises(ProcedureMoveRefused, match="protocol"):
        evaluating.notify_award(procedure, winner=made.first, reason="r", by=buyer, why="w")
    written = protocols.write(procedure, by=buyer)
    assert "Northern AS" in written.document
    assert "as described" in written.document
    procedure.refresh_from_db()
    evaluating.notify_award(procedure, winner=made.first, reason="best", by=buyer, why="sent")
    assert procedure.standstill_until == timezone.localdate() + timedelta(days=10)
    assert "The standstill is not over." in missing(procedure, "concluded")
    procedure.standstill_until = timezone.localdate() - timedelta(days=1)
    procedure.contract_reference = "2026/1"
    assert missing(procedure, "concluded") == ""


def test_points_need_a_justification_and_the_moderation_counts(trust: Organisation) -> None:
    made = building.opened(trust)
    row = Submission.objects.filter(state="opened")[0]
    other = parties.member("colleague", role="procurement_officer", organisation=trust)
    with pytest.raises(ProcedureMoveRefused, match="justification"):
        score(row, made.buyer, 5, justification=" ")
    with pytest.raises(ProcedureMoveRefused, match="expected 0 to 10"):
        score(row, made.buyer, 11)
    score(row, made.buyer, 4)
    score(row, made.buyer, 6)  # again: the newest of each evaluator counts
    score(row, other, 9)
    assert evaluating.points_of(list(row.scores.all())) == Decimal("7.50")
    score(row, made.buyer, 8, is_moderated=True)
    score(row, other, 1)
    assert evaluating.points_of(list(row.scores.all())) == Decimal(8)


def test_a_must_that_is_not_met_is_shown_and_a_person_decides(trust: Organisation) -> None:
    made = building.in_final_tender(trust)
    poor = tender_of("10.00", answer("F-1", compliance="partial"), answer("F-2"))
    row = submitting.submit(made.first, kind="final", content=poor, by=made.first_user)
    evaluating.freeze(made.procedure, by=made.buyer)
    building.over(made.procedure)
    submitting.open_tenders(made.procedure, by=made.buyer, why="over")
    row.refresh_from_db()
    assert submitting.unmet(row) == ["F-1"]
    with pytest.raises(ProcedureMoveRefused, match="F-1"):
        submitting.decide(row, to="admitted", why="", by=made.buyer)
    submitting.decide(row, to="rejected", why="F-1 is essential", by=made.buyer)
    assert evaluating.outcome(made.procedure).tenders == ()


def test_the_people_of_a_company_see_its_part_and_never_the_buyers(trust: Organisation) -> None:
    made = building.in_dialogue(trust)
    vendor, user = building.company("third")
    assert list(tender_access.procedures(user)) == []
    participating.decide(made.second, to="reduced", why="the weakest", by="test")
    with pytest.raises(ProcedureMoveRefused, match="no longer"):
        dialogue.ask(made.second, text="Why?", by=made.second_user)
    colleague = User.objects.create(username="northern.law")
    VendorMember.objects.create(vendor=made.first.vendor, user=colleague)
    assert tender_access.participant_of(colleague, "2026-100") == made.first
    parties.member("southern.sales", role="procurement_officer", organisation=trust)
    assert list(tender_access.buyers_procedures(made.second_user)) == []
    assert tender_access.either(made.second_user, "2026-100")[1] == made.second
    assert vendor.people.get().user == user


def test_a_mini_competition_is_for_the_suppliers_of_its_lot_alone(trust: Organisation) -> None:
    first, chest, brain = (building.company(name)[0] for name in ("first", "chest", "brain"))
    framework = parties.framework_for(
        parties.algorithm_version().algorithm, authorities=[trust]
    )
    FrameworkAgreement.objects.update(supplier=first)
    framework.refresh_from_db()
    mini = Procedure.objects.create(
        code="mini", organisation=trust, title="m", kind="mini-competition", framework=framework
    )
    for vendor, lot in ((chest, "chest"), (brain, "brain")):
        Lot.objects.create(framework=framework, code=lot, title=lot)
        FrameworkSupplier.objects.create(framework=framework, vendor=vendor, lot=lot)
    assert "lot: expected one of brain, chest." in missing(mini, "final_tender")
    mini.lot = "chest"
    assert "missing: Chest AS, First AS." in missing(mini, "final_tender")
    with pytest.raises(ProcedureMoveRefused, match="Brain AS is no supplier of 2020-1968 chest"):
        participating.add(mini, vendor=brain, by="test")
    for vendor in (first, chest):
        participating.add(mini, vendor=vendor, by="test")
    assert "participants" not in missing(mini, "final_tender")
    FrameworkSupplier.objects.create(framework=framework, vendor=first, lot="brain")
    assert supplying.suppliers_of(framework, lot="chest") == {chest.pk}
    assert supplying.suppliers_of(framework) == {first.pk, chest.pk, brain.pk}


def test_the_result_is_announced_in_time_or_told_to_be_late(trust: Organisation) -> None:
    procedure = building.planned(trust)
    with pytest.raises(ProcedureMoveRefused, match="has ended"):
        announce(procedure, date(2026, 1, 1))
    Procedure.objects.update(
        state="concluded", published_at=timezone.now(),
        ended_at=datetime(2026, 3, 1, 23, 30, tzinfo=UTC),  # the 2nd in Oslo
    )  # fmt: skip
    procedure.refresh_from_db()
    owed = [result_notices.duty(procedure, on=date(2026, 4, day)) for day in (1, 2)]
    assert [(one.due, one.state) for one in owed if one] == [
        (date(2026, 4, 1), "due"), (date(2026, 4, 1), "late"),
    ]  # fmt: skip
    for _ in range(2):
        result_notices.watch(on=date(2026, 4, 2))
    assert AuditEvent.objects.filter(action="result_notice_late").count() == 1
    for on, value, rule in ((1, "1", "from 2026-03-02"), (3, None, "BT-118")):
        with pytest.raises(ProcedureMoveRefused, match=rule):
            announce(procedure, date(2026, 3, on), value)
    announce(procedure, date(2026, 3, 3), "40000000.00")
    told = result_notices.duty(procedure, on=date(2026, 9, 1))
    assert told is not None
    assert told.state == "sent"
    with pytest.raises(ProcedureMoveRefused, match="already"):
        announce(procedure, date(2026, 3, 3), "1")


def announce(procedure: Procedure, on: date, value: str | None = "1") -> None:
    result_notices.announce(
        procedure, reference="2026/S 1-1", on=on, value=Decimal(value) if value else None, by="test"
    )

"""Procedures in the set-up file: what it brings, what it moves, and what stays an act of people."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts import dialogue
from contracts.models import (
    DialogueNote,
    EvaluationFreeze,
    Participant,
    Procedure,
    RequirementSpec,
    Score,
    SuggestedRequirement,
)
from hub.configuration.applying import apply
from hub.configuration.exporting import export_text
from hub.configuration.problems import SetUpRefused
from hub.models import AuditEvent, Organisation
from tests.builders import parties
from tests.builders import tenders as building
from tests.contracts.test_belongings import empty_database

pytestmark = pytest.mark.django_db
TITLE = "title: AI for imaging"
PLANNED = """
version: 1
organisations:
  - {code: vestre-viken, name: Vestre Viken HF}
vendors:
  - {code: northern, name: Northern AS}
  - {code: southern, name: Southern AS}
evaluation_models:
  - code: best-value
    organisation: vestre-viken
    title: Best value
    formula: linear
    scenario: [{item: triage, start: 2027-01-01, months: 24, monthly: 1000}]
    criteria:
      - {code: price, name: Price, kind: price, weight: "40"}
      - {code: quality, name: Quality, kind: quality, weight: "30"}
      - {code: environment, name: Environment, kind: quality, weight: "30", is_environment: true}
procedures:
  - code: 2026-7
    organisation: vestre-viken
    kind: comp-dial
    title: AI for imaging
    purpose: A platform
    estimated_value: "33000000.00"
    notice_reference: 2026/S 1
    requests_due_at: 2099-01-31T12:00
    reduces_successively: true
    dialogue_plan: Two rounds
    evaluation_model: best-value
    market_contacts: [{on: 2026-01-02, with_whom: All, summary: A day of talks}]
    requirements:
      - {stage: espd, version: 1, frozen: true, requirements: [{code: E-1, group: exclusion, kind: must, text: No conviction}]}
      - {stage: specification, version: 1, requirements: [{code: F-1, group: functional, kind: must, text: Triage, max_points: "5.00", criterion: quality}]}
"""  # noqa: E501


@pytest.fixture
def trust() -> Organisation:
    return parties.organisation("vestre-viken", name="Vestre Viken HF")


def applied(folder: Path, text: str) -> list[str]:
    (folder / "setup.yaml").write_text(text)
    return apply([str(folder / "setup.yaml")], actor="test").lines


def refused(folder: Path, text: str) -> str:
    with pytest.raises(SetUpRefused) as told:
        applied(folder, text)
    return str(told.value)


def test_a_plan_is_brought_moved_on_and_led_by_files(tmp_path: Path) -> None:
    applied(tmp_path, PLANNED)
    assert applied(tmp_path, PLANNED) == []
    specs = RequirementSpec.objects.values_list("stage", "sha256").order_by("stage")
    assert [(stage, bool(digest)) for stage, digest in specs] == [
        ("espd", True), ("specification", False),
    ]  # fmt: skip
    published = PLANNED.replace(TITLE, f"{TITLE}\n    state: published")
    applied(tmp_path, published)
    assert Procedure.objects.get().moves.get().by == "test"
    told = refused(tmp_path, published.replace("A platform", "Another platform"))
    assert "purpose: Cannot be changed after the notice" in told or (
        "purpose: cannot be changed after the notice" in told
    )
    told = refused(tmp_path, published.replace("2099-01-31", "2098-01-31"))
    assert "requests_due_at" in told
    assert "put off" in told
    frozen = published.replace("No conviction", "Anything")
    assert "Version 1 is frozen" in refused(tmp_path, frozen)
    assert "is not reached" in refused(tmp_path, PLANNED.replace(
        TITLE, f"{TITLE}\n    state: final_tender"))  # fmt: skip
    candidate = "[{vendor: northern, state: invited, why: fulfils all}]"
    taking = f"{published}    participants: {candidate}\n"
    applied(tmp_path, taking)
    assert applied(tmp_path, taking) == []
    assert Participant.objects.get().state == "invited"
    assert AuditEvent.objects.filter(action="participant_decided").count() == 2


def test_a_dialogue_comes_back_from_an_export_into_an_empty_database(
    trust: Organisation, tmp_path: Path
) -> None:
    made = building.in_dialogue(trust)
    asked = dialogue.ask(made.first, text="Which PACS?", by=made.first_user)
    dialogue.answer(asked, text="Any", is_for_all=True, anonymised_text="Which?", by=made.buyer)
    wish = dialogue.suggest(made.first, text="FastPipe", rationale="fast", by=made.first_user)
    dialogue.accept_suggestion(
        wish, requirement=building.requirement("F-3", text="Five minutes"), reply="So", by="test"
    )
    dialogue.add_note(
        made.procedure, participant=made.second, kind="minutes", text="They showed it",
        confidential_because="trade secret", by=made.buyer,
    )  # fmt: skip
    text = export_text()
    assert applied(tmp_path, text) == []
    empty_database()
    applied(tmp_path, text)
    assert export_text() == text
    assert AuditEvent.objects.get(action="procedure_entered").details["to_state"] == "dialogue"
    assert DialogueNote.objects.get().participant == Participant.objects.get(number=2)
    assert SuggestedRequirement.objects.get().accepted_as == "F-3"
    more = text.replace("Which PACS?", "Which RIS?")
    applied(tmp_path, more)
    assert Procedure.objects.get().questions.count() == 2  # what was asked stays


def test_opening_and_award_are_acts_of_people_and_scores_may_come_by_file(
    trust: Organisation, tmp_path: Path
) -> None:
    made = building.in_final_tender(trust)
    text = export_text().replace("title: AI for diagnostic imaging", "title: AI for diagnostic imaging\n  evaluation_frozen: true")  # noqa: E501
    applied(tmp_path, text)
    assert EvaluationFreeze.objects.get().frozen_by == "test"
    told = refused(tmp_path, text.replace("state: final_tender", "state: evaluation"))
    assert "state: expected an act of people" in told
    EvaluationFreeze.objects.get()
    assert Procedure.objects.get().state == "final_tender"
    score = "\n  scores: [{participant: northern, criterion: environment, evaluator: buyer, points: '4', justification: as described}]"  # noqa: E501
    early = text.replace("\n  evaluation_frozen: true", f"{score}\n  evaluation_frozen: true")
    assert "scores: expected a tender of northern that was opened" in refused(tmp_path, early)
    assert Score.objects.count() == 0
    assert made.procedure.code == "2026-100"


def test_points_come_by_file_once_tenders_are_open(trust: Organisation, tmp_path: Path) -> None:
    building.opened(trust)
    text = export_text()
    assert applied(tmp_path, text) == []
    score = "title: AI for diagnostic imaging\n  scores: [{participant: northern, criterion: environment, evaluator: buyer, points: '4.00', justification: as described}]\n  decisions: [{participant: northern, decision: admitted}]"  # noqa: E501
    with_score = text.replace("title: AI for diagnostic imaging", score)
    applied(tmp_path, with_score)
    assert applied(tmp_path, with_score) == []
    assert Score.objects.get().evaluator.username == "buyer"
    assert "justification: as described" in export_text()
    empty_database()
    told = refused(tmp_path, with_score)
    assert "expected a state without opened tenders" in told

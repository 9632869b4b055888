"""The API of choosing: participants see their own alone, and refusals name field and rule."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contracts import dialogue, submitting
from hub.models import Organisation, User
from tests.builders import parties
from tests.builders import tenders as building
from tests.builders.parties import client_of
from tests.builders.tenders import answer, requirement, tender_of

pytestmark = pytest.mark.django_db
PROCEDURE = "/api/v1/procedures/2026-100/"
LISTS = ("", "market-contacts/", "rounds/", "notes/", "questions/", "suggestions/",
         "specifications/", "submissions/")  # fmt: skip
BUYERS = ("participants/", "evaluation/", "scores/", "protocols/")
SECRETS = ("northern", "Northern", "HEMMELIG")


@pytest.fixture
def trust() -> Organisation:
    return parties.organisation("vestre-viken", name="Vestre Viken HF")


def send(user: User, where: str, body: Any, *, method: str = "POST") -> Any:
    return client_of(user).generic(
        method, where, json.dumps(body, default=str), content_type="application/json",
        headers={"If-Match": "*"},
    )  # fmt: skip


def everything_told(user: User) -> str:
    client = client_of(user)
    return " ".join(client.get(PROCEDURE + part).content.decode() for part in (*LISTS, *BUYERS))


def test_a_participant_never_learns_of_another(trust: Organisation) -> None:
    made = building.in_dialogue(trust)
    secret = {"text": "HEMMELIG works with northern"}
    assert send(made.first_user, f"{PROCEDURE}questions/", secret).status_code == 201
    secret["rationale"] = "HEMMELIG"
    assert send(made.first_user, f"{PROCEDURE}suggestions/", secret).status_code == 201
    dialogue.add_note(
        made.procedure, participant=made.first, kind="minutes", text="HEMMELIG",
        confidential_because="trade secret", by=made.buyer,
    )  # fmt: skip
    content = {"responses": [answer("F-1", comment="HEMMELIG", comment_kind="other")]}
    handed = send(made.first_user, f"{PROCEDURE}submissions/", {"kind": "dialogue", **content})
    assert handed.status_code == 201
    assert [one for one in SECRETS if one in everything_told(made.second_user)] == []
    assert all(one in everything_told(made.buyer) for one in ("northern", "HEMMELIG"))
    assert "HEMMELIG" in everything_told(made.first_user)
    for part in BUYERS:
        assert client_of(made.second_user).get(PROCEDURE + part).status_code == 404


def test_an_answer_to_all_tells_the_question_in_words_that_tell_nobody(
    trust: Organisation,
) -> None:
    made = building.in_dialogue(trust)
    asked = send(made.first_user, f"{PROCEDURE}questions/", {"text": "HEMMELIG of northern?"})
    where = f"{PROCEDURE}questions/{asked.json()['id']}/answer/"
    refused = send(made.buyer, where, {"answer": "Yes", "is_for_all": True})
    assert refused.status_code == 409
    assert "anonymised_text" in refused.json()["detail"]
    said = {"answer": "Yes", "is_for_all": True, "anonymised_text": "Is it so?"}
    assert send(made.second_user, where, said).status_code == 404
    assert send(made.buyer, where, said).status_code == 200
    (seen,) = client_of(made.second_user).get(f"{PROCEDURE}questions/").json()
    assert (seen["participant"], seen["text"], seen["answer"]) == (None, "Is it so?", "Yes")
    assert [one for one in SECRETS if one in everything_told(made.second_user)] == []


def test_a_sealed_tender_shows_nobody_more_than_its_receipt(trust: Organisation) -> None:
    made = building.in_final_tender(trust)
    where = f"{PROCEDURE}submissions/"
    secret = tender_of("77.77", answer("F-1", comment="HEMMELIG", comment_kind="other"),
                       answer("F-2"))  # fmt: skip
    receipt = send(made.first_user, where, {"kind": "final", **secret})
    assert receipt.status_code == 201
    told = receipt.json()
    assert (told["state"], len(told["sha256"]), told["responses"]) == ("sealed", 64, [])
    for user in (made.buyer, made.first_user, made.second_user):
        assert "77.77" not in everything_told(user)
        assert "HEMMELIG" not in everything_told(user)
    assert client_of(made.buyer).get(where).json() == []  # not even that there is one
    assert len(client_of(made.first_user).get(where).json()) == 1
    early = send(made.buyer, f"{PROCEDURE}moves/", {"to": "evaluation", "why": "curious"})
    assert early.status_code == 409
    assert "deadline" in early.json()["detail"]


def test_tenders_are_opened_scored_and_ranked_through_the_api(trust: Organisation) -> None:
    made = building.in_final_tender(trust)
    for participant, user, price in (
        (made.first, made.first_user, "10.00"), (made.second, made.second_user, "12.00"),
    ):  # fmt: skip
        submitting.submit(
            participant, kind="final", content=tender_of(price), by=user
        )
    frozen = send(made.buyer, f"{PROCEDURE}evaluation/", {})
    assert frozen.status_code == 201
    assert frozen.json()["example_of_reversal"]["reversal"]["without"] == "A"
    building.over(made.procedure)
    moved = send(made.buyer, f"{PROCEDURE}moves/", {"to": "evaluation", "why": "due"})
    assert (moved.status_code, moved.json()["state"]) == (200, "evaluation")
    for row in client_of(made.buyer).get(f"{PROCEDURE}submissions/").json():
        for criterion, name in (("environment", None), ("quality", "F-2")):
            scored = send(made.buyer, f"{PROCEDURE}scores/", {
                "submission": row["id"], "criterion": criterion, "requirement": name,
                "points": "4.00", "justification": "as described",
            })  # fmt: skip
            assert scored.status_code == 201, scored.content
        bare = send(made.buyer, f"{PROCEDURE}scores/", {
            "submission": row["id"], "criterion": "environment", "points": "4.00",
        })  # fmt: skip
        assert "justification" in bare.json()
        decided = send(made.buyer, f"{PROCEDURE}submissions/{row['id']}/decision/",
                       {"decision": "admitted"})  # fmt: skip
        assert decided.status_code == 200
    told = client_of(made.buyer).get(f"{PROCEDURE}evaluation/").json()
    assert [(one["code"], one["place"]) for one in told["ranked"]] == [("1", 1), ("2", 2)]
    assert send(made.buyer, f"{PROCEDURE}protocols/", {}).status_code == 201
    award = {"to": "award_notified", "why": "sent", "winner": 1, "award_reason": "best value"}
    assert send(made.buyer, f"{PROCEDURE}moves/", award).json()["winner"] == 1


def test_the_other_trust_finds_nothing_and_may_make_nothing_here(trust: Organisation) -> None:
    building.in_dialogue(trust)
    other = parties.organisation("ous", name="Oslo universitetssykehus HF")
    stranger = parties.member("stranger", role="procurement_officer", organisation=other)
    client = client_of(stranger)
    for part in (*LISTS, *BUYERS):
        assert client.get(PROCEDURE + part).status_code == 404
    assert client.get("/api/v1/procedures/").json()["results"] == []
    new = {"code": "x", "organisation": "vestre-viken", "title": "x", "kind": "comp-dial"}
    assert send(stranger, "/api/v1/procedures/", new).status_code == 403


def test_requirements_are_written_frozen_and_compared(trust: Organisation) -> None:
    made = building.in_dialogue(trust)
    drafted = send(made.buyer, f"{PROCEDURE}specifications/", {"stage": "specification"})
    assert drafted.json()["version"] == 2
    where = f"{PROCEDURE}specifications/specification/2/"
    assert client_of(made.first_user).get(where).status_code == 404  # a draft is the buyer's
    bad = requirement("F-9", max_points="5.00")
    refused = send(made.buyer, where, {"requirements": [bad]}, method="PUT")
    assert "criterion" in refused.json()["requirements"]["0"]
    new = {"requirements": [requirement("F-1", text="F-1 holds always"), requirement("F-3")]}
    assert send(made.buyer, where, new, method="PUT").status_code == 200
    assert send(made.buyer, f"{where}freeze/", {}).status_code == 200
    assert send(made.buyer, where, new, method="PUT").status_code == 409
    told = client_of(made.first_user).get(f"{where}difference/").json()
    assert [(one["code"], one["what"]) for one in told] == [
        ("F-1", "changed"), ("F-2", "removed"), ("F-3", "added"),
    ]  # fmt: skip


NEEDS: dict[str, Any] = {
    "code": "needs", "organisation": "vestre-viken", "title": "Needs", "gain_unit": "seconds",
    "pick": 1, "weight_gain": "0.600", "weight_competence": "0.400",
    "needs": [
        {"code": code, "title": code, "modality": "CT", "organ": "brain", "volume": 10,
         "gain": gain, "competence": 3, "risk": "low", "best_class": "IIa"}
        for code, gain in (("a", "1.00"), ("b", "2.00"))
    ],
    "breadth": [{"dimension": "organ", "at_most_each": 1}],
}  # fmt: skip


def test_needs_are_written_chosen_and_kept(trust: Organisation) -> None:
    officer = parties.member("buyer", role="procurement_officer", organisation=trust)
    assert send(officer, "/api/v1/need-lists/", NEEDS).status_code == 201
    run = send(officer, "/api/v1/need-lists/needs/selections/", {}).json()
    assert (run["results"]["chosen"], run["results"]["price_of_breadth"]) == (["b"], "0.000000")
    written = send(officer, "/api/v1/need-lists/needs/", NEEDS | {"pick": 2}, method="PUT")
    assert written.status_code == 200
    refused = send(officer, "/api/v1/need-lists/needs/selections/", {})
    assert refused.status_code == 409
    assert "breadth: no set of 2 needs keeps all rules" in refused.json()["detail"]
    assert len(client_of(officer).get("/api/v1/need-lists/needs/selections/").json()) == 1


def test_a_value_model_is_simulated_and_measured(trust: Organisation) -> None:
    officer = parties.member("buyer", role="procurement_officer", organisation=trust)
    model = {
        "code": "v", "organisation": "vestre-viken", "title": "Value", "years": 2,
        "price": {"model": "flat", "unit_price": "10.00"},
        "parameters": [
            {"name": "volume", "value": 1000, "low": 500, "high": 2000,
             "distribution": {"kind": "gamma", "mean": 1000, "sd": 100}},
            {"name": "consults_avoided", "value": 100}, {"name": "consult_value", "value": 250},
        ],
    }  # fmt: skip
    bad = model | {"price": {"model": "flat", "unit_price": "free"}}
    assert "unit_price" in str(send(officer, "/api/v1/value-models/", bad).json()["price"])
    wrong = model | {"parameters": [{"name": "prevalence", "value": 2}]}
    told = send(officer, "/api/v1/value-models/", wrong).json()
    assert told["parameters"] == {"0": {"value": ["expected 0 to 1"]}}
    assert send(officer, "/api/v1/value-models/", model).status_code == 201
    where = "/api/v1/value-models/v/"
    run = send(officer, f"{where}simulations/", {"seed": 1, "draws": 200}).json()
    assert run["results"]["result"]["npv"] == pytest.approx(30_000)
    assert run["results"]["spread"]["seed"] == 1
    measured = {"quarter": "2026-04-01", "name": "volume", "value": 300, "source": "PACS"}
    assert send(officer, f"{where}outcomes/", measured).status_code == 201
    late = send(officer, f"{where}outcomes/", measured | {"quarter": "2026-04-02"})
    assert late.json() == {"quarter": ["expected the first day of a quarter"]}
    (quarter,) = client_of(officer).get(f"{where}outcomes/").json()
    assert quarter["drivers"][0]["effect"] == pytest.approx(-4_000)


def test_what_a_notice_announced_of_a_model_is_changed_no_more(trust: Organisation) -> None:
    made = building.in_dialogue(trust)
    where = "/api/v1/evaluation-models/best-value/"
    held = client_of(made.buyer).get(where).json()
    assert held["problems"] == []
    other = held | {"formula": "mark_up"}
    assert send(made.buyer, where, other, method="PUT").status_code == 200
    held["criteria"][0]["weight"] = "50.000"
    refused = send(made.buyer, where, held, method="PUT")
    assert refused.status_code == 409
    assert "criteria: was announced by 2026-100" in refused.json()["detail"]
    assert client_of(made.buyer).get(where).json()["criteria"][0]["weight"] == "40.000"

"""A competitive dialogue with two participants, taken as far as a test wants it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from contracts import dialogue, evaluating, participating, specifying, submitting, tenders
from contracts.models import (
    AwardCriterion,
    EvaluationModel,
    Participant,
    Procedure,
    RequirementSpec,
    Submission,
)
from hub.models import Organisation, User
from tests.builders import parties
from vendors.models import Vendor, VendorMember

SCENARIO = [{"item": "triage", "start": "2027-01-01", "months": 24, "monthly": 1_000}]


@dataclass(frozen=True, slots=True)
class Dialogue:
    """The procedure with its buyer, and two companies that must never see each other."""

    procedure: Procedure
    buyer: User
    first: Participant
    second: Participant
    first_user: User
    second_user: User


def requirement(code: str, **fields: Any) -> dict[str, Any]:
    """A requirement as the API takes it."""
    return {
        "code": code, "parent": "", "group": "functional", "kind": "must", "text": f"{code} holds",
        "text_no": "", "rationale": "", "answer_type": "yes_no", "choices": [], "criterion": "",
        "max_points": None, "min_points": None, "needs_document": False, "source": "buyer",
        "supersedes": "",
    } | fields  # fmt: skip


def answer(code: str, **fields: Any) -> dict[str, Any]:
    """An answer as the API takes it."""
    return {
        "requirement": code, "compliance": "full", "answer": "yes", "comment": "",
        "comment_kind": "", "price_impact": None, "documents": [],
    } | fields  # fmt: skip


def offer(unit_price: str, **fields: Any) -> dict[str, Any]:
    """An offer at a flat price."""
    line = {"item": "triage", "model": "flat", "unit_price": unit_price}
    return {"lines": [line], "fixed": []} | fields


def tender_of(unit_price: str, *answers: dict[str, Any]) -> dict[str, Any]:
    """A whole tender to the two requirements of the builder."""
    return {
        "responses": list(answers) or [answer("F-1"), answer("F-2")], "offer": offer(unit_price),
    }  # fmt: skip


def company(code: str) -> tuple[Vendor, User]:
    """A vendor with a person who holds no role."""
    vendor = Vendor.objects.create(code=code, name=f"{code.title()} AS", country="NO")
    user = User.objects.create(username=f"{code}.sales")
    VendorMember.objects.create(vendor=vendor, user=user)
    return vendor, user


def evaluation_model(
    organisation: Organisation, *, code: str = "best-value", formula: str = "linear"
) -> EvaluationModel:
    """Price 40, quality 30, environment 30."""
    model = EvaluationModel.objects.create(
        code=code, organisation=organisation, title="Best value", formula=formula,
        max_points=Decimal(10), scenario=SCENARIO,
    )  # fmt: skip
    for name, kind, weight in (("price", "price", 40), ("quality", "quality", 30),
                               ("environment", "quality", 30)):  # fmt: skip
        AwardCriterion.objects.create(
            model=model, code=name, name=name.title(), kind=kind, weight=weight,
            is_environment=name == "environment",
        )  # fmt: skip
    return model


def planned(organisation: Organisation, *, code: str = "2026-100", **fields: Any) -> Procedure:
    """A dialogue that has all that a notice needs."""
    fields.setdefault("evaluation_model", None)
    fields["evaluation_model"] = fields["evaluation_model"] or evaluation_model(organisation)
    procedure = Procedure.objects.create(
        code=code, organisation=organisation, title="AI for diagnostic imaging",
        kind=Procedure.Kind.COMPETITIVE_DIALOGUE, purpose="A platform with algorithms",
        **{
            "estimated_value": Decimal(33_000_000), "notice_reference": "2026/S 100-1",
            "requests_due_at": timezone.now() + timedelta(days=31), "reduces_successively": True,
            "dialogue_plan": "Two rounds",
        } | fields,
    )  # fmt: skip
    espd = specifying.draft(procedure, stage=RequirementSpec.Stage.ESPD, by="test")
    specifying.replace(espd, [requirement("E-1", group="exclusion")], by="test")
    specifying.freeze(espd, by="test")
    return procedure


def in_dialogue(organisation: Organisation) -> Dialogue:
    """Two participants invited, the first version of the specification frozen, a round open."""
    buyer = parties.member(
        "buyer", role="procurement_officer", organisation=organisation
    )
    procedure = planned(organisation)
    tenders.advance(procedure, "published", by=buyer, why="notice sent")
    made = []
    for name in ("northern", "southern"):
        vendor, user = company(name)
        made.append((participating.add(procedure, vendor=vendor, by=buyer), user))
    Procedure.objects.filter(pk=procedure.pk).update(requests_due_at=timezone.now())
    procedure.refresh_from_db()
    tenders.advance(procedure, "prequalification", by=buyer, why="the deadline is over")
    for participant, _ in made:
        participating.decide(participant, to="qualified", why="fulfils all", by=buyer)
        participating.decide(participant, to="invited", why="qualified", by=buyer)
    spec = specifying.draft(procedure, stage=RequirementSpec.Stage.SPECIFICATION, by=buyer)
    specifying.replace(
        spec,
        [requirement("F-1"), requirement("F-2", criterion="quality", max_points=Decimal(5))],
        by=buyer,
    )
    specifying.freeze(spec, by=buyer)
    tenders.advance(procedure, "dialogue", by=buyer, why="invitations sent")
    dialogue.open_round(procedure, agenda="Solutions", by=buyer)
    (first, first_user), (second, second_user) = made
    return Dialogue(procedure, buyer, first, second, first_user, second_user)


def in_final_tender(organisation: Organisation) -> Dialogue:
    """The dialogue is over, and tenders can be handed in for another week."""
    made = in_dialogue(organisation)
    procedure = made.procedure
    dialogue.close_round(procedure, number=1, decision="Both go on", by=made.buyer)
    Procedure.objects.filter(pk=procedure.pk).update(
        tenders_due_at=timezone.now() + timedelta(days=7)
    )
    procedure.refresh_from_db()
    tenders.advance(procedure, "final_tender", by=made.buyer, why="the dialogue is over")
    return made


def opened(organisation: Organisation) -> Dialogue:
    """Both tenders are in and opened: 10.00 and 12.00 an examination."""
    made = in_final_tender(organisation)
    for participant, user, price in (
        (made.first, made.first_user, "10.00"), (made.second, made.second_user, "12.00"),
    ):  # fmt: skip
        submitting.submit(
            participant, kind=Submission.Kind.FINAL, content=tender_of(price), by=user
        )
    evaluating.freeze(made.procedure, by=made.buyer)
    over(made.procedure)
    submitting.open_tenders(made.procedure, by=made.buyer, why="the deadline is over")
    return made


def over(procedure: Procedure) -> None:
    """Let the deadline for tenders be over."""
    Procedure.objects.filter(pk=procedure.pk).update(
        tenders_due_at=timezone.now() - timedelta(seconds=1)
    )
    procedure.refresh_from_db()

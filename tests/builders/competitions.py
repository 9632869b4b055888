"""A mini-competition between two suppliers of an agreement, taken as far as a test wants it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from contracts import evaluating, participating, protocols, specifying, submitting, tenders
from contracts.models import (
    Authority,
    CallOff,
    CallOffLine,
    FrameworkAgreement,
    FrameworkSupplier,
    Participant,
    Procedure,
    RequirementSpec,
    Submission,
)
from hub.models import Organisation, Site, User
from marketplace.models import Algorithm
from tests.builders import parties
from tests.builders import tenders as building
from tests.builders.parties import FirstSite


@dataclass(frozen=True, slots=True)
class Competition:
    """It asks for ``triage``; the second supplier wins with ``bleed``, the first has ich-triage."""

    here: FirstSite
    procedure: Procedure
    buyer: User
    first: Participant
    second: Participant
    first_user: User
    second_user: User
    algorithm: Algorithm
    other: Algorithm
    # what each offers besides its price
    line: dict[str, Any] = field(default_factory=dict)
    fixed: tuple[dict[str, Any], ...] = ()

    @property
    def framework(self) -> FrameworkAgreement:
        """The agreement that is competed under."""
        return self.here.framework

    def offer(self, participant: Participant, price: str, **line: Any) -> dict[str, Any]:
        """A tender; it meets triage with the participant's own algorithm unless it says another."""
        own = self.other if participant == self.first else self.algorithm
        told = {"item": "triage", "algorithm": own.code, "model": "flat", "unit_price": price}
        answers = [building.answer("F-1"), building.answer("F-2")]
        lines = [told | self.line | line]
        return {"responses": answers, "offer": {"lines": lines, "fixed": list(self.fixed)}}


def planned(
    *, sites: list[str] | None = None, line: dict[str, Any] | None = None,
    fixed: tuple[dict[str, Any], ...] = (),
) -> Competition:  # fmt: skip
    """Both trusts buy under one agreement with two suppliers; the first trust competes."""
    here = parties.first_site()
    FrameworkAgreement.objects.update(
        valid_from="2020-01-01", valid_to="2099-12-31", duration_justification="for tests"
    )
    here.framework.refresh_from_db()
    Authority.objects.create(
        framework=here.framework, organisation=here.other_organisation, role="contracting_authority"
    )
    winner, winner_user = building.company("southern")
    FrameworkSupplier.objects.create(framework=here.framework, vendor=winner)
    algorithm = Algorithm.objects.create(code="bleed", name="Bleed", vendor=winner)
    parties.price_of(algorithm, under=here.framework, model="flat", terms={"unit_price": "9.00"})
    procedure = Procedure.objects.create(
        code="mini-1", organisation=here.organisation, title="Triage of head CT",
        kind=Procedure.Kind.MINI_COMPETITION, framework=here.framework, sites=sites,
        evaluation_model=building.evaluation_model(here.organisation),
    )  # fmt: skip
    loser_user = User.objects.create(username="examplemed.sales")
    here.vendor.people.create(user=loser_user)
    return Competition(
        here, procedure, here.officer,
        participating.add(procedure, vendor=here.vendor, by=here.officer),
        participating.add(procedure, vendor=winner, by=here.officer),
        loser_user, winner_user, algorithm, here.algorithm, line or {}, fixed,
    )  # fmt: skip


def in_final_tender(**planned_as: Any) -> Competition:
    """Tenders can be handed in for another week."""
    made = planned(**planned_as)
    spec = specifying.draft(
        made.procedure, stage=RequirementSpec.Stage.SPECIFICATION, by=made.buyer
    )
    asked = [building.requirement("F-1"), building.requirement("F-2", criterion="quality",
                                                               max_points=Decimal(5))]  # fmt: skip
    specifying.replace(spec, asked, by=made.buyer)
    specifying.freeze(spec, by=made.buyer)
    Procedure.objects.filter(pk=made.procedure.pk).update(
        tenders_due_at=timezone.now() + timedelta(days=7)
    )
    made.procedure.refresh_from_db()
    tenders.advance(made.procedure, "final_tender", by=made.buyer, why="invitations sent")
    return made


def in_evaluation(**planned_as: Any) -> Competition:
    """Both tenders are in, opened and scored; the second is cheaper and as good."""
    made = in_final_tender(**planned_as)
    for participant, user, price in (
        (made.first, made.first_user, "12.00"), (made.second, made.second_user, "10.00"),
    ):  # fmt: skip
        submitting.submit(
            participant, kind=Submission.Kind.FINAL, content=made.offer(participant, price), by=user
        )
    evaluating.freeze(made.procedure, by=made.buyer)
    building.over(made.procedure)
    submitting.open_tenders(made.procedure, by=made.buyer, why="the deadline is over")
    f2 = made.procedure.specs.get().requirements.get(code="F-2")
    for one in Submission.objects.filter(participant__procedure=made.procedure):
        submitting.decide(one, to="admitted", why="", by=made.buyer)
        for criterion, requirement, points in (("quality", f2, 4), ("environment", None, 8)):
            evaluating.score(
                one, criterion=criterion, requirement=requirement, points=Decimal(points),
                justification="as good", is_moderated=True, by=made.buyer,
            )  # fmt: skip
    protocols.write(made.procedure, by=made.buyer)
    return made


def concluded(**planned_as: Any) -> Competition:
    """The second supplier has won, and the contract is signed."""
    made = in_evaluation(**planned_as)
    evaluating.notify_award(
        made.procedure, winner=made.second, reason="cheapest", by=made.buyer, why="letters sent"
    )
    Procedure.objects.filter(pk=made.procedure.pk).update(standstill_until=date(2020, 1, 1))
    made.procedure.refresh_from_db()
    tenders.advance(
        made.procedure, "concluded", by=made.buyer, why="signed", contract_reference="C-7"
    )
    return made


def draft_that_follows(
    made: Competition, *, code: str = "CO-0100", of: Organisation | None = None,
    at: Site | None = None, **fields: Any,
) -> CallOff:  # fmt: skip
    """A draft that buys from the winner what it offered; ``fields`` overrides its columns."""
    said: dict[str, Any] = {
        "mode": CallOff.Mode.MINI_COMPETITION, "supplier": made.second.vendor,
        "state": CallOff.State.DRAFT, "committed_value": Decimal("1000000.00"),
    }  # fmt: skip
    row = parties.call_off_under(
        made.framework, organisation=of or made.here.organisation, code=code, **(said | fields)
    )
    CallOffLine.objects.create(
        call_off=row, algorithm=made.algorithm, site=at or made.here.site,
        activated=date(2026, 3, 16),
    )  # fmt: skip
    return row

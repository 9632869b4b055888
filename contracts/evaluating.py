"""Freezes the evaluation model, keeps scores with their reasons, and tells who wins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from contracts import evaluation_models
from contracts.evaluation import (
    Model,
    Ranked,
    Reversal,
    Tender,
    example_of_reversal,
    rank,
    rank_reversals,
)
from contracts.models import (
    EvaluationFreeze,
    Participant,
    Procedure,
    Requirement,
    Score,
    Submission,
)
from contracts.tenders import State, advance, refuse_move, standstill_end
from hub import audit
from hub.models import User

_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The ranking as far as it is known, and what is still missing for it."""

    model: Model | None
    tenders: tuple[Tender, ...]
    ranked: tuple[Ranked, ...]
    reversals: tuple[Reversal, ...]
    missing: tuple[str, ...]


@transaction.atomic
def freeze(procedure: Procedure, *, by: Any) -> EvaluationFreeze:
    """Fix how tenders are compared, with a digest, before any of them is opened."""
    if procedure.opened_at is not None:
        raise refuse_move(_("Tenders are open: the model can be fixed no longer."))
    if EvaluationFreeze.objects.filter(procedure=procedure).exists():
        raise refuse_move(_("The evaluation model is frozen already."))
    if procedure.evaluation_model is None:
        raise refuse_move(_("evaluation_model: expected award criteria and how they are weighed."))
    today = timezone.localdate()
    for field, rule in evaluation_models.problems(procedure.evaluation_model, on=today):
        raise refuse_move(
            _("evaluation_model.%(field)s: %(rule)s"), field=field, rule=rule
        )
    kept = evaluation_models.snapshot(procedure.evaluation_model)
    made = EvaluationFreeze.objects.create(
        procedure=procedure, snapshot=kept, sha256=evaluation_models.digest(kept),
        frozen_at=timezone.now(), frozen_by=str(getattr(by, "username", by)),
    )  # fmt: skip
    audit.record(
        "evaluation_model_frozen", actor=by, subject=procedure.code, sha256=made.sha256
    )
    return made


def check(procedure: Procedure) -> tuple[tuple[Tender, ...], Reversal] | None:
    """Made-up tenders by which the model, frozen or to be frozen, turns when a loser withdraws."""
    model = _model_of(procedure)
    return example_of_reversal(model) if model else None


@transaction.atomic
def score(
    submission: Submission,
    *,
    criterion: str,
    requirement: Requirement | None,
    points: Decimal,
    justification: str,
    is_moderated: bool,
    by: User,
) -> Score:
    """Keep the points of one evaluator, or of the moderation; never without a justification."""
    procedure = submission.participant.procedure
    if procedure.state != State.EVALUATION or submission.state != Submission.State.OPENED:
        raise refuse_move(_("Points are given while tenders are evaluated."))
    if not justification.strip():
        raise refuse_move(_("justification: say why."))
    most = _most_points(procedure, submission, criterion, requirement)
    if not 0 <= points <= most:
        raise refuse_move(_("points: expected 0 to %(most)s."), most=most)
    audit.record(
        "tender_scored", actor=by, subject=procedure.code, criterion=criterion, points=str(points),
        participant=submission.participant.number, is_moderated=is_moderated,
        requirement=requirement.code if requirement else None,
    )  # fmt: skip
    return Score.objects.create(
        submission=submission, criterion=criterion, requirement=requirement, evaluator=by,
        points=points, justification=justification, is_moderated=is_moderated, at=timezone.now(),
    )  # fmt: skip


def outcome(procedure: Procedure) -> Outcome:
    """Who stands where by the frozen model; tenders that were rejected are left out."""
    model = _model_of(procedure)
    if model is None or procedure.opened_at is None:
        return Outcome(model, (), (), (), ())
    opened = [
        one
        for one in Submission.objects.filter(
            participant__procedure=procedure, state=Submission.State.OPENED
        ).select_related("participant__vendor", "spec")
        if one.decision != Submission.Decision.REJECTED
    ]
    missing: list[str] = []
    tenders = [_tender(model, one, missing) for one in opened]
    if missing or not tenders:
        return Outcome(model, tuple(tenders), (), (), tuple(missing))
    return Outcome(
        model, tuple(tenders), tuple(rank(model, tenders)),
        tuple(rank_reversals(model, tenders)), (),
    )  # fmt: skip


@transaction.atomic
def notify_award(
    procedure: Procedure, *, winner: Participant, reason: str, by: Any, why: str
) -> Procedure:
    """Tell the award; the standstill begins. The winner stands first by the frozen model."""
    found = outcome(procedure)
    if found.missing:
        raise refuse_move(_("Points are missing: %(what)s."), what="; ".join(found.missing))
    first = [one.code for one in found.ranked if one.place == 1]
    if str(winner.number) not in first:
        raise refuse_move(
            _("winner: expected who stands first by the frozen model, participant %(first)s."),
            first=" or ".join(first) or "–",
        )
    return advance(
        procedure, State.AWARD_NOTIFIED, by=by, why=why, winner=winner, award_reason=reason,
        standstill_until=standstill_end(procedure, notified_at=timezone.now()),
    )  # fmt: skip


def points_of(scores: Sequence[Score]) -> Decimal | None:
    """What counts for one thing: the newest moderation, else the mean of each one's newest."""
    moderated = [one for one in scores if one.is_moderated]
    if moderated:
        return moderated[-1].points
    newest = {one.evaluator_id: one.points for one in scores}
    if not newest:
        return None
    mean = sum(newest.values(), Decimal(0)) / len(newest)
    return mean.quantize(_CENT, rounding=ROUND_HALF_UP)


def _model_of(procedure: Procedure) -> Model | None:
    if hasattr(procedure, "frozen_evaluation"):
        return evaluation_models.pure(procedure.frozen_evaluation.snapshot)
    model = procedure.evaluation_model
    return evaluation_models.pure(evaluation_models.snapshot(model)) if model else None


def _tender(model: Model, submission: Submission, missing: list[str]) -> Tender:
    """A tender with its points; what has none yet goes to ``missing``."""
    number = str(submission.participant.number)
    scores = list(submission.scores.select_related("requirement"))
    asked = list(submission.spec.requirements.filter(max_points__gt=0).exclude(criterion=""))
    points = {}
    if submission.evaluated_price is None:
        missing.append(f"{number}: {model.price.code}")
    for criterion in model.qualities:
        of_it = [one for one in asked if one.criterion == criterion.code]
        given = (
            _from_requirements(model, scores, of_it)
            if of_it
            else points_of([
                one for one in scores if one.criterion == criterion.code and not one.requirement_id
            ])
        )  # fmt: skip
        if given is None:
            missing.append(f"{number}: {criterion.code}")
        else:
            points[criterion.code] = given
    return Tender(number, submission.evaluated_price or Decimal(0), points)


def _from_requirements(
    model: Model, scores: list[Score], asked: list[Requirement]
) -> Decimal | None:
    """Points of a criterion whose requirements are scored: their share of what they can have."""
    total, most = Decimal(0), Decimal(0)
    for requirement in asked:
        given = points_of([one for one in scores if one.requirement_id == requirement.pk])
        if given is None:
            return None
        total, most = total + given, most + (requirement.max_points or 0)
    return (model.max_points * total / most).quantize(_CENT, rounding=ROUND_HALF_UP)


def _most_points(
    procedure: Procedure, submission: Submission, criterion: str, requirement: Requirement | None
) -> Decimal:
    model = _model_of(procedure)
    if model is None or criterion not in {one.code for one in model.qualities}:
        raise refuse_move(_("criterion: expected one of quality of the frozen model."))
    if requirement is None:
        return model.max_points
    if requirement.spec_id != submission.spec_id or requirement.criterion != criterion:
        raise refuse_move(_("requirement: expected one of this criterion."))
    if requirement.max_points is None:
        raise refuse_move(_("requirement: expected one that has points."))
    return requirement.max_points

"""Writes evaluation models; what a notice announced of one is changed no more."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from contracts import evaluation_models
from contracts.models import AwardCriterion, EvaluationModel, Procedure
from contracts.tenders import State, refuse_move
from hub import audit

# announced with the notice; the formula may wait until tenders are opened (DFØ)
_ANNOUNCED = ("criteria", "scenario", "environment_exemption")
_ENDED = (State.PLANNING, State.CONCLUDED, State.CANCELLED, State.NO_AWARD)


def problems_today(model: EvaluationModel) -> list[tuple[str, str]]:
    """What the rules of today say against a model."""
    return evaluation_models.problems(model, on=timezone.localdate())


@transaction.atomic
def write(
    model: EvaluationModel | None, *, criteria: list[dict[str, Any]], by: Any, **fields: Any
) -> EvaluationModel:
    """Make a model, or write one anew as a whole."""
    before = evaluation_models.snapshot(model) if model else None
    if model is None:
        model = EvaluationModel(**fields)
    for name, value in fields.items():
        setattr(model, name, value)
    model.save()
    model.criteria.all().delete()
    AwardCriterion.objects.bulk_create(AwardCriterion(model=model, **one) for one in criteria)
    model.refresh_from_db()
    after = evaluation_models.snapshot(model)
    if before is not None:
        for name, why in changes_refused(model.code, before, after):
            raise refuse_move(_("%(field)s: %(rule)s"), field=name, rule=why)
    audit.record(
        "evaluation_model_written", actor=by, subject=model.code,
        sha256=evaluation_models.digest(after),
    )  # fmt: skip
    return model


def changes_refused(
    code: str, before: dict[str, Any], after: dict[str, Any]
) -> list[tuple[str, str]]:
    """Fields of a model that a notice announced and that would change, each with the reason."""
    running = Procedure.objects.filter(evaluation_model__code=code).exclude(state__in=_ENDED)
    found = running.first()
    if found is None:
        return []
    text = gettext("was announced by %(procedure)s and cannot be changed")
    return [
        (name, text % {"procedure": found.code})
        for name in _ANNOUNCED
        if _announced(before, name) != _announced(after, name)
    ]


def _announced(kept: dict[str, Any], name: str) -> Any:
    if name != "criteria":
        return kept[name]
    return [{key: one[key] for key in one if key != "value"} for one in kept[name]]

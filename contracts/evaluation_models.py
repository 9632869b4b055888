"""Evaluation models as rows: the pure model behind each, its rules, and its digest when frozen."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from decimal import Decimal
from typing import Any

from contracts.evaluation import Criterion, Formula, Model, problems_of
from contracts.models import EvaluationFreeze, EvaluationModel, FrameworkAgreement, Procedure
from vendors import legal


def snapshot(model: EvaluationModel) -> dict[str, Any]:
    """All that decides who wins, as JSON; amounts as text."""
    return {
        "code": model.code,
        "formula": model.formula,
        "max_points": _text(model.max_points),
        "break_point": _text(model.break_point),
        "environment_exemption": model.environment_exemption,
        "scenario": model.scenario,
        "criteria": [
            {
                "code": one.code, "name": one.name, "kind": one.kind, "weight": _text(one.weight),
                "weight_kind": one.weight_kind, "is_environment": one.is_environment,
                "value": _text(one.value),
            }
            for one in model.criteria.all()
        ],
    }  # fmt: skip


def digest(value: Any) -> str:
    """SHA-256 of a JSON value in its one canonical form."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def pure(kept: dict[str, Any]) -> Model:
    """The model that a snapshot says."""
    return Model(
        Formula(kept["formula"]),
        tuple(
            Criterion(
                one["code"], one["kind"], Decimal(one["weight"]), one["is_environment"],
                _decimal(one["value"]), one["weight_kind"],
            )
            for one in kept["criteria"]
        ),
        Decimal(kept["max_points"]),
        _decimal(kept["break_point"]),
    )  # fmt: skip


def problems(model: EvaluationModel, *, on: date) -> list[tuple[str, str]]:
    """What the rules of the day say against a model: pairs of field and rule."""
    return problems_of(
        pure(snapshot(model)),
        environment_least=legal.limit("environment.weight", on=on),
        exemption=model.environment_exemption,
    )


def criteria_of(framework: FrameworkAgreement) -> set[str] | None:
    """Codes of the award criteria by which a framework was made; None where it is not known."""
    kept = EvaluationFreeze.objects.filter(
        procedure__framework=framework, procedure__kind=Procedure.Kind.COMPETITIVE_DIALOGUE
    ).first()
    return {one["code"] for one in kept.snapshot["criteria"]} if kept else None


def _text(value: Decimal | None) -> str | None:
    if value is None:
        return None
    return f"{Decimal(value).normalize():f}"


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)

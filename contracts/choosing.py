"""Runs the choice among an organisation's needs, and keeps it with the inputs it was made from."""

from __future__ import annotations

from fractions import Fraction
from importlib.metadata import version
from typing import Any

from django.db import transaction
from django.utils import timezone

from contracts.evaluation_models import digest
from contracts.models import NeedList, SelectionRun
from hub import audit
from marketplace.needs import Breadth, Choice, NeedFacts, choose

_NEED = ("volume", "competence", "risk", "modality", "organ", "pathology", "best_class")


@transaction.atomic
def select(needs: NeedList, *, by: Any) -> SelectionRun:
    """Choose, and keep what came of it; NothingToChooseFrom where no set keeps the rules."""
    inputs = inputs_of(needs)
    choice = chosen_from(inputs)
    run = SelectionRun.objects.create(
        need_list=needs, at=timezone.now(), by=str(getattr(by, "username", by)), inputs=inputs,
        sha256=digest(inputs), engine=f"scipy {version('scipy')}", results=results_of(choice),
    )  # fmt: skip
    audit.record(
        "needs_selected", actor=by, subject=needs.code, sha256=run.sha256,
        chosen=list(choice.best.chosen),
    )  # fmt: skip
    return run


def inputs_of(needs: NeedList) -> dict[str, Any]:
    """All that decides the choice, as JSON; amounts as text."""
    return {
        "pick": needs.pick,
        "weight_gain": f"{needs.weight_gain:.3f}",
        "weight_competence": f"{needs.weight_competence:.3f}",
        "needs": [
            {"code": one.code, "title": one.title, "gain": f"{one.gain:.2f}"}
            | {name: getattr(one, name) for name in _NEED}
            for one in needs.needs.order_by("code")
        ],
        "breadth": [
            {
                "dimension": one.dimension, "at_least": one.at_least,
                "at_most_each": one.at_most_each, "every": one.every,
            }
            for one in needs.breadth.order_by("dimension")
        ],
    }  # fmt: skip


def chosen_from(inputs: dict[str, Any]) -> Choice:
    """The choice that kept inputs give, today as then."""
    return choose(
        [
            NeedFacts(code=one["code"], gain=Fraction(one["gain"]),
                      **{name: one[name] for name in _NEED})
            for one in inputs["needs"]
        ],
        pick=inputs["pick"],
        weight_gain=Fraction(inputs["weight_gain"]),
        weight_competence=Fraction(inputs["weight_competence"]),
        breadth=[
            Breadth(one["dimension"], one["at_least"], one["at_most_each"], tuple(one["every"]))
            for one in inputs["breadth"]
        ],
    )  # fmt: skip


def results_of(choice: Choice) -> dict[str, Any]:
    """A choice as JSON; scores as text with six decimals."""
    other = choice.runner_up
    return {
        "chosen": list(choice.best.chosen),
        "score": _text(choice.best.score),
        "without_breadth": list(choice.without_breadth.chosen),
        "score_without_breadth": _text(choice.without_breadth.score),
        "price_of_breadth": _text(choice.price_of_breadth),
        "runner_up": list(other.chosen) if other else [],
        "score_of_runner_up": _text(other.score) if other else None,
        "excluded": list(choice.excluded),
        "scores": {code: _text(score) for code, score in choice.scores.items()},
    }


def _text(score: Fraction) -> str:
    return f"{float(score):.6f}"

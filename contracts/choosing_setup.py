"""The kinds ``need_lists``, ``evaluation_models`` and ``value_models`` of the set-up file."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from contracts import evaluation_editing, evaluation_models, valuing
from contracts.evaluation import WEIGHT_KINDS
from contracts.models import (
    AwardCriterion,
    BreadthRule,
    EvaluationModel,
    Need,
    NeedList,
    ValueModel,
    ValueParameter,
)
from contracts.priced_scenario import LONGEST_MONTHS
from hub.configuration import identifiers, registry
from hub.configuration.attachments import Json
from hub.configuration.document import Node, Scalar
from hub.configuration.reader import Reader, Value
from hub.configuration.records import Field, Record, Reference, Rows
from hub.configuration.registry import Kind, Say, World
from hub.configuration.shapes import (
    Amount,
    Boolean,
    Choice,
    Date,
    InJson,
    Integer,
    ListOf,
    Schema,
    Shape,
    Text,
)
from marketplace.needs import BEST_COMPETENCE
from marketplace.uncertainty import NoSuchDistribution, check
from marketplace.value import STAKEHOLDERS

CODE = Text(40, identifiers.slug)
CLASSES = ("I", "Is", "Im", "Ir", "IIa", "IIb", "III")
RISKS = tuple(Need.Risk.values)
# as an export writes any number that the API takes: up to 1e12, and never with an exponent
_NUMBER = re.compile(r"-?[0-9]{1,13}(\.[0-9]{1,400})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Number(Shape):
    """A number that may have a fraction; no money."""

    def read(self, node: Node, at: Reader) -> Any:
        text = node.text if isinstance(node, Scalar) and node.is_plain else ""
        return float(text) if _NUMBER.fullmatch(text) else at.expected(node, _("a number"))

    def schema(self) -> Schema:
        return {"type": "number"}

    def load(self, row: Any, column: str) -> Any:
        held = Shape.load(self, row, column)
        return held if held is None or not math.isfinite(held) else float(held)


def _examine_needs(value: Value, say: Say, world: World) -> None:
    needs, pick = value["needs"] or [], value["pick"] or 0
    if pick > len(needs):
        text = _("%(pick)s are to be chosen of %(count)s")
        say.warning("pick", text % {"pick": pick, "count": len(needs)})


def _examine_evaluation(value: Value, say: Say, world: World) -> None:
    """What is still to be mended is told: it is demanded when a procedure freezes the model."""
    weights = [one["weight"] for one in value["criteria"] or []]
    if all(weights) and sum(map(float, weights)) != 100:
        total = f"{sum(map(float, weights)):g}"
        say.warning("criteria", _("expected weights that sum to 100, found %(found)s") % {
            "found": total,
        })  # fmt: skip


def _examine_value(value: Value, say: Say, world: World) -> None:
    if fault := valuing.price_problem(value["price"] or {}):
        say.error("price", fault)
    if fault := valuing.allocation_problem(value["allocation"] or {}):
        say.error("allocation", fault)
    for index, one in enumerate(value["parameters"] or []):
        numbers = {name: one[name] for name in ("value", "low", "high")}
        for name, text in valuing.parameter_problems(one["name"] or "", **numbers):
            say.error(f"parameters[{index}].{name}", text)
        try:
            check(one["distribution"] or {"kind": "uniform", "low": 0, "high": 1})
        except NoSuchDistribution as fault:
            say.error(f"parameters[{index}].distribution", str(fault))


def _announced(old: Value, new: Value) -> Iterator[tuple[str, str]]:
    """What a notice announced of an evaluation model is not changed by a file either."""
    names = ("criteria", "scenario", "environment_exemption")
    if all(old[name] == new[name] for name in names):
        return
    model = EvaluationModel.objects.get(code=new["code"])
    kept = evaluation_models.snapshot(model)
    other = dict(kept, criteria=[], scenario=["other"], environment_exemption="\n")
    for name, why in evaluation_editing.changes_refused(model.code, kept, other):
        if old[name] != new[name]:
            yield name, why


registry.register(Kind(
    "need_list", "need_lists", NeedList,
    says="Needs for algorithms, among which some are chosen under rules of breadth.",
    examine=_examine_needs,
    record=Record((
        Field("code", CODE),
        Field("organisation", Reference("organisation")),
        Field("title", Text(300)),
        Field("gain_unit", Text(40), "seconds", "What the gain of one examination is counted in."),
        Field("pick", Integer(1, 100), says="How many are chosen."),
        Field("weight_gain", Amount(3)),
        Field("weight_competence", Amount(3)),
        Field("needs", Rows(Need, "need_list", ("code",), Record((
            Field("code", Text(40)),
            Field("title", Text(200)),
            Field("modality", Text(16)),
            Field("organ", Text(60)),
            Field("pathology", Text(100), None),
            Field("volume", Integer(0, 1_000_000_000), says="Examinations a year."),
            Field("gain", Amount(), says="Of one examination."),
            Field("competence", Integer(1, BEST_COMPETENCE), says="Of radiologists, 1 to 5."),
            Field("risk", Choice(RISKS)),
            Field("best_class", Choice(CLASSES), None,
                  "The highest class of a solution on the market; below IIa none is chosen."),
        ))), []),
        Field("breadth", Rows(BreadthRule, "need_list", ("dimension",), Record((
            Field("dimension", Choice(tuple(BreadthRule.Dimension.values))),
            Field("at_least", Integer(0, 100), 0, "So many values."),
            Field("at_most_each", Integer(1, 100), None, "So many of each value."),
            Field("every", InJson(ListOf(Text(100)), list), None, "These for certain."),
        ))), []),
    )),
))  # fmt: skip
registry.register(Kind(
    "evaluation_model", "evaluation_models", EvaluationModel,
    says="How tenders are compared; a procedure freezes it before they are opened.",
    examine=_examine_evaluation,
    record=Record((
        Field("code", CODE),
        Field("organisation", Reference("organisation")),
        Field("title", Text(300)),
        Field("formula", Choice(tuple(EvaluationModel.Formula.values))),
        Field("max_points", Amount(), "10.00"),
        Field("break_point", Amount(3), None, "hybrid: a multiple of the lowest price."),
        Field("environment_exemption", Text(4000, identifiers.paragraphs), None,
              "Why the environment weighs less than the law demands."),
        Field("scenario", InJson(ListOf(Record((
            Field("item", Text(100)),
            Field("start", Date()),
            Field("months", Integer(1, LONGEST_MONTHS)),
            Field("monthly", Integer(0, 10_000_000)),
        ))), list), None, "The volumes that tenders are priced on."),
        Field("criteria", Rows(AwardCriterion, "model", ("code",), Record((
            Field("code", Text(20)),
            Field("name", Text(200)),
            Field("kind", Choice(tuple(AwardCriterion.Kind.values))),
            Field("weight", Amount(3), says="Percent; all of them sum to 100."),
            Field("weight_kind", Choice(WEIGHT_KINDS), "per-exa", "eForms number-weight."),
            Field("is_environment", Boolean(), False),
            Field("value", Amount(), None, "priced_quality: what full points are worth."),
        ))), []),
    )),
))  # fmt: skip
registry.register(Kind(
    "value_model", "value_models", ValueModel,
    says="What an organisation expects of an algorithm, parameter by parameter with its source.",
    examine=_examine_value,
    record=Record((
        Field("code", CODE),
        Field("organisation", Reference("organisation")),
        Field("title", Text(300)),
        Field("years", Integer(1, 30), 4),
        Field("price", InJson(Json()), None, "As in a price book: model and its terms."),
        Field("discounts", InJson(ListOf(Number()), list), None, "Of usage, by year, as shares."),
        Field("index", InJson(ListOf(Number()), list), None, "By year, as factors."),
        Field("allocation", InJson(Json()), None, "Who gains: item, stakeholder, share."),
        Field("parameters", Rows(ValueParameter, "model", ("name",), Record((
            Field("name", Choice(valuing.NAMES)),
            Field("value", Number()),
            Field("low", Number(), None, "For the tornado."),
            Field("high", Number(), None),
            Field("distribution", InJson(Json()), None, "For the simulation: kind and numbers."),
            Field("source", Text(500, identifiers.paragraphs), None),
            Field("quality", Choice(tuple(ValueParameter.Quality.values)), "assumed"),
            Field("stakeholder", Choice(STAKEHOLDERS), None),
        ))), []),
    )),
))  # fmt: skip
registry.guard("evaluation_model", _announced)

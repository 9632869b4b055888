"""The page of an evaluation: who stands where, what each tender was given, and by which model."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from contracts import submitting, tender_access
from contracts.api.evaluations import told
from contracts.models import EvaluationModel, Procedure, Requirement, Score, Submission
from contracts.templatetags.money import plain
from contracts.views.buttons import page

State = Procedure.State
LOWEST_FIRST = (EvaluationModel.Formula.PRICED_QUALITY, EvaluationModel.Formula.MARK_UP)


def show(request: HttpRequest, code: str, *, refused: list[str] | None = None) -> HttpResponse:
    """For the buyer alone; ``refused`` says what is wrong with the points that were sent."""
    row = tender_access.procedure_for_buyer(request.user, code)
    found = told(row)
    names = {str(one.number): one.vendor.name for one in row.participants.select_related("vendor")}
    criteria = _criteria(row, found)
    qualities = [one for one in criteria if one["kind"] == "quality"]
    formula = found["snapshot"]["formula"] if found["snapshot"] else _formula(row)
    context = {
        "procedure": row, "evaluation": found, "model": row.evaluation_model,
        "criteria": criteria, "qualities": qualities,
        "formula": dict(EvaluationModel.Formula.choices).get(formula, formula),
        "is_lowest": formula in LOWEST_FIRST,
        "ranked": _ranked(found, names, qualities),
        "missing": [_missing(one, names, criteria) for one in found["missing"]],
        "reversals": [
            (_named(one.without, names), _named(one.instead, names)) for one in found["reversals"]
        ],
        "tenders": [
            _tender(one, qualities) | _typed(request, one, refused) for one in _opened(row)
        ],
        "may_score": row.state == State.EVALUATION,
        "protocol": row.protocols.last(),
    }  # fmt: skip
    return page(request, "evaluation", context, status=400 if refused else 200)


def _typed(request: HttpRequest, one: Submission, refused: list[str] | None) -> dict[str, Any]:
    """What was typed for a tender and refused, to stand in its form again."""
    if refused is None or request.POST.get("submission") != str(one.pk):
        return {}
    return {"typed": request.POST, "refused": refused}


def _opened(row: Procedure) -> Any:
    rows = Submission.objects.filter(participant__procedure=row, state=Submission.State.OPENED)
    return rows.select_related("participant__vendor", "spec").order_by("participant__number")


def _criteria(row: Procedure, found: dict[str, Any]) -> list[dict[str, Any]]:
    """Code, name, kind and weight of each: frozen ones as they were frozen."""
    if found["snapshot"]:
        return list(found["snapshot"]["criteria"])
    model = row.evaluation_model
    rows = model.criteria.values("code", "name", "kind", "weight") if model else ()
    return [dict(one) for one in rows]


def _formula(row: Procedure) -> str:
    return row.evaluation_model.formula if row.evaluation_model else ""


def _ranked(
    found: dict[str, Any], names: dict[str, str], qualities: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    by_code = {one["code"]: one for one in found["tenders"]}
    return [
        {
            "place": one["place"], "number": one["code"], "name": names.get(one["code"], ""),
            "figure": one["figure"], "price": by_code[one["code"]]["price"],
            "points": [by_code[one["code"]]["points"].get(each["code"]) for each in qualities],
        }
        for one in found["ranked"]
    ]  # fmt: skip


def _missing(text: str, names: dict[str, str], criteria: list[dict[str, Any]]) -> str:
    """"1: quality" with the company and the criterion as people know them."""
    number, _colon, code = text.partition(": ")
    called = {one["code"]: one["name"] for one in criteria}
    return f"{_named(number, names)}: {called.get(code, code)}"


def _named(number: str, names: dict[str, str]) -> str:
    return f"{number} {names.get(number, '')}".rstrip()


def _tender(one: Submission, qualities: list[dict[str, Any]]) -> dict[str, Any]:
    called = {each["code"]: each["name"] for each in qualities}
    rows = one.scores.select_related("evaluator", "requirement").order_by("pk")
    return {
        "tender": one, "unmet": submitting.unmet(one), "scored": _scored(one, qualities),
        "scores": [{"row": each, "label": _label(each, called)} for each in rows],
    }  # fmt: skip


def _scored(one: Submission, qualities: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """What points are given on: the requirements of a criterion, where it has some, else itself."""
    asked = list(one.spec.requirements.filter(max_points__gt=0).exclude(criterion=""))
    found = []
    for each in qualities:
        of_it = [row for row in asked if row.criterion == each["code"]]
        found += [(f"{each['code']}:{row.code}", _asked(each, row)) for row in of_it]
        if not of_it:
            found.append((f"{each['code']}:", each["name"]))
    return found


def _asked(criterion: dict[str, Any], row: Requirement) -> str:
    most = plain(row.max_points)
    return _("%(criterion)s · %(requirement)s, up to %(points)s") % {
        "criterion": criterion["name"], "requirement": row.code, "points": most,
    }  # fmt: skip


def _label(score: Score, called: dict[str, str]) -> str:
    name = called.get(score.criterion, score.criterion)
    return f"{name} · {score.requirement.code}" if score.requirement else name

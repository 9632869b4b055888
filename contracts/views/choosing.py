"""The pages of needs and of value simulations."""

from __future__ import annotations

import secrets
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from contracts import choosing, evaluation_editing, tender_access, valuing
from contracts.api.values import AskedRunSerializer, MeasurementSerializer
from contracts.forms.tables import MeasurementForm
from contracts.models import BreadthRule, Need, NeedList, SimulationRun, ValueModel
from contracts.valuing import NoSuchMeasurement
from contracts.views import tornado
from contracts.views.buttons import button, page
from hub.csp import HEADER
from hub.typed_numbers import plain_number

# an SVG of our own brings its styles along, and nothing else
_SVG_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


@login_required
@require_GET
def need_lists(request: HttpRequest) -> HttpResponse:
    """The lists of needs that the person may see."""
    rows = tender_access.need_lists(request.user).order_by("code")
    return page(request, "need_lists", {"lists": rows})


@login_required
@require_GET
def need_list(request: HttpRequest, code: str) -> HttpResponse:
    """One list: its needs with their scores, what was chosen, and what breadth cost."""
    row = _needs(request, code)
    run = row.runs.last()
    results = run.results if run else {}
    titles = dict(row.needs.values_list("code", "title"))
    chosen, scores = set(results.get("chosen", [])), results.get("scores", {})
    free = set(results.get("without_breadth", []))
    needs = [
        {"need": one, "score": scores.get(one.code), "is_chosen": one.code in chosen,
         "is_lost": one.code in free - chosen, "potential": one.volume * one.gain}
        for one in row.needs.all()
    ]  # fmt: skip
    needs.sort(key=lambda one: (not one["is_chosen"], -float(one["score"] or -1)))
    context = {
        "list": row, "needs": needs, "run": run, "results": results,
        "is_stale": run is not None and run.inputs != choosing.inputs_of(row),
        "earlier": row.runs.order_by("-pk")[1:10],
        **{name: [titles.get(one, one) for one in results.get(name) or ()]
           for name in ("chosen", "without_breadth", "runner_up")},
        "breadth": [(one, _values(one)) for one in row.breadth.all()],
    }  # fmt: skip
    return page(request, "need_list", context)


def _values(rule: BreadthRule) -> list[str]:
    """The values that a rule demands, as people say them."""
    if rule.dimension != BreadthRule.Dimension.RISK:
        return list(rule.every)
    return [str(Need.Risk(one).label) if one in Need.Risk.values else one for one in rule.every]


@button
def select(request: HttpRequest, code: str) -> str:
    """Choose among the needs of a list."""
    run = choosing.select(_needs(request, code), by=request.user)
    return _("Chosen: %(codes)s.") % {"codes": ", ".join(run.results["chosen"])}


@login_required
@require_GET
def evaluation_models(request: HttpRequest) -> HttpResponse:
    """The evaluation models that the person may see, with what the rules say against each."""
    rows = tender_access.evaluation_models(request.user).order_by("code")
    told = [{"row": one, "problems": evaluation_editing.problems_today(one)} for one in rows]
    return page(request, "evaluation_models", {"models": told})


@login_required
@require_GET
def value_models(request: HttpRequest) -> HttpResponse:
    """The value models that the person may see."""
    rows = tender_access.value_models(request.user).order_by("code")
    return page(request, "value_models", {"models": rows})


@login_required
@require_GET
def value_model(request: HttpRequest, code: str) -> HttpResponse:
    """One model: results of its newest run, who gains, and quarters beside the plan."""
    return _shown(request, code)


def _shown(
    request: HttpRequest, code: str, *, bound: MeasurementForm | None = None
) -> HttpResponse:
    row = _model(request, code)
    run = row.runs.last()
    context: dict[str, Any] = {
        "model": row, "run": run, "parameters": row.parameters.all(),
        "quarters": valuing.against_plan(row),
        "measure": bound or MeasurementForm(key="measure"),
    }  # fmt: skip
    if run is not None:
        matrix = run.results["incentives"]
        items = [name for name in matrix["radiology"] if any(one[name] for one in matrix.values())]
        context |= {
            "results": run.results,
            "items": items,
            "matrix": [
                (who, [gained[name] for name in items], sum(gained.values()))
                for who, gained in matrix.items()
            ],
            "is_stale": run.inputs != valuing.inputs_of(row),
        }
    return page(request, "value_model", context, status=400 if bound else 200)


@login_required
@require_POST
def measure(request: HttpRequest, code: str) -> HttpResponse:
    """Keep what a driver was in a quarter."""
    row, form = _model(request, code), MeasurementForm(request.POST, key="measure")
    if form.is_valid():
        typed = {"value": plain_number(form.cleaned_data["value"])}
        asked = MeasurementSerializer(data=form.cleaned_data | typed)
        if asked.is_valid():
            said = asked.validated_data
            try:
                valuing.measure(
                    row, quarter=said["quarter"], name=said["name"], measured=said["value"],
                    source=said["source"], by=request.user,
                )  # fmt: skip
            except NoSuchMeasurement as refused:
                form.refuse([str(refused)])
            else:
                messages.success(request, _("Noted."))
                return redirect("value-model", code)
        else:
            form.refuse(f"{name}: {one}" for name, found in asked.errors.items() for one in found)
    return _shown(request, code, bound=form)


@button
def simulate(request: HttpRequest, code: str) -> str:
    """Simulate with the seed that was given, or a new one."""
    said = {"seed": request.POST.get("seed") or secrets.randbelow(2**31)}
    if request.POST.get("draws"):
        said["draws"] = request.POST["draws"]
    asked = AskedRunSerializer(data=said)
    asked.is_valid(raise_exception=True)
    run = valuing.run(_model(request, code), by=request.user, **asked.validated_data)
    return _("Simulated with seed %(seed)s.") % {"seed": run.seed}


@login_required
@require_GET
def tornado_chart(request: HttpRequest, code: str, pk: int) -> HttpResponse:
    """The tornado of a run, as SVG made here."""
    found: SimulationRun | None = _model(request, code).runs.filter(pk=pk).first()
    if found is None:
        raise Http404
    chart = tornado.draw(
        found.results["tornado"], base=found.results["result"]["npv"],
        is_narrow=request.GET.get("width") == "narrow",
    )  # fmt: skip
    response = HttpResponse(chart, content_type="image/svg+xml")
    response.headers[HEADER] = _SVG_POLICY
    return response


def _needs(request: HttpRequest, code: str) -> NeedList:
    found = tender_access.need_lists(request.user).filter(code=code).first()
    if found is None:
        raise Http404
    return found


def _model(request: HttpRequest, code: str) -> ValueModel:
    found = tender_access.value_models(request.user).filter(code=code).first()
    if found is None:
        raise Http404
    return found

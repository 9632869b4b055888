"""Runs value simulations of stored models, keeps them, and holds quarters against the plan."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from contracts import pricing
from contracts.evaluation_models import digest
from contracts.models import OutcomeMeasurement, SimulationRun, ValueModel
from hub import audit
from marketplace import value
from marketplace.uncertainty import ENGINE, simulate
from marketplace.value import ALLOCATION, SHARES, STAKEHOLDERS, Case

NAMES = (*value.DEFAULTS, *value.BY_RESULT)
BREAK_EVEN = ("price", "volume", "sensitivity_with", "consult_value")
LARGEST_SEED = 2**63 - 1


class NoSuchMeasurement(ValueError):
    """A measurement that fits no parameter or no quarter; the message names field and rule."""


def inputs_of(model: ValueModel) -> dict[str, Any]:
    """All that a simulation is made from, as JSON."""
    return {
        "years": model.years,
        "price": model.price,
        "discounts": model.discounts,
        "index": model.index,
        "allocation": {**ALLOCATION, **model.allocation},
        "parameters": {
            one.name: {
                "value": one.value, "low": one.low, "high": one.high,
                "distribution": one.distribution, "source": one.source, "quality": one.quality,
                "stakeholder": one.stakeholder,
            }
            for one in model.parameters.order_by("name")
        },
    }  # fmt: skip


def case_of(inputs: Mapping[str, Any]) -> Case:
    """The pure case of kept inputs; the price book decides the cost."""
    terms = {name: one for name, one in inputs["price"].items() if name != "model"}
    price = pricing.price_of(inputs["price"]["model"], terms) if inputs["price"] else None
    return Case(
        {name: one["value"] for name, one in inputs["parameters"].items()},
        lambda quantity: _cost(price, quantity),
        inputs["years"],
        tuple(inputs["discounts"]),
        tuple(inputs["index"]),
    )


def _cost(price: pricing.Price | None, quantity: float) -> float:
    """What a year costs; between two whole examinations on the straight line."""
    if price is None or not quantity > 0:
        return 0.0
    whole = math.floor(quantity)
    low = float(pricing.amount(price, whole))
    part = quantity - whole
    return low + part * (float(pricing.amount(price, whole + 1)) - low) if part else low


@transaction.atomic
def run(model: ValueModel, *, seed: int, draws: int, by: Any) -> SimulationRun:
    """Simulate and keep inputs, seed, engine and all results."""
    inputs = inputs_of(model)
    results = results_of(inputs, seed=seed, draws=draws)
    made = SimulationRun.objects.create(
        model=model, at=timezone.now(), by=str(getattr(by, "username", by)), inputs=inputs,
        sha256=digest(inputs), seed=seed, draws=draws, engine=ENGINE,
        roi_definition=value.ROI_DEFINITION, results=results,
    )  # fmt: skip
    audit.record(
        "value_simulated", actor=by, subject=model.code, sha256=made.sha256, seed=seed, draws=draws
    )
    return made


def results_of(inputs: Mapping[str, Any], *, seed: int, draws: int) -> dict[str, Any]:
    """Everything that a run tells, as JSON."""
    case, parameters = case_of(inputs), inputs["parameters"]
    ranges = {
        name: (one["low"], one["high"])
        for name, one in parameters.items()
        if one["low"] is not None and one["high"] is not None
    }
    drawn = {name: one["distribution"] for name, one in parameters.items() if one["distribution"]}
    matrix = value.incentives(case, inputs["allocation"])
    return {
        "result": asdict(value.evaluate(case)),
        "benefits": value.benefits(case),
        "break_even": {name: value.break_even(case, name) for name in BREAK_EVEN},
        "tornado": [asdict(bar) for bar in value.tornado(case, ranges)],
        "incentives": matrix,
        "perspectives": {name: value.npv_for(matrix, name) for name in value.PERSPECTIVES},
        "spread": asdict(simulate(case, drawn, seed=seed, draws=draws)) if drawn else None,
    }


@transaction.atomic
def measure(
    model: ValueModel, *, quarter: date, name: str, measured: float, source: str, by: Any
) -> OutcomeMeasurement:
    """Keep what a driver was in a quarter; a later measurement of the same counts instead."""
    if name not in NAMES:
        text = _("expected a parameter of the model, found %(found)s") % {"found": name}
        raise NoSuchMeasurement(f"name: {text}")
    if quarter.day != 1 or quarter.month not in (1, 4, 7, 10):
        text = _("expected the first day of a quarter")
        raise NoSuchMeasurement(f"quarter: {text}")
    for field, rule in parameter_problems(name, value=measured, low=None, high=None):
        raise NoSuchMeasurement(f"{field}: {rule}")
    audit.record(
        "outcome_measured", actor=by, subject=model.code, quarter=quarter.isoformat(), name=name
    )
    return OutcomeMeasurement.objects.create(
        model=model, quarter=quarter, name=name, value=measured, source=source,
        at=timezone.now(), by=str(getattr(by, "username", by)),
    )  # fmt: skip


def against_plan(model: ValueModel) -> list[dict[str, Any]]:
    """Each measured quarter beside the plan, the newest first."""
    case = case_of(inputs_of(model))
    quarters: dict[date, dict[str, float]] = {}
    for one in model.outcomes.all():
        quarters.setdefault(one.quarter, {})[one.name] = one.value
    return [
        {
            "quarter": quarter,
            "drivers": [asdict(one) | {"deviation": one.deviation} for one in drifts],
            "npv": npv,
            "planned_npv": float(value.npv(case)),
        }
        for quarter, (drifts, npv) in (
            (quarter, value.against_plan(case, measured))
            for quarter, measured in sorted(quarters.items(), reverse=True)
        )
    ]


def parameter_problems(
    name: str, *, value: float | None, low: float | None, high: float | None
) -> Iterator[tuple[str, str]]:
    """Field and rule: shares lie between 0 and 1, all else is 0 or more; a range rises."""
    is_share = name in (*SHARES, "discount_rate")
    for field, held in (("value", value), ("low", low), ("high", high)):
        if held is not None and (held < 0 or (is_share and held > 1)):
            yield field, _("expected 0 to 1") if is_share else _("expected 0 or more")
    if (low is None) != (high is None) or (low is not None and high is not None and low >= high):
        yield "high", _("expected low and high, low below high")


def allocation_problem(allocation: Mapping[str, Any]) -> str:
    """Why nobody can say who gains what, or nothing; shares of an item sum to one."""
    for item, shares in allocation.items():
        is_known = item in ALLOCATION and isinstance(shares, Mapping)
        if not is_known or not set(shares) <= set(STAKEHOLDERS):
            return f"{item}: " + _("expected a known item and stakeholders")
        numbers = [one for one in shares.values() if isinstance(one, int | float)]
        if len(numbers) < len(shares) or abs(sum(numbers) - 1) > 1e-9:
            return f"{item}: " + _("expected shares that sum to 1")
    return ""


def price_problem(price: Mapping[str, Any]) -> str:
    """Why a price of a model cannot be read, or nothing."""
    if not price:
        return ""
    terms = {name: one for name, one in price.items() if name != "model"}
    try:
        pricing.price_of(str(price.get("model")), terms)
    except pricing.PriceTermsError as fault:
        return str(fault)
    return ""


def amount_of(value_: float) -> Decimal:
    """A forecast for people, to the øre."""
    return pricing.rounded(Decimal(repr(value_)))

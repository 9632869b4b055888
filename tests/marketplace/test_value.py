"""The value of an algorithm: the worked example, break-even, tornado, draws, and who gains."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from contracts.pricing import amount, price_of
from marketplace import uncertainty, value
from marketplace.value import Case

TARIFF = price_of(
    "graduated",
    {"tiers": [
        {"up_to": 10_000, "unit_price": "24.00"}, {"up_to": 30_000, "unit_price": "18.00"},
        {"up_to": 60_000, "unit_price": "13.50"}, {"unit_price": "9.75"},
    ]},
)  # fmt: skip
CASE = Case(
    parameters={
        "volume": 39_000, "coverage": 0.97, "prevalence": 0.30,
        "sensitivity_alone": 0.90, "sensitivity_with": 0.92,
        "specificity_alone": 0.93, "specificity_with": 0.92,
        "minutes_alone": 3.0, "minutes_with": 2.6, "hourly_cost": 1_200, "cashable": 0.30,
        "consults_avoided": 5_475, "consult_value": 250, "missed_cost": 4_000,
        "false_alarm_cost": 600, "fixed_fee": 480_000, "operations": 300_000,
        "one_off": 900_000, "discount_rate": 0.04,
    },
    cost_of=lambda n: float(amount(TARIFF, round(n))),
    discounts=(0.25,),
)  # fmt: skip


def test_the_worked_example_to_the_oere() -> None:
    gained = value.benefits(CASE)
    assert {name: round(one, 2) for name, one in gained.items() if one} == {
        "time": 90_792, "missed": 907_920, "false_alarms": -158_886, "consults": 1_368_750,
    }  # fmt: skip
    assert amount(TARIFF, 37_830) == Decimal("705705.00")
    found = value.evaluate(CASE)
    assert [round(one, 2) for one in found.cash] == [-900_000, 899_297.25, *[722_871] * 3]
    assert round(found.npv, 2) == 1_893_586.62
    assert round(found.cost_pv, 2) == 6_123_312.86
    assert round(found.cost_per_examination, 4) == 44.5919
    assert found.roi == pytest.approx(0.3092, abs=5e-5)
    assert found.benefit_cost_ratio == pytest.approx(1.3092, abs=5e-5)
    assert found.payback == pytest.approx(1.001, abs=5e-4)
    assert "PV of costs" in found.roi_definition


@pytest.mark.parametrize(
    ("name", "expected", "digits"),
    [("price", 33.4223, 4), ("volume", 26_879.84, 1), ("sensitivity_with", 0.908509, 6),
     ("consult_value", 154.72, 2)],
)  # fmt: skip
def test_it_breaks_even_where_the_worked_example_does(
    name: str, expected: float, digits: int
) -> None:
    whole = replace(CASE, cost_of=_graduated)
    (found,) = value.break_even(whole, name)
    assert round(found, digits) == round(expected, digits)


def _graduated(n: float) -> float:
    """The tariff between whole examinations, as the break-even volume is no whole number."""
    low = float(amount(TARIFF, int(n)))
    return low + (n - int(n)) * (float(amount(TARIFF, int(n) + 1)) - low)


def test_the_tornado_of_the_worked_example_has_the_widest_bar_on_top() -> None:
    bars = value.tornado(CASE, {
        "cashable": (0.0, 0.6), "sensitivity_with": (0.90, 0.94), "operations": (200e3, 450e3),
        "consults_avoided": (2_737.5, 8_212.5), "consult_value": (150, 400),
        "missed_cost": (2_000, 8_000), "specificity_with": (0.90, 0.93),
    })  # fmt: skip
    assert [(bar.name, round(bar.npv_low), round(bar.npv_high)) for bar in bars] == [
        ("sensitivity_with", -1_402_068, 5_189_241),
        ("consults_avoided", -590_623, 4_377_796),
        ("consult_value", -93_781, 4_874_638),
        ("missed_cost", 245_759, 5_189_241),
        ("specificity_with", 740_108, 2_470_326),
        ("operations", 2_256_576, 1_349_102),
        ("cashable", 1_564_021, 2_223_152),
    ]


DRAWN: dict[str, dict[str, Any]] = {
    "sensitivity_with": {"kind": "beta", "mean": 0.92, "sd": 0.01},
    "specificity_with": {"kind": "beta", "mean": 0.92, "sd": 0.008},
    "missed_cost": {"kind": "gamma", "mean": 4_000, "sd": 1_200},
    "cashable": {"kind": "pert", "low": 0, "mode": 0.3, "high": 0.6},
    "minutes_with": {"kind": "normal", "mean": 2.6, "sd": 0.15},
    "consults_avoided": {"kind": "gamma", "mean": 5_475, "sd": 1_500},
    "consult_value": {"kind": "gamma", "mean": 250, "sd": 60},
}


def test_twenty_thousand_draws_agree_with_the_worked_example_within_three_errors() -> None:
    found = uncertainty.simulate(CASE, DRAWN, seed=20260101, draws=20_000)
    for expected in (1_893_586.62, 1_897_698):
        assert abs(found.mean - expected) <= 3 * found.standard_error
    assert abs(found.sd - 2.78e6) <= 3 * found.sd / (2 * found.draws) ** 0.5 + 5e3
    spread = (0.747 * 0.253 / found.draws) ** 0.5
    assert abs(found.chance_of_gain - 0.747) <= 3 * spread + 5e-4
    assert found.percentiles["5"] == pytest.approx(-2.23e6, abs=1.2e5)
    assert found.percentiles["95"] == pytest.approx(6.76e6, abs=1.2e5)
    assert found.evpi == pytest.approx(347_931, rel=0.06)


def test_a_seed_gives_the_same_run_again_and_another_seed_another() -> None:
    run = uncertainty.simulate(CASE, DRAWN, seed=7, draws=500)
    assert uncertainty.simulate(CASE, DRAWN, seed=7, draws=500) == run
    assert uncertainty.simulate(CASE, DRAWN, seed=8, draws=500).mean != run.mean
    assert (run.seed, run.engine, run.numpy) == (7, uncertainty.ENGINE, np.__version__)


@pytest.mark.parametrize(
    ("spec", "field"),
    [({"kind": "beta", "mean": 1.2, "sd": 0.1}, "mean"), ({"kind": "beta", "mean": 0.5}, "sd"),
     ({"kind": "beta", "mean": 0.5, "sd": 0.5}, "sd"), ({"kind": "weibull"}, "kind"),
     ({"kind": "pert", "low": 1, "mode": 3, "high": 2}, "mode"),
     ({"kind": "pert", "low": 2, "mode": 2, "high": 2}, "high"),
     ({"kind": "lognormal", "estimate": 1, "lower": 2, "upper": 3}, "estimate"),
     ({"kind": "gamma", "mean": 0, "sd": 1}, "mean"),
     ({"kind": "gamma", "mean": 1, "sd": 1, "shape": 2}, "shape"),
     ({"kind": "beta_counts", "successes": 5, "trials": 4}, "successes"),
     ({"kind": "uniform", "low": 2, "high": 1}, "high"),
     ({"kind": "uniform", "low": 0, "high": 10**400}, "high"),
     ({"kind": "uniform", "low": float("nan"), "high": 1}, "low")],
)  # fmt: skip
def test_what_is_no_distribution_is_refused_by_its_number(spec: Any, field: str) -> None:
    with pytest.raises(uncertainty.NoSuchDistribution, match=f"^{field}:"):
        uncertainty.check(spec)


def test_the_volume_may_be_uncertain_and_its_price_follows() -> None:
    spec = {"volume": {"kind": "uniform", "low": 30_000, "high": 50_000}}
    found = uncertainty.simulate(CASE, spec, seed=1, draws=400)
    low, high = (value.npv(CASE.but(volume=n)) for n in (30_000, 50_000))
    assert low < found.percentiles["5"] < found.percentiles["95"] < high


def test_an_algorithm_may_take_more_time_than_it_saves() -> None:
    """Triage of intracranial haemorrhage in teleradiology: 56,745 negatives read more slowly."""
    fp, tn = 4_464, 52_281
    case = Case(
        {"volume": fp + tn, "specificity_with": tn / (fp + tn), "minutes_alone": 505 / 60,
         "minutes_fp": 580 / 60, "minutes_tn": 518 / 60, "hourly_cost": 1_200, "cashable": 1},
        cost_of=lambda n: 0.0,
    )  # fmt: skip
    assert round(value.minutes_with(case) * 60, 2) == 522.88
    assert round(value.reading_hours(case), 1) == -281.8
    assert value.benefits(case)["time"] < 0
    without = case.but(minutes_fp=518 / 60)
    excess = value.reading_hours(without) - value.reading_hours(case)
    assert round(excess, 1) == 76.9


def test_who_gains_adds_up_to_the_value_and_the_price_goes_to_the_supplier() -> None:
    case = CASE.but(sent_home=0.29, hours_saved=1.0, hour_value=100)
    matrix = value.incentives(case)
    bought = matrix["radiology"]
    assert matrix["supplier"]["examinations"] == -bought["examinations"] > 0
    assert matrix["emergency"]["consults"] > 0 > sum(bought.values())
    assert value.npv_for(matrix, "hospital") == pytest.approx(value.npv(CASE))
    assert value.npv_for(matrix, "societal") == pytest.approx(value.npv(case))
    assert matrix["patient"]["waiting"] > 0


def test_a_quarter_is_held_against_the_plan_driver_by_driver() -> None:
    drifts, npv = value.against_plan(CASE, {"consults_avoided": 900, "minutes_with": 2.6})
    first, second = drifts
    assert (first.name, first.planned, first.measured) == ("consults_avoided", 1_368.75, 900)
    assert first.deviation == pytest.approx(900 / 1_368.75 - 1)
    assert first.effect < 0 == second.effect
    assert npv == pytest.approx(value.npv(CASE.but(consults_avoided=3_600)))


def test_a_value_that_crosses_zero_twice_is_told_twice() -> None:
    assert value.roots(lambda x: (x - 1) * (x - 3), 0, 10) == pytest.approx([1, 3])
    assert value.roots(lambda x: x + 1, 0, 10) == []


def test_payback_is_straight_within_a_year_and_may_never_come() -> None:
    assert value.payback([-100, 50, 100]) == 1.5
    assert value.payback([0, 1]) == 0
    assert value.payback([-100, 10, 10]) is None


def test_ratio_and_net_benefit_of_costs_and_effects() -> None:
    assert value.cost_effectiveness(cost=100, effect=0.5, threshold=1_000) == (200, 400)
    assert value.cost_effectiveness(cost=100, effect=0, threshold=1_000) == (None, -100)

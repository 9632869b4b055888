"""What an algorithm is worth: benefits, costs, net present value and what follows from them. Pure.

All figures are of one year unless their name says otherwise; money in the currency of the price
book. A forecast is no invoice: it is reckoned in floats, which hold far more than its inputs know.
The cost of examinations comes from the caller, so that the price book decides it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

# What one year of examinations costs, before discount and index.
CostOf = Callable[[float], float]

# Every parameter of the model, with the value that takes its part out of the sum.
DEFAULTS: dict[str, float] = {
    "volume": 0.0,  # N, examinations
    "coverage": 1.0,  # U, the share that is processed
    "prevalence": 0.0,
    "sensitivity_alone": 0.0,
    "sensitivity_with": 0.0,
    "specificity_alone": 0.0,
    "specificity_with": 0.0,
    "minutes_alone": 0.0,
    "minutes_with": 0.0,
    "hourly_cost": 0.0,
    "cashable": 0.0,  # the share of saved time that turns into money
    "consults_avoided": 0.0,
    "consult_value": 0.0,
    "sent_home": 0.0,  # the share sent home at once
    "hours_saved": 0.0,  # for each of those
    "hour_value": 0.0,
    "missed_cost": 0.0,  # for each finding that was missed
    "false_alarm_cost": 0.0,
    "qaly_loss": 0.0,  # for each finding that was missed
    "qaly_value": 0.0,  # the threshold, for each year
    "fixed_fee": 0.0,
    "operations": 0.0,
    "one_off": 0.0,  # once, at the beginning
    "discount_rate": 0.0,
}
# In place of minutes_with, where reading takes as long as the algorithm's result makes it.
BY_RESULT = ("minutes_tp", "minutes_fp", "minutes_tn", "minutes_fn")
SHARES = (
    "coverage", "prevalence", "sensitivity_alone", "sensitivity_with", "specificity_alone",
    "specificity_with", "cashable", "sent_home",
)  # fmt: skip
BENEFITS = ("time", "missed", "false_alarms", "consults", "waiting", "qaly")
COSTS = ("examinations", "fixed_fee", "operations", "one_off")
# Published figures mix definitions: the one used here is kept with each result.
ROI_DEFINITION = "(PV of benefits - PV of costs) / PV of costs; one-off costs are costs"


@dataclass(frozen=True, slots=True)
class Case:
    """The parameters of one algorithm's use, and how years differ (``discounts``, ``index``)."""

    parameters: Mapping[str, Any]
    cost_of: CostOf = field(compare=False)
    years: int = 4
    discounts: Sequence[float] = ()
    index: Sequence[float] = ()

    def __getitem__(self, name: str) -> Any:
        if name in self.parameters:
            return self.parameters[name]
        return self["minutes_with"] if name in BY_RESULT else DEFAULTS[name]

    def but(self, **parameters: Any) -> Case:
        """The case with some parameters set otherwise."""
        return replace(self, parameters={**self.parameters, **parameters})


@dataclass(frozen=True, slots=True)
class Year:
    """One year: benefits and costs by item, not discounted."""

    benefits: Mapping[str, Any]
    costs: Mapping[str, Any]

    @property
    def cash(self) -> Any:
        """Benefits less costs."""
        return sum(self.benefits.values()) - sum(self.costs.values())


@dataclass(frozen=True, slots=True)
class Result:
    """What comes of a case; ``payback`` in years, None where it never pays."""

    npv: float
    benefit_pv: float
    cost_pv: float
    cost_per_examination: float
    roi: float | None
    benefit_cost_ratio: float | None
    payback: float | None
    budget_impact: tuple[float, ...]
    cash: tuple[float, ...]
    reading_hours: float
    roi_definition: str = ROI_DEFINITION


def processed(case: Case) -> Any:
    """Q: the examinations that the algorithm processes in a year."""
    return case["volume"] * case["coverage"]


def minutes_with(case: Case) -> Any:
    """Mean reading time with the algorithm: as given, or by result of the algorithm."""
    if not any(name in case.parameters for name in BY_RESULT):
        return case["minutes_with"]
    tp, fp, tn, fn = (case[name] for name in BY_RESULT)
    sensitivity, specificity = case["sensitivity_with"], case["specificity_with"]
    ill = sensitivity * tp + (1 - sensitivity) * fn
    well = (1 - specificity) * fp + specificity * tn
    return case["prevalence"] * ill + (1 - case["prevalence"]) * well


def reading_hours(case: Case) -> Any:
    """Hours of reading saved in a year; below zero where the algorithm takes more time."""
    return processed(case) * (case["minutes_alone"] - minutes_with(case)) / 60


def benefits(case: Case) -> dict[str, Any]:
    """The benefits of one year by item; each may be below zero."""
    quantity, ill = processed(case), case["prevalence"]
    found = quantity * ill * (case["sensitivity_with"] - case["sensitivity_alone"])
    spared = quantity * (1 - ill) * (case["specificity_with"] - case["specificity_alone"])
    return {
        "time": reading_hours(case) * case["cashable"] * case["hourly_cost"],
        "missed": found * case["missed_cost"],
        "false_alarms": spared * case["false_alarm_cost"],
        "consults": case["consults_avoided"] * case["consult_value"],
        "waiting": quantity * case["sent_home"] * case["hours_saved"] * case["hour_value"],
        "qaly": found * case["qaly_loss"] * case["qaly_value"],
    }


def years_of(case: Case) -> list[Year]:
    """Each year of the term; year 0, with the one-off costs, is not among them."""
    gained, priced = benefits(case), case.cost_of(processed(case))
    return [
        Year(
            gained,
            {
                "examinations": priced
                * (1 - _of(case.discounts, n, 0.0))
                * _of(case.index, n, 1.0),
                "fixed_fee": case["fixed_fee"],
                "operations": case["operations"],
            },
        )
        for n in range(case.years)
    ]


def npv(case: Case) -> Any:
    """Net present value: cash at the end of each year, less what is paid at the beginning."""
    rate = case["discount_rate"]
    return _present([year.cash for year in years_of(case)], rate) - case["one_off"]


def evaluate(case: Case) -> Result:
    """All results of a case."""
    years, rate, one_off = years_of(case), case["discount_rate"], case["one_off"]
    gained = _present([sum(year.benefits.values()) for year in years], rate)
    spent = one_off + _present([sum(year.costs.values()) for year in years], rate)
    seen = _present([processed(case)] * case.years, rate)
    cash = (-one_off, *(year.cash for year in years))
    return Result(
        npv=gained - spent,
        benefit_pv=gained,
        cost_pv=spent,
        cost_per_examination=spent / seen if seen else 0.0,
        roi=(gained - spent) / spent if spent else None,
        benefit_cost_ratio=gained / spent if spent else None,
        payback=payback(cash),
        budget_impact=tuple(sum(year.costs.values()) for year in years),
        cash=cash,
        reading_hours=reading_hours(case),
    )


def payback(cash: Sequence[float]) -> float | None:
    """The years until the sum of cash first reaches zero, straight within a year."""
    held = cash[0]
    if held >= 0:
        return 0.0
    for year, gained in enumerate(cash[1:]):
        if held + gained >= 0:
            return year - held / gained
        held += gained
    return None


def cost_effectiveness(
    *, cost: float, effect: float, threshold: float
) -> tuple[float | None, float]:
    """ICER and incremental net monetary benefit; no ICER without a difference in effect."""
    return (cost / effect if effect else None), threshold * effect - cost


def _present(yearly: Sequence[Any], rate: float) -> Any:
    return sum(amount / (1 + rate) ** (n + 1) for n, amount in enumerate(yearly))


def _of(yearly: Sequence[float], year: int, otherwise: float) -> float:
    return yearly[year] if year < len(yearly) else otherwise


# -- what if -----------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Bar:
    """One parameter of a tornado: its low and high value, and the NPV at each."""

    name: str
    low: float
    high: float
    npv_low: float
    npv_high: float

    @property
    def width(self) -> float:
        """How far it moves the NPV."""
        return abs(self.npv_high - self.npv_low)


def tornado(case: Case, ranges: Mapping[str, tuple[float, float]]) -> list[Bar]:
    """One parameter at a time from low to high, the widest first."""
    bars = [
        Bar(name, low, high, *(float(npv(case.but(**{name: end}))) for end in (low, high)))
        for name, (low, high) in ranges.items()
    ]
    return sorted(bars, key=lambda bar: -round(bar.width, 2))  # as given where as wide


def roots(value_at: Callable[[float], float], low: float, high: float) -> list[float]:
    """Where a function crosses zero between two bounds, each by bisection.

    Tiers make the NPV piecewise, and it may cross more than once: every crossing between 200
    points is found, so that none is told as if it were the only one.
    """
    steps = 200
    points = [low + (high - low) * n / steps for n in range(steps + 1)]
    values = [value_at(point) for point in points]
    found = []
    for n in range(steps):
        if values[n] == 0:
            found.append(points[n])
        elif values[n] * values[n + 1] < 0:
            found.append(_bisect(value_at, points[n], points[n + 1]))
    return [*found, high] if values[-1] == 0 else found


def _bisect(value_at: Callable[[float], float], low: float, high: float) -> float:
    is_rising = value_at(low) < 0
    for _ in range(100):
        middle = (low + high) / 2
        if (value_at(middle) < 0) == is_rising:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def break_even(case: Case, name: str) -> list[float]:
    """The values of a parameter, or of ``price`` (flat), at which the NPV is zero.

    With the volume go the consults avoided.
    """
    if name == "price":
        return roots(lambda one: float(npv(replace(case, cost_of=lambda n: n * one))), 0, 10_000)
    if name == "volume":
        consults, volume = case["consults_avoided"], case["volume"] or 1.0
        return roots(
            lambda n: float(npv(case.but(volume=n, consults_avoided=consults * n / volume))),
            0, volume * 10,
        )  # fmt: skip
    high = 1.0 if name in SHARES else (float(case[name]) or 1.0) * 10
    return roots(lambda value: float(npv(case.but(**{name: value}))), 0.0, high)


# -- who gains ---------------------------------------------------------------------------------
STAKEHOLDERS = (
    "radiology", "emergency", "other_departments", "municipality", "patient", "supplier",
)  # fmt: skip
PERSPECTIVES = {
    "hospital": ("radiology", "emergency", "other_departments"),
    "region": ("radiology", "emergency", "other_departments", "municipality"),
    "societal": ("radiology", "emergency", "other_departments", "municipality", "patient"),
}
# item -> stakeholder -> share; a price is a cost of the payer and an income of the supplier
ALLOCATION: dict[str, dict[str, float]] = {
    "time": {"radiology": 1.0},
    "missed": {"other_departments": 1.0},
    "false_alarms": {"other_departments": 1.0},
    "consults": {"emergency": 1.0},
    "waiting": {"patient": 1.0},
    "qaly": {"patient": 1.0},
    "examinations": {"radiology": 1.0},
    "fixed_fee": {"radiology": 1.0},
    "operations": {"radiology": 1.0},
    "one_off": {"radiology": 1.0},
}
_INCOME = ("examinations", "fixed_fee")


def incentives(
    case: Case, allocation: Mapping[str, Mapping[str, float]] = ALLOCATION
) -> dict[str, dict[str, float]]:
    """Stakeholder x item: the present value that each gains or loses."""
    years, rate = years_of(case), case["discount_rate"]
    items = {name: _present([year.benefits[name] for year in years], rate) for name in BENEFITS}
    items |= {name: -_present([year.costs[name] for year in years], rate) for name in COSTS[:-1]}
    items["one_off"] = -case["one_off"]
    matrix = {
        who: {
            name: value * allocation.get(name, {}).get(who, 0.0) for name, value in items.items()
        }
        for who in STAKEHOLDERS
    }
    matrix["supplier"] |= {name: -items[name] for name in _INCOME}
    return matrix


def npv_for(matrix: Mapping[str, Mapping[str, float]], perspective: str) -> float:
    """The sum over those whom a perspective counts."""
    return sum(sum(matrix[who].values()) for who in PERSPECTIVES[perspective])


# -- planned against measured ------------------------------------------------------------------
# What comes in over time; a quarter has a fourth of it.
FLOWS = ("volume", "consults_avoided", "fixed_fee", "operations")


@dataclass(frozen=True, slots=True)
class Drift:
    """One driver of a quarter: planned, measured, and the NPV that the difference makes."""

    name: str
    planned: float
    measured: float
    effect: float

    @property
    def deviation(self) -> float | None:
        """How far off, as a share of the plan."""
        return (self.measured - self.planned) / self.planned if self.planned else None


def against_plan(case: Case, measured: Mapping[str, float]) -> tuple[list[Drift], float]:
    """Each measured driver of a quarter beside the plan, and the NPV if all of them stay so."""
    base = npv(case)
    yearly = {name: value * 4 if name in FLOWS else value for name, value in measured.items()}
    drifts = [
        Drift(
            name,
            case[name] / 4 if name in FLOWS else case[name],
            value,
            float(npv(case.but(**{name: yearly[name]})) - base),
        )
        for name, value in measured.items()
    ]
    return sorted(drifts, key=lambda one: (-abs(one.effect), one.name)), float(
        npv(case.but(**yearly))
    )

"""What a simulated day says: waiting times, use of the GPUs, and how many the targets need."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from routing.models.orders import Priority
from routing.planning.day import HOUR, Arrival, Day, arrivals, meets_targets, simulate
from routing.planning.plan import Plan


@dataclass(frozen=True, slots=True)
class Waits:
    """How long some waited, in seconds."""

    count: int
    p50: float
    p95: float
    longest: float

    @classmethod
    def of(cls, waits: Sequence[float]) -> Waits:
        """Of at least one."""
        ordered = sorted(waits)
        return cls(len(ordered), _quantile(ordered, 0.5), _quantile(ordered, 0.95), ordered[-1])

    def as_json(self) -> dict[str, float]:
        """Seconds with one decimal."""
        told = {"p50": self.p50, "p95": self.p95, "max": self.longest}
        return {"count": self.count} | {name: round(value, 1) for name, value in told.items()}


@dataclass(frozen=True, slots=True)
class Answer:
    """A day with the GPUs of the plan; ``needed``: the fewest that meet all targets, if any do."""

    plan: Plan
    runs: int
    by_priority: dict[str, Waits]
    by_site: dict[str, Waits]
    by_both: dict[str, dict[str, Waits]]
    mean_use: float
    busiest_use: float
    busiest_hour: int
    preemptions: int
    # for each target of the plan, in order: seconds that its part waited at most
    reached: tuple[float, ...]
    needed: int | None

    def as_json(self) -> dict[str, Any]:
        """The same as plain values."""
        plan = self.plan
        return {
            "title": plan.title,
            "seed": plan.seed,
            "runs": self.runs,
            "gpus": plan.gpus,
            "stat_reserve": plan.stat_reserve,
            "waiting_seconds": {
                "by_priority": {name: one.as_json() for name, one in self.by_priority.items()},
                "by_site": {name: one.as_json() for name, one in self.by_site.items()},
                "by_priority_and_site": {
                    name: {site: one.as_json() for site, one in of.items()}
                    for name, of in self.by_both.items()
                },
            },
            "gpu_use": {
                "mean": round(self.mean_use, 4),
                "busiest_hour": round(self.busiest_use, 4),
                "busiest_hour_begins": self.busiest_hour,
            },
            "preemptions": self.preemptions,
            "targets": [str(target) for target in plan.targets],
            "reached_seconds": [round(seconds, 1) for seconds in self.reached],
            "gpus_needed": self.needed,
        }

    def lines(self) -> Iterator[str]:
        """The same for people."""
        plan = self.plan
        yield f"{plan.title}: {self.runs} runs in {plan.days * 24} hours, seed {plan.seed}"
        yield f"With {plan.gpus} GPUs, {plan.stat_reserve} of them kept for STAT:"
        yield ""
        yield f"{'waited, seconds':<24}{'runs':>8}{'p50':>10}{'p95':>10}{'max':>10}"
        for name, one in [*self.by_priority.items(), *self.by_site.items()]:
            yield _row(name, one)
        for name, of in self.by_both.items():
            yield ""
            for site in (site for site in plan.sites if site in of):
                yield _row(f"{name} {site}", of[site])
        yield ""
        yield (
            f"GPUs in use: {self.mean_use:.0%} on average, {self.busiest_use:.0%} in the busiest "
            f"hour (from {self.busiest_hour % 24}:00); {self.preemptions} runs gave way to a STAT"
        )
        for target, seconds in zip(plan.targets, self.reached, strict=True):
            yield f"target: {target}; with {plan.gpus} GPUs it is {seconds:.1f} s"
        if self.needed is None:
            yield f"The targets are not met with {plan.most_gpus} GPUs either."
        else:
            kept = f", {plan.stat_reserve} of them kept for STAT" if plan.stat_reserve else ""
            yield f"The targets need {self.needed} GPUs{kept}."
        yield "All of it hangs on the plan's seconds and parts: take them from your own hub."


def answer(plan: Plan) -> Answer:
    """Simulate the day of a plan, and search for the fewest GPUs that meet its targets."""
    coming = arrivals(plan)
    day = simulate(plan, gpus=plan.gpus, coming=coming)
    by_priority: dict[str, list[float]] = defaultdict(list)
    by_site: dict[str, list[float]] = defaultdict(list)
    by_both: dict[str, dict[str, Waits]] = defaultdict(dict)
    for (priority, site), waits in sorted(day.waits.items()):
        name = Priority(priority).label
        by_priority[name] += waits
        by_site[site] += waits
        by_both[name][site] = Waits.of(waits)
    hour, used = max(day.used.items(), key=lambda one: one[1], default=(0, 0.0))
    return Answer(
        plan,
        runs=len(coming),
        by_priority={name: Waits.of(waits) for name, waits in by_priority.items()},
        by_site={site: Waits.of(by_site[site]) for site in plan.sites if site in by_site},
        by_both=dict(by_both),
        mean_use=_mean_use(day, plan),
        busiest_use=used / HOUR / plan.gpus,
        busiest_hour=hour,
        preemptions=day.preemptions,
        reached=tuple(
            _quantile(sorted(by_priority[one.priority.label]), one.part) for one in plan.targets
        ),
        needed=gpus_needed(plan, coming),
    )


def gpus_needed(plan: Plan, coming: list[Arrival]) -> int | None:
    """The fewest GPUs that meet every target, from those without which the day never ends."""
    most = max(one.gpus for one in plan.algorithms)
    low = max(math.ceil(plan.load), plan.stat_reserve + most)
    high = low
    while not meets_targets(plan, coming, gpus=high):
        if high >= plan.most_gpus:
            return None
        low, high = high + 1, min(max(high + 1, math.ceil(high * 1.3)), plan.most_gpus)
    while low < high:
        middle = (low + high) // 2
        if meets_targets(plan, coming, gpus=middle):
            high = middle
        else:
            low = middle + 1
    return high


def _mean_use(day: Day, plan: Plan) -> float:
    return sum(day.used.values()) / (plan.gpus * plan.days * 24 * HOUR)


def _row(name: str, one: Waits) -> str:
    return f"{name:<24}{one.count:>8}{one.p50:>10.1f}{one.p95:>10.1f}{one.longest:>10.1f}"


def _quantile(ordered: Sequence[float], part: float) -> float:
    """The smallest value that is not exceeded by ``part`` of them; 0 of none."""
    if not ordered:
        return 0.0
    return ordered[max(math.ceil(part * len(ordered)) - 1, 0)]

"""A day to be simulated, as a frozen value read from a YAML file."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from routing.models.orders import Priority
from vendors.shapes import ShapeInvalid, problems_in, unfit_values

LONGEST_FILE = 1_000_000
SHIPPED = Path(__file__).parents[2] / "examples" / "plans"
# of the standard normal distribution: what lies below it is 95 percent
_Z95 = 1.6448536269514722


class PlanInvalid(ShapeInvalid):
    """A plan is not of the shape hub.plan/1; ``problems`` lists each departure with its path."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """Of the seconds that a run takes; what ``first`` and ``second`` are hangs on the kind."""

    kind: Literal["constant", "exponential", "lognormal", "uniform"]
    first: float
    second: float = 0.0

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Distribution:
        """From one of the forms of the schema: median and p95 are those of a lognormal one."""
        if "constant" in data:
            return cls("constant", float(data["constant"]))
        if "exponential" in data:
            return cls("exponential", float(data["exponential"]))
        if "median" in data:
            mu = math.log(data["median"])
            return cls("lognormal", mu, (math.log(data["p95"]) - mu) / _Z95)
        return cls("uniform", float(data["low"]), float(data["high"]))

    @property
    def mean(self) -> float:
        """Seconds."""
        if self.kind == "lognormal":
            return math.exp(self.first + self.second**2 / 2)
        return (self.first + self.second) / 2 if self.kind == "uniform" else self.first

    def draw(self, chance: random.Random) -> float:
        """One run's seconds."""
        if self.kind == "constant":
            return self.first
        if self.kind == "exponential":
            return chance.expovariate(1 / self.first)
        if self.kind == "lognormal":
            return chance.lognormvariate(self.first, self.second)
        return chance.uniform(self.first, self.second)


@dataclass(frozen=True, slots=True)
class Algorithm:
    """``per_examination``: how many of its runs one examination brings, of all modalities."""

    code: str
    per_examination: float
    gpus: int
    concurrency: int
    seconds: Distribution


@dataclass(frozen=True, slots=True)
class Target:
    """``part`` of those of a priority wait for at most ``seconds``."""

    priority: Priority
    part: float
    seconds: float

    def __str__(self) -> str:
        return f"p{100 * self.part:g} {self.priority.label} <= {self.seconds:g} s"


@dataclass(frozen=True, slots=True)
class Plan:
    """What comes when and from where, what it takes, and what must hold."""

    title: str
    seed: int
    days: int
    per_day: float
    by_hour: tuple[float, ...]
    # site -> part of what comes; they add up to 1
    sites: Mapping[str, float]
    weights: Mapping[str, float]
    # they add up to 1
    priorities: Mapping[Priority, float]
    algorithms: tuple[Algorithm, ...]
    gpus: int
    stat_reserve: int
    most_gpus: int
    targets: tuple[Target, ...]

    @property
    def load(self) -> float:
        """GPUs that would be busy if all came evenly over the day."""
        each = sum(one.per_examination * one.seconds.mean * one.gpus for one in self.algorithms)
        return each * self.per_day / 86400


def shipped() -> dict[str, Path]:
    """The plans that come with the hub, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.yaml"), reverse=True)}


def read(path: Path, changed: Mapping[str, Any] | None = None) -> Plan:
    """The plan of a file, with what is ``changed`` in it; raises PlanInvalid, OSError.

    Names in ``changed`` are those of the file; ``gpus`` is their number, and ``stat`` the part from
    0 to 1 of what comes that is STAT, in which all other priorities keep their proportions.
    """
    with path.open("rb") as file:
        raw = file.read(LONGEST_FILE + 1)
    if len(raw) > LONGEST_FILE:
        raise PlanInvalid([f"(the whole): expected at most {LONGEST_FILE} bytes, got more"])
    try:
        data = yaml.safe_load(raw)
    except (yaml.YAMLError, ValueError, RecursionError) as fault:
        said = " ".join(str(fault).split())[:200]
        raise PlanInvalid([f"(the whole): expected YAML, got {said}"]) from fault
    return from_json(_changed(data, changed or {}))


def _changed(data: Any, changed: Mapping[str, Any]) -> Any:
    """As it is where it is no plan: that is told by what it lacks."""
    if not isinstance(data, dict):
        return data
    whole = data | {name: to for name, to in changed.items() if name not in ("gpus", "stat")}
    if "gpus" in changed and isinstance(data.get("gpus"), dict):
        whole["gpus"] = data["gpus"] | {"size": changed["gpus"]}
    others = data.get("priorities")
    if not 0 <= changed.get("stat", 0) <= 1:
        raise PlanInvalid([f"priorities.stat: expected from 0 to 1, got {changed['stat']}"])
    if "stat" in changed and isinstance(others, dict):
        rest = {name: part for name, part in others.items() if name != "stat"}
        part, sum_of_rest = changed["stat"], sum(rest.values())
        whole["priorities"] = {"stat": part} | {
            name: one / (sum_of_rest or 1) * (1 - part) for name, one in rest.items()
        }
    return whole


def from_json(data: Any) -> Plan:
    """From parsed YAML; raises PlanInvalid with every problem."""
    problems = problems_in(data, "plan", folder=Path(__file__).parent)
    if problems := problems or list(unfit_values(data)) or _contradictions(data):
        raise PlanInvalid(problems)
    by_hour = data.get("by_hour") or [1.0] * 24
    gpus = data["gpus"]
    return Plan(
        title=data["title"],
        seed=data["seed"],
        days=data.get("days", 1),
        per_day=data["examinations_per_year"] / 365 * data.get("weekday_factor", 1.0),
        by_hour=tuple(hour / sum(by_hour) for hour in by_hour),
        sites=_parts({one["code"]: one["part"] for one in data["sites"]}),
        weights={one["code"]: float(one.get("weight", 1)) for one in data["sites"]},
        priorities=_parts({Priority[name.upper()]: n for name, n in data["priorities"].items()}),
        algorithms=_algorithms(data),
        gpus=gpus["size"],
        stat_reserve=gpus.get("stat_reserve", 0),
        most_gpus=gpus.get("most", 500),
        targets=tuple(
            Target(Priority[one["priority"].upper()], one.get("part", 0.95), float(one["seconds"]))
            for one in data["targets"]
        ),
    )


def _algorithms(data: Mapping[str, Any]) -> tuple[Algorithm, ...]:
    modalities = _parts(data["modalities"])
    return tuple(
        Algorithm(
            one["code"], modalities[one["modality"]] * one["part"], one.get("gpus", 1),
            one.get("concurrency", 1000), Distribution.from_json(one["seconds"]),
        )
        for one in data["algorithms"]
    )  # fmt: skip


def _parts(weights: Mapping[Any, float]) -> dict[Any, float]:
    whole = sum(weights.values())
    return {name: weight / whole for name, weight in weights.items()}


def _contradictions(data: Mapping[str, Any]) -> list[str]:
    """What a schema cannot say."""
    problems = [*_twice(data, "sites"), *_twice(data, "algorithms")]
    if not sum(data["priorities"].values()) > 0:
        problems.append("priorities: expected at least one part above 0, got none")
    if "by_hour" in data and not sum(data["by_hour"]) > 0:
        problems.append("by_hour: expected at least one weight above 0, got none")
    gpus = data["gpus"]
    if gpus.get("stat_reserve", 0) >= gpus["size"]:
        reserve = gpus["stat_reserve"]
        text = f"expected less than size ({gpus['size']}), got {reserve}"
        return [*problems, f"gpus.stat_reserve: {text}"]
    for index, one in enumerate(data["algorithms"]):
        problems += _contradictions_of(one, f"algorithms[{index}]", data["modalities"])
        if one.get("gpus", 1) > (most := gpus["size"] - gpus.get("stat_reserve", 0)):
            path = f"algorithms[{index}].gpus"
            problems.append(f"{path}: expected at most the {most} of the pool, got {one['gpus']}")
    for index, one in enumerate(data["targets"]):
        if not data["priorities"].get(one["priority"]):
            path = f"targets[{index}].priority"
            problems.append(f"{path}: expected one that comes, got {one['priority']!r}")
    return problems


def _contradictions_of(one: Mapping[str, Any], path: str, modalities: Any) -> list[str]:
    problems, seconds = [], one["seconds"]
    if one["modality"] not in modalities:
        known = ", ".join(sorted(modalities))
        problems.append(f"{path}.modality: expected one of {known}, got {one['modality']!r}")
    for low, high in (("median", "p95"), ("low", "high")):
        if low in seconds and seconds[low] > seconds[high]:
            text = f"expected at least {low} ({seconds[low]}), got {seconds[high]}"
            problems.append(f"{path}.seconds.{high}: {text}")
    return problems


def _twice(data: Mapping[str, Any], section: str) -> list[str]:
    seen: set[str] = set()
    problems = []
    for index, one in enumerate(data[section]):
        if one["code"] in seen:
            path = f"{section}[{index}].code"
            problems.append(f"{path}: expected each once, got {one['code']!r} again")
        seen.add(one["code"])
    return problems

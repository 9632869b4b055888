"""`manage.py simulate`: proven by a queue with a known answer, the same for the same seed."""

from __future__ import annotations

import copy
import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command

from routing.models import Priority
from routing.planning import plan as plans
from routing.planning.capacity import answer, gpus_needed
from routing.planning.day import arrivals, meets_targets, simulate

ROOT = Path(__file__).parents[2]
PLANS = sorted((ROOT / "examples" / "plans").glob("*.yaml"))
SMALL: dict[str, Any] = {
    "schema": "hub.plan/1",
    "title": "A small trust",
    "seed": 7,
    "examinations_per_year": 365 * 2000,
    "by_hour": [0] * 8 + [10] * 8 + [0] * 8,
    "sites": [{"code": "drammen", "part": 3}, {"code": "kongsberg", "part": 1, "weight": 2}],
    "modalities": {"CT": 1, "DX": 3},
    "priorities": {"stat": 1, "routine": 8, "low": 1},
    "algorithms": [
        {"code": "bleed", "modality": "CT", "part": 1.0, "seconds": {"median": 60, "p95": 120}},
        {"code": "fracture", "modality": "DX", "part": 0.5, "seconds": {"low": 5, "high": 15}},
    ],
    "gpus": {"size": 2, "stat_reserve": 0, "most": 40},
    "targets": [
        {"priority": "stat", "seconds": 30},
        {"priority": "routine", "part": 0.9, "seconds": 120},
    ],
}


def small(**changed: Any) -> plans.Plan:
    return plans.from_json(copy.deepcopy(SMALL) | changed)


def erlang_c(servers: int, load: float) -> float:
    """The part that waits in M/M/c (Erlang 1917); ``load`` is arrivals times service."""
    all_busy = load**servers / math.factorial(servers) * servers / (servers - load)
    return all_busy / (sum(load**k / math.factorial(k) for k in range(servers)) + all_busy)


@pytest.mark.parametrize(("servers", "busy", "days"), [(1, 0.6, 14), (4, 0.8, 10)])
def test_a_queue_with_a_known_answer_comes_out_as_erlang_has_it(
    servers: int, busy: float, days: int
) -> None:
    service = 60.0
    per_second = busy * servers / service
    plan = small(
        days=days, by_hour=[1] * 24, sites=[{"code": "drammen", "part": 1}],
        examinations_per_year=round(per_second * 86400 * 365), modalities={"CT": 1},
        priorities={"routine": 1},
        algorithms=[{"code": "a", "modality": "CT", "part": 1, "seconds": {"exponential": 60}}],
        targets=[{"priority": "routine", "seconds": 1}],
    )  # fmt: skip
    day = simulate(plan, gpus=servers)
    [waits] = day.waits.values()
    part = erlang_c(servers, busy * servers)
    assert sum(wait > 1e-6 for wait in waits) / len(waits) == pytest.approx(part, rel=0.06)
    mean = part * service / (servers * (1 - busy))
    assert sum(waits) / len(waits) == pytest.approx(mean, rel=0.12)
    used = sum(day.used.values()) / (servers * days * 86400)
    assert used == pytest.approx(busy, rel=0.04)


def test_the_same_seed_gives_the_same_answer_and_another_another() -> None:
    first, again = answer(small()).as_json(), answer(small()).as_json()
    other = answer(small(seed=8)).as_json()
    assert first == again
    assert first["waiting_seconds"] != other["waiting_seconds"]


def test_the_fewest_gpus_are_found_and_one_less_is_too_few() -> None:
    plan = small()
    coming = arrivals(plan)
    needed = gpus_needed(plan, coming)
    assert needed is not None
    assert meets_targets(plan, coming, gpus=needed)
    assert not meets_targets(plan, coming, gpus=needed - 1)
    waits = [
        wait
        for (priority, _site), some in simulate(plan, gpus=needed, coming=coming).waits.items()
        for wait in some
        if priority == Priority.ROUTINE
    ]
    assert sum(wait <= 120 for wait in waits) >= 0.9 * len(waits)


def test_targets_that_no_number_meets_are_told() -> None:
    plan = small(gpus={"size": 2, "most": 3}, targets=[{"priority": "low", "seconds": 0}])
    assert gpus_needed(plan, arrivals(plan)) is None


def test_stat_goes_first_and_the_background_gives_way() -> None:
    said = answer(small(gpus={"size": 9, "stat_reserve": 1}))
    by_priority = said.by_priority
    assert by_priority["STAT"].p95 <= by_priority["ROUTINE"].p95 <= by_priority["LOW"].p95
    assert answer(small()).preemptions > 0
    count = sum(one.count for one in by_priority.values())
    assert count == said.runs == sum(one.count for one in said.by_site.values())


def test_a_site_that_sends_less_than_its_share_waits_less() -> None:
    plan = small(examinations_per_year=365 * 2800, priorities={"routine": 1},
                 targets=[{"priority": "routine", "seconds": 9000}])  # fmt: skip
    said = answer(plan)
    assert said.by_site["kongsberg"].p95 < said.by_site["drammen"].p95


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"seed": None}, "seed: expected a whole number from 0 to 4294967295, got None"),
        ({"by_hour": [1, 2]}, "by_hour: expected a list of 24 numbers, one for each hour"),
        ({"by_hour": [0] * 24}, "by_hour: expected at least one weight above 0, got none"),
        ({"sites": [{"code": "a", "part": -1}]}, "sites[0].part: expected a number"),
        ({"sites": [{"code": "a", "part": 1}] * 2}, "sites[1].code: expected each once"),
        ({"gpus": {"size": 2, "stat_reserve": 2}}, "gpus.stat_reserve: expected less than size"),
        ({"targets": [{"priority": "high", "seconds": 1}]}, "targets[0].priority: expected one"),
        ({"patients": 3}, "patients: expected one of schema, title, seed"),
        ({"examinations_per_year": float("nan")}, "examinations_per_year: expected a whole number"),
        ([], "(the whole): expected an object"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_with_the_field_named(changed: Any, told: str) -> None:
    data = copy.deepcopy(SMALL) | changed if isinstance(changed, dict) else changed
    with pytest.raises(plans.PlanInvalid) as caught:
        plans.from_json(data)
    assert any(line.startswith(told) for line in caught.value.problems), caught.value.problems


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"modality": "US"}, "algorithms[0].modality: expected one of CT, DX, got 'US'"),
        ({"gpus": 3}, "algorithms[0].gpus: expected at most the 2 of the pool, got 3"),
        ({"seconds": {"median": 9, "p95": 3}}, "algorithms[0].seconds.p95: expected at least"),
        ({"seconds": {"mean": 9}}, "algorithms[0].seconds: expected {constant: s}"),
    ],
)
def test_an_algorithm_that_cannot_be_is_refused_too(changed: dict[str, Any], told: str) -> None:
    data = copy.deepcopy(SMALL)
    data["algorithms"][0] |= changed
    with pytest.raises(plans.PlanInvalid) as caught:
        plans.from_json(data)
    assert any(line.startswith(told) for line in caught.value.problems), caught.value.problems


def test_the_command_prints_a_table_and_json(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    table, plain = io.StringIO(), io.StringIO()
    call_command("simulate", str(path), stdout=table)
    call_command("simulate", str(path), "--json", stdout=plain)
    said = json.loads(plain.getvalue())
    assert f"The targets need {said['gpus_needed']} GPUs." in table.getvalue()
    assert "p95 STAT <= 30 s; with 2 GPUs it is" in table.getvalue()
    rows = {tuple(line.split()[:2]) for line in table.getvalue().splitlines() if line.strip()}
    both = said["waiting_seconds"]["by_priority_and_site"]
    assert {(priority, site) for priority, of in both.items() for site in of} <= rows
    assert set(both) == {"STAT", "ROUTINE", "LOW"}
    assert said["reached_seconds"][0] == said["waiting_seconds"]["by_priority"]["STAT"]["p95"]
    assert set(said["waiting_seconds"]["by_site"]) == {"drammen", "kongsberg"}
    assert set(said["waiting_seconds"]["by_priority"]["STAT"]) == {"count", "p50", "p95", "max"}


def test_what_if_is_asked_without_another_plan(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(SMALL))

    def said(*words: str) -> dict[str, Any]:
        out = io.StringIO()
        call_command("simulate", str(path), "--json", *words, stdout=out)
        return dict(json.loads(out.getvalue()))

    usual, by_priority = said(), "by_priority"
    assert said("--gpus", "7")["gpus"] == 7
    assert said("--gpus", "7")["gpus_needed"] == usual["gpus_needed"]
    assert said("--seed", "8")["seed"] == 8
    assert said("--days", "2")["runs"] > 1.8 * usual["runs"]
    assert said("--examinations-per-year", str(365 * 1000))["runs"] < 0.6 * usual["runs"]
    urgent = said("--stat", "0.5")["waiting_seconds"][by_priority]
    assert urgent["STAT"]["count"] == pytest.approx(usual["runs"] / 2, rel=0.1)
    assert urgent["ROUTINE"]["count"] == pytest.approx(8 * urgent["LOW"]["count"], rel=0.3)
    for words, told in (
        (("--stat", "1.5"), "priorities.stat: expected from 0 to 1, got 1.5"),
        (("--gpus", "0"), "gpus.size: expected a whole number from 1 to 10000, got 0"),
    ):
        with pytest.raises(CommandError, match=told):
            said(*words)


def test_plans_that_come_with_the_hub_have_names() -> None:
    assert list(plans.shipped()) == ["nine-trusts", "country"]
    table = io.StringIO()
    call_command("simulate", "nine-trusts", "country", "--examinations-per-year", "90000",
                 stdout=table)  # fmt: skip
    assert "Nine trusts" in table.getvalue()
    assert "A country of 10 million" in table.getvalue()


def test_the_command_refuses_what_is_no_plan(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text("title: [")
    with pytest.raises(CommandError, match=r"plan.yaml: \(the whole\): expected YAML"):
        call_command("simulate", str(path))
    path.write_text("schema: hub.plan/1\n")
    with pytest.raises(CommandError, match="gpus: expected an object, got nothing"):
        call_command("simulate", str(path))
    with pytest.raises(CommandError, match="No such file"):
        call_command("simulate", str(tmp_path / "none.yaml"))


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_the_plans_that_ship_can_be_read(path: Path) -> None:
    plan = plans.read(path)
    assert {target.priority for target in plan.targets} == {Priority.STAT, Priority.ROUTINE}
    assert plan.per_day * 365 / 1.3 == pytest.approx(
        2_500_000 if path.stem == "nine-trusts" else 10_000_000
    )

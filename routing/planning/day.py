"""One day of a plan as a discrete-event simulation, with routing/scheduling.py as it is."""

from __future__ import annotations

import heapq
import random
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import simpy

from routing import scheduling
from routing.models.orders import Priority
from routing.planning.plan import Plan
from routing.scheduling import Ledger, Running, Waiting

HOUR = 3600.0
Kind = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A Workitem to come, and the seconds that its run will take."""

    item: Waiting
    seconds: float


@dataclass(slots=True)
class Day:
    """What happened: waits in seconds by (priority, site), GPU-seconds by hour, preemptions."""

    waits: dict[tuple[int, str], list[float]] = field(
        default_factory=lambda: defaultdict(list)
    )
    used: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    preemptions: int = 0
    # given up before its end, because a target cannot be met any more
    is_given_up: bool = False


def arrivals(plan: Plan) -> list[Arrival]:
    """All that comes, in order; of one seed always the same, whatever the number of GPUs."""
    chance = random.Random(plan.seed)  # noqa: S311  # nosec B311 (no secret)
    sites, algorithms = list(plan.sites), range(len(plan.algorithms))
    priorities = list(plan.priorities)
    by_site = list(accumulate(plan.sites.values()))
    by_priority = list(accumulate(plan.priorities.values()))
    by_algorithm = list(accumulate(one.per_examination for one in plan.algorithms))
    found: list[Arrival] = []
    for at in _moments(plan, chance, runs_a_day=plan.per_day * by_algorithm[-1]):
        [which] = chance.choices(algorithms, cum_weights=by_algorithm)
        [site] = chance.choices(sites, cum_weights=by_site)
        [priority] = chance.choices(priorities, cum_weights=by_priority)
        algorithm = plan.algorithms[which]
        item = Waiting(
            len(found), site, which, priority, at, algorithm.gpus, algorithm.seconds.mean
        )
        found.append(Arrival(item, algorithm.seconds.draw(chance)))
    return found


def _moments(plan: Plan, chance: random.Random, *, runs_a_day: float) -> Iterator[float]:
    """A Poisson process whose rate changes by the hour: within each it begins anew."""
    for hour in range(24 * plan.days):
        rate = plan.by_hour[hour % 24] * runs_a_day / HOUR
        at = hour * HOUR
        while rate > 0 and (at := at + chance.expovariate(rate)) < (hour + 1) * HOUR:
            yield at


class Simulation:
    """The hub's queue over one day, with so many GPUs."""

    def __init__(
        self, plan: Plan, coming: list[Arrival], *, gpus: int,
        gives_up: Callable[[Waiting, float], bool] = lambda _item, _wait: False,
    ) -> None:  # fmt: skip
        self.day = Day()
        self._env = simpy.Environment()
        self._coming = coming
        self._gives_up = gives_up
        self._pool = scheduling.Pool(
            gpus=gpus,
            stat_reserve=min(plan.stat_reserve, gpus - 1),
            weights=plan.weights,
            most={index: one.concurrency for index, one in enumerate(plan.algorithms)},
            may_preempt=True,
        )
        self._waiting: defaultdict[Kind, list[tuple[float, int, Arrival]]] = defaultdict(list)
        self._running: dict[int, Running] = {}
        self._runs: dict[int, simpy.Process] = {}
        self._preempted: defaultdict[int, int] = defaultdict(int)
        self._ledger = Ledger()

    def run(self) -> Day:
        """Until all that came has run."""
        self._env.process(self._arrive())
        while self._env.peek() != simpy.core.Infinity and not self.day.is_given_up:
            self._env.step()
        return self.day

    def _arrive(self) -> Generator[simpy.Event, Any, None]:
        for arrival in self._coming:
            yield self._env.timeout(max(arrival.item.since - self._env.now, 0.0))
            self._wait(arrival)
            self._start()

    def _wait(self, arrival: Arrival) -> None:
        item = arrival.item
        kind = (item.site, item.version, item.priority)
        heapq.heappush(self._waiting[kind], (item.since, item.key, arrival))

    def _start(self) -> None:
        """Ask the hub's own rules, until nothing starts and nobody gives way."""
        while any(self._waiting.values()):
            now = self._env.now
            first = [queue[0][2].item for queue in self._waiting.values() if queue]
            said = scheduling.decide(
                self._pool, first, tuple(self._running.values()),
                used=self._ledger.used(now), now=now,
            )  # fmt: skip
            for one in said.give_way:
                self._stop(one)
            if said.start is not None:
                kind = (said.start.site, said.start.version, said.start.priority)
                _since, _key, arrival = heapq.heappop(self._waiting[kind])
                self._runs[said.start.key] = self._env.process(self._run(arrival))
                self._running[said.start.key] = Running(
                    said.start, now, preemptions=self._preempted[said.start.key]
                )
            elif not said.give_way:
                return

    def _run(self, arrival: Arrival) -> Generator[simpy.Event, Any, None]:
        item, began = arrival.item, self._env.now
        try:
            yield self._env.timeout(arrival.seconds)
        except simpy.Interrupt:
            self._use(item, began)
            return
        del self._running[item.key], self._runs[item.key]
        self._ledger.add(item, started_at=began, ended_at=self._env.now)
        self._use(item, began)
        # what it lost by giving way counts as waiting
        wait = began - item.since
        self.day.waits[item.priority, item.site].append(wait)
        self.day.is_given_up = self._gives_up(item, wait)
        self._start()

    def _stop(self, one: Running) -> None:
        key = one.item.key
        del self._running[key]
        self._runs.pop(key).interrupt()
        self._preempted[key] += 1
        self.day.preemptions += 1
        self._wait(self._coming[key])

    def _use(self, item: Waiting, began: float) -> None:
        """Split the GPU-seconds of a run over the hours in which it ran."""
        while began < self._env.now:
            until = min((began // HOUR + 1) * HOUR, self._env.now)
            self.day.used[int(began // HOUR)] += (until - began) * item.gpus
            began = until


def simulate(plan: Plan, *, gpus: int, coming: list[Arrival] | None = None) -> Day:
    """What a day of the plan is like with so many GPUs."""
    return Simulation(plan, arrivals(plan) if coming is None else coming, gpus=gpus).run()


def meets_targets(plan: Plan, coming: list[Arrival], *, gpus: int) -> bool:
    """Whether every target holds; given up as soon as too many have waited too long."""
    may_miss: dict[Priority, list[tuple[float, float]]] = defaultdict(list)
    for target in plan.targets:
        count = sum(one.item.priority == target.priority for one in coming)
        may_miss[target.priority].append((target.seconds, count * (1 - target.part)))
    missed: defaultdict[tuple[int, float], int] = defaultdict(int)

    def gives_up(item: Waiting, wait: float) -> bool:
        for seconds, most in may_miss.get(Priority(item.priority), ()):
            if wait > seconds:
                missed[item.priority, seconds] += 1
                if missed[item.priority, seconds] > most:
                    return True
        return False

    return not Simulation(plan, coming, gpus=gpus, gives_up=gives_up).run().is_given_up

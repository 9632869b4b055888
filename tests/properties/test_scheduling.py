"""Sharing GPUs: work conserving, never more than there are, nobody starves, shares are kept."""

from __future__ import annotations

import heapq
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from routing.models import Priority
from routing.scheduling import (
    MOST_PREEMPTIONS,
    Decision,
    Ledger,
    Place,
    Pool,
    Running,
    Waiting,
    decide,
    line_up,
    stands_at,
)

SITES = ("arendal", "bergen", "drammen")
MINUTE = 60.0
few = settings(max_examples=40, deadline=None)


@dataclass
class Morning:
    """A pool over time: what comes waits, ``decide`` says what starts and what gives way."""

    pool: Pool
    now: float = 0.0
    waiting: list[Waiting] = field(default_factory=list)
    running: list[Running] = field(default_factory=list)
    ends: list[tuple[float, int, int]] = field(default_factory=list)
    ledger: Ledger = field(default_factory=Ledger)
    started: list[tuple[float, Waiting]] = field(default_factory=list)
    preempted: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    served: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    look: Callable[[Morning], None] = lambda _morning: None

    def run(self, coming: list[Waiting], *, until: float = float("inf")) -> None:
        queue = sorted(coming, key=lambda item: item.since, reverse=True)
        while queue or self.running:
            at = min([one[0] for one in self.ends[:1]] + [one.since for one in queue[-1:]])
            if at > until:
                return
            self.now = at
            while queue and queue[-1].since <= self.now:
                self.waiting.append(queue.pop())
            self._end()
            self._start()
            self.look(self)
        assert not self.waiting or self.pool.gpus is not None

    def _end(self) -> None:
        while self.ends and self.ends[0][0] <= self.now:
            _at, key, number = heapq.heappop(self.ends)
            for one in [one for one in self.running if one.item.key == key]:
                if self.preempted[key] == number:
                    self.running.remove(one)
                    self.ledger.add(one.item, started_at=one.started_at, ended_at=self.now)
                    self.served[one.item.site] += (self.now - one.started_at) * one.item.gpus

    def _start(self) -> None:
        while True:
            said = self.ask()
            for one in said.give_way:
                self.running.remove(one)
                self.preempted[one.item.key] += 1
                self.waiting.append(one.item)
            if said.start:
                item = said.start
                self.waiting.remove(item)
                number = self.preempted[item.key]
                self.running.append(Running(item, self.now, preemptions=number))
                self.started.append((self.now, item))
                heapq.heappush(self.ends, (self.now + item.expected_seconds, item.key, number))
            elif not said.give_way:
                return

    def ask(self) -> Decision:
        used = self.ledger.used(self.now)
        waiting = first_of_each_kind(self.waiting) if len(self.waiting) > 40 else self.waiting
        return decide(self.pool, waiting, self.running, used=used, now=self.now)


def first_of_each_kind(waiting: list[Waiting]) -> list[Waiting]:
    kinds: dict[tuple[str, int, int, int], Waiting] = {}
    for item in waiting:
        kinds.setdefault((item.site, item.version, item.priority, item.gpus), item)
    return list(kinds.values())


def one(key: int, **given: object) -> Waiting:
    made = {"site": "drammen", "version": 1, "priority": Priority.ROUTINE, "since": 0.0, "gpus": 1}
    return Waiting(key, **(made | given))  # type: ignore[arg-type]


@st.composite
def mixes(draw: st.DrawFn, *, most_gpus: int = 1) -> list[Waiting]:
    rows = draw(
        st.lists(
            st.tuples(
                st.sampled_from(SITES), st.integers(1, 3), st.sampled_from(list(Priority)),
                st.integers(0, 7200), st.integers(1, most_gpus), st.integers(1, 1200),
            ),
            min_size=1, max_size=30,
        )
    )  # fmt: skip
    return [
        Waiting(key, site, version, priority, float(since), gpus, float(seconds))
        for key, (site, version, priority, since, gpus, seconds) in enumerate(rows, start=1)
    ]


pools = st.builds(
    lambda gpus, reserve, most, preempt: Pool(
        gpus, min(reserve, gpus - 1), {"bergen": 2.0}, most, may_preempt=preempt
    ),
    st.integers(1, 5), st.integers(0, 2),
    st.dictionaries(st.integers(1, 3), st.integers(1, 4)), st.booleans(),
)  # fmt: skip


@few
@given(mixes(most_gpus=3), pools)
def test_never_more_than_there_are_and_the_reserve_is_stats_alone(
    coming: list[Waiting], pool: Pool
) -> None:
    def look(morning: Morning) -> None:
        gpus = sum(each.item.gpus for each in morning.running)
        others = [each.item for each in morning.running if each.item.priority != Priority.STAT]
        assert gpus <= (pool.gpus or 0)
        assert sum(item.gpus for item in others) <= (pool.gpus or 0) - pool.stat_reserve
        for version, most in pool.most.items():
            assert sum(each.item.version == version for each in morning.running) <= most

    Morning(pool, look=look).run(coming)


@few
@given(mixes(), pools)
def test_no_gpu_idles_while_one_waits_that_could_have_it(coming: list[Waiting], pool: Pool) -> None:
    def look(morning: Morning) -> None:
        for item in morning.waiting:
            alone = Morning(pool, morning.now, [item], list(morning.running))
            assert alone.ask().start is None

    Morning(pool, look=look).run(coming)


@few
@given(mixes(most_gpus=3), pools)
def test_all_that_can_ever_run_does(coming: list[Waiting], pool: Pool) -> None:
    morning = Morning(pool)
    morning.run(coming)
    fit = {item.key for item in coming if item.gpus <= (pool.room_for(item.priority) or 0)}
    assert {item.key for _at, item in morning.started} == fit
    assert {item.key for item in morning.waiting} == {item.key for item in coming} - fit


@few
@given(mixes(most_gpus=3), pools, st.randoms(use_true_random=False))
def test_the_order_in_which_they_are_told_changes_nothing(
    coming: list[Waiting], pool: Pool, chance: random.Random
) -> None:
    now = 7200.0
    running = [Running(item, item.since) for item in coming[: len(coming) // 3]]
    waiting = coming[len(coming) // 3 :]
    answers, places = set(), set()
    for _ in range(3):
        chance.shuffle(waiting)
        chance.shuffle(running)
        answers.add(decide(pool, waiting, running, used={"bergen": 900.0}, now=now))
        places.add(line_up(pool, waiting, running, used={"bergen": 900.0}, now=now))
    assert len(answers) == len(places) == 1


@few
@given(mixes(most_gpus=2), pools)
def test_the_first_of_each_kind_are_enough_to_decide(coming: list[Waiting], pool: Pool) -> None:
    kinds = defaultdict(list)
    alike = [replace(item, gpus=item.version % 2 + 1, expected_seconds=60.0) for item in coming]
    for item in sorted(alike, key=lambda item: (item.since, item.key)):
        kinds[item.site, item.version, item.priority].append(item)
    first = [kind[0] for kind in kinds.values()]
    whole = decide(pool, alike, [], used={}, now=7200.0)
    assert decide(pool, first, [], used={}, now=7200.0) == whole


@few
@given(mixes(), pools)
def test_of_one_site_the_queue_is_by_arrival_and_head_start(
    coming: list[Waiting], pool: Pool
) -> None:
    of_one = [replace(item, site="drammen") for item in coming]
    places = line_up(pool, of_one, [], used={}, now=7200.0)
    assert [place.number for place in places] == list(range(1, len(coming) + 1))
    expected = sorted(of_one, key=lambda item: (stands_at(item.since, item.priority), item.key))
    assert [place.item for place in places] == expected


@settings(max_examples=8, deadline=None)
@given(st.floats(0.25, 4.0), st.integers(2, 6), st.integers(0, 10**6))
def test_what_each_site_gets_comes_to_its_share(weight: float, gpus: int, seed: int) -> None:
    chance = random.Random(seed)
    pool = Pool(gpus, weights={"bergen": weight})
    coming = [
        one(key, site=site, expected_seconds=chance.uniform(40, 120))
        for key, site in enumerate(["drammen", "bergen"] * 500, start=1)
    ]
    morning = Morning(pool)
    morning.run(coming, until=90 * MINUTE)
    assert {item.site for item in morning.waiting} == {"drammen", "bergen"}
    got = morning.served["bergen"] / morning.served["drammen"]
    assert abs(got / weight - 1) < 0.1


@few
@given(st.integers(1, 4), st.integers(0, 20))
def test_ten_thousand_of_one_trust_do_not_hold_up_another(gpus: int, hours: int) -> None:
    pool = Pool(gpus)
    now = 24 * 60 * MINUTE
    many = [one(key, since=now - hours * 60 * MINUTE) for key in range(1, 200)]
    mine = one(1000, site="bergen", since=now)
    running = [Running(one(2000 + key), now - MINUTE) for key in range(gpus)]
    used = {"drammen": 3600.0 * gpus}
    assert decide(pool, [*many, mine], running[1:], used=used, now=now).start == mine
    places = line_up(pool, [*many, mine], running, used=used, now=now)
    assert places[0].item == mine
    assert places[0].cause == "gpus"
    assert places[0].sites == ("drammen",)


@settings(max_examples=12, deadline=None)
@given(st.sampled_from([Priority.ROUTINE, Priority.LOW]), st.sampled_from(SITES))
def test_nothing_starves_beside_stat_without_end(priority: Priority, site: str) -> None:
    """Four hours of STAT of one site, more than the pool can do: the others still have a turn."""
    stats = [
        one(key, priority=Priority.STAT, since=key * 30.0, expected_seconds=60.0)
        for key in range(1, 480)
    ]
    mine = one(1000, site=site, priority=priority, since=10 * MINUTE)
    morning = Morning(Pool(1, may_preempt=True))
    morning.run([*stats, mine])
    started = [at for at, item in morning.started if item.key == mine.key]
    last = 105 * MINUTE if site == "drammen" else 60 * MINUTE
    assert started
    assert max(started) <= 10 * MINUTE + last


class TestGivingWay:
    """A STAT finds no GPU free."""

    stat = one(100, priority=Priority.STAT, since=600.0)
    pool = Pool(3, may_preempt=True)

    def running(self, *priorities: Priority, **given: object) -> list[Running]:
        return [
            Running(one(key, priority=priority, since=500.0, **given), 500.0 + key)
            for key, priority in enumerate(priorities, start=1)
        ]

    def gives_way(self, running: list[Running], *stats: Waiting) -> list[int]:
        waiting = list(stats or [self.stat])
        said = decide(self.pool, waiting, running, used={}, now=600.0)
        assert said.start is None
        return [one.item.key for one in said.give_way]

    def test_the_youngest_of_the_background_gives_way(self) -> None:
        assert self.gives_way(self.running(Priority.LOW, Priority.LOW, Priority.ROUTINE)) == [2]

    def test_nobody_of_a_higher_class_does(self) -> None:
        running = self.running(Priority.ROUTINE, Priority.MEDIUM, Priority.STAT)
        assert self.gives_way(running) == []

    def test_one_that_gave_way_often_enough_runs_to_its_end(self) -> None:
        running = self.running(Priority.LOW, Priority.LOW, Priority.ROUTINE)
        running[1] = replace(running[1], preemptions=MOST_PREEMPTIONS)
        assert self.gives_way(running) == [1]
        running[0] = replace(running[0], preemptions=MOST_PREEMPTIONS)
        assert self.gives_way(running) == []

    def test_one_that_is_leaving_already_is_enough_for_one_stat(self) -> None:
        running = self.running(Priority.LOW, Priority.LOW, Priority.LOW)
        running[2] = replace(running[2], is_leaving=True)
        assert self.gives_way(running) == []
        assert self.gives_way(running, self.stat, replace(self.stat, key=101)) == [2]

    def test_one_whose_input_is_being_laid_out_is_let_be(self) -> None:
        running = self.running(Priority.LOW, Priority.ROUTINE, Priority.ROUTINE)
        assert self.gives_way([replace(running[0], is_started=False), *running[1:]]) == []

    def test_nobody_gives_way_in_vain(self) -> None:
        running = self.running(Priority.LOW, Priority.ROUTINE, Priority.ROUTINE)
        assert self.gives_way(running, replace(self.stat, gpus=2)) == []
        assert self.gives_way(running, replace(self.stat, gpus=4)) == []

    def test_only_runs_of_the_same_version_make_room_where_that_is_full(self) -> None:
        self.pool = Pool(9, most={1: 3}, may_preempt=True)
        others = [
            Running(one(key, version=2, priority=Priority.LOW, since=500.0), 590.0)
            for key in (21, 22)
        ]
        running = self.running(Priority.LOW, Priority.LOW, Priority.LOW)
        assert self.gives_way([*others, *running]) == [3]

    def test_not_where_the_pool_does_not_allow_it(self) -> None:
        self.pool = Pool(3)
        assert self.gives_way(self.running(Priority.LOW, Priority.LOW, Priority.LOW)) == []

    def test_who_gave_way_stands_behind_the_stat_and_runs_again(self) -> None:
        low = one(1, priority=Priority.LOW, since=0.0, expected_seconds=300.0)
        stat = one(2, priority=Priority.STAT, since=100.0, expected_seconds=50.0)
        morning = Morning(Pool(1, may_preempt=True))
        morning.run([low, stat])
        assert morning.started == [(0.0, low), (100.0, stat), (150.0, low)]


@few
@given(mixes(), pools)
def test_nobody_gives_way_more_often_than_may_be(coming: list[Waiting], pool: Pool) -> None:
    morning = Morning(replace(pool, may_preempt=True))
    morning.run(coming)
    assert max(morning.preempted.values(), default=0) <= MOST_PREEMPTIONS


def test_a_big_one_is_not_passed_by_small_ones_for_ever() -> None:
    """It needs all GPUs; small ones without end would leave it one too few."""
    small = [one(key, since=key * 10.0, expected_seconds=25.0) for key in range(1, 400)]
    big = one(1000, since=100.0, gpus=2, expected_seconds=30.0)
    morning = Morning(Pool(2))
    morning.run([*small, big])
    [at] = [at for at, item in morning.started if item.key == 1000]
    assert at <= 300.0


def test_a_short_one_passes_a_big_one_that_cannot_start_before_it_has_ended() -> None:
    running = [Running(one(1, expected_seconds=600.0), 0.0)]
    big = one(2, gpus=2, since=10.0)
    short, long = one(3, since=20.0, expected_seconds=60.0), one(4, since=15.0, version=2)
    pool = Pool(2)
    long = replace(long, expected_seconds=900.0)
    said = decide(pool, [big, short, long], running, used={}, now=30.0)
    assert said.start == short
    assert decide(pool, [big, long], running, used={}, now=30.0) == Decision()


def test_each_that_waits_is_told_what_for() -> None:
    pool = Pool(2, stat_reserve=1, most={1: 9, 2: 1})
    running = [Running(one(1, site="bergen"), 0.0), Running(one(2, version=2, gpus=0), 0.0)]
    waiting = [
        one(3, since=1.0), one(4, since=2.0, version=2, gpus=0), one(5, since=3.0, gpus=2),
        one(6, since=4.0, gpus=0),
    ]  # fmt: skip
    said = line_up(pool, waiting, running, used={}, now=5.0)
    assert said == (
        Place(waiting[0], 1, "gpus", used=1, most=2, reserved=1, sites=("bergen",)),
        Place(waiting[1], 2, "turn", used=1, most=1),
        Place(waiting[2], 3, "too_big", used=2, most=1),
        Place(waiting[3], 4, "next"),
    )


def test_what_is_told_of_as_in_use_is_not_what_is_about_to_start() -> None:
    waiting = [one(2, since=1.0), one(3, since=2.0)]
    first, second = line_up(Pool(2), waiting, [Running(one(1), 0.0)], used={}, now=5.0)
    assert first == Place(waiting[0], 1, "next")
    assert second == Place(waiting[1], 2, "gpus", used=1, most=2, sites=("drammen",))


def test_use_is_forgotten_after_an_hour() -> None:
    ledger = Ledger()
    ledger.add(one(1, gpus=2), started_at=0.0, ended_at=60.0)
    ledger.add(one(2, site="bergen"), started_at=0.0, ended_at=90.0)
    assert ledger.used(3600.0) == {"drammen": 120.0, "bergen": 90.0}
    assert ledger.used(3670.0) == {"drammen": 0.0, "bergen": 90.0}

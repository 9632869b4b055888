"""Whose turn it is: who starts next, who gives way to a STAT, where each that waits stands.

Pure rules over plain values: no database, no clock of their own. All times are seconds on one
clock, whichever it is; slots.py asks with rows, ``manage.py simulate`` with a day that it made up.

1. Something that waits counts as having come earlier by a head start of its priority, so that what
   waits long enough passes what is more urgent and has just come.
2. Among what then is of one class the site goes first that lately had least of its share.
3. A site that had more than its share gains nothing by waiting while others wait that had less:
   ten thousand studies of one trust stay routine beside the first of another.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from routing.models.orders import Priority

# A Workitem stands as if it had come this much earlier: STAT goes first, but a routine one that has
# waited longer than the difference goes before it, so that nothing starves.
HEAD_START: dict[int, timedelta] = {
    Priority.STAT: timedelta(minutes=30),
    Priority.HIGH: timedelta(minutes=15),
    Priority.MEDIUM: timedelta(minutes=5),
    Priority.ROUTINE: timedelta(0),
    Priority.LOW: timedelta(minutes=-15),
}
# over so much time a site's use is held against its share
WINDOW = timedelta(hours=1)
# so often one Workitem gives way; then it runs to its end
MOST_PREEMPTIONS = 3
# what gives way to a STAT
BACKGROUND = Priority.LOW

_EARLIER = {priority: start.total_seconds() for priority, start in HEAD_START.items()}
# a clock of floating point is out by less
_EPSILON = 1e-3
# the size of a queue up to which each that waits is told its place
MOST_PLACES = 1000

Rank = tuple[int, float, float, int]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A Workitem that waits; ``key`` is unique and settles what is otherwise equal."""

    key: int
    site: str
    version: int
    priority: int
    since: float
    gpus: int = 0
    expected_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Running:
    """A Workitem that runs, or is about to; ``is_started`` is off while its input is laid out."""

    item: Waiting
    started_at: float
    preemptions: int = 0
    is_started: bool = True
    # told to give way, and not gone yet
    is_leaving: bool = False


@dataclass(frozen=True, slots=True)
class Pool:
    """What is shared: GPUs (None: they are not counted), and how many of each version at once."""

    gpus: int | None = None
    # of the GPUs, how many nothing but STAT may take
    stat_reserve: int = 0
    # a site that is not named has the weight 1
    weights: Mapping[str, float] = field(default_factory=dict)
    # version -> runs at once; one that is not named has no bound
    most: Mapping[int, int] = field(default_factory=dict)
    may_preempt: bool = False

    def room_for(self, priority: int) -> int | None:
        """GPUs that one of this priority can have at most."""
        if self.gpus is None or priority == Priority.STAT:
            return self.gpus
        return max(self.gpus - self.stat_reserve, 0)


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done now: one that starts, or else those that must give way."""

    start: Waiting | None = None
    give_way: tuple[Running, ...] = ()


Cause = Literal["next", "gpus", "turn", "too_big"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where one that waits stands, and for what: ``used`` of ``most`` are taken, by ``sites``."""

    item: Waiting
    number: int
    cause: Cause
    used: int = 0
    most: int = 0
    reserved: int = 0
    sites: tuple[str, ...] = ()


class Ledger:
    """What each site used in the last window, in seconds times GPUs (one where none is needed)."""

    def __init__(self, window: timedelta = WINDOW) -> None:
        self._window = window.total_seconds()
        self._ended: deque[tuple[float, str, float]] = deque()
        self._used: defaultdict[str, float] = defaultdict(float)

    def add(self, item: Waiting, *, started_at: float, ended_at: float) -> None:
        """Take down a run that is over; in the order in which they ended."""
        cost = max(ended_at - started_at, 0.0) * max(item.gpus, 1)
        self._ended.append((ended_at, item.site, cost))
        self._used[item.site] += cost

    def used(self, now: float) -> Mapping[str, float]:
        """Site -> use of what ended within the window before ``now``."""
        while self._ended and self._ended[0][0] < now - self._window:
            _at, site, cost = self._ended.popleft()
            self._used[site] = max(self._used[site] - cost, 0.0)
        return self._used


class _Room:
    """What is taken of a pool, and what still fits."""

    def __init__(self, pool: Pool, running: Iterable[Running]) -> None:
        self.pool = pool
        self.gpus = 0
        self.gpus_of_others = 0
        self.runs: defaultdict[int, int] = defaultdict(int)
        for one in running:
            self.take(one.item)

    def take(self, item: Waiting, times: int = 1) -> None:
        self.runs[item.version] += times
        self.gpus += item.gpus * times
        if item.priority != Priority.STAT:
            self.gpus_of_others += item.gpus * times

    def give_back(self, item: Waiting) -> None:
        self.take(item, -1)

    def has_turn(self, item: Waiting) -> bool:
        most = self.pool.most.get(item.version)
        return most is None or self.runs[item.version] < most

    def has_gpus(self, item: Waiting) -> bool:
        if self.pool.gpus is None or not item.gpus:
            return True
        if self.gpus + item.gpus > self.pool.gpus:
            return False
        most = self.pool.room_for(item.priority)
        is_stat = item.priority == Priority.STAT
        return most is None or is_stat or self.gpus_of_others + item.gpus <= most

    def fits(self, item: Waiting) -> bool:
        return self.has_turn(item) and self.has_gpus(item)


class _Order:
    """The order in which a pool is shared out, by what each site has had of it."""

    def __init__(
        self, pool: Pool, waiting: Iterable[Waiting], running: Iterable[Running],
        used: Mapping[str, float], now: float,
    ) -> None:  # fmt: skip
        self.now = now
        self._weights = pool.weights
        self._used = defaultdict(float, used)
        for one in running:
            ran = max(now - one.started_at, one.item.expected_seconds)
            self._used[one.item.site] += ran * max(one.item.gpus, 1)
        # how many wait of each site: a share is held against those of others that wait as well
        self._waiting: defaultdict[str, int] = defaultdict(int)
        for item in waiting:
            self._waiting[item.site] += 1
        self._fair = self._fair_use()

    def rank(self, item: Waiting) -> Rank:
        """What is smaller goes first."""
        stands = stands_at(item.since, item.priority)
        use = self._use(item.site)
        if use > self._fair + _EPSILON:
            return (item.priority, use, stands, item.key)
        return (min(item.priority, _class_of(self.now - stands)), use, stands, item.key)

    def has_gone(self, item: Waiting) -> None:
        """Count one that was ranked as one that will run."""
        self._used[item.site] += item.expected_seconds * max(item.gpus, 1)
        self._waiting[item.site] -= 1
        self._fair = self._fair_use()

    def _use(self, site: str) -> float:
        return self._used[site] / self._weights.get(site, 1.0)

    def _fair_use(self) -> float:
        sites = [site for site, count in self._waiting.items() if count > 0]
        weight = sum(self._weights.get(site, 1.0) for site in sites)
        return sum(self._used[site] for site in sites) / weight if weight else 0.0


def stands_at(since: float, priority: int) -> float:
    """The moment at which one that waits counts as having come."""
    return since - _EARLIER[priority]


def _class_of(age: float) -> int:
    """The most urgent class whose head start is not more than this age, in seconds."""
    for priority, start in _EARLIER.items():
        if age >= start - _EPSILON:
            return priority
    return BACKGROUND


def decide(
    pool: Pool, waiting: Sequence[Waiting], running: Sequence[Running], *,
    used: Mapping[str, float], now: float,
) -> Decision:  # fmt: skip
    """The one that starts now; or, where none can, who gives way to the STAT that wait.

    Of those that are alike (site, version, priority) only the one that came first need be given.
    Ask again, with what starts among the running, until nothing starts.
    """
    if not waiting:
        return Decision()
    room = _Room(pool, running)
    order = _Order(pool, waiting, running, used, now)
    first = min(waiting, key=order.rank)
    if room.fits(first):
        return Decision(first)
    hold: Callable[[Waiting], bool] | None = None
    for item in sorted(waiting, key=order.rank):
        if room.fits(item):
            if hold is None or item.priority == Priority.STAT or hold(item):
                return Decision(item)
        elif hold is None and _is_held_for(pool, room, item):
            hold = _passing(pool, running, item, now)
    if not pool.may_preempt:
        return Decision()
    return Decision(give_way=_give_way(pool, waiting, running, order))


def _is_held_for(pool: Pool, room: _Room, item: Waiting) -> bool:
    """Whether GPUs are kept together for one that needs more than are free, and can have them."""
    most = pool.room_for(item.priority)
    return most is not None and item.gpus <= most and not room.has_gpus(item)


def _passing(
    pool: Pool, running: Sequence[Running], held_for: Waiting, now: float
) -> Callable[[Waiting], bool]:
    """Whether one may start before ``held_for`` without making it wait longer.

    EASY backfilling (Lifka 1995): it ends before enough GPUs are free together, or then leaves
    enough of them.
    """
    room = _Room(pool, running)
    at = now
    by_end = sorted(running, key=lambda one: (_ends_at(one, now), one.item.key))
    for one in by_end:
        if room.has_gpus(held_for):
            break
        at = _ends_at(one, now)
        room.give_back(one.item)
    room.take(held_for)
    return lambda item: now + item.expected_seconds <= at or room.has_gpus(item)


def _ends_at(one: Running, now: float) -> float:
    return max(one.started_at + one.item.expected_seconds, now)


def _give_way(
    pool: Pool, waiting: Sequence[Waiting], running: Sequence[Running], order: _Order
) -> tuple[Running, ...]:
    """Who of the background is stopped so that the STAT that wait can start; the youngest first."""
    room = _Room(pool, (one for one in running if not one.is_leaving))
    staying = sorted(
        (one for one in running if _may_give_way(one)),
        key=lambda one: (-one.started_at, -one.item.key),
    )
    gone: list[Running] = []
    for stat in sorted(waiting, key=order.rank):
        if stat.priority != Priority.STAT:
            continue
        behind = [one for one in staying if order.rank(one.item) > order.rank(stat)]
        leaving = _fewest(room, stat, behind)
        if leaving is None:
            continue
        for one in leaving:
            room.give_back(one.item)
            staying.remove(one)
        gone += leaving
        room.take(stat)
    return tuple(gone)


def _may_give_way(one: Running) -> bool:
    is_background = one.item.priority >= BACKGROUND
    may = is_background and one.preemptions < MOST_PREEMPTIONS
    return may and one.is_started and not one.is_leaving


def _fewest(room: _Room, stat: Waiting, behind: Sequence[Running]) -> list[Running] | None:
    """The first of ``behind`` without whom the STAT fits; None where it would not anyhow."""
    gone: list[Running] = []
    for one in behind:
        if room.fits(stat):
            break
        helps = one.item.gpus and not room.has_gpus(stat)
        if helps or (one.item.version == stat.version and not room.has_turn(stat)):
            room.give_back(one.item)
            gone.append(one)
    fits = room.fits(stat)
    # one that was taken for its GPUs may not be needed once another of the same version left too
    for one in list(gone):
        room.take(one.item)
        if fits and room.fits(stat):
            gone.remove(one)
        else:
            room.give_back(one.item)
    for one in gone:
        room.take(one.item)
    return gone if fits else None


def line_up(
    pool: Pool, waiting: Sequence[Waiting], running: Sequence[Running], *,
    used: Mapping[str, float], now: float,
) -> tuple[Place, ...]:  # fmt: skip
    """The place of each that waits, as the queue would empty if nothing more came.

    At most MOST_PLACES of them; all of the waiting must be given, not only the first of a kind.
    """
    order = _Order(pool, waiting, running, used, now)
    room, now_taken = _Room(pool, running), _Room(pool, running)
    alike: defaultdict[tuple[str, int], deque[Waiting]] = defaultdict(deque)
    for item in sorted(waiting, key=lambda one: (one.since, one.key)):
        alike[item.site, item.priority].append(item)
    by_site = tuple(sorted({one.item.site for one in running if one.item.gpus}))
    places = []
    for number in range(1, min(len(waiting), MOST_PLACES) + 1):
        queue = min((queue for queue in alike.values() if queue), key=lambda q: order.rank(q[0]))
        item = queue.popleft()
        places.append(_place(room, now_taken, item, number, by_site))
        order.has_gone(item)
    return tuple(places)


def _place(
    room: _Room, now_taken: _Room, item: Waiting, number: int, by_site: tuple[str, ...]
) -> Place:
    """``room`` is as it will be once those before it have started, ``now_taken`` as it is."""
    pool, most = room.pool, room.pool.room_for(item.priority)
    if most is not None and item.gpus > most:
        return Place(item, number, "too_big", used=item.gpus, most=most)
    if not room.has_gpus(item):
        reserved = 0 if item.priority == Priority.STAT else pool.stat_reserve
        return Place(item, number, "gpus", now_taken.gpus, pool.gpus or 0, reserved, by_site)
    if not room.has_turn(item):
        used = now_taken.runs[item.version]
        return Place(item, number, "turn", used, pool.most[item.version])
    room.take(item)
    return Place(item, number, "next")

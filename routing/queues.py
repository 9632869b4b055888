"""What waits and what runs in one queue, read from the rows for the rules of scheduling.py."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Min, Q, QuerySet
from django.utils import timezone

from routing import scheduling
from routing.models import Workitem
from routing.pools import Scope
from routing.scheduling import WINDOW, Ledger, Place, Running, Waiting

# what a run is expected to take while none has ended within the window, at most
_UNKNOWN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """The Workitem that starts now, if one does, and the keys of those that must give way."""

    start: Workitem | None
    give_way: tuple[int, ...] = ()


class Queue:
    """One queue as it stands at this moment; read when it is asked."""

    def __init__(self, scope: Scope, now: datetime | None = None) -> None:
        self.scope = scope
        self.rules = scope.rules()
        self.now = now or timezone.now()
        self._items = Workitem.objects.filter(version__in=list(scope.versions))
        self._starting = Q(state="entitled", lease_until__gte=self.now)
        self._expected: dict[int, float] = {}
        self._ledger = Ledger()

    def decide(self) -> Answer:
        """Who starts next, or who must give way so that a STAT can."""
        running = self.running()
        if self._is_full(running):
            return Answer(None)
        kinds = self._first_of_each_kind()
        if not kinds:
            return Answer(None)
        if len({one["study__site__code"] for one in kinds}) > 1 or self.scope.pool:
            self._look_back()
            running = self.running()
        waiting = [self._waiting(one["key"], one, one["since"]) for one in kinds]
        said = scheduling.decide(
            self.rules, waiting, running,
            used=self._ledger.used(self.now.timestamp()), now=self.now.timestamp(),
        )  # fmt: skip
        if said.start is None:
            return Answer(None, tuple(one.item.key for one in said.give_way))
        return Answer(self._oldest(kinds[waiting.index(said.start)]))

    def places(self) -> tuple[Place, ...]:
        """Where each that waits stands; Place.item.key is the Workitem's key."""
        self._look_back()
        rows = self._ready().values("pk", *_KIND, "created_at")
        waiting = [self._waiting(one["pk"], one, one["created_at"]) for one in rows]
        now = self.now.timestamp()
        return scheduling.line_up(
            self.rules, waiting, self.running(), used=self._ledger.used(now), now=now
        )

    def count_waiting(self) -> int:
        """How many are ready to start."""
        return self._ready().count()

    def running(self) -> list[Running]:
        """What runs, and what is about to."""
        rows = self._items.filter(Q(state="dispatched") | self._starting)
        return [self._running(one) for one in rows.values("pk", *_KIND, *_OF_A_RUN)]

    def _is_full(self, running: Iterable[Running]) -> bool:
        """Whether nothing can start, whatever waits: of one version that has all its turns."""
        if len(self.scope.versions) > 1 or self.rules.may_preempt or not self.rules.most:
            return False
        [most] = self.rules.most.values()
        return sum(1 for _one in running) >= most

    def _ready(self) -> QuerySet[Workitem]:
        waiting = self._items.filter(state="entitled").exclude(self._starting)
        return waiting.filter(Q(due_at=None) | Q(due_at__lte=self.now))

    def _first_of_each_kind(self) -> list[dict[str, Any]]:
        """Of one site, version and priority the oldest stands first, however many wait."""
        kinds = self._ready().order_by().values(*_KIND)
        return list(kinds.annotate(since=Min("created_at"), key=Min("pk")).order_by(*_KIND))

    def _oldest(self, kind: dict[str, Any]) -> Workitem | None:
        alike = self._ready().filter(**{name: kind[name] for name in _KIND})
        return alike.order_by("created_at", "pk").first()

    def _look_back(self) -> None:
        """Read what ended within the window: how much each site used, how long a run takes."""
        since = self.now - WINDOW
        ended = self._items.filter(finished_at__gte=since, dispatched_at__isnull=False)
        took: defaultdict[int, list[float]] = defaultdict(list)
        rows = ended.order_by("finished_at").values("pk", *_KIND, "dispatched_at", "finished_at")
        for one in rows:
            start, end = one["dispatched_at"].timestamp(), one["finished_at"].timestamp()
            took[one["version"]].append(max(end - start, 0.0))
            item = self._waiting(one["pk"], one, one["dispatched_at"])
            self._ledger.add(item, started_at=start, ended_at=end)
        self._expected = {version: sum(all_) / len(all_) for version, all_ in took.items()}

    def _waiting(self, key: int, row: dict[str, Any], since: datetime) -> Waiting:
        version = row["version"]
        return Waiting(
            key, row["study__site__code"], version, row["priority"], since.timestamp(),
            self.scope.gpus_of(version), self._seconds(version),
        )  # fmt: skip

    def _running(self, row: dict[str, Any]) -> Running:
        is_started = row["state"] == "dispatched" and row["dispatched_at"] is not None
        started_at = row["dispatched_at"] if is_started else self.now
        return Running(
            self._waiting(row["pk"], row, row["created_at"]),
            started_at.timestamp(),
            preemptions=row["preemptions"],
            is_started=is_started,
            is_leaving=row["preempt_at"] is not None,
        )

    def _seconds(self, version: int) -> float:
        most = float(self.scope.versions[version].declared.performer.timeout_seconds)
        return self._expected.get(version, min(most, _UNKNOWN_SECONDS))


_KIND = ("study__site__code", "version", "priority")
_OF_A_RUN = ("state", "created_at", "dispatched_at", "preemptions", "preempt_at")

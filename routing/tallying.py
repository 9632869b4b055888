"""Adds up the moves of rows, so that nobody who asks for numbers reads all that ever happened.

A Transition is written with each move, so the numbers are the same from every process and outlive
every restart. Once a minute the worker adds what is new to the tallies and notes how far it came;
who reads takes the tallies and what came after.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from routing.models import Tally, TallyMark, Transition

# seconds, each the upper end of a bucket; one more is for all that took longer
BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
# A transaction may write a lower number and commit later: what is younger is not noted as seen yet.
_SETTLED = timedelta(minutes=2)
_MOST_AT_ONCE = 5000

Key = tuple[str, str, str]
# the kinds of row, and the column of a Transition that names one
_OWN = {"study": "study_id", "workitem": "workitem_id", "delivery": "delivery_id"}


@dataclass(slots=True)
class Sum:
    """The moves of one kind of row, under one label, to one state."""

    count: int = 0
    seconds: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))

    def take(self, stood: float | None) -> None:
        """Count one move; ``stood`` is for how many seconds, None for a row's beginning."""
        self.count += 1
        if stood is not None:
            self.seconds += stood
            self.buckets[bisect_left(BUCKETS, stood)] += 1

    def add(self, other: Sum | Tally) -> None:
        """Add what others counted."""
        self.count += other.count
        self.seconds += other.seconds
        self.buckets = [a + b for a, b in zip(self.buckets, other.buckets, strict=True)]


def totals() -> dict[Key, Sum]:
    """All moves so far, by kind, label and state."""
    while True:
        mark = _mark()
        found: dict[Key, Sum] = defaultdict(Sum)
        for tally in Tally.objects.all():
            found[tally.kind, tally.label, tally.state].add(tally)
        for key, fresh in _sums(_moves_after(mark)).items():
            found[key].add(fresh)
        if _mark() == mark:
            return found


def tally() -> int:
    """Add to the tallies what has settled since the last time; how many moves that were."""
    count = 0
    while added := _add_some():
        count += added
    return count


@transaction.atomic
def _add_some() -> int:
    TallyMark.objects.get_or_create(pk=1)
    # Locked: of two workers one adds, and the other finds nothing left.
    mark = TallyMark.objects.select_for_update().get(pk=1)
    settled = timezone.now() - _SETTLED
    moves = _moves_after(mark.last)
    ends = [move.pk for move in moves if move.at < settled]
    if not ends:
        return 0
    moves = [move for move in moves if move.pk <= ends[-1]]
    for (kind, label, state), fresh in _sums(moves).items():
        known = Tally.objects.filter(kind=kind, label=label, state=state).first()
        row = known or Tally(kind=kind, label=label, state=state)
        if row.buckets:
            fresh.add(row)
        row.count, row.seconds, row.buckets = fresh.count, fresh.seconds, fresh.buckets
        row.save()
    mark.last = ends[-1]
    mark.save()
    return len(moves)


def _mark() -> int:
    return TallyMark.objects.filter(pk=1).values_list("last", flat=True).first() or 0


@dataclass(frozen=True, slots=True)
class _Move:
    pk: int
    at: datetime
    row: tuple[str, int]
    label: str
    state: str


_ROW = ("pk", "at", "study_id", "workitem_id", "delivery_id", "to_state")
_LABELS = (
    "study__site__code", "workitem__version__algorithm__code", "delivery__node__code",
)  # fmt: skip


def _moves_after(mark: int) -> list[_Move]:
    rows = Transition.objects.filter(pk__gt=mark).order_by("pk").values_list(*_ROW, *_LABELS)
    return [
        _Move(pk, at, _row(study, item, delivery), node or algorithm or site or "", state)
        for pk, at, study, item, delivery, state, site, algorithm, node in rows[:_MOST_AT_ONCE]
    ]


def _row(study: int, workitem: int | None, delivery: int | None) -> tuple[str, int]:
    if delivery is not None:
        return "delivery", delivery
    return ("workitem", workitem) if workitem is not None else ("study", study)


def _sums(moves: Iterable[_Move]) -> dict[Key, Sum]:
    fresh = list(moves)
    found: dict[Key, Sum] = defaultdict(Sum)
    came_at = _came_at(fresh)
    for move in fresh:
        since = came_at.get(move.pk)
        stood = max((move.at - since).total_seconds(), 0.0) if since else None
        found[move.row[0], move.label, move.state].take(stood)
    return found


def _came_at(moves: list[_Move]) -> dict[int, datetime]:
    """When each move's row had come to the state that it left, by the key of the move."""
    if not moves:
        return {}
    # Deliveries and Workitems by their own index; all of a study's own moves by its.
    wanted = {kind: {move.row[1] for move in moves if move.row[0] == kind} for kind in _OWN}
    before: dict[tuple[str, int], datetime] = {}
    came: dict[int, datetime] = {}
    every = [
        row for kind, own in _OWN.items() if wanted[kind]
        for row in Transition.objects.filter(**{f"{own}__in": wanted[kind]})
        .values_list("pk", "at", "study_id", "workitem_id", "delivery_id")
    ]  # fmt: skip
    for pk, at, study, item, delivery in sorted(set(every)):
        row = _row(study, item, delivery)
        if row in before:
            came[pk] = before[row]
        before[row] = at
    return came

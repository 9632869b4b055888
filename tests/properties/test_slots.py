"""The scheduler: whatever waits, STAT goes first, nothing starves, and no slot is used twice."""

from __future__ import annotations

import heapq
from datetime import UTC, datetime, timedelta

from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from hub.phrases import phrase
from routing import pathway
from routing.models import Priority, Workitem
from routing.scheduling import HEAD_START
from routing.slots import next_up, stands_as
from tests.builders import parties, worklists

START = datetime(2026, 3, 16, 8, 0, tzinfo=UTC)
priorities = st.sampled_from(list(Priority))
# (minute of arrival, priority)
arrivals = st.lists(st.tuples(st.integers(0, 600), priorities), min_size=1, max_size=60)
# how much sooner the most urgent may count as having come than the least urgent
WIDEST = max(HEAD_START.values()) - min(HEAD_START.values())


def waiting(number: int, minute: int, priority: Priority) -> Workitem:
    """A Workitem as it waits; no row."""
    came = START + timedelta(minutes=minute)
    return Workitem(pk=number, priority=priority, created_at=came)


def started(items: list[Workitem], *, minutes_each: int) -> list[Workitem]:
    """The order in which one slot starts them, each when the slot is free and it has come."""
    coming = sorted(items, key=lambda item: item.created_at, reverse=True)
    queue: list[tuple[tuple[datetime, int], Workitem]] = []
    now, done = START, []
    while coming or queue:
        if not queue and coming[-1].created_at > now:
            now = coming[-1].created_at
        while coming and coming[-1].created_at <= now:
            item = coming.pop()
            heapq.heappush(queue, (stands_as(item), item))
        done.append(heapq.heappop(queue)[1])
        now += timedelta(minutes=minutes_each)
    return done


@given(arrivals, st.integers(1, 60))
def test_nobody_waits_for_more_than_those_who_came_before_and_a_head_start(
    mix: list[tuple[int, Priority]], minutes_each: int
) -> None:
    items = [waiting(number, *one) for number, one in enumerate(mix, start=1)]
    order = started(items, minutes_each=minutes_each)
    assert sorted(item.pk for item in order) == [item.pk for item in items]
    for place, item in enumerate(order):
        overtakers = [one for one in order[:place] if one.created_at > item.created_at + WIDEST]
        assert overtakers == []


@given(st.integers(0, 600), st.lists(priorities, min_size=2, max_size=12))
def test_of_what_came_at_once_the_more_urgent_starts_first(
    minute: int, mix: list[Priority]
) -> None:
    items = [waiting(number, minute, one) for number, one in enumerate(mix, start=1)]
    order = started(items, minutes_each=5)
    assert [item.priority for item in order] == sorted(mix)


@given(st.integers(0, 600), st.integers(0, 29))
def test_stat_starts_before_routine_that_came_up_to_half_an_hour_earlier(
    minute: int, later: int
) -> None:
    routine = waiting(1, minute, Priority.ROUTINE)
    stat = waiting(2, minute + later, Priority.STAT)
    assert min(routine, stat, key=stands_as) is stat


@given(st.integers(0, 600), st.integers(31, 600))
def test_routine_that_waits_long_starts_before_stat_that_has_just_come(
    minute: int, later: int
) -> None:
    routine = waiting(1, minute, Priority.ROUTINE)
    stat = waiting(2, minute + later, Priority.STAT)
    assert min(routine, stat, key=stands_as) is routine


KINDS = ("waits", "waits", "waits", "runs", "is held", "not due", "ended")
mixes = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(0, 120), priorities), min_size=0, max_size=10
)


class TestSlots(TestCase):
    """The same over real rows, in whatever state they stand."""

    def setUp(self) -> None:
        rows = parties.first_site()
        self.version = rows.version
        self.study = worklists.study_at(rows.site)

    def made(self, kind: str, minutes: int, priority: Priority) -> Workitem:
        state = {"runs": "dispatched", "ended": "written_back"}.get(kind, "entitled")
        item = worklists.workitem_on(self.study, self.version, state=state, priority=priority)
        now = timezone.now()
        fields: dict[str, datetime] = {"created_at": now - timedelta(minutes=minutes)}
        if kind == "is held":
            fields["lease_until"] = now + timedelta(minutes=1)
        if kind == "not due":
            fields["due_at"] = now + timedelta(minutes=1)
        Workitem.objects.filter(pk=item.pk).update(priority=priority, **fields)
        return Workitem.objects.get(pk=item.pk)

    @settings(max_examples=40, deadline=None)
    @given(mixes, st.integers(1, 4))
    def test_any_mix_starts_in_order_and_never_more_at_once_than_may(
        self, mix: list[tuple[str, int, Priority]], concurrency: int
    ) -> None:
        self.version.manifest["performer"]["concurrency"] = concurrency
        self.version.save()
        items = [(kind, self.made(kind, minutes, priority)) for kind, minutes, priority in mix]
        # the builder places the study, which gives waiting rows its priority
        for (_kind, item), (_k, _m, priority) in zip(items, mix, strict=True):
            Workitem.objects.filter(pk=item.pk).update(priority=priority)
            item.priority = priority
        busy = sum(kind in ("runs", "is held") for kind, _item in items)
        ready = sorted((item for kind, item in items if kind == "waits"), key=stands_as)
        begun: list[Workitem] = []
        while True:
            with next_up(self.version.pk) as held:
                if held is None:
                    break
                pathway.advance(held, "dispatched", why=phrase("starts"))
                begun.append(held)
        free = max(concurrency - busy, 0)
        assert [item.pk for item in begun] == [item.pk for item in ready[:free]]

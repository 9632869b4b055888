"""Buckets that fill with time, and reports that are told as long as they are few."""

from __future__ import annotations

import pytest

from hub.limiting import Allowance, Sparing


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_who_has_taken_all_waits_until_there_is_one_again(clock: Clock) -> None:
    allowance = Allowance(per_minute=60, burst=3, clock=clock)
    assert [allowance.take("a") for _ in range(4)] == [0, 0, 0, 1.0]
    clock.now += 0.5
    assert allowance.take("a") == 0.5  # asking in vain takes nothing
    clock.now += 0.5
    assert allowance.take("a") == 0
    clock.now += 3600
    assert [allowance.take("a") for _ in range(4)] == [0, 0, 0, 1.0]  # no more than fits in


def test_one_does_not_wait_for_another(clock: Clock) -> None:
    allowance = Allowance(per_minute=60, burst=1, clock=clock)
    assert allowance.take("a") == allowance.take("b") == 0
    assert allowance.take("a") == 1
    assert allowance.wait("c") == 0
    assert allowance.wait("a") == 1


def test_only_so_many_are_remembered(clock: Clock) -> None:
    allowance = Allowance(per_minute=1, burst=1, most_keys=2, clock=clock)
    for name in "abc":
        assert allowance.take(name) == 0
    assert allowance.take("c") > 0
    assert allowance.take("a") == 0  # forgotten


def test_the_next_report_that_is_told_says_how_many_were_not(clock: Clock) -> None:
    sparing = Sparing(per_minute=6, burst=2, clock=clock)
    assert [sparing.untold("a") for _ in range(5)] == [0, 0, None, None, None]
    assert sparing.untold("b") == 0
    clock.now += 10
    assert [sparing.untold("a") for _ in range(2)] == [3, None]
    clock.now += 10
    assert sparing.untold("a") == 1

"""How many warm servers there are: between two bounds, by what waits, by what is idle or worn."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vendors.warm_scaling import IDLE_SECONDS, LONGEST_SECONDS, Plan, Standing, plan


def server(number: int, **changes: Any) -> Standing:
    return Standing(**{"number": number, "is_busy": False, "idle_seconds": 1.0,
                       "age_seconds": 60.0} | changes)  # fmt: skip


def busy(number: int, **changes: Any) -> Standing:
    return server(number, is_busy=True, **changes)


IDLE, OLD = {"idle_seconds": IDLE_SECONDS + 1}, {"age_seconds": LONGEST_SECONDS + 1}
# servers, waiting, least, most, what is done
CASES: dict[str, tuple[list[Standing], int, int, int, Plan]] = {
    "nothing to do": ([], 0, 0, 2, Plan()),
    "the first run": ([], 1, 0, 2, Plan(start=(0,))),
    "as many as wait": ([], 3, 0, 4, Plan(start=(0, 1, 2))),
    "never above the most": ([busy(0)], 5, 0, 2, Plan(start=(1,))),
    "one is free": ([server(0)], 1, 0, 2, Plan()),
    "one is busy": ([busy(0)], 1, 0, 2, Plan(start=(1,))),
    "the least is kept up": ([], 0, 2, 3, Plan(start=(0, 1))),
    "idle for long": ([server(0, **IDLE), server(1, **IDLE)], 0, 1, 2, Plan(stop=(1,))),
    "idle, but wanted": ([server(0, **IDLE)], 1, 0, 2, Plan()),
    "at the least": ([server(0, **IDLE)], 0, 1, 2, Plan()),
    "worn out": ([server(0, **OLD)], 0, 0, 1, Plan(stop=(0,))),
    "worn out, but at work": ([busy(0, **OLD)], 0, 0, 1, Plan()),
    "of an earlier image": ([server(0, is_current=False), busy(1, is_current=False)], 1, 0, 3,
                            Plan(start=(2,), stop=(0,))),
    "a number that is not free yet": ([server(0, is_stopping=True)], 1, 0, 2, Plan(start=(1,))),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_servers_come_and_go(case: str) -> None:
    servers, waiting, least, most, expected = CASES[case]
    assert plan(servers, waiting=waiting, least=least, most=most) == expected


standings = st.builds(
    Standing, st.integers(0, 7), st.booleans(), st.floats(0, 2000), st.floats(0, 90_000),
    st.booleans(), st.booleans(),
)  # fmt: skip


@given(st.lists(standings, unique_by=lambda one: one.number), st.integers(0, 9),
       st.integers(0, 4), st.integers(0, 4))  # fmt: skip
def test_no_plan_stops_who_works_or_leaves_the_bounds(
    servers: list[Standing], waiting: int, least: int, more: int
) -> None:
    most = max(least + more, 1)
    made = plan(servers, waiting=waiting, least=least, most=most)
    by_number = {one.number: one for one in servers}
    assert not any(by_number[number].is_busy for number in made.stop)
    assert not set(made.start) & set(by_number)
    staying = [one for one in servers if not one.is_stopping and one.number not in made.stop]
    if made.start:
        assert len(staying) + len(made.start) <= most

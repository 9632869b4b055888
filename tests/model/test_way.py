"""Whatever two workers do, die of or sleep through, a study comes to rest as it must."""

from __future__ import annotations

from functools import partial

import pytest

from routing import pathway
from tests.model import promises, way, world
from tests.model.checker import Broken, Found, look_through
from tests.model.world import Rules, World


def found(rules: Rules) -> Found[World]:
    return look_through(World(), partial(way.steps, rules=rules), promises.wrong)


def assert_sound(rules: Rules, *, least: int) -> None:
    """Nothing wrong can be come to, and from everywhere a way leads to rest."""
    all_there_is = found(rules)
    assert len(all_there_is.came_from) > least
    stuck = all_there_is.cannot_reach(promises.is_at_rest)
    assert not stuck, "\n".join([*all_there_is.way_to(stuck[0]), repr(stuck[0])])


def test_the_tables_of_the_model_are_those_of_the_pathway() -> None:
    assert world.STUDY_MOVES == pathway.STUDY_MOVES
    assert world.WORKITEM_MOVES == pathway.WORKITEM_MOVES
    assert world.DELIVERY_MOVES == pathway.DELIVERY_MOVES


def test_nothing_wrong_can_come_about_and_everything_can_come_to_rest() -> None:
    assert_sound(Rules(), least=50_000)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_nor_where_two_things_go_wrong_in_one_study() -> None:
    assert_sound(Rules(faults=2), least=100_000)


@pytest.mark.parametrize(
    "rules",
    [
        Rules(fences=False),
        Rules(letters_wait=False),
        # No number reaches a network: see docs/explanation/exactly-once.md.
        Rules(senders_are_paused=True),
    ],
)
def test_without_one_of_its_rules_a_result_comes_after_what_superseded_it(rules: Rules) -> None:
    with pytest.raises(Broken, match="what was superseded came after what superseded it"):
        look_through(World(), partial(way.steps, rules=rules), promises.wrong_to_see)


def test_the_way_to_what_is_wrong_is_told_step_by_step() -> None:
    def steps(number: int) -> list[tuple[str, int]]:
        return [(f"add {more}", number + more) for more in (1, 3) if number < 10]

    with pytest.raises(Broken, match=r"seven\n  add 1\n  add 3\n  add 3\n7"):
        look_through(0, steps, lambda number: "seven" if number == 7 else "")
    assert look_through(0, steps, lambda _number: "").cannot_reach(lambda one: one == 12) == [
        10, 11,
    ]  # fmt: skip

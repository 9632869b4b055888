"""Destinations that do not answer promptly hold some of the threads, and never all of them."""

from __future__ import annotations

from contextlib import ExitStack

from routing.lanes import Lanes


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_slow_together_have_only_so_many_turns_and_the_prompt_have_theirs() -> None:
    clock = Clock()
    lanes = Lanes(most_slow=lambda: 2, clock=clock)
    with lanes.turn(1) as may_begin:
        assert may_begin
        lanes.note(1, is_reachable=True)
    with ExitStack() as turns:
        for node in (11, 12, 13):
            lanes.note(node, is_reachable=False)
        slow = [turns.enter_context(lanes.turn(node)) for node in (11, 12, 13)]
        assert slow == [True, True, False]
        assert turns.enter_context(lanes.turn(1))
    # A turn that has ended makes room.
    with lanes.turn(13) as may_begin:
        assert may_begin


def test_one_that_takes_long_counts_as_slow_before_its_turn_has_ended() -> None:
    clock = Clock()
    lanes = Lanes(most_slow=lambda: 1, clock=clock)
    with lanes.turn(1):
        lanes.note(1, is_reachable=True)
        lanes.note(2, is_reachable=False)
        with lanes.turn(2) as may_begin:
            assert may_begin
        clock.now += 5
        with lanes.turn(2) as may_begin:
            assert not may_begin
        lanes.note(1, is_reachable=True)
    # It has answered, and too late.
    with lanes.turn(2), lanes.turn(1) as may_begin:
        assert not may_begin


def test_one_that_could_not_be_reached_is_prompt_no_more() -> None:
    lanes = Lanes(most_slow=lambda: 1, clock=Clock())
    with lanes.turn(1), lanes.turn(2):
        lanes.note(1, is_reachable=True)
        lanes.note(2, is_reachable=True)
        lanes.note(2, is_reachable=False)
    with lanes.turn(9), lanes.turn(1) as one, lanes.turn(2) as two:
        assert (one, two) == (True, False)


def test_who_has_not_been_asked_lately_is_asked_beside_what_is_silent() -> None:
    clock = Clock()
    lanes = Lanes(most_slow=lambda: 1, clock=clock)
    with lanes.turn(1):
        lanes.note(1, is_reachable=True)
    clock.now += 600
    with ExitStack() as turns:
        assert turns.enter_context(lanes.turn(9))
        clock.now += 5
        # of one nothing is known any more, of the other nothing yet: one of them is asked
        asked = [turns.enter_context(lanes.turn(node)) for node in (1, 2)]
        assert asked == [True, False]

"""Who asks for what is being done leaves it to who is at it, and is not forgotten."""

from __future__ import annotations

import threading

import pytest

from routing.single_flight import SingleFlight


def test_those_who_come_meanwhile_are_one_more_turn_and_other_keys_do_not_wait() -> None:
    flight, began, goes_on = SingleFlight(), threading.Event(), threading.Event()
    done: list[str] = []

    def long() -> None:
        began.set()
        assert goes_on.wait(10)
        done.append("long")

    thread = threading.Thread(
        target=flight.run, args=(1, long), kwargs={"again": lambda: done.append("again")}
    )
    thread.start()
    assert began.wait(10)
    for _ in range(300):
        flight.run(1, lambda: done.append("beside"), again=lambda: done.append("no"))
    flight.run(2, lambda: done.append("other"), again=lambda: done.append("no"))
    assert done == ["other"]
    goes_on.set()
    thread.join(10)
    assert done == ["other", "long", "again"]
    # The next has it to itself, and nobody came meanwhile.
    flight.run(1, lambda: done.append("next"), again=lambda: done.append("no"))
    assert done[3:] == ["next"]


def test_one_that_fails_still_asks_for_those_who_came() -> None:
    flight, done = SingleFlight(), []

    def fails() -> None:
        flight.run(1, lambda: done.append("beside"), again=lambda: done.append("no"))
        raise OSError

    with pytest.raises(OSError):
        flight.run(1, fails, again=lambda: done.append("again"))
    assert done == ["again"]
    flight.run(1, lambda: done.append("next"), again=lambda: done.append("no"))
    assert done == ["again", "next"]

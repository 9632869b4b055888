"""One algorithm whose engine does not answer never holds all threads of a worker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from hub import queues
from routing import shares
from routing.shares import Shares


@pytest.fixture(autouse=True)
def serves_all() -> Iterator[None]:
    yield
    queues.serve(queues.QUEUES)


def test_one_has_at_most_half_and_there_is_always_one_for_whoever_has_none() -> None:
    held = Shares(most=lambda: 6)
    with ExitStack() as turns:

        def begins(key: str) -> bool:
            return turns.enter_context(held.turn(key))

        assert [begins("stuck") for _ in range(4)] == [True, True, True, False]
        assert [begins("also stuck") for _ in range(3)] == [True, True, False]
        assert [begins("well") for _ in range(2)] == [True, False]
        assert not begins("another")
    with held.turn("another") as may_begin:
        assert may_begin


@pytest.mark.parametrize("threads", [1, 2, 3, 4, 8, 12, 40])
def test_a_worker_of_all_queues_keeps_threads_for_what_is_neither_run_nor_slow(
    settings: Any, threads: int
) -> None:
    settings.HUB_WORKER_THREADS = threads
    slow = shares.of_algorithms() + shares.of_slow_destinations()
    assert slow < threads or threads < 3
    assert min(shares.of_algorithms(), shares.of_slow_destinations()) >= 1


def test_a_worker_of_one_queue_gives_it_all_its_threads(settings: Any) -> None:
    settings.HUB_WORKER_THREADS = 12
    queues.serve(["run"])
    assert shares.of_algorithms() == 12
    queues.serve(["write_back"])
    # what does not answer promptly never holds all of them
    assert shares.of_slow_destinations() == 8


@pytest.mark.parametrize("given", ["", "run,rout", ";", "all"])
def test_a_queue_that_is_none_is_refused_with_those_there_are(given: str) -> None:
    with pytest.raises(queues.UnknownQueue, match="receive,route,run,write_back,billing"):
        queues.read(given)


def test_a_queue_may_be_named_as_its_deployment_is() -> None:
    assert queues.read("run,write-back,write_back") == ("run", "write_back")


def test_queues_of_several_workers_are_read_in_their_order() -> None:
    assert queues.workers("receive, route;run;billing,billing") == [
        ("receive", "route"), ("run",), ("billing",),
    ]  # fmt: skip

"""When a running Workitem is looked at next, what it says meanwhile, and what is no attempt."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.utils import timezone

from hub.phrases import render
from routing import cluster_nudges, staging
from routing.models import Workitem
from routing.steps import collect as step
from tests.builders import worker
from tests.builders.studies import head_ct
from tests.routing.conftest import Place
from vendors.performers.base import Performer, Progress, Run

WAITS = "waits for room in the cluster (number 3 of those that wait)"


@dataclass
class Elsewhere:
    """A performer that says what the test wants, over one that runs here."""

    within: Performer
    says: Progress
    while_polled: object = None

    def poll(self, run: Run) -> Progress:
        if callable(self.while_polled):
            self.while_polled(run)
        return self.says

    def cancel(self, run: Run) -> None:
        self.within.cancel(run)

    def cleanup(self, run: Run) -> None:
        self.within.cleanup(run)


@pytest.fixture
def running(place: Place) -> Place:
    place.algorithm_does("slow", "3")
    place.send(head_ct())
    place.work(until=lambda: Workitem.objects.filter(state="dispatched").exists())
    Workitem.objects.update(due_at=None, lease_until=None)
    worker.lose_everything()
    return place


def collect(place: Place, monkeypatch, says: Progress, while_polled: object = None) -> Workitem:
    """The Workitem after one look, at which the performer says this."""
    within = staging.performer_of
    with monkeypatch.context() as patched:
        patched.setattr(
            staging, "performer_of",
            lambda manifest: Elsewhere(within(manifest), says, while_polled),
        )  # fmt: skip
        step.collect(place.workitem)
    return place.workitem


def collects() -> int:
    return sum(name == "routing.tasks.collect" for name, _ in worker.take_nudges())


def test_who_is_told_of_every_change_is_looked_at_seldom_and_takes_no_place_in_the_queue(
    running: Place, monkeypatch
) -> None:
    item = collect(running, monkeypatch, Progress("running", next_look=timedelta(minutes=1)))
    assert item.state == "dispatched"
    assert timedelta(seconds=50) < item.due_at - timezone.now() <= timedelta(minutes=1)
    assert collects() == 0


def test_what_a_run_waits_for_stands_in_its_row(running: Place, monkeypatch) -> None:
    item = collect(running, monkeypatch, Progress("running", WAITS))
    assert render(item.why) == f"in the cluster: {WAITS}"


def test_a_word_from_the_cluster_is_a_look_now(running: Place, monkeypatch) -> None:
    item = collect(running, monkeypatch, Progress("running", next_look=timedelta(minutes=1)))
    cluster_nudges.look_at([f"{item.uid.hex}-{item.runs}"])
    assert running.workitem.due_at <= timezone.now()
    assert collects() == 1


def test_a_word_about_an_earlier_run_or_nobody_is_passed_over(running: Place) -> None:
    item = running.workitem
    for run in (f"{item.uid.hex}-{item.runs + 1}", "f" * 32 + "-0", "check-1234", "nonsense"):
        cluster_nudges.look_at([run])
    assert running.workitem.due_at is None
    assert worker.take_nudges() == []


def test_a_word_that_comes_while_it_is_looked_at_is_not_lost(running: Place, monkeypatch) -> None:
    def tell(run: Run) -> None:
        cluster_nudges.look_at([run.name])
        worker.lose_everything()

    says = Progress("running", next_look=timedelta(minutes=1))
    item = collect(running, monkeypatch, says, while_polled=tell)
    assert item.due_at <= timezone.now()
    assert collects() == 1


def test_what_the_cluster_took_away_is_run_again_and_was_no_attempt(
    running: Place, monkeypatch
) -> None:
    taken = Progress("failed", "preempted", is_retryable=True, is_disruption=True)
    item = collect(running, monkeypatch, taken)
    assert (item.state, item.attempts, item.runs) == ("entitled", 0, 1)
    assert "preempted" in render(item.why)


def test_even_so_there_is_an_end(running: Place, monkeypatch) -> None:
    Workitem.objects.update(runs=step.MOST_RUNS)
    taken = Progress("failed", "preempted", is_retryable=True, is_disruption=True)
    item = collect(running, monkeypatch, taken)
    assert (item.state, item.attempts) == ("failed", 0)
    assert running.nothing_was_sent()

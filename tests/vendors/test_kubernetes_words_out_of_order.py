"""The end of a Job that is heard before its pod's, or whose pod nobody hears of at all."""

from __future__ import annotations

import time

import pytest

from tests.fakes.cluster_api import made_up
from tests.fakes.cluster_api.scripts import Player, Script, failed, made
from tests.fakes.cluster_api.server import ClusterApi
from tests.fakes.waiting import until
from tests.vendors.cluster import performer_for, run_of, wait_for, watched
from vendors.performers.base import Progress

pytestmark = pytest.mark.django_db(transaction=True)
NEVER = 3600.0
A_LIST_AND_A_LOG = 2


@pytest.fixture
def api():
    server = ClusterApi()
    yield server
    server.stop()


def end_of(api: ClusterApi, folder, script: Script) -> Progress:
    """How a run is judged, first of all, once its Job has ended."""
    api.actor = Player(script)
    performer, run = performer_for(api, folder), run_of(folder)
    with watched(api, folder):
        performer.submit(run)
        return wait_for(performer, run)


@pytest.mark.parametrize("seconds", [0.5, NEVER], ids=["late", "never"])
@pytest.mark.parametrize(
    ("script", "says"),
    [
        (made_up.exit_code(3), "ended with exit code 3"),
        (made_up.out_of_memory(), "out of memory"),
    ],
    ids=["exit code", "memory"],
)
def test_an_end_heard_before_the_pods_is_no_disruption(
    api, tmp_path, script: Script, says: str, seconds: float
) -> None:
    api.lags["pods"] = seconds
    progress = end_of(api, tmp_path, script)
    assert says in progress.why
    assert progress.is_disruption is False
    if seconds == NEVER:
        assert api.requests["GET pods"] == A_LIST_AND_A_LOG + 1


def test_of_a_watch_that_lags_behind_the_read_nothing_is_believed_again(api, tmp_path) -> None:
    api.actor, api.lags["pods"] = Player(made_up.exit_code(3)), 2.5
    performer, run = performer_for(api, tmp_path), run_of(tmp_path)
    with watched(api, tmp_path):
        performer.submit(run)
        wait_for(performer, run)
        assert api.requests["GET pods"] == A_LIST_AND_A_LOG + 1
        until_heard = time.monotonic() + 2.5
        while time.monotonic() < until_heard:
            assert "ended with exit code 3" in performer.poll(run).why
            time.sleep(0.05)


def test_a_job_that_failed_and_has_no_pod_was_taken_away(api, tmp_path) -> None:
    began = time.monotonic()
    progress = end_of(api, tmp_path, made((0.5, "job", failed())))
    assert (progress.is_disruption, progress.is_retryable) == (True, True)
    assert "the cluster ended the Job: BackoffLimitExceeded" in progress.why
    assert api.requests["GET pods"] == 2
    assert time.monotonic() - began < 10


def test_where_nobody_watches_the_pods_are_read_after_the_job(api, tmp_path) -> None:
    for script, is_disruption in (
        (made_up.exit_code(3), False), (made((0.5, "job", failed())), True),
    ):  # fmt: skip
        api.actor = Player(script)
        performer, run = performer_for(api, tmp_path), run_of(tmp_path)
        performer.submit(run)
        assert wait_for(performer, run).is_disruption is is_disruption


def test_a_cluster_that_is_away_when_the_pods_are_read_is_asked_again(api, tmp_path) -> None:
    api.lags["pods"] = NEVER
    api.actor = Player(made_up.exit_code(3))
    performer, run = performer_for(api, tmp_path), run_of(tmp_path)
    with watched(api, tmp_path):
        performer.submit(run)
        until(lambda: "why is looked for" in performer.poll(run).why, "the end is heard")
        api.stop()
        time.sleep(2.5)
        assert performer.poll(run).state == "running"
        api.start_again()
        assert "ended with exit code 3" in wait_for(performer, run).why

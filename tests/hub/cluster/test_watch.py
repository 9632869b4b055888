"""The informer: told of everything once, whatever happens to the API server meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hub.cluster import jobs
from hub.cluster.ledger import Ledger
from hub.cluster.manifests import job_manifest
from hub.cluster.watch import Informer, Rhythm
from tests.fakes.cluster_api import made_up
from tests.fakes.cluster_api.scripts import Player
from tests.fakes.waiting import until
from tests.hub.cluster.specs import spec


def run_name(number: int) -> str:
    return f"{number:032x}-0"


@contextmanager
def informed(cluster, **rhythm) -> Iterator[tuple[Ledger, Informer]]:
    ledger, stop = Ledger(), threading.Event()
    informer = Informer(cluster, rhythm=Rhythm(**{"longest_pause": 0.3} | rhythm))
    thread = threading.Thread(
        target=informer.run, args=(ledger.hear,), kwargs={"idle": lambda: None, "stop": stop}
    )
    thread.start()
    try:
        until(lambda: informer.is_up_to_date, "it watches", seconds=10)
        yield ledger, informer
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()


def submit(api, cluster, number: int = 1) -> str:
    name = run_name(number)
    jobs.create(cluster, job_manifest(spec(name)))
    return name


def is_complete(ledger: Ledger, run: str) -> bool:
    job = ledger.of(run).job
    return job is not None and job.ended == "Complete"


def test_what_happens_is_told_as_it_happens(api, cluster) -> None:
    api.actor = Player(made_up.success())
    with informed(cluster) as (ledger, _):
        run = submit(api, cluster)
        until(lambda: is_complete(ledger, run), "it is complete", seconds=5)
        assert ledger.of(run).pods[-1].container("algorithm").exit_code == 0


def test_what_was_there_before_is_listed(api, cluster) -> None:
    api.actor = Player(made_up.success())
    run = submit(api, cluster)
    with informed(cluster) as (ledger, _):
        until(lambda: is_complete(ledger, run), "it is complete", seconds=5)


def test_a_watch_that_ends_in_silence_goes_on_from_where_it_was(api, cluster) -> None:
    api.actor = Player(made_up.success())
    api.longest_watch = 0.05
    with informed(cluster) as (ledger, _):
        run = submit(api, cluster)
        until(lambda: is_complete(ledger, run), "it is complete", seconds=5)
        assert api.requests["GET jobs"] == 1
        assert api.requests["WATCH jobs"] > 1


def test_a_version_that_is_known_no_more_is_listed_anew(api, cluster) -> None:
    with informed(cluster) as (ledger, _):
        run = submit(api, cluster)
        until(lambda: ledger.of(run).job, "it is seen", seconds=5)
        job = api.store.get("jobs", spec(run).name)
        api.is_silent = True
        job["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}
        api.store.change("jobs", job)
        other = submit(api, cluster, 2)
        api.store.remove("jobs", spec(other).name)
        api.store.compact()
        api.is_silent = False
        api.break_watches()
        until(lambda: is_complete(ledger, run), "what was missed is made good", seconds=5)
        assert api.requests["GET jobs"] == 2


def test_what_vanished_while_nobody_watched_is_gone(api, cluster) -> None:
    api.actor = Player(made_up.never_placed())
    with informed(cluster) as (ledger, _):
        run = submit(api, cluster)
        until(lambda: ledger.of(run).pods, "its pod is seen", seconds=5)
        api.stop()
        for resource in ("jobs", "pods"):
            for one in api.store.all(resource):
                api.store.remove(resource, one["metadata"]["name"])
        api.store.compact()
        api.start_again()
        until(lambda: ledger.of(run).job.is_gone, "the Job is gone", seconds=10)
        until(lambda: ledger.of(run).pods[0].is_gone, "its pod is gone", seconds=10)


def test_a_restart_of_the_api_server_in_mid_watch_is_outlived(api, cluster) -> None:
    api.actor = Player(made_up.success())
    with informed(cluster) as (ledger, informer):
        api.stop()
        until(lambda: not informer.is_up_to_date, "it is noticed", seconds=10)
        until(lambda: "does not answer" in informer.trouble, "it is said", seconds=10)
        api.start_again()
        until(lambda: informer.is_up_to_date, "it watches again", seconds=10)
        run = submit(api, cluster)
        until(lambda: is_complete(ledger, run), "it is complete", seconds=5)


def test_a_silent_watch_is_made_good_by_the_slow_list(api, cluster) -> None:
    api.actor = Player(made_up.success())
    api.is_silent = True
    with informed(cluster, watch_seconds=1, resync_seconds=0.5) as (ledger, _):
        run = submit(api, cluster)
        until(lambda: is_complete(ledger, run), "it is complete", seconds=10)


def test_bookmarks_move_the_version_on_and_are_no_objects(api, cluster) -> None:
    api.bookmark_seconds = 0.05
    with informed(cluster) as (ledger, _):
        api.store.add("nodes", {"metadata": {"name": "n"}})
        run = submit(api, cluster)
        until(lambda: ledger.of(run).job, "it is seen", seconds=5)
        api.store.compact()
        until(lambda: api.requests["WATCH pods"], "pods are watched", seconds=5)
        assert ledger.runs() == (run,)


def test_without_the_right_to_read_events_all_else_is_still_told(api, cluster) -> None:
    api.allowed = lambda asked: asked["resource"] != "events"
    api.actor = Player(made_up.success())
    with informed(cluster) as (ledger, informer):
        until(lambda: "events is forbidden" in informer.trouble, "it is said", seconds=5)
        run = submit(api, cluster)
        until(lambda: is_complete(ledger, run), "it is complete", seconds=5)


def test_warnings_are_put_to_the_run_that_they_are_about(api, cluster) -> None:
    api.actor = Player(made_up.quota())
    with informed(cluster) as (ledger, _):
        run, other = submit(api, cluster), submit(api, cluster, 2)
        until(lambda: ledger.of(run).events, "the warning is seen", seconds=5)
        assert "exceeded quota" in ledger.of(run).events[0].message
        assert ledger.of(other).events == ()


@pytest.mark.parametrize("count", [100, 1000])
def test_many_jobs_cost_the_api_server_a_few_watches(api, cluster, count: int) -> None:
    api.actor = Player()
    with informed(cluster) as (ledger, _):
        for number in range(count):
            api.store.add("jobs", job_manifest(spec(run_name(number))))
        for job in api.store.all("jobs"):
            job["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}
            api.store.change("jobs", job)
        runs = [run_name(number) for number in range(count)]
        until(lambda: all(is_complete(ledger, run) for run in runs), "all are seen", seconds=30)
        assert sum(api.requests.values()) == 6
        assert api.watches == 3

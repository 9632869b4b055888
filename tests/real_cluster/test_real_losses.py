"""What a real cluster takes away runs again and is billed once; what dies comes back to it.

HUB_TEST_GPUS lets a STAT take the accelerators of a background run, HUB_TEST_NODES a node be
tainted (everything without a toleration leaves it), HUB_TEST_LOSE_NODE is a command that takes one
of several nodes away and brings it back, and HUB_TEST_RESTART_API one that kills the API server
and starts it again. What is not given is left out.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from hub.cluster import jobs
from tests.fakes.waiting import until
from tests.real_cluster.furnishing import NAMESPACE
from tests.real_cluster.real_hub import Real

TAINT = {"key": "hub.avrop/test-pressure", "effect": "NoExecute"}


def evict(real: Real, pod: Any) -> None:
    name = pod["metadata"]["name"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction",
                "metadata": {"name": name, "namespace": NAMESPACE}}  # fmt: skip
    real.cluster.ask("POST", f"{jobs.pods_path(NAMESPACE, name)}/eviction", body=eviction)


@contextmanager
def tainted(real: Real, node: str) -> Iterator[None]:
    """A node that nothing may stay on, as one under pressure."""
    path, kind = f"/api/v1/nodes/{node}", "application/merge-patch+json"
    # the list is one value: what was there goes along, and comes back
    before = real.cluster.ask("GET", path).body["spec"].get("taints") or []
    more = {"spec": {"taints": [*before, TAINT]}}
    real.cluster.ask("PATCH", path, body=more, content_type=kind)
    try:
        yield
    finally:
        real.cluster.ask("PATCH", path, body={"spec": {"taints": before}}, content_type=kind)


def test_a_pod_that_is_evicted_runs_again_and_is_billed_once(real: Real) -> None:
    scan = real.send("waits")
    pod = real.running("waits")
    evict(real, pod)
    real.assert_written_back_once(scan)


def test_a_pod_that_somebody_deletes_runs_again_and_is_billed_once(real: Real) -> None:
    scan = real.send("waits")
    name = real.running("waits")["metadata"]["name"]
    real.cluster.ask("DELETE", jobs.pods_path(NAMESPACE, name))
    real.assert_written_back_once(scan)


@pytest.mark.needs("HUB_TEST_NODES")
def test_a_node_that_is_cleared_gives_its_run_back(real: Real) -> None:
    scan = real.send("waits")
    node = real.running("waits")["spec"]["nodeName"]
    with tainted(real, node):
        until(lambda: not real.pods("waits") or not any(
            one["spec"].get("nodeName") for one in real.pods("waits")), "it left", seconds=90)
    real.assert_written_back_once(scan)


def command(variable: str, *words: str) -> None:
    line = " ".join([os.environ[variable], *words])
    subprocess.run(line, shell=True, check=True, timeout=300)


@pytest.mark.needs("HUB_TEST_LOSE_NODE")
def test_a_run_whose_node_is_lost_runs_again_on_another(real: Real) -> None:
    scan = real.send("waits")
    pod = real.running("waits")
    node = pod["spec"]["nodeName"]
    command("HUB_TEST_LOSE_NODE", "lose", node)
    try:
        until(lambda: any(one["spec"].get("nodeName", node) != node for one in real.pods("waits")),
              "it runs on another", seconds=600)  # fmt: skip
        item = real.ended(scan, seconds=300)
    finally:
        command("HUB_TEST_LOSE_NODE", "back", node)
        until(lambda: is_ready(real, node), "the node is back", seconds=180)
    assert item["state"] == "written_back", item["why"]
    real.assert_written_back_once(scan)
    # what was on it when it went does not come to an end after all
    until(lambda: pod["metadata"]["uid"] not in {
        one["metadata"]["uid"] for one in real.pods("waits")}, "its pod is gone", seconds=120)


def is_ready(real: Real, node: str) -> bool:
    conditions = real.cluster.ask("GET", f"/api/v1/nodes/{node}").body["status"]["conditions"]
    return any((one["type"], one["status"]) == ("Ready", "True") for one in conditions)


@pytest.mark.needs("HUB_TEST_GPUS")
def test_a_stat_takes_the_accelerators_of_a_background_run_which_runs_again(
    real: Real,
) -> None:
    low = real.send("holds", priority="PRN")
    first = real.running("holds")
    assert first["spec"]["priorityClassName"] == "hub-background"
    stat = real.send("grabs", priority="S")
    began = time.monotonic()
    real.assert_written_back_once(stat)
    assert time.monotonic() - began < 120
    assert first["metadata"]["uid"] not in {one["metadata"]["uid"] for one in real.pods("holds")
                                            if "deletionTimestamp" not in one["metadata"]}
    real.assert_written_back_once(low)


def test_what_runs_while_hub_processes_die_comes_to_its_end(real: Real) -> None:
    scan = real.send("waits")
    real.running("waits")
    assert real.hub.kill("watch_cluster")
    assert real.hub.kill("worker")
    real.assert_written_back_once(scan)


def test_a_hub_that_is_killed_whole_finds_its_runs_again_and_makes_none_twice(real: Real) -> None:
    scans = [real.send("waits") for _ in range(2)]
    until(lambda: len(real.pods("waits")) == 2, "both pods are there", seconds=120)
    before = {one["metadata"]["uid"] for one in real.jobs()}
    assert real.hub.process is not None
    for pid in [real.hub.process.pid, *real.hub.descendants()]:
        os.kill(pid, signal.SIGKILL)
    real.hub.process.wait(30)
    time.sleep(5)
    real.hub.start()
    assert {one["metadata"]["uid"] for one in real.jobs()} <= before
    for scan in scans:
        real.assert_written_back_once(scan)


@pytest.mark.needs("HUB_TEST_RESTART_API")
def test_an_api_server_that_is_killed_and_comes_back_loses_nothing(real: Real) -> None:
    scan = real.send("waits")
    real.running("waits")
    command("HUB_TEST_RESTART_API")
    real.assert_written_back_once(scan)


def test_a_warm_server_takes_studies_one_after_another_and_what_it_loses_runs_again(
    real: Real,
) -> None:
    scans = [real.send("stays") for _ in range(2)]
    for scan in scans:
        real.assert_written_back_once(scan)
    (server,) = real.servers()
    assert server["status"].get("readyReplicas") == 1
    third = real.send("stays")
    at_work = "SELECT pod FROM vendors_warmserver WHERE run <> ''"
    ((pod,),) = until(lambda: real.hub.rows(at_work), "it has a run", seconds=60)
    evict(real, {"metadata": {"name": pod}})
    real.assert_written_back_once(third)
    moves = real.hub.rows(
        "SELECT attempts, runs FROM routing_workitem WHERE runs > 0 ORDER BY id DESC LIMIT 1"
    )
    assert moves == [(0, 1)]

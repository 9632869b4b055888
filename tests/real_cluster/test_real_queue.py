"""With a queue of Kueue the hub's Jobs are made suspended, and only who admits lets them start.

Where Kueue is at work, HUB_TEST_KUEUE names a ClusterQueue of it with a quota of HUB_TEST_GPUS
accelerators, ``preemption.withinClusterQueue: LowerPriority``, and room of all else for more than
one run. Where nobody admits in this cluster, HUB_TEST_ADMIT lets the tests do it in its place, as
its controller does, by the Job's own ``suspend``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from hub.cluster import jobs
from tests.fakes.waiting import until
from tests.real_cluster.furnishing import NAMESPACE
from tests.real_cluster.real_hub import Real, real_hub

QUEUE = "hub-tests"
KUEUE = f"/apis/kueue.x-k8s.io/v1beta1/namespaces/{NAMESPACE}"


@pytest.fixture(scope="module")
def queued(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    with real_hub(tmp_path_factory.mktemp("queued"), HUB_CLUSTER_KUEUE_QUEUE=QUEUE) as made:
        yield made


@pytest.mark.needs("HUB_TEST_ADMIT")
def test_a_job_waits_until_it_is_admitted_and_the_hub_never_admits_it(queued: Real) -> None:
    scan = queued.send("finds")
    (job,) = until(queued.jobs, "its Job is there", seconds=120)
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == QUEUE
    assert job["spec"]["suspend"] is True

    def why() -> bool:
        found = queued.region.study(scan)["workitems"]
        return bool(found) and "waits in the queue of the cluster" in found[0]["why"]

    until(why, "it says what it waits for", seconds=60)
    time.sleep(5)
    assert queued.pods() == []
    assert queued.jobs()[0]["spec"]["suspend"] is True
    jobs.suspend(queued.cluster, job["metadata"]["name"], is_suspended=False)
    queued.assert_written_back_once(scan)


@pytest.mark.needs("HUB_TEST_ADMIT")
def test_a_job_that_is_suspended_again_lost_nothing_but_time(queued: Real) -> None:
    scan = queued.send("waits")
    (job,) = until(queued.jobs, "its Job is there", seconds=120)
    name = job["metadata"]["name"]
    jobs.suspend(queued.cluster, name, is_suspended=False)
    queued.running("waits")
    jobs.suspend(queued.cluster, name)
    until(lambda: not queued.pods("waits"), "its pod was taken away", seconds=60)
    assert queued.region.study(scan)["workitems"][0]["state"] == "dispatched"
    jobs.suspend(queued.cluster, name, is_suspended=False)
    queued.assert_written_back_once(scan)


def preempted(queued: Real) -> list[str]:
    """The Workloads that Kueue itself has stopped for others."""
    items = queued.cluster.ask("GET", f"{KUEUE}/workloads").body["items"]
    return [
        one["metadata"]["name"] for one in items
        for condition in one.get("status", {}).get("conditions", ())
        if (condition["type"], condition["status"]) == ("Preempted", "True")
    ]  # fmt: skip


@pytest.mark.needs("HUB_TEST_KUEUE")
@pytest.mark.needs("HUB_TEST_GPUS")
def test_kueue_lets_jobs_start_and_what_it_stops_for_a_stat_runs_again(queued: Real) -> None:
    queue = {"apiVersion": "kueue.x-k8s.io/v1beta1", "kind": "LocalQueue",
             "metadata": {"name": QUEUE}, "spec": {"clusterQueue": os.environ["HUB_TEST_KUEUE"]}}
    queued.cluster.ask("POST", f"{KUEUE}/localqueues", body=queue)
    low = queued.send("holds", priority="PRN")
    queued.running("holds")
    assert preempted(queued) == []
    stat = queued.send("grabs", priority="S")
    until(lambda: preempted(queued), "the background run was stopped", seconds=120)
    queued.assert_written_back_once(stat)
    queued.assert_written_back_once(low)

"""With a queue of Kueue the hub's Jobs are made suspended, and only who admits lets them start.

Kueue itself is not there: the tests admit in its place, as its controller does, by the Job's own
``suspend``. Left out unless HUB_TEST_ADMIT says that nobody else admits in this cluster.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from hub.cluster import jobs
from tests.fakes.waiting import until
from tests.real_cluster.real_hub import Real, real_hub

QUEUE = "hub-tests"


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

"""With a queue of Kueue the hub's Jobs are made suspended, and only who admits lets them start.

Where Kueue is at work, HUB_TEST_KUEUE names a ClusterQueue of it with a quota of HUB_TEST_GPUS
accelerators, ``preemption.withinClusterQueue: LowerPriority``, and room of all else for more than
one run. Where nobody admits in this cluster, HUB_TEST_ADMIT lets the tests do it in its place, as
its controller does, by the Job's own ``suspend``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from hub.cluster import jobs
from hub.cluster.client import ClusterRefused
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


POLICIES = "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies"
BINDINGS = "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings"
GATE = "kueue.x-k8s.io/admission"


@contextmanager
def gated(queued: Real) -> Iterator[bool]:
    """Each pod of the queue is made with Kueue's gate; False where this cluster knows no way."""
    def make(path: str, kind: str, spec: dict[str, Any]) -> None:
        body = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind,
                "metadata": {"name": QUEUE}, "spec": spec}  # fmt: skip
        queued.cluster.ask("POST", path, body=body)

    gates = f"[Object.spec.schedulingGates{{name: '{GATE}'}}]"
    put = f"Object{{spec: Object.spec{{schedulingGates: {gates}}}}}"
    policy = {
        "failurePolicy": "Fail", "reinvocationPolicy": "Never",
        "matchConstraints": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}},
            "resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"],
                               "operations": ["CREATE"]}]},
        "matchConditions": [{"name": "queued", "expression": (
            "has(object.metadata.labels) && 'kueue.x-k8s.io/queue-name' in object.metadata.labels"
        )}],
        "mutations": [{"patchType": "ApplyConfiguration",
                       "applyConfiguration": {"expression": put}}],
    }  # fmt: skip
    try:
        make(POLICIES, "MutatingAdmissionPolicy", policy)
    except ClusterRefused as refused:
        if refused.status != 404:
            raise
        yield False
        return
    try:
        make(BINDINGS, "MutatingAdmissionPolicyBinding", {"policyName": QUEUE})
        # it is in force some time after it was made
        time.sleep(5)
        yield True
    finally:
        for path in (BINDINGS, POLICIES):
            queued.cluster.ask("DELETE", f"{path}/{QUEUE}")


def let_go(queued: Real, pod: Any) -> None:
    """As Kueue lets a pod go, once there is quota for it."""
    path = jobs.pods_path(NAMESPACE, pod["metadata"]["name"])
    kind = "application/merge-patch+json"
    body = {"spec": {"schedulingGates": None}}
    # it may have gone meanwhile
    with suppress(ClusterRefused):
        queued.cluster.ask("PATCH", path, body=body, content_type=kind)


@pytest.mark.needs("HUB_TEST_ADMIT")
def test_a_warm_server_waits_for_its_queue_and_a_run_that_is_stopped_there_runs_again(
    queued: Real, leave_out: Callable[[str], None]
) -> None:
    def waiting() -> Any:
        return next((one for one in queued.pods("stays") if one["spec"].get("schedulingGates")
                     and "deletionTimestamp" not in one["metadata"]), None)  # fmt: skip

    with gated(queued) as is_so:
        if not is_so:
            leave_out("this cluster has no MutatingAdmissionPolicy to make gates with")
            return
        scan = queued.send("stays")
        pod = until(waiting, "its pod is made with a gate", seconds=120)

        def why() -> bool:
            (item,) = queued.region.study(scan)["workitems"] or [{"why": ""}]
            return "waits in the queue of the cluster" in item["why"]

        until(why, "it says what it waits for", seconds=60)
        let_go(queued, pod)
        queued.assert_written_back_once(scan)
        second = queued.send("stays")
        at_work = "SELECT 1 FROM vendors_warmserver WHERE run <> ''"
        until(lambda: queued.hub.rows(at_work), "it has a run", seconds=60)
        queued.cluster.ask("DELETE", jobs.pods_path(NAMESPACE, pod["metadata"]["name"]))

        def goes_on() -> bool:
            # the Deployment's next pod, and that of the server which the hub starts in its place
            if (another := waiting()) is not None:
                let_go(queued, another)
            (item,) = queued.region.study(second)["workitems"]
            return item["state"] == "written_back"

        until(goes_on, "it ran again", seconds=300)
        queued.assert_written_back_once(second)


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

"""Verdicts where no recording is at hand, and what time alone decides."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hub.cluster.failure import Failure, Patience
from hub.cluster.manifests import job_manifest
from hub.cluster.seen import ContainerSeen, EventSeen, PodSeen, RunSeen
from hub.cluster.verdicts import RunVerdict, verdict
from tests.hub.cluster.specs import spec

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
BEGAN = "2026-01-01T11:59:00Z"
RUNS = ContainerSeen("algorithm", "running", started_at=BEGAN)
POD = PodSeen("p", "hub-x-abc", "Pending", containers=(RUNS,))


def seen(*pods: PodSeen, timeout_seconds: int = 300, events=(), **status) -> RunSeen:
    job = job_manifest(spec(timeout_seconds=timeout_seconds))
    job["metadata"] |= {"uid": "j"}
    whole = RunSeen().with_job(job | {"status": status})
    return replace(whole, pods=pods, events=tuple(events))


def said(whole: RunSeen, **patience) -> RunVerdict:
    return verdict(whole, now=NOW, patience=Patience(**patience))


def failed(reason: str, message: str = "") -> dict:
    end = {"type": "Failed", "status": "True", "reason": reason, "message": message}
    return {"conditions": [end]}


def test_an_algorithm_that_runs_longer_than_it_may_has_failed_by_its_own_clock() -> None:
    assert said(seen(POD, timeout_seconds=59)).state == "running"
    late = said(seen(POD, timeout_seconds=58))
    assert (late.failure, late.is_retryable) == (Failure.DEADLINE, True)
    assert late.why == "timed out after 58 s"
    assert late.pod == POD.name


def test_time_spent_on_input_does_not_count_for_the_algorithm() -> None:
    staging = replace(POD, containers=(replace(RUNS, name="stage"),))
    assert said(seen(staging, timeout_seconds=1)).state == "running"


def test_a_node_that_says_nothing_is_waited_for_and_then_given_up() -> None:
    silent = replace(POD, silent_since=BEGAN, node="node1")
    assert said(seen(silent), node_seconds=61).state == "running"
    lost = said(seen(silent), node_seconds=60)
    assert (lost.failure, lost.is_disruption, lost.is_retryable) == (Failure.DISRUPTION, True, True)
    assert "node1 has not answered" in lost.why


def test_who_is_taken_away_too_often_is_given_up() -> None:
    taken = replace(POD, disruption="EvictionByEvictionAPI", is_gone=True)
    often = [replace(taken, uid=str(number)) for number in range(3)]
    assert said(seen(*often, POD), most_disruptions=3).state == "running"
    end = said(seen(*often, POD), most_disruptions=2)
    assert (end.state, end.is_retryable, end.is_disruption) == ("failed", False, True)
    assert "taken away 3 times" in end.why


def test_a_node_that_is_full_is_no_fault_of_the_run() -> None:
    low = replace(POD, phase="Failed", reason="Evicted",
                  message="The node was low on resource: memory.")  # fmt: skip
    end = said(seen(low, **failed("BackoffLimitExceeded")))
    assert (end.failure, end.is_retryable) == (Failure.DISRUPTION, True)
    own = replace(low, message='Usage of EmptyDir volume "output" exceeds the limit "1Gi". ')
    end = said(seen(own, **failed("BackoffLimitExceeded")))
    assert (end.failure, end.is_retryable) == (Failure.DISK, False)


def ended(name: str, code: int, *, reason: str = "Error", message: str = "") -> ContainerSeen:
    return ContainerSeen(name, "terminated", reason, message, code)


def test_output_that_does_not_come_back_is_told_from_the_algorithms_failure() -> None:
    whole = (ended("stage", 0), ended("algorithm", 0),
             ended("collector", 69, message="carrier: the hub is away\n"))  # fmt: skip
    end = said(seen(replace(POD, containers=whole), **failed("BackoffLimitExceeded")))
    assert (end.failure, end.is_retryable) == (Failure.COLLECTING, True)
    assert end.why == "the output did not come back: carrier: the hub is away"


def test_a_network_that_stays_open_ends_a_run_before_its_algorithm_and_says_so() -> None:
    waits = replace(POD, containers=(ended("stage", 0), ContainerSeen("wall", "running")))
    assert said(seen(waits)).why == "waits until its network is closed"
    line = "wall: 10.96.0.1 port 443 is still reached after 20 s\n"
    whole = (ended("stage", 0), ended("wall", 75, message=line), ContainerSeen("algorithm"))
    end = said(seen(replace(POD, containers=whole), **failed("BackoffLimitExceeded")))
    assert (end.failure, end.is_retryable, end.is_disruption) == (Failure.WALL, True, False)
    assert end.why == ("its network was not seen to close: wall: 10.96.0.1 port 443 is still "
                       "reached after 20 s")  # fmt: skip


def test_input_that_is_given_no_more_after_a_disruption_is_no_attempt() -> None:
    taken = replace(POD, uid="0", disruption="PreemptionByScheduler", is_gone=True)
    again = replace(POD, containers=(ended("stage", 77),))
    end = said(seen(taken, again, **failed("BackoffLimitExceeded")))
    assert (end.is_disruption, end.is_retryable) == (True, True)
    alone = said(seen(again, **failed("BackoffLimitExceeded")))
    assert (alone.failure, alone.is_disruption) == (Failure.STAGING, False)


def test_input_that_is_given_no_more_after_kueue_stopped_the_job_is_no_attempt_either() -> None:
    """Its pod goes without a condition that would say so (recording 21)."""
    stopped = replace(POD, uid="0", is_gone=True, is_deleting=True)
    again = replace(POD, containers=(ended("stage", 77, message="refused: HTTP 401"),))
    end = said(seen(stopped, again, **failed("BackoffLimitExceeded")))
    assert (end.is_disruption, end.is_retryable) == (True, True)
    assert end.why == "the input did not reach the run: refused: HTTP 401"


def test_the_hubs_own_container_out_of_memory_is_named() -> None:
    whole = (ended("stage", 137, reason="OOMKilled"),)
    end = said(seen(replace(POD, containers=whole), **failed("BackoffLimitExceeded")))
    assert end.failure is Failure.MEMORY
    assert "the hub's own container stage" in end.why


def test_a_webhook_that_does_not_answer_is_waited_for_and_one_that_refuses_is_not() -> None:
    def event(message: str) -> EventSeen:
        return EventSeen("Job", "FailedCreate", message, BEGAN)

    away = event('Error creating: Internal error occurred: failed calling webhook "x": timeout')
    assert said(seen(events=[away])).state == "waiting"
    refuses = event('Error creating: admission webhook "x" denied the request: not signed')
    end = said(seen(events=[refuses]))
    assert (end.failure, end.is_retryable) == (Failure.ADMISSION, False)
    assert "not signed" in end.why


def test_a_registry_that_came_back_and_has_no_such_image_is_heard_in_the_back_off() -> None:
    """Kubernetes 1.36: the moment between two back-offs is seen by few."""
    image = "localhost/algo@sha256:00"
    refused = f'failed to resolve reference "{image}": dial tcp 127.0.0.1:80: connection refused'
    missing = f'failed to resolve reference "{image}": {image}: not found'

    def now(reason: str, message: str) -> dict:
        waiting = {"waiting": {"reason": reason, "message": message}}
        return {"metadata": {"uid": "p", "name": "hub-x-abc"}, "status": {
            "phase": "Pending", "initContainerStatuses": [{"name": "algorithm", "state": waiting}],
        }}  # fmt: skip

    first = seen().with_pod(now("ErrImagePull", refused))
    assert "connection refused" in said(first).why
    old = first.with_pod(now("ImagePullBackOff", f'Back-off pulling image "{image}"'))
    assert said(old).state == "waiting"
    text = f'Back-off pulling image "{image}": ErrImagePull: rpc error: code = NotFound: {missing}'
    end = said(first.with_pod(now("ImagePullBackOff", text)))
    assert (end.state, end.failure, end.is_retryable) == ("failed", Failure.IMAGE, False)
    assert "the registry has no such image" in end.why


def test_what_newer_servers_say_beside_is_passed_over() -> None:
    met = {"type": "SuccessCriteriaMet", "status": "True", "reason": "CompletionsReached"}
    assert said(seen(conditions=[met], terminating=1)).state == "running"
    done = {"type": "Complete", "status": "True", "reason": "CompletionsReached"}
    assert said(seen(conditions=[met, done])).state == "succeeded"


def test_what_newer_schedulers_add_of_claims_and_preemption_is_no_part_of_the_sentence() -> None:
    """Kubernetes 1.36, word for word."""
    message = (
        "0/1 nodes are available: 1 Insufficient nvidia.com/gpu. no new claims to deallocate, "
        "preemption: not eligible due to preemptionPolicy=Never."
    )
    waits = said(seen(PodSeen("p", "hub-x-abc", "Pending", no_place=message)))
    assert waits.why == (
        "waits for room in the cluster: 0/1 nodes are available: 1 Insufficient nvidia.com/gpu"
    )

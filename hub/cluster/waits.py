"""What a Job that is not over waits for, and whether that can still come to a good end; pure."""

from __future__ import annotations

import re
from datetime import datetime

from hub.cluster.failure import Ending, Failure, Patience, Wait
from hub.cluster.pods import WALL
from hub.cluster.seen import PULL_BACK_OFF, PULL_FAILED, ContainerSeen, PodSeen, RunSeen, moment

_NEVER = frozenset({"ErrImageNeverPull", "InvalidImageName", "ImageInspectError"})
_MISCONFIGURED = frozenset({"CreateContainerConfigError", "CreateContainerError",
                            "RunContainerError", "PreCreateHookError"})  # fmt: skip
_NOT_THERE = re.compile(r"not ?found|manifest unknown|404|name unknown", re.I)
_UNAUTHORISED = re.compile(r"unauthori[sz]ed|\b40[13]\b|denied|forbidden|credentials", re.I)
_PASSES = re.compile(
    r"timeout|timed out|deadline exceeded|connection refused|no endpoints|try again|EOF"
    r"|internal error", re.I,
)  # fmt: skip
_MOUNT_EVENTS = frozenset({"FailedMount", "FailedAttachVolume", "FailedMapVolume"})
_QUEUED = "waits in the queue of the cluster, which has not let it start yet"
_WHAT_RUNS = {
    "stage": "fetches its input", WALL: "waits until its network is closed",
    "algorithm": "runs", "collector": "brings its output",
}  # fmt: skip


def of(seen: RunSeen, now: datetime, patience: Patience) -> Wait | Ending:
    """Of a Job that is not over."""
    assert seen.job is not None
    pod = _present(seen)
    if pod is None:
        wait = _without_pod(seen)
    elif pod.silent_since and _is_past(pod.silent_since, now, patience.node_seconds):
        why = f"the node {pod.node} has not answered for {patience.node_seconds:g} s"
        return Ending(Failure.DISRUPTION, why, is_retryable=True, pod=pod)
    else:
        wait = of_pod(pod) or _of_mounts(seen, pod, now, patience) or _at(pod)
    if wait.is_final and wait.failure is not None:
        return Ending(wait.failure, wait.why, pod=pod)
    if wait.failure is None and seen.disruptions and pod is not None and not pod.disruption:
        gone = next(one for one in reversed(seen.pods) if one.disruption)
        return Wait(f"{wait.why}, again, for it was taken away by {gone.taken_by}")
    return wait


def of_pod(pod: PodSeen) -> Wait | None:
    """What a pod says it waits for; None where it says nothing, or nothing out of the usual."""
    if pod.no_place:
        return _no_place(pod.no_place)
    for one in pod.containers:
        if one.state == "waiting" and (wait := _of_container(pod, one)) is not None:
            return wait
    return None


def of_events(seen: RunSeen) -> Wait | None:
    """What warnings alone tell: that no pod may be made, or that a volume cannot be mounted."""
    for event in reversed(seen.events):
        if event.reason == "FailedCreate":
            return not_created(event.message)
        if event.reason in _MOUNT_EVENTS:
            return _no_volume(event.message)
    return None


def _present(seen: RunSeen) -> PodSeen | None:
    """The pod that counts: the newest that is not on its way out, else the newest."""
    there = [one for one in seen.pods if not one.is_gone]
    staying = [one for one in there if not one.is_deleting]
    return (staying or there or [None])[-1]  # type: ignore[list-item]


def _without_pod(seen: RunSeen) -> Wait:
    assert seen.job is not None
    if seen.job.is_suspended:
        return Wait(_QUEUED, Failure.NO_PLACE)
    for event in reversed(seen.events):
        if event.reason == "FailedCreate":
            return not_created(event.message)
    return Wait("was handed to the cluster")


def not_created(message: str) -> Wait:
    """Why the cluster made no pod, by what it said itself."""
    said = message.removeprefix("Error creating: ")
    heart = said.split(" is forbidden: ", 1)[-1]
    if "exceeded quota" in said:
        return Wait(f"waits for the quota of the namespace: {heart}", Failure.QUOTA)
    if _PASSES.search(said):
        return Wait(f"the cluster could not make its pod yet: {heart}", Failure.ADMISSION)
    return Wait(f"the cluster admits no such pod: {heart}", Failure.ADMISSION, is_final=True)


def _no_place(message: str) -> Wait:
    # from 1.34 the scheduler speaks of claims in between, also where there are none
    said = message.split(" preemption:")[0].split(" no new claims to ")[0].strip().rstrip(".,")
    if "persistentvolumeclaim" in said and "not found" in said:
        return Wait(f"a volume is missing: {said}", Failure.CONFIGURATION, is_final=True)
    if "scheduling gates" in said:
        # a warm server's pod, which Kueue lets go as it does a Job
        return Wait(_QUEUED, Failure.NO_PLACE)
    return Wait(f"waits for room in the cluster: {said}", Failure.NO_PLACE)


def _of_container(pod: PodSeen, one: ContainerSeen) -> Wait | None:
    if one.reason in _NEVER:
        return Wait(f"the image cannot be used: {one.message}", Failure.IMAGE, is_final=True)
    if one.reason in _MISCONFIGURED:
        return Wait(f"the container cannot be made: {one.message}", Failure.CONFIGURATION,
                    is_final=True)  # fmt: skip
    if one.reason in (PULL_FAILED, PULL_BACK_OFF):
        return _no_image(pod, one)
    if one.name == WALL and one.last_exit_code:
        # of a warm server, whose pod tries again: a Job's has ended
        why = "waits until its network is closed (HUB_CLUSTER_WALL_SECONDS), tried again"
        return Wait(why, Failure.WALL)
    return None


def _no_image(pod: PodSeen, one: ContainerSeen) -> Wait:
    """Only the first failure says why; a registry that answered no is asked a second time."""
    said = pod.pull_error or one.message
    heart = ": ".join(said.split(": ")[-3:])
    was_asked_again = one.reason == PULL_BACK_OFF
    if _UNAUTHORISED.search(heart):
        why = f"the registry refuses the image: {heart}; see HUB_CLUSTER_PULL_SECRETS"
        return Wait(why, Failure.IMAGE, is_final=was_asked_again)
    if _NOT_THERE.search(heart):
        return Wait(f"the registry has no such image: {heart}", Failure.IMAGE,
                    is_final=was_asked_again)  # fmt: skip
    return Wait(f"waits for the image, which could not be pulled yet: {heart}", Failure.IMAGE)


def _of_mounts(
    seen: RunSeen, pod: PodSeen, now: datetime, patience: Patience
) -> Wait | None:
    if any(one.state != "waiting" for one in pod.containers):
        return None
    for event in reversed(seen.events):
        if event.reason in _MOUNT_EVENTS:
            is_over = _is_past(event.first_at, now, patience.mount_seconds)
            wait = _no_volume(event.message)
            return Wait(wait.why, wait.failure, is_over)
    return None


def _no_volume(message: str) -> Wait:
    return Wait(f"a volume cannot be mounted: {message}", Failure.CONFIGURATION, is_final=True)


def _at(pod: PodSeen) -> Wait:
    if pod.silent_since:
        return Wait(f"runs on the node {pod.node}, which does not answer")
    for one in reversed(pod.containers):
        if one.state in ("running", "terminated"):
            return Wait(_WHAT_RUNS.get(one.name, "runs"))
    return Wait("is started in the cluster")


def _is_past(since: str, now: datetime, seconds: float) -> bool:
    began = moment(since)
    return began is not None and (now - began).total_seconds() >= seconds

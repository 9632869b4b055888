"""Why a Job that failed failed, in the sentence that an administrator needs; pure."""

from __future__ import annotations

import re
from datetime import datetime

from hub.cluster import waits
from hub.cluster.failure import Ending, Failure, Wait
from hub.cluster.pods import WALL
from hub.cluster.seen import ContainerSeen, PodSeen, RunSeen

OUT_OF_MEMORY = "OOMKilled"
# contract with vendors: the same input would end the same
FINAL_EXIT_CODES = frozenset({64, 65, 66, 78})
_NOT_SAID = "did not start in the time it may wait, and the cluster did not say why"
_RULE = "PodFailurePolicy"
_BY_RULE = re.compile(r"Container (\S+) for pod \S+ failed with exit code (\d+)")
# what a node does for its own sake, not for what the run wrote
_NODE_IS_FULL = re.compile(r"the node (was|had|is) (low|under|condition)|node condition", re.I)


def of_failed(seen: RunSeen) -> Ending:
    """Of a Job with the condition Failed."""
    assert seen.job is not None
    if seen.job.reason == "DeadlineExceeded":
        return _of_deadline(seen)
    for pod in reversed(seen.pods):
        if (end := _of_pod(seen, pod)) is not None:
            return end
    if found := _BY_RULE.search(seen.job.message):
        code = int(found[2])
        return Ending(Failure.EXIT_CODE, f"ended with exit code {code}", code)
    why = f"the cluster ended the Job: {seen.job.reason or 'Failed'}: {seen.job.message}"
    return Ending(Failure.DISRUPTION, why, is_retryable=True)


def is_explained(seen: RunSeen, end: Ending) -> bool:
    """Whether a pod was heard of that made its Job fail, or there is none that could be.

    Jobs and pods are watched apart: that a Job failed may be heard before its pod's end, and then
    an exit code would be taken for a disruption. One that the cluster announced fails no Job of the
    hub's, which tell it to put such a pod in place anew: behind it there must be another.
    """
    if seen.was_read:
        return True
    if end.failure is not Failure.DISRUPTION:
        return end.why != _NOT_SAID
    return end.pod is not None and end.pod is seen.pods[-1] and not end.pod.disruption


def is_past_time(seen: RunSeen, started_at: datetime | None, now: datetime) -> bool:
    """Whether the algorithm has run longer than it may; times are of whole seconds."""
    limit = seen.job.timeout_seconds if seen.job else 0
    return bool(limit and started_at) and (now - started_at).total_seconds() > limit + 1  # type: ignore[operator]


def past_time(seen: RunSeen, pod: PodSeen | None, algorithm: ContainerSeen) -> Ending:
    """It still runs, and whoever looks ends it."""
    return Ending(
        Failure.DEADLINE, _too_long(seen), is_retryable=True, pod=pod, container=algorithm
    )


def out_of_memory(seen: RunSeen, pod: PodSeen | None, container: ContainerSeen) -> Ending:
    """Before the exit code: a worker process that was killed may leave 1, or even 0, behind."""
    limit = seen.job.memory if seen.job else ""
    why = f"out of memory: the limit is {limit}" if limit else "out of memory"
    if container.name != "algorithm":
        why = f"the hub's own container {container.name} ran {why}"
    return Ending(Failure.MEMORY, why, container.exit_code, pod=pod, container=container)


def _of_deadline(seen: RunSeen) -> Ending:
    """The Job's own clock counts waiting too, and took the pod away: what did it wait for?"""
    for pod in reversed(seen.pods):
        algorithm = pod.container("algorithm")
        if algorithm is not None and algorithm.state != "waiting":
            return Ending(
                Failure.DEADLINE, _too_long(seen), algorithm.exit_code, True, pod, algorithm
            )
        if (wait := waits.of_pod(pod)) is not None:
            return _given_up(wait, pod)
    if (wait := waits.of_events(seen)) is not None:
        return _given_up(wait, None)
    return Ending(Failure.DEADLINE, _NOT_SAID, is_retryable=True)


def _given_up(wait: Wait, pod: PodSeen | None) -> Ending:
    assert wait.failure is not None
    why = wait.why if wait.is_final else f"given up after waiting too long: {wait.why}"
    return Ending(wait.failure, why, is_retryable=not wait.is_final, pod=pod)


def _too_long(seen: RunSeen) -> str:
    seconds = seen.job.timeout_seconds if seen.job else 0
    return f"timed out after {seconds} s" if seconds else "timed out"


def of_pod_taken(pod: PodSeen) -> Ending:
    """Of a pod that was disrupted or evicted."""
    if pod.disruption:
        why = f"the cluster took the run away: {pod.taken_by}"
        return Ending(Failure.DISRUPTION, why, is_retryable=True, pod=pod)
    return _evicted(pod)


def _of_pod(seen: RunSeen, pod: PodSeen) -> Ending | None:
    if pod.disruption:
        return of_pod_taken(pod)
    for one in pod.containers:
        if one.reason == OUT_OF_MEMORY:
            return out_of_memory(seen, pod, one)
    if pod.reason == "DeadlineExceeded":
        return Ending(Failure.DEADLINE, _too_long(seen), is_retryable=True, pod=pod,
                      container=pod.container("algorithm"))  # fmt: skip
    if pod.reason == "Evicted":
        return _evicted(pod)
    if pod.is_deleting:
        why = "the pod was deleted by somebody else"
        return Ending(Failure.DISRUPTION, why, is_retryable=True, pod=pod)
    ended = (one for one in pod.containers if one.state == "terminated" and one.exit_code)
    first = next(ended, None)
    return _of_container(seen, pod, first) if first is not None else None


def _evicted(pod: PodSeen) -> Ending:
    said = pod.message.strip().rstrip(".")
    if _NODE_IS_FULL.search(said):
        why = f"the cluster took the run away: {said}"
        return Ending(Failure.DISRUPTION, why, is_retryable=True, pod=pod)
    return Ending(Failure.DISK, f"wrote more than it may: {said}", pod=pod)


def _of_container(seen: RunSeen, pod: PodSeen, one: ContainerSeen) -> Ending:
    code = one.exit_code
    if one.reason in ("StartError", "ContainerCannotRun"):
        why = f"the image cannot run its command: {_last_clause(one.message)}"
        failure, is_retryable = Failure.CONFIGURATION, False
    elif one.name == "stage":
        why = f"the input did not reach the run: {_last_line(one.message, code)}"
        # The input is given for a few minutes: who is put back later begins under a new name. Only
        # what was taken away has a second pod; a Job that Kueue stops loses its first unsaid.
        is_back = len(seen.pods) > 1
        failure, is_retryable = Failure.DISRUPTION if is_back else Failure.STAGING, True
    elif one.name == WALL:
        why = f"its network was not seen to close: {_last_line(one.message, code)}"
        failure, is_retryable = Failure.WALL, True
    elif one.name == "collector":
        why = f"the output did not come back: {_last_line(one.message, code)}"
        failure, is_retryable = Failure.COLLECTING, True
    else:
        why = f"ended with exit code {code}"
        is_by_rule = seen.job is not None and seen.job.reason == _RULE
        failure, is_retryable = Failure.EXIT_CODE, not is_by_rule and code not in FINAL_EXIT_CODES
    return Ending(failure, why, code, is_retryable, pod, one)


def _last_clause(message: str) -> str:
    """Of an error that was wrapped many times, what is at its heart."""
    return ": ".join(message.strip().removesuffix(": unknown").split(": ")[-3:])


def _last_line(message: str, code: int | None) -> str:
    lines = message.strip().splitlines()
    return lines[-1] if lines else f"exit code {code}"

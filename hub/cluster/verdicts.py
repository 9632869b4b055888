"""Tells from what was seen of a Job how its run stands, and why it failed; pure.

Decided from what is, never by counting what was told: a watch puts several changes into one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from hub.cluster import endings, waits
from hub.cluster.failure import Ending, Failure, Patience
from hub.cluster.seen import ContainerSeen, PodSeen, RunSeen, moment

State = Literal["unknown", "waiting", "running", "succeeded", "failed"]

ALGORITHM, COLLECT = "algorithm", "collector"


@dataclass(frozen=True, slots=True)
class RunVerdict:
    """How a run stands; ``why`` is a sentence for an administrator.

    ``pod`` and ``container`` say whose log tells more. ``is_retryable``: the same run may end
    otherwise. ``is_disruption``: it did not fail by itself, so it counts as no attempt.
    ``must_look``: nothing that was told explains how the Job ended; its pods, read anew, decide.
    """

    state: State
    why: str = ""
    failure: Failure | None = None
    exit_code: int | None = None
    is_retryable: bool = False
    must_look: bool = False
    pod: str = ""
    container: str = ""
    message: str = ""
    image_id: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ("succeeded", "failed")

    @property
    def is_disruption(self) -> bool:
        """Whether the cluster took the run away."""
        return self.failure is Failure.DISRUPTION


def verdict(seen: RunSeen, *, now: datetime, patience: Patience | None = None) -> RunVerdict:
    """How the run stands at ``now``, an aware datetime."""
    patience = patience or Patience()
    job = seen.job
    if job is None:
        return RunVerdict("unknown", "there is no such Job in the cluster")
    if job.ended == "Complete" or _has_brought_output(seen):
        return _succeeded(seen)
    if seen.disruptions > patience.most_disruptions:
        last = next(one for one in reversed(seen.pods) if one.disruption)
        why = f"taken away {seen.disruptions} times by the cluster, last by {last.taken_by}"
        return _ended(seen, Ending(Failure.DISRUPTION, why))
    if job.ended == "Failed":
        end = endings.of_failed(seen)
        if endings.is_explained(seen, end) or _is_late(seen, now, patience):
            return _ended(seen, end)
        return RunVerdict("running", "its Job has ended, and why is looked for", must_look=True)
    if job.is_gone:
        why = "the Job was deleted by somebody else"
        return _ended(seen, Ending(Failure.DISRUPTION, why, is_retryable=True))
    return _going_on(seen, now, patience)


def _is_late(seen: RunSeen, now: datetime, patience: Patience) -> bool:
    ended_at = moment(seen.job.ended_at) if seen.job else None
    return ended_at is not None and (now - ended_at).total_seconds() >= patience.end_seconds


def _going_on(seen: RunSeen, now: datetime, patience: Patience) -> RunVerdict:
    found = waits.of(seen, now, patience)
    if isinstance(found, Ending):
        return _ended(seen, found)
    algorithm = _algorithm(seen)
    started_at = moment(algorithm.started_at) if algorithm else None
    if algorithm and algorithm.state == "running" and endings.is_past_time(seen, started_at, now):
        return _ended(seen, endings.past_time(seen, _last(seen), algorithm))
    if found.failure is not None:
        return RunVerdict("waiting", found.why, found.failure)
    return RunVerdict("running", found.why, started_at=started_at)


def _has_brought_output(seen: RunSeen) -> bool:
    """The collector ended well: pod and Job say so seconds later, which nobody need wait for."""
    for pod in seen.pods:
        collector = pod.container(COLLECT)
        others = [one for one in pod.containers if one.name != COLLECT]
        if collector is None or not _is_well(collector) or not others:
            continue
        if not pod.disruption and all(map(_is_well, others)):
            return True
    return False


def _is_well(container: ContainerSeen) -> bool:
    is_over = container.state == "terminated" and container.exit_code == 0
    return is_over and container.reason != endings.OUT_OF_MEMORY


def _succeeded(seen: RunSeen) -> RunVerdict:
    """A worker of the algorithm that ran out of memory spoils a result that says it is whole."""
    pod = next((one for one in seen.pods if one.phase == "Succeeded"), _last(seen))
    algorithm = pod.container(ALGORITHM) if pod else None
    if algorithm is not None and algorithm.reason == endings.OUT_OF_MEMORY:
        return _ended(seen, endings.out_of_memory(seen, pod, algorithm))
    return RunVerdict(
        "succeeded", exit_code=0, pod=pod.name if pod else "", container=ALGORITHM,
        message=algorithm.message if algorithm else "",
        image_id=algorithm.image_id if algorithm else "",
        started_at=moment(algorithm.started_at) if algorithm else None,
        finished_at=moment(algorithm.finished_at) if algorithm else None,
    )  # fmt: skip


def _ended(seen: RunSeen, end: Ending) -> RunVerdict:
    pod = end.pod or _last(seen)
    container = end.container or (pod.container(ALGORITHM) if pod else None)
    return RunVerdict(
        "failed", end.why, end.failure, end.exit_code, end.is_retryable,
        pod=pod.name if pod and not pod.is_gone else "",
        container=container.name if container else ALGORITHM,
        message=container.message if container else "",
        image_id=container.image_id if container else "",
        started_at=moment(container.started_at) if container else None,
        finished_at=moment(container.finished_at) if container else None,
    )  # fmt: skip


def _last(seen: RunSeen) -> PodSeen | None:
    return seen.pods[-1] if seen.pods else None


def _algorithm(seen: RunSeen) -> ContainerSeen | None:
    pod = _last(seen)
    return pod.container(ALGORITHM) if pod else None

"""What each recording of a run must be judged to be, at its end and on the way there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from hub.cluster.failure import Failure, Patience
from hub.cluster.seen import RunSeen
from hub.cluster.verdicts import RunVerdict, verdict
from tests.fakes.recordings import recording


@dataclass(frozen=True)
class Expected:
    """The verdict at the end of a recording of one Job."""

    start: str
    state: str = "failed"
    failure: Failure | None = None
    says: str = ""
    is_retryable: bool = False
    exit_code: int | None = None
    job: str = ""

    def __str__(self) -> str:
        return f"{self.start}-{self.job or self.failure or self.state}"


F = Failure
EXPECTED = [
    Expected("02", "succeeded", exit_code=0),
    Expected("02b", "succeeded", exit_code=0),
    Expected("03a", failure=F.EXIT_CODE, says="exit code 3", is_retryable=True, exit_code=3),
    Expected("03b", failure=F.EXIT_CODE, says="exit code 3", is_retryable=True, exit_code=3),
    Expected("03c", failure=F.EXIT_CODE, says="exit code 3", is_retryable=True, exit_code=3),
    Expected("03d", failure=F.STAGING, says="input did not reach", is_retryable=True, exit_code=66),
    Expected("04a", failure=F.MEMORY, says="the limit is 32Mi", exit_code=137),
    Expected("04b", failure=F.MEMORY, says="the limit is 32Mi", exit_code=1),
    Expected("04c", failure=F.MEMORY, says="the limit is 32Mi", exit_code=0),
    Expected("05a", failure=F.DEADLINE, says="timed out", is_retryable=True, exit_code=137),
    Expected("05b", failure=F.DEADLINE, says="timed out", is_retryable=True, exit_code=143),
    Expected("05c", failure=F.DEADLINE, says="timed out after 6 s", is_retryable=True),
    Expected("06a", failure=F.IMAGE, says="not present with pull policy"),
    Expected("06b", failure=F.IMAGE, says="the registry has no such image"),
    Expected("06c", failure=F.IMAGE, says="connection refused", is_retryable=True),
    Expected("06d", failure=F.IMAGE, says="the registry refuses the image"),
    Expected("06e", failure=F.IMAGE, says="invalid reference format"),
    Expected("07a", failure=F.NO_PLACE, says="1 Insufficient nvidia.com/gpu", is_retryable=True),
    Expected("07b", "succeeded", exit_code=0, job="run-07b-3"),
    Expected("10", "succeeded", exit_code=0, job="run-10-2"),
    Expected("15", failure=F.DISRUPTION, says="deleted by somebody else", is_retryable=True),
    Expected("16", "succeeded", exit_code=0),
    Expected("17", failure=F.ADMISSION, says="violates PodSecurity"),
    Expected("20a", "succeeded", exit_code=0, job="run-20-b"),
    Expected("20a", "succeeded", exit_code=0, job="run-20-stat"),
    Expected("20b", failure=F.DISRUPTION, says="PreemptionByKubeScheduler", is_retryable=True,
             job="run-20-d"),
    Expected("20c", "succeeded", exit_code=0, job="run-20-g"),
    Expected("21", "succeeded", exit_code=0),
    Expected("22a", failure=F.DISRUPTION, says="deleted by somebody else", is_retryable=True),
    Expected("22b", "succeeded", exit_code=0),
    Expected("22c", "succeeded", exit_code=0),
    Expected("22d", "succeeded", exit_code=0),
    Expected("22e", failure=F.EXIT_CODE, says="exit code 42", exit_code=42),
    Expected("22f", failure=F.EXIT_CODE, says="exit code 7", is_retryable=True, exit_code=7),
    Expected("22g", "succeeded", exit_code=0),
    Expected("22h", "succeeded", exit_code=0),
    Expected("22i", failure=F.EXIT_CODE, says="exit code 65", exit_code=65),
    Expected("24a", failure=F.DISK, says='EmptyDir volume "output" exceeds the limit "16Mi"'),
    Expected("24b", failure=F.EXIT_CODE, says="exit code 74", is_retryable=True, exit_code=74),
    Expected("25a", failure=F.CONFIGURATION, says="no such file or directory", exit_code=128),
    Expected("25b", failure=F.CONFIGURATION, says="image will run as root"),
    Expected("25c", failure=F.CONFIGURATION, says='secret "vendor-license" not found'),
    Expected("25d", failure=F.CONFIGURATION, says='configmap "nope" not found'),
    Expected("25e", failure=F.CONFIGURATION, says='persistentvolumeclaim "nope" not found'),
    Expected("25f", failure=F.EXIT_CODE, says="exit code 73", is_retryable=True, exit_code=73),
    Expected("27a", failure=F.IMAGE, says="not present with pull policy"),
    Expected("27b", "succeeded", exit_code=0),
    Expected("28", "succeeded", exit_code=0),
]  # fmt: skip


@dataclass(frozen=True)
class Moment:
    """What was known, and judged, so many seconds after the beginning."""

    at: float
    seen: RunSeen
    verdict: RunVerdict


@cache
def moments(
    start: str, job: str = "", *, patience: Patience | None = None, pods_late_by: float = 0.0
) -> list[Moment]:
    """A recording, told piece by piece as a watch told it, that of pods so many seconds later."""
    whole = recording(start)
    name = job or whole.jobs()[0]
    seen, found = RunSeen(), []
    for one in sorted(whole.told(), key=lambda one: _heard_at(one, pods_late_by)):
        now = _told(seen, one, name)
        if now is seen and found:
            continue
        seen = now
        at = _heard_at(one, pods_late_by)
        said = verdict(seen, now=whole.began_at + timedelta(seconds=at), patience=patience)
        found.append(Moment(at, seen, said))
    if found[-1].verdict.must_look:
        # nothing more is told: whoever watches reads the pods that are there
        at = found[-1].at + 1
        seen = seen.after_read(frozenset(pod.uid for pod in seen.pods if not pod.is_gone))
        said = verdict(seen, now=whole.began_at + timedelta(seconds=at), patience=patience)
        found.append(Moment(at, seen, said))
    return found


def _heard_at(one, pods_late_by: float) -> float:
    return one.at + (pods_late_by if one.kind != "Job" else 0.0)


def _told(seen: RunSeen, one, name: str) -> RunSeen:
    obj, is_gone = one.object, one.type == "DELETED"
    if one.type == "BOOKMARK":
        return seen
    if one.kind == "Job" and obj["metadata"]["name"] == name:
        return seen.with_job(obj, is_gone=is_gone)
    if one.kind == "Pod" and obj["metadata"].get("labels", {}).get("job-name") == name:
        return seen.with_pod(obj, is_gone=is_gone)
    if one.kind == "Event" and obj["type"] == "Warning":
        about = obj["involvedObject"].get("uid")
        known = {pod.uid for pod in seen.pods} | ({seen.job.uid} if seen.job else set())
        return seen.with_event(obj) if about in known else seen
    return seen

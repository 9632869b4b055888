"""What was seen of a Job and its pods, as frozen values that can be kept; pure.

A cluster forgets: a deadline deletes the pod with its status, a back-off hides why an image was not
pulled, a deletion resets what a container waited for. What was once seen is kept here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, Self

from hub.cluster.labels import TIMEOUT_SECONDS

Json = dict[str, Any]

_MOST_PODS, _MOST_EVENTS = 8, 16
_LONGEST_TEXT = 1000
_OVER = frozenset({"Succeeded", "Failed"})
# what a container waits for while all is well, and what a deletion resets it to
_USUAL_WAITS = frozenset({"", "ContainerCreating", "PodInitializing"})
_PULL_EVENT = "Failed to pull image"
PULL_FAILED, PULL_BACK_OFF = "ErrImagePull", "ImagePullBackOff"


@dataclass(frozen=True, slots=True)
class ContainerSeen:
    """One container: ``state`` is waiting, running or terminated."""

    name: str
    state: str = "waiting"
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    started_at: str = ""
    finished_at: str = ""
    image_id: str = ""
    # of the time before, where it was started anew in the same pod
    restarts: int = 0
    last_reason: str = ""
    last_exit_code: int | None = None
    last_finished_at: str = ""


@dataclass(frozen=True, slots=True)
class PodSeen:
    """One pod, as it last was, with what later overwrote itself kept."""

    uid: str
    name: str
    phase: str = ""
    reason: str = ""
    message: str = ""
    node: str = ""
    created_at: str = ""
    # why the scheduler found no place; empty once it has one
    no_place: str = ""
    disruption: str = ""
    disruption_message: str = ""
    # since when its node says nothing
    silent_since: str = ""
    pull_error: str = ""
    is_deleting: bool = False
    is_gone: bool = False
    containers: tuple[ContainerSeen, ...] = ()

    @property
    def is_over(self) -> bool:
        """Whether all of its containers have ended for good."""
        return self.phase in _OVER

    @property
    def taken_by(self) -> str:
        """Who took it away, as far as the cluster says."""
        return f"{self.disruption}: {self.disruption_message}".rstrip(": ")

    def container(self, name: str) -> ContainerSeen | None:
        """The container of that name."""
        return next((one for one in self.containers if one.name == name), None)


@dataclass(frozen=True, slots=True)
class EventSeen:
    """A warning about the Job or one of its pods."""

    kind: str
    reason: str
    message: str
    first_at: str = ""


@dataclass(frozen=True, slots=True)
class JobSeen:
    """The Job; ``ended`` is Complete or Failed once it is over."""

    uid: str
    name: str
    ended: str = ""
    reason: str = ""
    message: str = ""
    is_suspended: bool = False
    is_gone: bool = False
    created_at: str = ""
    started_at: str = ""
    ended_at: str = ""
    image: str = ""
    memory: str = ""
    gpu: str = ""
    timeout_seconds: int = 0


@dataclass(frozen=True, slots=True)
class RunSeen:
    """All that is known of one run."""

    job: JobSeen | None = None
    pods: tuple[PodSeen, ...] = ()
    events: tuple[EventSeen, ...] = ()
    # its pods were read after the Job had ended: there is nothing more to be told of them
    was_read: bool = False

    def as_json(self) -> Json:
        """The shape that from_json() reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """From what as_json() gave, also by another version of the hub."""
        pods = tuple(
            _made(PodSeen, one | {"containers": _containers(one)}) for one in data.get("pods", ())
        )
        job = data.get("job")
        return cls(
            _made(JobSeen, job) if job else None, pods,
            tuple(_made(EventSeen, one) for one in data.get("events", ())),
            bool(data.get("was_read")),
        )  # fmt: skip

    # -- what the watch brings -----------------------------------------------------------------
    def with_job(self, job: Json, *, is_gone: bool = False) -> RunSeen:
        """After this word about the Job; one of another uid begins anew."""
        now = _job(job, is_gone=is_gone)
        if self.job is not None and self.job.uid != now.uid:
            return self if is_gone else RunSeen(now)
        return replace(self, job=now)

    def with_job_gone(self) -> RunSeen:
        """After a look that did not find the Job which was there before."""
        return self if self.job is None else replace(self, job=replace(self.job, is_gone=True))

    def with_pod(self, pod: Json, *, is_gone: bool = False) -> RunSeen:
        """After this word about one of its pods."""
        uid = pod["metadata"]["uid"]
        before = next((one for one in self.pods if one.uid == uid), None)
        now = _pod(pod, before, is_gone=is_gone)
        others = tuple(one for one in self.pods if one.uid != uid)
        pods = sorted((*others, now), key=lambda one: (one.created_at, one.uid))
        return replace(self, pods=tuple(pods[-_MOST_PODS:]))

    def with_event(self, event: Json) -> RunSeen:
        """After this warning about the Job or a pod."""
        now = EventSeen(
            event["involvedObject"].get("kind", ""), event.get("reason", ""),
            _short(event.get("message")),
            event.get("firstTimestamp") or event.get("eventTime")
            or event["metadata"].get("creationTimestamp") or "",
        )  # fmt: skip
        if any((one.reason, one.message) == (now.reason, now.message) for one in self.events):
            return self
        pods = tuple(_told_of_pull(one, event, now) for one in self.pods)
        return replace(self, pods=pods, events=(*self.events, now)[-_MOST_EVENTS:])

    def without(self, known: frozenset[str]) -> RunSeen:
        """After a list that named the pods in ``known`` alone: all others are gone."""
        pods = tuple(
            one if one.uid in known or one.is_gone else replace(one, is_gone=True)
            for one in self.pods
        )
        return self if pods == self.pods else replace(self, pods=pods)

    def after_read(self, known: frozenset[str]) -> RunSeen:
        """After its pods were read, later than the Job was: those in ``known``, and no others."""
        has_ended = self.job is not None and bool(self.job.ended)
        return replace(self.without(known), was_read=has_ended)

    @property
    def disruptions(self) -> int:
        """How many of its pods were taken away by the cluster."""
        return sum(1 for one in self.pods if one.disruption)


def moment(text: str) -> datetime | None:
    """From RFC 3339, as the API server writes it; None where it says nothing."""
    if not text:
        return None
    return datetime.fromisoformat(re.sub(r"([.]\d{6})\d+", r"\1", text)).astimezone(UTC)


def _told_of_pull(pod: PodSeen, event: Json, told: EventSeen) -> PodSeen:
    """Its status says why for a second; who looks now and then may see nothing but the back-off."""
    is_why = told.reason == "Failed" and told.message.startswith(_PULL_EVENT)
    if not is_why or pod.pull_error or event["involvedObject"].get("uid") != pod.uid:
        return pod
    return replace(pod, pull_error=told.message)


def _made(kind: Any, data: Mapping[str, Any]) -> Any:
    known = {one.name for one in fields(kind)}
    return kind(**{key: value for key, value in data.items() if key in known})


def _containers(pod: Mapping[str, Any]) -> tuple[ContainerSeen, ...]:
    return tuple(_made(ContainerSeen, one) for one in pod.get("containers", ()))


def _short(text: Any) -> str:
    return str(text or "")[-_LONGEST_TEXT:]


def _job(job: Json, *, is_gone: bool) -> JobSeen:
    meta, status = job["metadata"], job.get("status", {})
    true = {
        one["type"]: one for one in status.get("conditions") or () if one.get("status") == "True"
    }
    ended = next((kind for kind in ("Complete", "Failed") if kind in true), "")
    end = true.get(ended, {})
    algorithm, pod = _algorithm_of(job)
    limits = algorithm.get("resources", {}).get("limits", {})
    gpus = (f"{count} {name}" for name, count in limits.items() if "/" in name)
    return JobSeen(
        uid=meta["uid"], name=meta["name"], ended=ended, reason=end.get("reason", ""),
        message=_short(end.get("message")), is_suspended="Suspended" in true,
        is_gone=is_gone, created_at=meta.get("creationTimestamp") or "",
        started_at=status.get("startTime") or "", ended_at=end.get("lastTransitionTime") or "",
        image=algorithm.get("image", ""), memory=str(limits.get("memory", "")),
        gpu=next(gpus, ""), timeout_seconds=_timeout(meta, pod),
    )  # fmt: skip


def _timeout(meta: Json, pod: Json) -> int:
    """Seconds that the algorithm may take: as the hub wrote them down, else as the pod has them."""
    told = (meta.get("annotations") or {}).get(TIMEOUT_SECONDS, "")
    return int(told) if told.isdecimal() else int(pod.get("activeDeadlineSeconds") or 0)


def _algorithm_of(job: Json) -> tuple[Json, Json]:
    pod = job.get("spec", {}).get("template", {}).get("spec", {})
    all_of_them = [*(pod.get("initContainers") or ()), *(pod.get("containers") or ())]
    return next((one for one in all_of_them if one["name"] == "algorithm"), {}), pod


def _pod(pod: Json, before: PodSeen | None, *, is_gone: bool) -> PodSeen:
    meta, status = pod["metadata"], pod.get("status", {})
    if before is not None and before.is_over and status.get("phase") not in _OVER:
        # a watch that lags behind a read tells of its past
        return replace(before, is_gone=before.is_gone or is_gone)
    conditions = {one["type"]: one for one in status.get("conditions") or ()}
    placed, ready = conditions.get("PodScheduled", {}), conditions.get("Ready", {})
    disrupted = conditions.get("DisruptionTarget", {})
    is_disrupted = disrupted.get("status") == "True"
    was = before or PodSeen("", "")
    containers = _containers_now(status, was, is_deleting="deletionTimestamp" in meta)
    pulls = filter(None, map(_pull_error, containers))
    is_silent = (
        status.get("phase") == "Running" and ready.get("status") == "False"
        and not ready.get("reason") and any(one.state == "running" for one in containers)
    )  # fmt: skip
    return PodSeen(
        uid=meta["uid"], name=meta["name"], phase=status.get("phase", ""),
        reason=status.get("reason", ""), message=_short(status.get("message")),
        node=pod.get("spec", {}).get("nodeName") or "",
        created_at=meta.get("creationTimestamp") or "",
        no_place=_short(placed.get("message")) if placed.get("status") == "False" else "",
        disruption=(is_disrupted and disrupted.get("reason", "DisruptionTarget")) or was.disruption,
        disruption_message=_short(disrupted.get("message")) or was.disruption_message,
        silent_since=(ready.get("lastTransitionTime") or "") if is_silent else "",
        pull_error=next(pulls, was.pull_error), is_deleting="deletionTimestamp" in meta,
        is_gone=is_gone, containers=containers,
    )  # fmt: skip


def _containers_now(
    status: Json, was: PodSeen, *, is_deleting: bool
) -> tuple[ContainerSeen, ...]:
    """As they are now; a deletion does not make forgotten what one was waiting for."""
    found = []
    for one in (*(status.get("initContainerStatuses") or ()),
                *(status.get("containerStatuses") or ())):  # fmt: skip
        now, before = _container(one), was.container(one["name"])
        is_reset = is_deleting and now.state == "waiting" and now.reason in _USUAL_WAITS
        found.append(before if is_reset and before is not None else now)
    return tuple(found) or was.containers


def _pull_error(container: ContainerSeen) -> str:
    """Why its image was not pulled the last time; newer kubelets say so in the back-off as well."""
    if container.reason == PULL_BACK_OFF:
        return container.message.partition(f": {PULL_FAILED}: ")[2]
    return container.message if container.reason == PULL_FAILED else ""


def _container(status: Json) -> ContainerSeen:
    state = next(iter(status.get("state") or {}), "waiting")
    said = (status.get("state") or {}).get(state) or {}
    last = (status.get("lastState") or {}).get("terminated") or {}
    return ContainerSeen(
        name=status["name"], state=state, reason=said.get("reason", ""),
        message=_short(said.get("message")), exit_code=said.get("exitCode"),
        started_at=said.get("startedAt") or "", finished_at=said.get("finishedAt") or "",
        image_id=status.get("imageID", ""), restarts=int(status.get("restartCount") or 0),
        last_reason=last.get("reason", ""), last_exit_code=last.get("exitCode"),
        last_finished_at=last.get("finishedAt") or "",
    )  # fmt: skip

"""A server that takes one run after another: its Deployment, and how it stands; pure.

One Deployment is one server, so that exactly the one that hangs, or is idle, can be taken away: of
several replicas the cluster itself would choose. See docs/adr/0050.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from hub.cluster import endings, labels, pods, waits
from hub.cluster.failure import Ending, Failure, Patience
from hub.cluster.manifests import ALGORITHM, Need, algorithm_container
from hub.cluster.pods import Placement, Wall
from hub.cluster.seen import ContainerSeen, PodSeen, RunSeen, moment

Json = dict[str, Any]
State = Literal["coming", "up", "lost"]

ATTENDANT = "attendant"
_OUTPUT = "/output"


@dataclass(frozen=True, slots=True)
class Attendant:
    """The hub's own container in a server's pod: fetches runs, and brings back what they left."""

    image: str
    command: tuple[str, ...]
    url: str
    token: str = field(repr=False)
    addresses: Mapping[str, str] = field(default_factory=dict)
    ca: str = ""
    memory: str = "256Mi"


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """One server; ``name`` is also the Deployment's, ``key`` what the hub calls it.

    ``need.input_bytes`` is the largest input that it can be given.
    """

    name: str
    key: str
    image: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    need: Need
    attendant: Attendant
    placement: Placement
    labels: Mapping[str, str] = field(default_factory=dict)
    wall: Wall | None = None


@dataclass(frozen=True, slots=True)
class Stands:
    """How a server stands; lost: whatever run it has will not come to its end there.

    ``ended_at`` is the whole second in which the algorithm itself ended, where it did.
    """

    state: State
    why: str = ""
    failure: Failure | None = None
    exit_code: int | None = None
    is_retryable: bool = True
    pod: str = ""
    ended_at: datetime | None = None

    @property
    def is_disruption(self) -> bool:
        """Whether the cluster took it away."""
        return self.failure is Failure.DISRUPTION


def deployment_manifest(spec: ServerSpec) -> Json:
    """The Deployment of one server; raises ValueError for an image that is named by a tag."""
    if "@sha256:" not in spec.image:
        raise ValueError(f"an image is named by its digest, not {spec.image!r}")
    marks = {
        labels.MANAGED_BY: labels.HUB, labels.RUN: spec.key, labels.KIND: labels.RUN_KIND,
        labels.SERVING: labels.WARM, **spec.labels,
    }  # fmt: skip
    if spec.placement.queue:
        marks[labels.KUEUE_QUEUE] = spec.placement.queue
    notes = {labels.SERVER_TOKEN: spec.attendant.token} | pods.ca_annotation(spec.attendant.ca)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": spec.name, "labels": dict(marks),
                     "annotations": {labels.SPEC_HASH: fingerprint(spec)}},
        "spec": {
            "replicas": 1,
            "revisionHistoryLimit": 0,
            # a second one beside the first would hold a second GPU, and find no run
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": {labels.RUN: spec.key}},
            "template": {"metadata": {"labels": dict(marks), "annotations": notes},
                         "spec": _pod(spec)},
        },
    }  # fmt: skip


def fingerprint(spec: ServerSpec) -> str:
    """Of all that makes one server another; not of its own name and token."""
    said = [
        spec.image, spec.command, dict(spec.environment), str(spec.need), str(spec.placement),
        spec.attendant.image, spec.attendant.command, dict(spec.attendant.addresses),
        spec.attendant.ca,
        # only where there is one: servers from before there were walls stay as they are
        *([str(spec.wall)] if spec.wall else ()),
    ]  # fmt: skip
    text = json.dumps(said, sort_keys=True)
    return f"sha256-{hashlib.sha256(text.encode()).hexdigest()[:40]}"


def stands(seen: RunSeen, *, pod: str, now: datetime, patience: Patience | None = None) -> Stands:
    """How a server stands by what was seen of its pods.

    ``pod`` is the name of the pod that took its present run, empty where it has none.
    """
    there = [one for one in seen.pods if not one.is_gone and not one.is_deleting]
    if not pod:
        return _of(there[-1], now, patience) if there else _without_pod(seen)
    its = next((one for one in seen.pods if one.name == pod), None)
    if its is None:
        # asked before the watch had told of it
        return Stands("up", pod=pod)
    return _of(its, now, patience)


def _without_pod(seen: RunSeen) -> Stands:
    wait = waits.of_events(seen)
    if wait is not None and wait.is_final and not seen.pods:
        return Stands("lost", wait.why, wait.failure, is_retryable=False)
    return Stands("coming", wait.why if wait else "a warm server is started in the cluster")


def _of(pod: PodSeen, now: datetime, patience: Patience | None) -> Stands:
    if (end := _taken(pod, now, patience or Patience())) is not None:
        return _lost(end, pod)
    algorithm = pod.container(ALGORITHM)
    if algorithm is not None and _has_ended(algorithm):
        is_over = algorithm.state == "terminated"
        at = algorithm.finished_at if is_over else algorithm.last_finished_at
        return replace(_lost(_death(algorithm), pod), ended_at=moment(at))
    wait = waits.of_pod(pod)
    if wait is not None and wait.failure is not None:
        if wait.is_final:
            return Stands("lost", wait.why, wait.failure, is_retryable=False, pod=pod.name)
        return Stands("coming", wait.why, wait.failure, pod=pod.name)
    if algorithm is None or algorithm.state != "running":
        return Stands("coming", "a warm server is started in the cluster", pod=pod.name)
    return Stands("up", pod=pod.name)


def _lost(end: Ending, pod: PodSeen) -> Stands:
    return Stands("lost", end.why, end.failure, end.exit_code, end.is_retryable, pod.name)


def _taken(pod: PodSeen, now: datetime, patience: Patience) -> Ending | None:
    """Who took the pod away, if somebody did."""
    if pod.disruption or pod.reason == "Evicted":
        return endings.of_pod_taken(pod)
    if pod.is_gone or pod.is_deleting:
        why = "the pod of the warm server was deleted by somebody else"
        return Ending(Failure.DISRUPTION, why, is_retryable=True)
    since = moment(pod.silent_since)
    if since is not None and (now - since).total_seconds() >= patience.node_seconds:
        why = f"the node {pod.node} has not answered for {patience.node_seconds:g} s"
        return Ending(Failure.DISRUPTION, why, is_retryable=True)
    return None


def _has_ended(algorithm: ContainerSeen) -> bool:
    """Started anew in the same pod counts as well: its mailbox says ready, and it is not."""
    return algorithm.state == "terminated" or algorithm.restarts > 0


def _death(algorithm: ContainerSeen) -> Ending:
    is_over = algorithm.state == "terminated"
    reason = algorithm.reason if is_over else algorithm.last_reason
    code = algorithm.exit_code if is_over else algorithm.last_exit_code
    if reason == endings.OUT_OF_MEMORY:
        # perhaps by what runs before this one left in it
        why = "the warm server ran out of memory"
        return Ending(Failure.MEMORY, why, code, is_retryable=True)
    if reason in ("StartError", "ContainerCannotRun"):
        return Ending(Failure.CONFIGURATION, "the image cannot run its command", code)
    why = f"the warm server ended with exit code {code}"
    return Ending(Failure.EXIT_CODE, why, code, is_retryable=code not in endings.FINAL_EXIT_CODES)


def outline(seen: RunSeen) -> str:
    """What of its pods decides how it stands: another outline is news."""
    return json.dumps([
        [one.name, one.phase, one.no_place, one.disruption, one.is_deleting, one.is_gone,
         one.silent_since, [[c.name, c.state, c.reason, c.restarts] for c in one.containers]]
        for one in seen.pods
    ])  # fmt: skip


def _pod(spec: ServerSpec) -> Json:
    need, ca = spec.need, spec.attendant.ca
    first = pods.wall(spec.wall, spec.attendant.image)
    return pods.base(spec.placement, spec.attendant.addresses) | {
        **({"initContainers": first} if first else {}),
        "containers": [_algorithm(spec), _attendant(spec)],
        "volumes": [
            # a run's input lies in the mailbox beside what it writes
            _disk("mailbox", need.input_bytes + need.output_bytes),
            _disk("scratch", need.scratch_bytes),
            _disk("nothing", 0),
            {"name": "shared-memory", "emptyDir": {
                "medium": "Memory", "sizeLimit": str(need.shared_memory_bytes)}},
            pods.token("server-token", labels.SERVER_TOKEN),
            *pods.ca_volumes(ca),
        ],
    }  # fmt: skip


def _disk(name: str, size: int) -> Json:
    return {"name": name, "emptyDir": {"sizeLimit": str(pods.roomy(size))}}


def _algorithm(spec: ServerSpec) -> Json:
    need = spec.need
    return algorithm_container(
        need, spec.image, spec.command, spec.environment,
        disks=(need.input_bytes + need.output_bytes, need.scratch_bytes, 0),
        input_volume="nothing", output_volume="mailbox",
    )  # fmt: skip


def _attendant(spec: ServerSpec) -> Json:
    own = spec.attendant
    command = [*own.command, "attend", "--url", own.url, "--folder", _OUTPUT,
               "--most-bytes", str(spec.need.input_bytes), *pods.token_words(own.ca)]  # fmt: skip
    look = {"command": [*own.command, "ready", "--folder", _OUTPUT]}
    return pods.carrier(ATTENDANT, own.image, command, own.memory) | {
        "readinessProbe": {"exec": look, "periodSeconds": 10, "timeoutSeconds": 5},
        "volumeMounts": [
            pods.mount("mailbox", _OUTPUT),
            pods.mount("server-token", pods.TOKENS, is_read_only=True),
            *pods.ca_mounts(own.ca),
        ],
    }  # fmt: skip

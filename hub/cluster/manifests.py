"""Makes the Job of a run: stage, then the algorithm alone, then collect; pure.

Both the stager and the algorithm are init containers, so the kubelet itself keeps the order and a
failed algorithm ends the pod at once, on every version from 1.26. See docs/adr/0037.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.cluster import labels, pods
from hub.cluster.pods import Placement, Wall

Json = dict[str, Any]

STAGE, ALGORITHM, COLLECT = "stage", "algorithm", "collector"
# seconds for fetching the input and bringing the output, on top of what the algorithm may take
_CARRY_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Carrier:
    """What fetches the input and brings the output, in containers beside the algorithm's.

    ``command`` is followed by ``stage`` or ``collect`` and their options. Each of the two mounts
    its own token, and the algorithm's container neither.
    """

    image: str
    command: tuple[str, ...]
    input_url: str
    input_token: str = field(repr=False)
    output_url: str
    output_token: str = field(repr=False)
    memory: str = "256Mi"
    # names in the two URLs and the addresses they stand for: the pod can look up none by itself
    addresses: Mapping[str, str] = field(default_factory=dict)
    # PEM of who signed the hub's certificate; empty: whom the carrier's image trusts
    ca: str = ""


@dataclass(frozen=True, slots=True)
class Need:
    """What one run may take, in bytes and Kubernetes quantities."""

    cpu: str
    memory: str
    gpu: int
    gpu_resource: str
    input_bytes: int
    output_bytes: int
    scratch_bytes: int
    shared_memory_bytes: int


@dataclass(frozen=True, slots=True)
class JobSpec:
    """One run; ``name`` is also the Job's, ``image`` is by digest.

    ``labels`` and ``environment`` go to the pod; ``wait_seconds`` is how long the run may wait for
    a place before the cluster gives it up, ``timeout_seconds`` how long its containers may take.
    """

    name: str
    run: str
    image: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    need: Need
    carrier: Carrier
    placement: Placement
    timeout_seconds: int
    wait_seconds: int
    keep_seconds: int
    labels: Mapping[str, str] = field(default_factory=dict)
    final_exit_codes: tuple[int, ...] = ()
    wall: Wall | None = None


def job_manifest(spec: JobSpec) -> Json:
    """The Job of a run, with a hash of all in it but the tokens; raises ValueError for a tag."""
    if "@sha256:" not in spec.image:
        raise ValueError(f"an image is named by its digest, not {spec.image!r}")
    marks = {labels.MANAGED_BY: labels.HUB, labels.RUN: spec.run, labels.KIND: labels.RUN_KIND}
    marks |= spec.labels
    job: Json = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": spec.name, "labels": dict(marks), "annotations": {}},
        "spec": _job(spec, marks),
    }
    if spec.placement.queue:
        job["metadata"]["labels"][labels.KUEUE_QUEUE] = spec.placement.queue
        job["spec"]["suspend"] = True
    job["metadata"]["annotations"][labels.TIMEOUT_SECONDS] = str(spec.timeout_seconds)
    job["metadata"]["annotations"][labels.SPEC_HASH] = _hash(job)
    job["spec"]["template"]["metadata"]["annotations"] = {
        labels.INPUT_TOKEN: spec.carrier.input_token,
        labels.OUTPUT_TOKEN: spec.carrier.output_token,
    } | pods.ca_annotation(spec.carrier.ca)
    return job


def longest_seconds(spec: JobSpec) -> int:
    """The Job's own deadline, which counts waiting too and deletes pod and log: a last guard."""
    return spec.wait_seconds + _pod_seconds(spec) + _CARRY_SECONDS


def _pod_seconds(spec: JobSpec) -> int:
    """The pod's deadline: pulls, input and output count too. The hub itself ends the run earlier,
    by the algorithm's own clock; this holds where no hub is left to do it."""
    return spec.timeout_seconds + _CARRY_SECONDS


def _hash(job: Json) -> str:
    text = json.dumps(job, sort_keys=True, separators=(",", ":"))
    return f"sha256-{hashlib.sha256(text.encode()).hexdigest()[:40]}"


def _job(spec: JobSpec, marks: Mapping[str, str]) -> Json:
    return {
        "parallelism": 1,
        "completions": 1,
        # the hub decides what is tried again, and under which name
        "backoffLimit": 0,
        "activeDeadlineSeconds": longest_seconds(spec),
        "ttlSecondsAfterFinished": spec.keep_seconds,
        "podFailurePolicy": {"rules": _rules(spec)},
        "template": {"metadata": {"labels": dict(marks)}, "spec": _pod(spec)},
    }


def _rules(spec: JobSpec) -> list[Json]:
    """Preempted, drained, node lost: run again and not counted. Codes that are final: the end."""
    gone = {"type": "DisruptionTarget", "status": "True"}
    rules: list[Json] = [{"action": "Ignore", "onPodConditions": [gone]}]
    if spec.final_exit_codes:
        codes = sorted(spec.final_exit_codes)
        on = {"containerName": ALGORITHM, "operator": "In", "values": codes}
        rules.append({"action": "FailJob", "onExitCodes": on})
    return rules


def _pod(spec: JobSpec) -> Json:
    return pods.base(spec.placement, spec.carrier.addresses) | {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": _pod_seconds(spec),
        "initContainers": [
            _stage(spec), *pods.wall(spec.wall, spec.carrier.image), _algorithm(spec)],
        "containers": [_collect(spec)],
        "volumes": _volumes(spec),
    }


def _stage(spec: JobSpec) -> Json:
    words = ("stage", "--url", spec.carrier.input_url, "--folder", "/input")
    return _carry(spec, STAGE, *words) | {
        "volumeMounts": [pods.mount("input", "/input"), *_carried(spec, "input-token")]
    }


def _collect(spec: JobSpec) -> Json:
    most = str(spec.need.output_bytes)
    words = ("collect", "--url", spec.carrier.output_url, "--folder", "/output", "--most-bytes")
    output = pods.mount("output", "/output", is_read_only=True)
    return _carry(spec, COLLECT, *words, most) | {
        "volumeMounts": [output, *_carried(spec, "output-token")]
    }


def _carried(spec: JobSpec, token: str) -> list[Json]:
    return [pods.mount(token, pods.TOKENS, is_read_only=True), *pods.ca_mounts(spec.carrier.ca)]


def _carry(spec: JobSpec, name: str, *words: str) -> Json:
    carrier = spec.carrier
    command = [*carrier.command, *words, *pods.token_words(carrier.ca)]
    return pods.carrier(name, carrier.image, command, carrier.memory)


def _algorithm(spec: JobSpec) -> Json:
    need = spec.need
    return algorithm_container(
        need, spec.image, spec.command, spec.environment,
        disks=(need.input_bytes, need.output_bytes, need.scratch_bytes),
        input_volume="input", output_volume="output",
    )  # fmt: skip


def algorithm_container(
    need: Need, image: str, command: tuple[str, ...], environment: Mapping[str, str], *,
    disks: tuple[int, ...], input_volume: str, output_volume: str,
) -> Json:  # fmt: skip
    """The vendor's container, behind the same walls wherever it runs; ``disks`` in bytes.

    The node counts all volumes of the pod against what its containers may take of the disk.
    """
    same = {"memory": need.memory} | ({need.gpu_resource: str(need.gpu)} if need.gpu else {})
    room = sum(map(pods.roomy, disks)) + pods.SMALLEST_VOLUME
    container: Json = {
        "name": ALGORITHM,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        # its last lines come with the status, also where the pod is deleted before the log is read
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "env": [{"name": name, "value": text} for name, text in sorted(environment.items())],
        "resources": {
            "requests": {"cpu": need.cpu, **same},
            "limits": {"cpu": need.cpu, **same, "ephemeral-storage": str(room)},
        },
        "securityContext": pods.walls(),
        "volumeMounts": [
            pods.mount(input_volume, "/input", is_read_only=True),
            pods.mount(output_volume, "/output"),
            pods.mount("scratch", "/tmp"),  # nosec B108: the container's own
            pods.mount("shared-memory", "/dev/shm"),  # nosec B108: the container's own
        ],
    }
    if command:
        container["command"], container["args"] = [command[0]], list(command[1:])
    return container


def _volumes(spec: JobSpec) -> list[Json]:
    need = spec.need
    memory = {"medium": "Memory", "sizeLimit": str(need.shared_memory_bytes)}
    return [
        # a tar and what comes out of it are of a size; blocks of a disk take a little more
        {"name": "input", "emptyDir": {"sizeLimit": str(pods.roomy(need.input_bytes))}},
        {"name": "output", "emptyDir": {"sizeLimit": str(pods.roomy(need.output_bytes))}},
        {"name": "scratch", "emptyDir": {"sizeLimit": str(pods.roomy(need.scratch_bytes))}},
        {"name": "shared-memory", "emptyDir": memory},
        pods.token("input-token", labels.INPUT_TOKEN),
        pods.token("output-token", labels.OUTPUT_TOKEN),
        *pods.ca_volumes(spec.carrier.ca),
    ]

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

from hub.cluster import labels

Json = dict[str, Any]

STAGE, ALGORITHM, COLLECT = "stage", "algorithm", "collector"
SMALLEST_VOLUME = 64 * 2**20
_USER = 65532
_GRACE_SECONDS = 10
# seconds for fetching the input and bringing the output, on top of what the algorithm may take
_CARRY_SECONDS = 600
# a lost node is given up after so long, instead of five minutes
_UNREACHABLE_SECONDS = 30
_TOKENS = "/var/run/hub"
_TOKEN_FILE = "token"  # nosec B105: the name of a file


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


@dataclass(frozen=True, slots=True)
class Placement:
    """Where in the cluster runs may stand, and how urgent they are there."""

    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, str], ...] = ()
    runtime_class: str = ""
    priority_class: str = ""
    pull_secrets: tuple[str, ...] = ()
    # Kueue's LocalQueue: the Job is made suspended, and Kueue alone lets it start
    queue: str = ""


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
    }
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
    place = spec.placement
    pod: Json = {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": _pod_seconds(spec),
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        # no name is ever looked up: a resolver is a way out for whatever can ask it
        "dnsPolicy": "None",
        "dnsConfig": {"nameservers": ["127.0.0.1"]},
        "securityContext": {
            "runAsNonRoot": True, "runAsUser": _USER, "runAsGroup": _USER, "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "tolerations": [*map(dict, place.tolerations), *_lost_nodes()],
        "initContainers": [_stage(spec), _algorithm(spec)],
        "containers": [_collect(spec)],
        "volumes": _volumes(spec),
    }  # fmt: skip
    optional = {
        "hostAliases": [
            {"ip": address, "hostnames": [name]}
            for name, address in sorted(spec.carrier.addresses.items())
        ],
        "nodeSelector": dict(place.node_selector),
        "runtimeClassName": place.runtime_class,
        "priorityClassName": place.priority_class,
        "imagePullSecrets": [{"name": name} for name in place.pull_secrets],
    }
    return pod | {key: value for key, value in optional.items() if value}


def _lost_nodes() -> list[Json]:
    return [
        {
            "key": f"node.kubernetes.io/{what}", "operator": "Exists", "effect": "NoExecute",
            "tolerationSeconds": _UNREACHABLE_SECONDS,
        }
        for what in ("unreachable", "not-ready")
    ]  # fmt: skip


def _walls() -> Json:
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def _stage(spec: JobSpec) -> Json:
    mounts = [_mount("input", "/input"), _mount("input-token", _TOKENS, is_read_only=True)]
    return _carry(spec, STAGE, "stage", spec.carrier.input_url, "--folder", "/input") | {
        "volumeMounts": mounts
    }


def _collect(spec: JobSpec) -> Json:
    mounts = [
        _mount("output", "/output", is_read_only=True),
        _mount("output-token", _TOKENS, is_read_only=True),
    ]
    words = ("--folder", "/output", "--most-bytes", str(spec.need.output_bytes))
    return _carry(spec, COLLECT, "collect", spec.carrier.output_url, *words) | {
        "volumeMounts": mounts
    }


def _carry(spec: JobSpec, name: str, verb: str, url: str, *words: str) -> Json:
    carrier = spec.carrier
    return {
        "name": name,
        "image": carrier.image,
        "imagePullPolicy": "IfNotPresent",
        "command": [*carrier.command, verb, "--url", url,
                    "--token-file", f"{_TOKENS}/{_TOKEN_FILE}", *words],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "resources": {
            "requests": {"cpu": "100m", "memory": carrier.memory},
            "limits": {"memory": carrier.memory, "ephemeral-storage": "64Mi"},
        },
        "securityContext": _walls(),
    }  # fmt: skip


def _algorithm(spec: JobSpec) -> Json:
    need = spec.need
    same = {"memory": need.memory} | ({need.gpu_resource: str(need.gpu)} if need.gpu else {})
    room = need.output_bytes + need.scratch_bytes + SMALLEST_VOLUME
    container: Json = {
        "name": ALGORITHM,
        "image": spec.image,
        "imagePullPolicy": "IfNotPresent",
        # its last lines come with the status, also where the pod is deleted before the log is read
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "env": [{"name": name, "value": text} for name, text in sorted(spec.environment.items())],
        "resources": {
            "requests": {"cpu": need.cpu, **same},
            "limits": {"cpu": need.cpu, **same, "ephemeral-storage": str(room)},
        },
        "securityContext": _walls(),
        "volumeMounts": [
            _mount("input", "/input", is_read_only=True),
            _mount("output", "/output"),
            _mount("scratch", "/tmp"),  # nosec B108: the container's own
            _mount("shared-memory", "/dev/shm"),  # nosec B108: the container's own
        ],
    }
    if spec.command:
        container["command"], container["args"] = [spec.command[0]], list(spec.command[1:])
    return container


def _volumes(spec: JobSpec) -> list[Json]:
    need = spec.need
    memory = {"medium": "Memory", "sizeLimit": str(need.shared_memory_bytes)}
    return [
        # a tar and what comes out of it are of a size; blocks of a disk take a little more
        {"name": "input", "emptyDir": {"sizeLimit": str(_roomy(need.input_bytes))}},
        {"name": "output", "emptyDir": {"sizeLimit": str(_roomy(need.output_bytes))}},
        {"name": "scratch", "emptyDir": {"sizeLimit": str(_roomy(need.scratch_bytes))}},
        {"name": "shared-memory", "emptyDir": memory},
        _token("input-token", labels.INPUT_TOKEN),
        _token("output-token", labels.OUTPUT_TOKEN),
    ]


def _roomy(size: int) -> int:
    return size + size // 8 + SMALLEST_VOLUME


def _token(name: str, annotation: str) -> Json:
    """A file of the pod's own annotation: it needs no Secret, and no right to make any."""
    path = f"metadata.annotations['{annotation}']"
    item = {"path": _TOKEN_FILE, "fieldRef": {"fieldPath": path}, "mode": 0o440}
    return {"name": name, "downwardAPI": {"items": [item]}}


def _mount(name: str, path: str, *, is_read_only: bool = False) -> Json:
    mount: Json = {"name": name, "mountPath": path}
    return mount | ({"readOnly": True} if is_read_only else {})

"""Scenarios that need no recording: one for each way in which the hub treats a run."""

from __future__ import annotations

from tests.fakes.cluster_api.scripts import (
    COMPLETE,
    RUNS,
    WAITS,
    Script,
    failed,
    made,
    over,
    status,
)

_BEGIN = (0.5, "pod", status("Pending", stage=WAITS, algorithm=WAITS, collector=WAITS))
_STAGED = (1.5, "pod", status("Pending", stage=over(), algorithm=RUNS, collector=WAITS))
_NO_GPU = {
    "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
    "message": "0/1 nodes are available: 1 Insufficient nvidia.com/gpu. preemption: none",
}  # fmt: skip
_EVICTED = {
    "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
    "message": "Eviction API: evicting",
}  # fmt: skip
_QUOTA = (
    'Error creating: pods "run-x" is forbidden: exceeded quota: hub, requested: '
    "requests.nvidia.com/gpu=1, used: requests.nvidia.com/gpu=1, limited: requests.nvidia.com/gpu=1"
)
_REFUSED = (
    'Error creating: pods "run-x" is forbidden: violates PodSecurity "restricted:v1.26": '
    "runAsNonRoot != true"
)


def _ends(code: int, *, reason: str = "", log: str = "") -> Script:
    end = status("Failed", stage=over(), algorithm=over(code, reason=reason), collector=WAITS)
    return made(_BEGIN, _STAGED, (3, "pod", end), (5, "job", failed()), log=log)


def success(*, log: str = "found 3 slices\ndone\n", scale: float = 0.02) -> Script:
    end = status("Succeeded", stage=over(), algorithm=over(), collector=over())
    return made(_BEGIN, _STAGED, (4, "pod", end), (6, "job", COMPLETE), log=log, scale=scale)


def out_of_memory(code: int = 137) -> Script:
    return _ends(code, reason="OOMKilled", log="loading model\n")


def exit_code(code: int) -> Script:
    return _ends(code, log="loading model\nERROR: unsupported transfer syntax\n")


def deadline() -> Script:
    end = status("Failed", reason="DeadlineExceeded", stage=over(), algorithm=over(143),
                 collector=WAITS)  # fmt: skip
    return made(_BEGIN, _STAGED, (5, "pod", end), (6, "job", failed()), log="sleeping\n")


def never_placed() -> Script:
    waits = status("Pending", conditions=[_NO_GPU])
    return made((0.5, "pod no place", waits))


def placed_late() -> Script:
    waits = status("Pending", conditions=[_NO_GPU])
    end = status("Succeeded", stage=over(), algorithm=over(), collector=over())
    return made((0.5, "pod no place", waits), (8, "pod", _STAGED[2]), (10, "pod", end),
                (11, "job", COMPLETE))  # fmt: skip


def evicted() -> Script:
    gone = status("Running", conditions=[_EVICTED], stage=over(), algorithm=RUNS, collector=WAITS)
    ended = status("Failed", conditions=[_EVICTED], stage=over(), algorithm=over(143),
                   collector=WAITS)  # fmt: skip
    return made(_BEGIN, _STAGED, (3, "pod", gone), (4, "pod gone", ended), (5, "job", failed()))


def quota() -> Script:
    return made((0.5, "event", ("Job", "FailedCreate", _QUOTA)))


def refused() -> Script:
    return made((0.5, "event", ("Job", "FailedCreate", _REFUSED)))


def no_image() -> Script:
    def waits(reason: str, message: str) -> object:
        state = {"waiting": {"reason": reason, "message": message}}
        return status("Pending", stage=over(), algorithm=state, collector=WAITS)

    error = 'failed to resolve reference "r/a@sha256:0": r/a@sha256:0: not found'
    told = f'Failed to pull image "r/a@sha256:0": {error}'
    return made(_BEGIN, (1, "pod", waits("ErrImagePull", error)),
                (1, "event", ("Pod", "Failed", told)),
                (13, "pod", waits("ImagePullBackOff", "Back-off pulling image")))  # fmt: skip

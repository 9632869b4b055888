"""Logs of pods as the recorded kubelet gave them: 200, 204, 400, 404, 500."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fakes.cluster_api.answers import Asked, Said
    from tests.fakes.cluster_api.server import ClusterApi
    from tests.fakes.cluster_api.store import Json


def answer(api: ClusterApi, asked: Asked) -> Said:
    """What a read of a pod's log is answered."""
    from tests.fakes.cluster_api.answers import Said, failure, missing

    pod = api.store.get("pods", asked.name)
    if pod is None:
        return missing(asked)
    names = [one["name"] for one in _containers(pod)]
    container = asked.query.get("container", "")
    if not container and len(names) > 1:
        return failure(400, "BadRequest", "a container name must be specified for pod "
                       f"{asked.name}, choose one of: [{' '.join(names)}]")  # fmt: skip
    container = container or names[0]
    if container not in names:
        return failure(400, "BadRequest",
                       f"container {container} is not valid for pod {asked.name}")  # fmt: skip
    if not pod.get("spec", {}).get("nodeName"):
        return Said(204, "")
    kept = api.logs.get((asked.name, container)) or api.logs.get((asked.name, ""))
    if kept is not None:
        status, body = kept
        return Said(status, _tail(body, asked) if isinstance(body, str) else body)
    return failure(400, "BadRequest", f'container "{container}" in pod "{asked.name}" is '
                   f"waiting to start: {_waits(pod, container)}")  # fmt: skip


def _containers(pod: Json) -> list[Json]:
    spec = pod.get("spec", {})
    return [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]


def _waits(pod: Json, container: str) -> str:
    status = pod.get("status", {})
    for one in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        if one["name"] == container:
            return str(one["state"].get("waiting", {}).get("reason", "PodInitializing"))
    return "PodInitializing"


def _tail(text: str, asked: Asked) -> str:
    if lines := int(asked.query.get("tailLines") or 0):
        text = "".join(text.splitlines(keepends=True)[-lines:])
    if limit := int(asked.query.get("limitBytes") or 0):
        text = text.encode()[:limit].decode("utf-8", "ignore")
    return text

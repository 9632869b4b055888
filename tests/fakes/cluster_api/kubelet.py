"""Really runs the pods of the fake API server, as a kubelet would, in folders of this host.

Volumes are folders, a container is a process in which paths of its mounts stand for those folders;
walls there are none. Init containers run one after the other, and a failed one ends the pod.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.fakes.cluster_api.store import Json, now, suffix
from tests.fakes.running_hub import ROOT

if TYPE_CHECKING:
    from tests.fakes.cluster_api.server import ClusterApi

_WAITS: Json = {"waiting": {"reason": "PodInitializing"}}


@dataclass
class Kubelet:
    """One node with some GPUs; ``images`` are those that its registry has, all where it is None.

    ``api_server`` is what each container is told of where it is, host and port.
    """

    gpus: int = 2
    images: set[str] | None = None
    api_server: tuple[str, int] | None = None
    seen: list[Json] = field(default_factory=list)
    _free: threading.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._free = threading.Semaphore(self.gpus)

    def __call__(self, api: ClusterApi, job: Json) -> None:
        if job["kind"] != "Deployment":
            self._in_a_folder(Pod(api, job, self))
            return
        while _is_there(api, job):
            self._in_a_folder(Server(api, job, self))

    def _in_a_folder(self, pod: Pod) -> None:
        folder = Path(tempfile.mkdtemp(prefix="avrop-pod-"))
        try:
            pod.run(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def take_gpus(self, count: int, is_wanted: Any) -> bool:
        """Wait until so many are free, while somebody still wants them."""
        for taken in range(count):
            while not self._free.acquire(timeout=0.05):
                if not is_wanted():
                    self.give_gpus(taken)
                    return False
        return True

    def give_gpus(self, count: int) -> None:
        for _ in range(count):
            self._free.release()


def _is_there(api: ClusterApi, deployment: Json) -> bool:
    found = api.store.get("deployments", deployment["metadata"]["name"])
    return found is not None and found["metadata"]["uid"] == deployment["metadata"]["uid"]


class Pod:
    """The pod of a Job."""

    def __init__(self, api: ClusterApi, job: Json, kubelet: Kubelet) -> None:
        self.api, self.job, self.kubelet = api, job, kubelet
        template = job["spec"]["template"]
        self.spec: Json = template["spec"]
        self.name = f"{job['metadata']['name']}-{suffix()}"
        meta = template.get("metadata", {})
        owner = {"kind": job["kind"], **{key: job["metadata"][key] for key in ("name", "uid")}}
        self.object: Json = {
            "metadata": {
                "name": self.name, "uid": str(uuid.uuid4()), "labels": meta.get("labels", {}),
                "annotations": meta.get("annotations", {}), "ownerReferences": [owner],
            },
            "spec": dict(self.spec), "status": {"phase": "Pending"},
        }  # fmt: skip
        self.states: dict[str, Json] = {}
        # restarts and lastState, by container
        self.before: dict[str, Json] = {}
        self.volumes: dict[str, Path] = {}

    @property
    def inits(self) -> list[Json]:
        return list(self.spec.get("initContainers") or ())

    @property
    def containers(self) -> list[Json]:
        return [*self.inits, *self.spec["containers"]]

    def run(self, folder: Path) -> None:
        self.object = self.api.store.add("pods", self.object)
        self._of_job({"active": 1, "startTime": now()})
        count = self._gpus()
        self._tell(unplaced=count)
        if not self.kubelet.take_gpus(count, self._is_wanted):
            return
        try:
            self.object["spec"]["nodeName"] = "node1"
            self.states = {one["name"]: _WAITS for one in self.containers}
            self._tell()
            self._make_volumes(folder)
            self._end(self._run_all())
        finally:
            self.kubelet.give_gpus(count)

    def _gpus(self) -> int:
        asked = (one.get("resources", {}).get("limits", {}) for one in self.containers)
        return max(int(limits.get("nvidia.com/gpu", 0)) for limits in asked)

    def _run_all(self) -> bool:
        for container in self.containers:
            if not self._is_wanted():
                return False
            if self.kubelet.images is not None and container["image"] not in self.kubelet.images:
                self._miss(container)
                return False
            if self._run(container) != 0:
                return False
        return True

    def _miss(self, container: Json) -> None:
        """An image that is nowhere is asked for again and again, until somebody gives up."""
        for reason, message in (
            ("ErrImagePull", f"failed to resolve reference: {container['image']}: not found"),
            ("ImagePullBackOff", f"Back-off pulling image {container['image']}"),
        ):
            waiting = {"waiting": {"reason": reason, "message": message}}
            self._tell(**{container["name"]: waiting})
            time.sleep(0.1)
        while self._is_wanted():
            time.sleep(0.05)

    def _run(self, container: Json) -> int:
        name, began = container["name"], now()
        self._tell(**{name: {"running": {"startedAt": began}}})
        code, text = self._execute(container)
        self.api.logs[self.name, name] = (200, text)
        reason = "Completed" if code == 0 else "OOMKilled" if code == 137 else "Error"
        said = {"exitCode": code, "reason": reason, "startedAt": began, "finishedAt": now(),
                "message": "" if code == 0 else text[-2048:]}  # fmt: skip
        if self._is_wanted():
            self._tell(**{name: {"terminated": said}})
        return code

    def _execute(self, container: Json) -> tuple[int, str]:
        """Run one container as a process; killed as soon as nobody wants the pod."""
        mounts = {one["mountPath"]: self.volumes[one["name"]]
                  for one in container.get("volumeMounts") or ()}  # fmt: skip
        given_words = (*container.get("command", ()), *container.get("args", ()))
        words = [_placed(word, mounts) for word in given_words]
        words[0] = sys.executable if words[0] in ("python", "python3") else words[0]
        given = {one["name"]: _placed(one["value"], mounts) for one in container.get("env") or ()}
        if self.kubelet.api_server is not None:
            host, port = self.kubelet.api_server
            given |= {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": str(port)}
        self.kubelet.seen.append({"name": container["name"], "words": words, "env": given})
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                words, cwd=ROOT, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                env={"PATH": os.environ["PATH"]} | given, start_new_session=True,
            )  # fmt: skip
            ends_at = time.monotonic() + self.spec.get("activeDeadlineSeconds", 600)
            while process.poll() is None:
                if not self._is_wanted() or time.monotonic() > ends_at:
                    os.killpg(process.pid, signal.SIGKILL)
                time.sleep(0.02)
            output.seek(0)
            text = output.read().decode("utf-8", "replace")
        code = process.returncode
        return (128 - code if code < 0 else code), text

    def _make_volumes(self, folder: Path) -> None:
        annotations = self.object["metadata"]["annotations"]
        for one in self.spec.get("volumes") or ():
            place = folder / one["name"]
            place.mkdir()
            for item in one.get("downwardAPI", {}).get("items", ()):
                key = item["fieldRef"]["fieldPath"].split("'")[1]
                (place / item["path"]).write_text(annotations[key])
            self.volumes[one["name"]] = place

    def _is_wanted(self) -> bool:
        there = self.api.store.get("pods", self.name)
        return there is not None and "deletionTimestamp" not in there["metadata"]

    def _tell(self, *, unplaced: int = 0, **states: Json) -> None:
        self.states |= states
        placed: Json = {"type": "PodScheduled", "status": "True"}
        if unplaced:
            placed = {
                "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                "message": "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.",
            }  # fmt: skip
        inits = {one["name"] for one in self.inits}
        told = [{"name": name, "state": state, "imageID": "", **self.before.get(name, {})}
                for name, state in self.states.items()]  # fmt: skip
        self.object["status"] |= {
            "conditions": [placed],
            "initContainerStatuses": [one for one in told if one["name"] in inits],
            "containerStatuses": [one for one in told if one["name"] not in inits],
        }
        with self.api.store.changed:
            if self._is_wanted():
                self.api.store.change("pods", self.object)

    def _end(self, is_well: bool) -> None:
        """Late, as the real one is: first the pod, then the Job."""
        if not self._is_wanted():
            return
        time.sleep(0.1)
        self.object["status"]["phase"] = "Succeeded" if is_well else "Failed"
        self._tell()
        time.sleep(0.05)
        reason = {} if is_well else {"reason": "BackoffLimitExceeded"}
        kind = "Complete" if is_well else "Failed"
        self._of_job({"conditions": [{"type": kind, "status": "True", **reason}]})

    def _of_job(self, status: Json) -> None:
        with self.api.store.changed:
            job = self.api.store.get("jobs", self.job["metadata"]["name"])
            if job is not None and job["metadata"]["uid"] == self.job["metadata"]["uid"]:
                self.api.store.change("jobs", job | {"status": job.get("status", {}) | status})


class Server(Pod):
    """The pod of a Deployment: its containers run beside each other, and are started again."""

    def _run_all(self) -> bool:
        absent = [one for one in self.containers if self.kubelet.images is not None
                  and one["image"] not in self.kubelet.images]  # fmt: skip
        if absent:
            self._miss(absent[0])
            return False
        for one in self.inits:
            while self._is_wanted() and self._run(one) != 0:
                self._back_off(one)
        threads = [threading.Thread(target=self._keep_up, args=(one,))
                   for one in self.spec["containers"]]  # fmt: skip
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        return True

    def _back_off(self, container: Json) -> None:
        """One that failed before the others began is tried again, and they wait for it."""
        name, before = container["name"], self.before.get(container["name"], {})
        self.before[name] = {"restartCount": before.get("restartCount", 0) + 1,
                             "lastState": self.states[name]}  # fmt: skip
        if self._is_wanted():
            self._tell(**{name: {"waiting": {"reason": "CrashLoopBackOff"}}})
        time.sleep(0.3)

    def _keep_up(self, container: Json) -> None:
        name, count = container["name"], 0
        while self._is_wanted():
            self._run(container)
            count += 1
            last = self.states[name]
            self.before[name] = {"restartCount": count, "lastState": last}
            time.sleep(0.2)

    def _of_job(self, status: Json) -> None:
        """A Deployment says nothing of the kind."""

    def _end(self, is_well: bool) -> None:
        """It has no end of its own."""


def _placed(text: str, mounts: dict[str, Path]) -> str:
    """A path of the container, as it is on this host; what is a file of this host stays one."""
    for path, place in mounts.items():
        if text == path or (text.startswith(f"{path}/") and not Path(text).exists()):
            return str(place) + text[len(path) :]
    return text

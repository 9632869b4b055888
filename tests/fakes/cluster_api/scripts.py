"""What happens to a Job, as a script that the fake API server plays: recorded, or made up.

Names, uids and times are put in place of the recorded ones; the order of what happens and the gaps
between are kept, by a clock that runs faster.
"""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.fakes.cluster_api.store import Json
from tests.fakes.recordings import Recording, Told

if TYPE_CHECKING:
    from tests.fakes.cluster_api.server import ClusterApi

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_KINDS = {"Job": "jobs", "Pod": "pods", "Event": "events"}


@dataclass
class Script:
    """What happens to one Job: ``logs`` by pod and container, ``scale`` seconds for a second."""

    job: str
    told: list[Told]
    logs: dict[tuple[str, str], tuple[int, Any]] = field(default_factory=dict)
    began_at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    scale: float = 0.02


def of_recording(recording: Recording, *, scale: float, job: str = "") -> Script:
    """The part of a recording that is about one of its Jobs, the first unless it is named."""
    name = job or recording.jobs()[0]
    told = [one for one in recording.told() if _is_about(one, name)]
    return Script(name, told, recording.logs(), recording.began_at, scale)


def _is_about(one: Told, job: str) -> bool:
    if one.type == "BOOKMARK":
        return False
    if one.kind == "Job":
        return bool(one.object["metadata"]["name"] == job)
    if one.kind == "Pod":
        return bool(one.object["metadata"].get("labels", {}).get("job-name") == job)
    involved = one.object["involvedObject"]["name"]
    return bool(involved == job or re.fullmatch(rf"{re.escape(job)}-[a-z0-9]{{5}}", involved))


class Player:
    """Plays scripts to the Jobs that are made, one after the other, or by the name of the Job."""

    def __init__(self, *scripts: Script) -> None:
        self.waiting = list(scripts)
        self.by_name: dict[str, Script] = {}
        self.always: Script | None = None
        self.stopping = threading.Event()

    def __call__(self, api: ClusterApi, job: Json) -> None:
        name = job["metadata"]["name"]
        script = self.by_name.get(name) or (self.waiting.pop(0) if self.waiting else self.always)
        if script is not None:
            _Play(api, job, script, self.stopping).run()


class _Play:
    def __init__(
        self, api: ClusterApi, job: Json, script: Script, stopping: threading.Event
    ) -> None:
        self.api, self.job, self.script, self.stopping = api, job, script, stopping
        self.began = time.monotonic()
        self.uids: dict[str, str] = {}
        self.later = datetime.now(UTC) - script.began_at

    def run(self) -> None:
        for one in self.script.told:
            wait = one.at * self.script.scale - (time.monotonic() - self.began)
            if self.stopping.wait(max(0.0, wait)):
                return
            if self._is_gone() and one.kind != "Pod":
                return
            self._tell(one)

    def _is_gone(self) -> bool:
        """Somebody deleted it: the rest of the script is about a Job that is there no more."""
        there = self.api.store.get("jobs", self.job["metadata"]["name"])
        return there is None or there["metadata"]["uid"] != self.job["metadata"]["uid"]

    def _tell(self, one: Told) -> None:
        obj = self._adopted(one)
        resource, name = _KINDS[one.kind], obj["metadata"]["name"]
        with self.api.store.changed:
            there = self.api.store.get(resource, name)
            if one.kind == "Job" and one.type == "ADDED":
                return
            if one.type == "DELETED":
                self.api.store.remove(resource, name, obj)
            elif there is None:
                if one.type == "ADDED" and not (one.kind == "Pod" and self._is_gone()):
                    self.api.store.add(resource, obj)
            else:
                self.api.store.change(resource, obj)
        if one.kind == "Pod":
            self._keep_logs(one, name)

    def _keep_logs(self, one: Told, name: str) -> None:
        for (pod, container), said in self.script.logs.items():
            if pod == one.object["metadata"]["name"] and _has_run(one.object, container):
                self.api.logs[name, container] = said

    def _adopted(self, one: Told) -> Json:
        """The recorded object with this Job's names, uids, labels and times."""
        mine = self.job["metadata"]
        text = json.dumps(one.object).replace(self.script.job, mine["name"])
        text = _TIME.sub(self._shifted, text)
        obj: Json = json.loads(text)
        meta = obj["metadata"]
        if one.kind == "Job":
            meta |= {"uid": mine["uid"], "labels": mine.get("labels", {}),
                     "annotations": mine.get("annotations", {}),
                     "creationTimestamp": mine["creationTimestamp"]}  # fmt: skip
            there = self.api.store.get("jobs", mine["name"]) or self.job
            obj["spec"] = there["spec"]
        elif one.kind == "Pod":
            self._adopt_pod(obj)
        else:
            meta["uid"] = self._uid(meta["uid"])
            about = obj["involvedObject"]
            is_job = about["kind"] == "Job"
            about["uid"] = mine["uid"] if is_job else self._uid(about.get("uid", ""))
        return obj

    def _adopt_pod(self, obj: Json) -> None:
        mine, meta = self.job["metadata"], obj["metadata"]
        template = self.job["spec"]["template"]
        meta["uid"] = self._uid(meta["uid"])
        marks = {"job-name": mine["name"], "controller-uid": mine["uid"]}
        meta["labels"] = (template.get("metadata", {}).get("labels") or {}) | marks
        meta["ownerReferences"] = [{"kind": "Job", "name": mine["name"], "uid": mine["uid"],
                                    "controller": True}]  # fmt: skip
        node = obj.get("spec", {}).get("nodeName")
        obj["spec"] = template["spec"] | ({"nodeName": node} if node else {})

    def _uid(self, recorded: str) -> str:
        return self.uids.setdefault(recorded, str(uuid.uuid4()))

    def _shifted(self, match: re.Match[str]) -> str:
        recorded = datetime.fromisoformat(match[0])
        scaled = (recorded - self.script.began_at) * self.script.scale
        moment = self.script.began_at + self.later + scaled
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _has_run(pod: Json, container: str) -> bool:
    status = pod.get("status", {})
    known = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
    states = {one["name"]: one["state"] for one in known}
    if not container:
        return any("waiting" not in one for one in states.values())
    return bool(states.get(container)) and "waiting" not in states[container]


# -- made up: what the server plays where there are no recordings ---------------------------------
def made(*steps: tuple[float, str, Any], log: str = "", scale: float = 0.02) -> Script:
    """A script of steps: seconds, and ``job`` or ``pod`` with its status, or ``event``."""
    began = datetime(2026, 1, 1, tzinfo=UTC)
    told: list[Told] = []
    for at, what, said in steps:
        moment = (began + timedelta(seconds=at)).strftime("%Y-%m-%dT%H:%M:%SZ")
        told.append(_step(at, what, said, moment, is_first=not any(
            one.kind == "Pod" for one in told)))  # fmt: skip
    logs = {("run-abcde", "algorithm"): (200, log)} if log else {}
    return Script("run", told, logs, began, scale)


def _step(at: float, what: str, said: Any, moment: str, *, is_first: bool) -> Told:
    if what == "event":
        kind, reason, message = said
        name = "run" if kind == "Job" else "run-abcde"
        return Told(at, "ADDED", {
            "kind": "Event", "apiVersion": "v1", "type": "Warning", "reason": reason,
            "message": message, "firstTimestamp": moment,
            "metadata": {"name": f"{name}.{reason.lower()}", "uid": f"event-{at}",
                         "creationTimestamp": moment},
            "involvedObject": {"kind": kind, "name": name, "uid": f"uid-{name}"},
        })  # fmt: skip
    if what == "job":
        meta = {"name": "run", "uid": "uid-run", "creationTimestamp": moment}
        body = {"kind": "Job", "apiVersion": "batch/v1", "metadata": meta, "status": said}
        return Told(at, "MODIFIED", body)
    meta = {"name": "run-abcde", "uid": "uid-run-abcde", "creationTimestamp": moment}
    if what == "pod gone":
        meta["deletionTimestamp"] = moment
    spec = {} if "no place" in what else {"nodeName": "node1"}
    kind = "DELETED" if what == "pod gone" else "ADDED" if is_first else "MODIFIED"
    return Told(at, kind, {"kind": "Pod", "apiVersion": "v1", "metadata": meta, "spec": spec,
                           "status": said})  # fmt: skip


def status(phase: str, *, reason: str = "", conditions: Any = (), **containers: Json) -> Json:
    """The status of a pod; a container's state by its name: stage, algorithm, collector."""
    def told(name: str) -> Json:
        return {"name": name, "state": containers[name], "imageID": "sha256:0"}

    made: Json = {"phase": phase, "conditions": list(conditions)}
    if reason:
        made["reason"] = reason
    first = [one for one in ("stage", "algorithm") if one in containers]
    made["initContainerStatuses"] = [told(one) for one in first]
    made["containerStatuses"] = [told("collector")] if "collector" in containers else []
    return made


def over(code: int = 0, *, reason: str = "", message: str = "") -> Json:
    """A container that ended."""
    return {"terminated": {
        "exitCode": code, "reason": reason or ("Completed" if code == 0 else "Error"),
        "message": message, "startedAt": "2026-01-01T00:00:01Z",
        "finishedAt": "2026-01-01T00:00:03Z",
    }}  # fmt: skip


WAITS: Json = {"waiting": {"reason": "PodInitializing"}}
RUNS: Json = {"running": {"startedAt": "2026-01-01T00:00:01Z"}}
COMPLETE: Json = {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]}


def failed(reason: str = "BackoffLimitExceeded", message: str = "") -> Json:
    """The status of a Job that failed."""
    return {"failed": 1, "conditions": [
        {"type": "Failed", "status": "True", "reason": reason, "message": message}
    ]}  # fmt: skip

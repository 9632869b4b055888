"""The objects of the fake API server, each change with its version, as etcd has them."""

from __future__ import annotations

import copy
import itertools
import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]
# Kind and apiVersion of what is kept, by its name in paths.
KINDS = {
    "jobs": ("Job", "batch/v1"),
    "deployments": ("Deployment", "apps/v1"),
    "pods": ("Pod", "v1"),
    "events": ("Event", "v1"),
    "nodes": ("Node", "v1"),
    "namespaces": ("Namespace", "v1"),
    "resourcequotas": ("ResourceQuota", "v1"),
    "priorityclasses": ("PriorityClass", "scheduling.k8s.io/v1"),
    "runtimeclasses": ("RuntimeClass", "node.k8s.io/v1"),
    "networkpolicies": ("NetworkPolicy", "networking.k8s.io/v1"),
    "secrets": ("Secret", "v1"),
    "limitranges": ("LimitRange", "v1"),
}


@dataclass(frozen=True, slots=True)
class Change:
    """One change; ``before`` is None for what is new."""

    version: int
    resource: str
    type: str
    object: Json
    before: Json | None
    at: float = field(default_factory=time.monotonic)


class TooOld(Exception):
    """A version was compacted away."""


class Store:
    """All objects of one namespace and of the cluster, by resource and name."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.version = 1000
        self._objects: dict[tuple[str, str], Json] = {}
        self._log: list[Change] = []
        self._oldest = 1000

    def add(self, resource: str, obj: Json) -> Json:
        """Keep a new object, with uid and version; KeyError where the name is taken."""
        kind, api = KINDS[resource]
        with self.changed:
            name = obj["metadata"]["name"]
            if (resource, name) in self._objects:
                raise KeyError(name)
            made = {"kind": kind, "apiVersion": api} | copy.deepcopy(obj)
            made["metadata"].setdefault("uid", str(uuid.uuid4()))
            made["metadata"].setdefault("creationTimestamp", now())
            return self._keep(resource, made, "ADDED")

    def change(self, resource: str, obj: Json) -> Json:
        """Keep another state of an object."""
        with self.changed:
            return self._keep(resource, copy.deepcopy(obj), "MODIFIED")

    def remove(self, resource: str, name: str, last: Json | None = None) -> None:
        """Forget an object, telling its last state."""
        with self.changed:
            obj = self._objects.pop((resource, name), None)
            if obj is None:
                return
            self.version += 1
            gone = copy.deepcopy(last or obj)
            gone["metadata"]["resourceVersion"] = str(self.version)
            self._log.append(Change(self.version, resource, "DELETED", gone, obj))
            self.changed.notify_all()

    def get(self, resource: str, name: str) -> Json | None:
        with self.changed:
            found = self._objects.get((resource, name))
            return copy.deepcopy(found) if found else None

    def all(self, resource: str) -> list[Json]:
        """All objects of a resource, by name."""
        with self.changed:
            found = [one for (kind, _name), one in sorted(self._objects.items())
                     if kind == resource]  # fmt: skip
            return copy.deepcopy(found)

    def compact(self) -> None:
        """Forget what was: a watch from before this moment is told 410."""
        with self.changed:
            self._oldest = self.version
            self._log.clear()
            self.changed.notify_all()

    def changes(self, resource: str, since: int) -> list[Change]:
        """What was changed after a version; raises TooOld."""
        with self.changed:
            if since < self._oldest:
                raise TooOld(f"too old resource version: {since} ({self._oldest})")
            return [one for one in self._log if one.version > since and one.resource == resource]

    def wait(self, version: int, seconds: float) -> None:
        """Until something is newer than ``version``, or the time is over."""
        with self.changed:
            self.changed.wait_for(lambda: self.version > version, seconds)

    def _keep(self, resource: str, obj: Json, kind: str) -> Json:
        self.version += 1
        name = obj["metadata"]["name"]
        obj["metadata"]["resourceVersion"] = str(self.version)
        before = self._objects.get((resource, name))
        self._objects[resource, name] = obj
        self._log.append(Change(self.version, resource, kind, copy.deepcopy(obj), before))
        self.changed.notify_all()
        return copy.deepcopy(obj)


def now() -> str:
    """The time as the API server writes it: whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def matches(obj: Json, selector: str, fields: str) -> bool:
    """Whether an object is meant by a label selector (equality alone) and a field selector."""
    marks = obj["metadata"].get("labels") or {}
    for term in filter(None, selector.split(",")):
        key, _, wanted = term.partition("=")
        if marks.get(key) != wanted.lstrip("="):
            return False
    for term in filter(None, fields.split(",")):
        path, _, wanted = term.partition("=")
        if _at(obj, path) != wanted:
            return False
    return True


def _at(obj: Any, path: str) -> str:
    for key in path.split("."):
        obj = (obj or {}).get(key)
    return str(obj or "")


_numbers = itertools.count(1)


def suffix() -> str:
    """What a controller puts behind a name."""
    return f"{next(_numbers):05x}"

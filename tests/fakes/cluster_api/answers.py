"""What the fake API server answers to everything but a watch."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, urlsplit

from tests.fakes.cluster_api import logs
from tests.fakes.cluster_api.store import KINDS, Json, matches, now

if TYPE_CHECKING:
    from tests.fakes.cluster_api.server import ClusterApi

_PATH = re.compile(
    r"/(?:api/v1|apis/[^/]+/v1)/(?:namespaces/(?P<namespace>[^/]+)/)?"
    r"(?P<resource>[a-z]+)(?:/(?P<name>[^/]+))?(?:/(?P<sub>[a-z]+))?$"
)
_ORPHANS = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background "
    "to remove them or set propagationPolicy=Orphan to suppress this warning"
)


@dataclass(frozen=True, slots=True)
class Said:
    """An answer."""

    status: int
    body: Any
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, taken apart."""

    method: str
    path: str
    namespace: str
    resource: str
    name: str
    sub: str
    query: dict[str, str]
    body: Any
    content_type: str

    @classmethod
    def of(cls, method: str, target: str, raw: bytes, headers: dict[str, str]) -> Self:
        split = urlsplit(target)
        path = split.path.rstrip("/")
        found = _PATH.match(path)
        parts = found.groupdict() if found else {}
        return cls(
            method, path, parts.get("namespace") or "", parts.get("resource") or "",
            parts.get("name") or "", parts.get("sub") or "", dict(parse_qsl(split.query)),
            json.loads(raw) if raw else None, headers.get("Content-Type", ""),
        )  # fmt: skip

    @property
    def is_watch(self) -> bool:
        """On one object ``watch`` means nothing."""
        return self.method == "GET" and not self.name and is_true(self.query.get("watch", ""))

    @property
    def selector(self) -> str:
        return self.query.get("labelSelector", "")

    @property
    def fields(self) -> str:
        return self.query.get("fieldSelector", "")


def is_true(text: str) -> bool:
    return text.lower() in ("true", "1")


def failure(status: int, reason: str, message: str, **details: Any) -> Said:
    """A Status that says no."""
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": reason, "code": status}  # fmt: skip
    return Said(status, body | ({"details": details} if details else {}))


def missing(asked: Asked) -> Said:
    group = "jobs.batch" if asked.resource == "jobs" else asked.resource
    return failure(404, "NotFound", f'{group} "{asked.name}" not found',
                   name=asked.name, kind=asked.resource)  # fmt: skip


def answer(api: ClusterApi, asked: Asked) -> Said:
    """The answer to one request."""
    if asked.path == "/version":
        return Said(200, {"major": "1", "minor": "26", "gitVersion": "v1.26.5"})
    if asked.resource == "selfsubjectaccessreviews":
        attributes = asked.body["spec"]["resourceAttributes"]
        return Said(201, asked.body | {"status": {"allowed": api.allowed(attributes)}})
    if asked.resource not in KINDS:
        return failure(404, "NotFound", "the server could not find the requested resource")
    if (refused := _forbidden(api, asked)) is not None:
        return refused
    if asked.sub == "log":
        return logs.answer(api, asked)
    return _BY_METHOD[asked.method](api, asked)


def _forbidden(api: ClusterApi, asked: Asked) -> Said | None:
    verb = {"POST": "create", "DELETE": "delete", "PATCH": "patch", "PUT": "update"}.get(
        asked.method, "get" if asked.name else "list"
    )
    group = {"jobs": "batch", "deployments": "apps"}.get(asked.resource, "")
    attributes = {"namespace": asked.namespace, "verb": verb, "group": group,
                  "resource": asked.resource, "subresource": asked.sub}  # fmt: skip
    if api.allowed(attributes):
        return None
    what = f'"{asked.resource}" in API group "{group}" in the namespace "{asked.namespace}"'
    return failure(
        403, "Forbidden",
        f'{asked.resource} is forbidden: User "system:serviceaccount:hub:hub" cannot {verb} '
        f"resource {what}", kind=asked.resource,
    )  # fmt: skip


def _get(api: ClusterApi, asked: Asked) -> Said:
    if asked.name:
        found = api.store.get(asked.resource, asked.name)
        return Said(200, found) if found else missing(asked)
    items = [one for one in api.store.all(asked.resource)
             if matches(one, asked.selector, asked.fields)]  # fmt: skip
    return Said(200, _page(asked, items, api.store.version))


def _page(asked: Asked, items: list[Json], version: int) -> Json:
    kind, api_version = KINDS[asked.resource]
    begin, limit = int(asked.query.get("continue") or 0), int(asked.query.get("limit") or 0)
    page = items[begin : begin + limit] if limit else items[begin:]
    meta = {"resourceVersion": str(version)}
    if begin + len(page) < len(items):
        meta["continue"] = str(begin + len(page))
    # items of a list do not say what they are
    bare = [{key: value for key, value in one.items() if key not in ("kind", "apiVersion")}
            for one in page]  # fmt: skip
    return {"kind": f"{kind}List", "apiVersion": api_version, "metadata": meta, "items": bare}


def _post(api: ClusterApi, asked: Asked) -> Said:
    if (refused := api.admission.refusal(asked)) is not None:
        return refused
    name = asked.body["metadata"]["name"]
    is_dry = asked.query.get("dryRun") == "All"
    there = api.store.get(asked.resource, name)
    if there is not None:
        group = "jobs.batch" if asked.resource == "jobs" else asked.resource
        text = f'{group} "{name}" already exists'
        if there["metadata"].get("deletionTimestamp"):
            text = f"object is being deleted: {text}"
        return failure(409, "AlreadyExists", text, name=name, kind=asked.resource)
    body = copy.deepcopy(asked.body)
    body["metadata"]["namespace"] = asked.namespace
    body.setdefault("status", {})
    warnings = api.admission.warnings(asked)
    if is_dry:
        return Said(201, body, warnings)
    made = api.store.add(asked.resource, body)
    if asked.resource in ("jobs", "deployments"):
        api.accepted(made)
    return Said(201, made, warnings)


def _patch(api: ClusterApi, asked: Asked) -> Said:
    found = api.store.get(asked.resource, asked.name)
    if found is None:
        return missing(asked)
    if "patch" not in asked.content_type:
        text = "the body of the request was in an unknown format"
        return failure(415, "UnsupportedMediaType", text)
    _merge(found, asked.body)
    return Said(200, api.store.change(asked.resource, found))


def _merge(into: Json, patch: Json) -> None:
    for key, value in patch.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _put(api: ClusterApi, asked: Asked) -> Said:
    found = api.store.get(asked.resource, asked.name)
    if found is None:
        return missing(asked)
    version = asked.body["metadata"].get("resourceVersion", "")
    if version not in ("", found["metadata"]["resourceVersion"]):
        text = f'Operation cannot be fulfilled on "{asked.name}": the object has been modified'
        return failure(409, "Conflict", text)
    return Said(200, api.store.change(asked.resource, asked.body))


def _delete(api: ClusterApi, asked: Asked) -> Said:
    found = api.store.get(asked.resource, asked.name)
    if found is None:
        return missing(asked)
    # a body, even an empty one, switches off what the query says
    options = asked.body if asked.body is not None else asked.query
    wanted = (options.get("preconditions") or {}).get("uid")
    uid = found["metadata"]["uid"]
    if wanted and wanted != uid:
        return failure(
            409, "Conflict",
            f'Operation cannot be fulfilled on Job.batch "{asked.name}": the UID in the '
            f"precondition ({wanted}) does not match the UID in record ({uid})",
        )  # fmt: skip
    policy = options.get("propagationPolicy")
    if asked.resource in ("jobs", "deployments") and policy != "Orphan":
        if policy == "Foreground":
            found["metadata"]["deletionTimestamp"] = now()
            api.store.change("jobs", found)
        if policy:
            delete_pods(api, uid)
    if policy != "Foreground":
        api.store.remove(asked.resource, asked.name)
    warnings = (_ORPHANS,) if asked.resource == "jobs" and not policy else ()
    details = {"name": asked.name, "kind": asked.resource, "uid": uid}
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
            "details": details}  # fmt: skip
    return Said(200, body, warnings)


def delete_pods(api: ClusterApi, job_uid: str) -> None:
    """First marked, then gone: a watch is told both."""
    for pod in api.store.all("pods"):
        owners = pod["metadata"].get("ownerReferences", ())
        if any(one["uid"] == job_uid for one in owners):
            pod["metadata"]["deletionTimestamp"] = now()
            api.store.change("pods", pod)
            api.store.remove("pods", pod["metadata"]["name"], pod)


_BY_METHOD = {"GET": _get, "POST": _post, "PATCH": _patch, "PUT": _put, "DELETE": _delete}

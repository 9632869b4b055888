"""What the hub does with Jobs: create, get, suspend, delete, and read the end of a log."""

from __future__ import annotations

from dataclasses import dataclass

from hub.cluster.client import Cluster, ClusterAway, ClusterRefused, Json
from hub.cluster.labels import RUN, SPEC_HASH

# a lost node answers a read of a log with this sentence and 200
_NO_LOG = "unable to retrieve container logs"
_CONFLICT, _NOT_FOUND = 409, 404


class NameTaken(Exception):
    """A Job of this name is there and was made from something else, or is being deleted."""


@dataclass(frozen=True, slots=True)
class Created:
    """The Job that stands for a run: its uid, whether it was there already, what was warned of."""

    uid: str
    was_there: bool = False
    warnings: tuple[str, ...] = ()


def jobs_path(namespace: str, name: str = "") -> str:
    """The path of Jobs, or of one."""
    return f"/apis/batch/v1/namespaces/{namespace}/jobs" + (f"/{name}" if name else "")


def pods_path(namespace: str, name: str = "") -> str:
    """The path of pods, or of one."""
    return f"/api/v1/namespaces/{namespace}/pods" + (f"/{name}" if name else "")


def events_path(namespace: str) -> str:
    """The path of events."""
    return f"/api/v1/namespaces/{namespace}/events"


def create(cluster: Cluster, manifest: Json) -> Created:
    """Create the Job, or find the one that was made from the same manifest.

    Raises NameTaken, ClusterRefused, ClusterAway. An answer that was lost is made good by asking
    again: the name is made from the run, never drawn.
    """
    name = manifest["metadata"]["name"]
    try:
        said = cluster.ask(
            "POST", jobs_path(cluster.namespace), body=manifest,
            query={"fieldValidation": "Strict"},
        )  # fmt: skip
    except ClusterRefused as refused:
        if refused.status != _CONFLICT:
            raise
        return _of_the_same(cluster, name, manifest, refused)
    return Created(said.body["metadata"]["uid"], warnings=said.warnings)


def _of_the_same(
    cluster: Cluster, name: str, manifest: Json, refused: ClusterRefused
) -> Created:
    found = get(cluster, name)
    if found is None or found["metadata"].get("deletionTimestamp"):
        raise NameTaken(refused.message) from refused
    there = found["metadata"].get("annotations", {}).get(SPEC_HASH)
    if there != manifest["metadata"]["annotations"][SPEC_HASH]:
        raise NameTaken(f"a Job {name} is there and was made from something else")
    return Created(found["metadata"]["uid"], was_there=True)


def get(cluster: Cluster, name: str) -> Json | None:
    """The Job, or None where there is none."""
    try:
        body: Json = cluster.ask("GET", jobs_path(cluster.namespace, name)).body
    except ClusterRefused as refused:
        if refused.status == _NOT_FOUND:
            return None
        raise
    return body


def pods_of(cluster: Cluster, run: str) -> list[Json]:
    """The pods of a run; those of an earlier Job of the same name may still be among them."""
    query = {"labelSelector": f"{RUN}={run}"}
    return list(cluster.ask("GET", pods_path(cluster.namespace), query=query).body["items"])


def warnings_of(cluster: Cluster, job: Json, pods: list[Json]) -> list[Json]:
    """The warning events of a Job and its pods; none where the account may not read events."""
    uids = {one["metadata"]["uid"] for one in (job, *pods)}
    try:
        found = cluster.ask(
            "GET", events_path(cluster.namespace), query={"fieldSelector": "type=Warning"}
        ).body
    except ClusterRefused:
        return []
    return [one for one in found["items"] if one["involvedObject"].get("uid") in uids]


def delete(cluster: Cluster, name: str, *, uid: str = "") -> bool:
    """Delete a Job and its pods; whether there was one. One of another uid is left alone.

    Background, said in the body and nowhere else: without a policy the pods would stay and keep
    their GPU, and a body switches off what the query says.
    """
    options: Json = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
    if uid:
        options["preconditions"] = {"uid": uid}
    try:
        cluster.ask("DELETE", jobs_path(cluster.namespace, name), body=options)
    except ClusterRefused as refused:
        if refused.status in (_NOT_FOUND, _CONFLICT):
            return False
        raise
    return True


def suspend(cluster: Cluster, name: str, *, is_suspended: bool = True) -> None:
    """Take a Job's pods away, or let them come; its clock starts anew then."""
    cluster.ask(
        "PATCH", jobs_path(cluster.namespace, name), body={"spec": {"suspend": is_suspended}},
        content_type="application/merge-patch+json",
    )  # fmt: skip


def log_tail(cluster: Cluster, pod: str, container: str, *, lines: int) -> str:
    """The last lines of a container's log; empty where there is none any more, or not yet."""
    try:
        text = cluster.ask(
            "GET", f"{pods_path(cluster.namespace, pod)}/log",
            query={"container": container, "tailLines": lines, "limitBytes": 256 * 1024},
        ).body  # fmt: skip
    except (ClusterRefused, ClusterAway):
        return ""
    return "" if not isinstance(text, str) or text.startswith(_NO_LOG) else text

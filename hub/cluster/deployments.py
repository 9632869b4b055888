"""What the hub does with Deployments: create one for a server, look at it, delete it."""

from __future__ import annotations

from hub.cluster.client import Cluster, ClusterRefused, Json

_CONFLICT, _NOT_FOUND = 409, 404


def deployments_path(namespace: str, name: str = "") -> str:
    """The path of Deployments, or of one."""
    return f"/apis/apps/v1/namespaces/{namespace}/deployments" + (f"/{name}" if name else "")


def create(cluster: Cluster, manifest: Json) -> None:
    """Create it; one that is there stays, for its name is of this server alone.

    Raises ClusterRefused, ClusterAway.
    """
    try:
        cluster.ask(
            "POST", deployments_path(cluster.namespace), body=manifest,
            query={"fieldValidation": "Strict"},
        )  # fmt: skip
    except ClusterRefused as refused:
        if refused.status != _CONFLICT:
            raise


def why_no_pod(cluster: Cluster, name: str) -> str | None:
    """What the cluster says against making its pod, such as a quota; empty where nothing.

    None where there is no such Deployment.
    """
    try:
        body: Json = cluster.ask("GET", deployments_path(cluster.namespace, name)).body
    except ClusterRefused as refused:
        if refused.status == _NOT_FOUND:
            return None
        raise
    for one in body.get("status", {}).get("conditions") or ():
        if one["type"] == "ReplicaFailure" and one["status"] == "True":
            return str(one.get("message", ""))
    return ""


def delete(cluster: Cluster, name: str) -> None:
    """Delete it and its pod; one that is not there is no error."""
    options: Json = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
    try:
        cluster.ask("DELETE", deployments_path(cluster.namespace, name), body=options)
    except ClusterRefused as refused:
        if refused.status != _NOT_FOUND:
            raise

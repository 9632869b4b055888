"""Makes a namespace in a real cluster as an administrator would, and finds the way back from it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import yaml

from hub.cluster.client import Cluster, ClusterRefused, ClusterSettings, connect
from tests.fakes.waiting import until

NAMESPACE = os.environ.get("HUB_TEST_NAMESPACE", "hub-algorithms-test")
CLASSES = {"hub-stat": 100000, "hub-routine": 10000, "hub-background": 1000}
_CONFLICT, _NOT_FOUND = 409, 404


def kubeconfig() -> str:
    """The file of KUBECONFIG, or the one that kubectl takes."""
    return os.environ.get("KUBECONFIG") or os.path.expanduser("~/.kube/config")


@contextmanager
def furnished(hub_port: int) -> Iterator[Cluster]:
    """A namespace with all that runs hang on; taken away afterwards."""
    cluster = connect(ClusterSettings(NAMESPACE, kubeconfig()))
    labels = {f"pod-security.kubernetes.io/{what}": "restricted" for what in ("enforce", "warn")}
    _make(cluster, "/api/v1/namespaces", "v1", "Namespace", labels=labels)
    for name, value in CLASSES.items():
        policy = "PreemptLowerPriority" if name == "hub-stat" else "Never"
        _make(cluster, "/apis/scheduling.k8s.io/v1/priorityclasses", "scheduling.k8s.io/v1",
              "PriorityClass", name=name, value=value, preemptionPolicy=policy)  # fmt: skip
    policies = f"/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/networkpolicies"
    both = ["Ingress", "Egress"]
    way = {"to": [{"ipBlock": {"cidr": f"{hub_host()}/32"}}],
           "ports": [{"protocol": "TCP", "port": hub_port}]}  # fmt: skip
    for name, selector, rules in (
        ("default-deny", {}, []), ("runs-to-hub", {"matchLabels": {"hub.avrop/kind": "run"}}, [way])
    ):  # fmt: skip
        spec = {"podSelector": selector, "policyTypes": both if not rules else ["Egress"],
                "egress": rules}  # fmt: skip
        _make(cluster, policies, "networking.k8s.io/v1", "NetworkPolicy", name=name, spec=spec)
    until(lambda: _has_account(cluster), "the namespace has its default account", seconds=60)
    try:
        yield cluster
    finally:
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        cluster.ask("DELETE", f"/api/v1/namespaces/{NAMESPACE}", body=body)
        until(lambda: _is_gone(cluster), "the namespace is gone", seconds=180)


def hub_host() -> str:
    """This host, as pods reach it: HUB_TEST_HOST, the way to the API server, or the node itself."""
    if given := os.environ.get("HUB_TEST_HOST"):
        return given
    with open(kubeconfig()) as file:
        config = yaml.safe_load(file)
    server = urlsplit(config["clusters"][0]["cluster"]["server"])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.connect((server.hostname, server.port or 443))
        here = str(wire.getsockname()[0])
    if not here.startswith("127."):
        return here
    cluster = connect(ClusterSettings(NAMESPACE, kubeconfig()))
    (node, *_others) = cluster.ask("GET", "/api/v1/nodes").body["items"]
    return next(str(one["address"]) for one in node["status"]["addresses"]
                if one["type"] == "InternalIP")  # fmt: skip


def _make(
    cluster: Cluster, path: str, api: str, kind: str, *, name: str = NAMESPACE, **more: object
) -> None:
    labels = more.pop("labels", {})
    body = {"apiVersion": api, "kind": kind, "metadata": {"name": name, "labels": labels}, **more}
    try:
        cluster.ask("POST", path, body=body)
    except ClusterRefused as refused:
        if refused.status != _CONFLICT:
            raise


def _is_gone(cluster: Cluster) -> bool:
    try:
        cluster.ask("GET", f"/api/v1/namespaces/{NAMESPACE}")
    except ClusterRefused as refused:
        return refused.status == _NOT_FOUND
    return False


def _has_account(cluster: Cluster) -> bool:
    try:
        cluster.ask("GET", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/default")
    except ClusterRefused:
        return False
    return True

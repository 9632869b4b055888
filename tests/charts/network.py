"""Who reaches whom by the NetworkPolicies of the chart, where a network enforces them.

A connection must be let out by the policies of its source and in by those of its target; a pod that
no policy selects for a direction is open in it. Addresses and pods are told apart as Cilium does:
a block of addresses means no pod.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from tests.charts.rendering import NAMESPACE, Object, kind, pods


@dataclass(frozen=True)
class Pod:
    """A pod by its namespace and labels."""

    namespace: str
    labels: dict[str, str] = field(default_factory=dict)


End = Pod | str


def pod_of(found: list[Object], component: str) -> Pod:
    """A pod of the hub, as the chart labels it."""
    every = (one["metadata"]["labels"] for _, one in pods(found))
    return next(Pod(NAMESPACE, one) for one in every
                if one["app.kubernetes.io/component"] == component)  # fmt: skip


def reaches(
    found: list[Object], source: End, target: End, port: int, protocol: str = "TCP"
) -> bool:
    """Whether a connection from an address or a pod to another comes about."""
    policies = kind(found, "NetworkPolicy")
    for end, other, direction, peers in (
        (source, target, "Egress", "to"), (target, source, "Ingress", "from"),
    ):  # fmt: skip
        if isinstance(end, str):
            continue
        mine = [one for one in policies if _selects(one, end)
                and direction in one["spec"]["policyTypes"]]  # fmt: skip
        rules = [rule for one in mine for rule in one["spec"].get(direction.lower(), [])]
        if mine and not any(_lets(rule, peers, other, port, protocol) for rule in rules):
            return False
    return True


def _lets(rule: Object, peers: str, other: End, port: int, protocol: str) -> bool:
    ports = rule.get("ports") or [{"port": port, "protocol": protocol}]
    is_port = any((one["port"], one["protocol"]) == (port, protocol) for one in ports)
    return is_port and any(_is(peer, other) for peer in rule[peers])


def _is(peer: Object, end: End) -> bool:
    if block := peer.get("ipBlock"):
        if isinstance(end, Pod) or ip_address(end) not in ip_network(block["cidr"]):
            return False
        return not any(ip_address(end) in ip_network(one) for one in block.get("except", ()))
    if isinstance(end, str):
        return False
    space = {"kubernetes.io/metadata.name": end.namespace}
    is_space = (_matches(peer["namespaceSelector"], space) if "namespaceSelector" in peer
                else end.namespace == NAMESPACE)  # fmt: skip
    return is_space and _matches(peer.get("podSelector", {}), end.labels)


def _selects(policy: Object, pod: Pod) -> bool:
    namespace = policy["metadata"].get("namespace", NAMESPACE)
    return namespace == pod.namespace and _matches(policy["spec"]["podSelector"], pod.labels)


def _matches(selector: Object, labels: dict[str, str]) -> bool:
    return all(_holds(selector, labels))


def _holds(selector: Object, labels: dict[str, str]) -> Iterator[bool]:
    for key, value in selector.get("matchLabels", {}).items():
        yield labels.get(key) == value
    for one in selector.get("matchExpressions", ()):
        is_in = labels.get(one["key"]) in one["values"]
        yield is_in if one["operator"] == "In" else not is_in

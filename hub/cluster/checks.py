"""What is read out of a cluster's objects to judge whether runs can stand there; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Json = dict[str, Any]
MISSING = "there is none"

_UNITS: dict[str, int | Decimal] = {
    "": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "Ki": 2**10, "Mi": 2**20,
    "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "m": Decimal("0.001"), "u": Decimal("0.000001"),
    "n": Decimal("0.000000001"),
}  # fmt: skip
_QUANTITY = re.compile(r"([0-9.]+)([a-zA-Z]{0,2})")


@dataclass(frozen=True, slots=True)
class Node:
    """What pods may take of one node."""

    name: str
    allocatable: Mapping[str, str]
    is_ready: bool = True
    # images that lie there, by every name they have
    images: frozenset[str] = frozenset()

    def count(self, resource: str) -> int:
        """How many it has of a thing that is counted."""
        return int(quantity(self.allocatable.get(resource, "0"))) if self.is_ready else 0


@dataclass(frozen=True, slots=True)
class Policies:
    """What NetworkPolicies come to for the pods of runs; names of those that let them out."""

    is_denied: bool
    ways: tuple[str, ...] = ()
    is_open: tuple[str, ...] = ()


def quantity(text: str) -> Decimal:
    """A Kubernetes quantity as a number; raises ValueError."""
    found = _QUANTITY.fullmatch(text)
    if found is None or found[2] not in _UNITS:
        raise ValueError(f"no quantity: {text!r}")
    return Decimal(found[1]) * _UNITS[found[2]]


def version_of(said: Json) -> tuple[int, int] | None:
    """Major and minor version; None where the server was built without."""
    numbers = [re.match(r"[0-9]+", str(said.get(key, ""))) for key in ("major", "minor")]
    if None in numbers:
        return None
    major, minor = (int(one[0]) for one in numbers if one)
    return major, minor


def node_of(obj: Json) -> Node:
    """From a Node of the API; one that is cordoned or not ready has nothing."""
    status = obj.get("status", {})
    ready = [one for one in status.get("conditions") or () if one["type"] == "Ready"]
    is_ready = not obj.get("spec", {}).get("unschedulable") and all(
        one["status"] == "True" for one in ready
    )
    named = (one.get("names") or () for one in status.get("images") or ())
    images = frozenset(name for names in named for name in names)
    return Node(obj["metadata"]["name"], status.get("allocatable") or {}, is_ready, images)


def gibibytes(nodes: Iterable[Node]) -> float:
    """GiB of disk that pods may take on the node that has most."""
    offered = (quantity(one.allocatable.get("ephemeral-storage", "0"))
               for one in nodes if one.is_ready)  # fmt: skip
    return float(max(offered, default=Decimal(0)) / 2**30)


def gpus_there(nodes: Iterable[Node]) -> str:
    """The names of what looks like GPUs on any node."""
    names = sorted({
        name for node in nodes for name in node.allocatable if "gpu" in name or "mig" in name
    })  # fmt: skip
    return f"there is {', '.join(names)}" if names else "there is nothing like it"


def why_no_node(nodes: Sequence[Node], asked: Mapping[str, str]) -> str:
    """Why no node can ever hold what is asked for, empty where one can if it is idle."""
    if not nodes:
        return "there is no node"
    best = min((_lacking(node, asked) for node in nodes), key=len)
    if not best:
        return ""
    told = ", ".join(f"{asked[name]} of {name}" for name in best)
    return f"no node is large enough: asks for {told}, which none has with the rest"


def _lacking(node: Node, asked: Mapping[str, str]) -> list[str]:
    if not node.is_ready:
        return list(asked)
    return [
        name for name, wanted in asked.items()
        if quantity(wanted) > quantity(node.allocatable.get(name, "0"))
    ]  # fmt: skip


def policies(items: Iterable[Json], marks: Mapping[str, str]) -> Policies:
    """What the NetworkPolicies of a namespace let pods with these labels do."""
    is_denied = False
    ways: list[str] = []
    is_open: list[str] = []
    for one in items:
        spec, name = one["spec"], one["metadata"]["name"]
        if not _selects(spec.get("podSelector") or {}, marks):
            continue
        is_denied = is_denied or "Egress" in (spec.get("policyTypes") or ())
        for rule in spec.get("egress") or ():
            (is_open if _is_open(rule) else ways).append(name)
    return Policies(is_denied, tuple(dict.fromkeys(ways)), tuple(dict.fromkeys(is_open)))


def _is_open(rule: Json) -> bool:
    """Whether a way out names no port, or leads to everybody."""
    return not rule.get("ports") or any(map(_is_everybody, rule.get("to") or ({},)))


def _is_everybody(peer: Json) -> bool:
    if block := peer.get("ipBlock"):
        return str(block["cidr"]).endswith("/0")
    if "namespaceSelector" not in peer:
        return "podSelector" not in peer
    return not peer["namespaceSelector"] and not peer.get("podSelector")


def largest_container(items: Iterable[Json]) -> dict[str, str]:
    """What LimitRanges allow a container at most."""
    found: dict[str, str] = {}
    for one in items:
        for limit in one["spec"].get("limits") or ():
            if limit.get("type") == "Container":
                found |= limit.get("max") or {}
    return found


def _selects(selector: Json, marks: Mapping[str, str]) -> bool:
    if any(marks.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_holds(one, marks) for one in selector.get("matchExpressions") or ())


def _holds(term: Json, marks: Mapping[str, str]) -> bool:
    value, values = marks.get(term["key"]), term.get("values") or ()
    held = {
        "In": value in values, "NotIn": value not in values, "Exists": value is not None,
        "DoesNotExist": value is None,
    }  # fmt: skip
    return held.get(term["operator"], False)

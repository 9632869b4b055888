"""What every pod of the hub's runs has in common: walls, placement, tokens as files; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.cluster import labels

Json = dict[str, Any]

SMALLEST_VOLUME = 64 * 2**20
TOKENS = "/var/run/hub"
WALL, _WALL_MEMORY = "wall", "64Mi"
TOKEN_FILE = "token"  # nosec B105: the name of a file
_TRUSTED, _CA_FILE = "/var/run/hub-ca", "ca.crt"
_USER = 65532
_GRACE_SECONDS = 10
# a lost node is given up after so long, instead of five minutes
_UNREACHABLE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Placement:
    """Where in the cluster runs may stand, and how urgent they are there."""

    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, str], ...] = ()
    runtime_class: str = ""
    priority_class: str = ""
    pull_secrets: tuple[str, ...] = ()
    # Kueue's LocalQueue: the Job is made suspended, and Kueue alone lets it start
    queue: str = ""


@dataclass(frozen=True, slots=True)
class Wall:
    """What must be out of reach before the algorithm begins, and how long that may take.

    ``addresses`` are IP:PORT; without any it is the API server.
    """

    command: tuple[str, ...]
    seconds: int
    addresses: tuple[str, ...] = ()


def base(place: Placement, addresses: Mapping[str, str]) -> Json:
    """The spec of a pod without its containers; ``addresses``: all names that it can look up."""
    pod: Json = {
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        # no name is ever looked up: a resolver is a way out for whatever can ask it
        "dnsPolicy": "None",
        "dnsConfig": {"nameservers": ["127.0.0.1"]},
        "securityContext": {
            "runAsNonRoot": True, "runAsUser": _USER, "runAsGroup": _USER, "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "tolerations": [*map(dict, place.tolerations), *_lost_nodes()],
    }  # fmt: skip
    optional = {
        "hostAliases": [
            {"ip": address, "hostnames": [name]} for name, address in sorted(addresses.items())
        ],
        "nodeSelector": dict(place.node_selector),
        "runtimeClassName": place.runtime_class,
        "priorityClassName": place.priority_class,
        "imagePullSecrets": [{"name": name} for name in place.pull_secrets],
    }
    return pod | {key: value for key, value in optional.items() if value}


def walls() -> Json:
    """What Pod Security "restricted" asks of a container, and a root that is read-only."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def mount(name: str, path: str, *, is_read_only: bool = False) -> Json:
    """A volume of the pod in a container."""
    mounted: Json = {"name": name, "mountPath": path}
    return mounted | ({"readOnly": True} if is_read_only else {})


def carrier(name: str, image: str, command: list[str], memory: str) -> Json:
    """A container of the hub's own beside the algorithm's; who makes it adds what it mounts."""
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": command,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "resources": {
            "requests": {"cpu": "100m", "memory": memory},
            "limits": {"memory": memory, "ephemeral-storage": "64Mi"},
        },
        "securityContext": walls(),
    }


def wall(asked: Wall | None, image: str) -> list[Json]:
    """The container that waits for the wall, where one is asked for; it mounts nothing."""
    if asked is None:
        return []
    places = [word for one in asked.addresses for word in ("--address", one)]
    command = [*asked.command, "--seconds", str(asked.seconds), *places]
    return [carrier(WALL, image, command, _WALL_MEMORY)]


def token_words(ca: str) -> list[str]:
    """Where the carrier finds its token, and whom it trusts."""
    trusted = ["--ca-file", f"{_TRUSTED}/{_CA_FILE}"] if ca else []
    return ["--token-file", f"{TOKENS}/{TOKEN_FILE}", *trusted]


def ca_annotation(ca: str) -> dict[str, str]:
    """The annotation that brings certificates into the pod."""
    return {labels.CA: ca} if ca else {}


def ca_volumes(ca: str) -> list[Json]:
    """The volume of these certificates."""
    return [_annotated("trusted", labels.CA, _CA_FILE)] if ca else []


def ca_mounts(ca: str) -> list[Json]:
    """That volume in a container."""
    return [mount("trusted", _TRUSTED, is_read_only=True)] if ca else []


def token(name: str, annotation: str) -> Json:
    """A file of the pod's own annotation: it needs no Secret, and no right to make any."""
    return _annotated(name, annotation, TOKEN_FILE)


def _annotated(name: str, annotation: str, file: str) -> Json:
    path = f"metadata.annotations['{annotation}']"
    item = {"path": file, "fieldRef": {"fieldPath": path}, "mode": 0o440}
    return {"name": name, "downwardAPI": {"items": [item]}}


def roomy(size: int) -> int:
    """Bytes of a volume for so many bytes of files: blocks of a disk take a little more."""
    return size + size // 8 + SMALLEST_VOLUME


def _lost_nodes() -> list[Json]:
    return [
        {
            "key": f"node.kubernetes.io/{what}", "operator": "Exists", "effect": "NoExecute",
            "tolerationSeconds": _UNREACHABLE_SECONDS,
        }
        for what in ("unreachable", "not-ready")
    ]  # fmt: skip

"""How the hub's runs stand in a cluster: what its settings say, checked, as one frozen value."""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub.cluster.pods import Wall

# what a finished Job is kept for where the hub does not come to clean it up
KEEP_SECONDS = 3600
# Kueue lets a run start when it likes: the hub counts on no more than so long
_QUEUED_SECONDS = 7 * 24 * 3600
# it goes into an annotation, of which all together may have 256 KiB
_LARGEST_CA = 128 * 1024
_TOLERATION = re.compile(
    r"(?P<key>[A-Za-z0-9._/-]+)(=(?P<value>[A-Za-z0-9._-]+))?"
    r"(:(?P<effect>NoSchedule|PreferNoSchedule|NoExecute))?"
)


class SetupRefused(ValueError):
    """A setting of the cluster cannot be meant; ``str()`` names it and what was expected."""


@dataclass(frozen=True, slots=True)
class ClusterSetup:
    """All that a run in the cluster hangs on beside itself."""

    namespace: str
    kubeconfig: str = ""
    carrier_image: str = ""
    carrier_command: tuple[str, ...] = ()
    gpu_resource: str = "nvidia.com/gpu"
    gpu_resources: Mapping[str, str] = field(default_factory=dict)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, str], ...] = ()
    runtime_class: str = ""
    # of STAT, of everything else, of what is less urgent than routine; empty: none
    priority_classes: tuple[str, ...] = ()
    pull_secrets: tuple[str, ...] = ()
    queue: str = ""
    wait_seconds: int = 14400
    hub_url: str = ""
    attendant_command: tuple[str, ...] = ()
    # PEM of who signed the hub's certificate
    ca: str = field(default="", repr=False)
    # None: a network is closed when a pod begins, or nobody closes it
    wall: Wall | None = None

    def gpu_resource_of(self, algorithm: str, site: str = "") -> str:
        """What the cluster calls the GPUs that an algorithm is to have, for studies of a site."""
        for name in (f"{algorithm}@{site}", algorithm, f"@{site}"):
            if name in self.gpu_resources:
                return self.gpu_resources[name]
        return self.gpu_resource

    def priority_class_of(self, priority: int) -> str:
        """The PriorityClass of a Requested Procedure Priority, 1 (STAT) to 5 (LOW)."""
        if not self.priority_classes:
            return ""
        stat, routine, background = self.priority_classes
        return stat if priority == 1 else background if priority > 4 else routine


def longest_wait(wait_seconds: float, queue: str) -> float:
    """Seconds that a run may wait before it starts; ``queue``: Kueue's, where that decides."""
    return wait_seconds + (_QUEUED_SECONDS if queue else 0)


def cluster_setup(settings: Mapping[str, Any]) -> ClusterSetup:
    """From the settings of the performer ``kubernetes``; raises SetupRefused."""
    if not settings.get("namespace"):
        raise SetupRefused("the hub is given no cluster: HUB_CLUSTER_NAMESPACE is not set")
    if not settings.get("carrier_image"):
        raise SetupRefused(
            "HUB_CLUSTER_CARRIER_IMAGE: expected the image of the hub, which carries input and "
            "output in the cluster"
        )
    classes = tuple(settings.get("priority_classes") or ())
    if classes not in ((), ("none",)) and len(classes) != 3:
        raise SetupRefused(
            "HUB_CLUSTER_PRIORITY_CLASSES: expected three names (of STAT, routine, background) "
            f"or none, found {len(classes)}"
        )
    given = dict(settings)
    given["carrier_command"] = tuple(shlex.split(str(settings.get("carrier_command", ""))))
    given["attendant_command"] = tuple(shlex.split(str(settings.get("attendant_command", ""))))
    given["wall"] = _wall(given)
    given["ca"] = _certificates(str(given.pop("ca_file", "")))
    given["tolerations"] = tuple(map(_toleration, settings.get("tolerations") or ()))
    given["priority_classes"] = () if classes == ("none",) else classes
    given["pull_secrets"] = tuple(settings.get("pull_secrets") or ())
    return ClusterSetup(**given)


def _wall(given: dict[str, Any]) -> Wall | None:
    """What waits for the wall; takes out of ``given`` what it is made of."""
    command = tuple(shlex.split(str(given.pop("wall_command", ""))))
    seconds, named = int(given.pop("wall_seconds", 0)), tuple(given.pop("wall_addresses", ()))
    for one in named:
        host, _, port = one.rpartition(":")
        try:
            ipaddress.ip_address(host.strip("[]"))
            int(port)
        except ValueError:
            raise SetupRefused(
                f"HUB_CLUSTER_WALL_ADDRESSES: expected IP:PORT (pods look up no names), found {one}"
            ) from None
    return Wall(command, seconds, named) if seconds else None


def _certificates(path: str) -> str:
    """The PEM of a file, which is handed to each run: small, and no secret."""
    if not path:
        return ""
    try:
        text = Path(path).read_text("ascii")
    except (OSError, ValueError) as fault:
        raise SetupRefused(f"HUB_CLUSTER_CA_FILE: cannot be read: {fault}") from fault
    if "BEGIN CERTIFICATE" not in text or "PRIVATE KEY" in text or len(text) > _LARGEST_CA:
        raise SetupRefused(
            "HUB_CLUSTER_CA_FILE: expected certificates (PEM) of at most "
            f"{_LARGEST_CA // 1024} KiB and no key"
        )
    return text


def _toleration(text: str) -> Mapping[str, str]:
    found = _TOLERATION.fullmatch(text)
    if found is None:
        raise SetupRefused(
            "HUB_CLUSTER_TOLERATIONS: expected KEY, KEY=VALUE or KEY=VALUE:EFFECT, found "
            f"{text!r}"
        )
    value, effect = found["value"], found["effect"]
    kept: dict[str, str] = {"key": found["key"], "operator": "Equal" if value else "Exists"}
    kept |= {"value": value} if value else {}
    return kept | ({"effect": effect} if effect else {})

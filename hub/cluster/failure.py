"""The classes of failure of a run in a cluster, each of which is treated in its own way."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hub.cluster.seen import ContainerSeen, PodSeen


class Failure(StrEnum):
    """What was the matter; the class says what the hub does about it."""

    MEMORY = "memory"
    DEADLINE = "deadline"
    EXIT_CODE = "exit_code"
    IMAGE = "image"
    CONFIGURATION = "configuration"
    ADMISSION = "admission"
    QUOTA = "quota"
    # no node has room: waits
    NO_PLACE = "no_place"
    DISK = "disk"
    # taken away by the cluster: run again, and no attempt
    DISRUPTION = "disruption"
    STAGING = "staging"
    # its network stayed open
    WALL = "wall"
    COLLECTING = "collecting"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long what a cluster tries for ever is let go on, in seconds and in times."""

    mount_seconds: float = 60.0
    # from when a node says nothing: where all nodes are lost, the cluster waits for ever
    node_seconds: float = 300.0
    # from the end of a Job on, for a read of its pods where nothing told explains that end
    end_seconds: float = 60.0
    most_disruptions: int = 5


@dataclass(frozen=True, slots=True)
class Wait:
    """What it waits for, or what it is at where ``failure`` is None; final: it will never come."""

    why: str
    failure: Failure | None = None
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class Ending:
    """A failure: its class, its sentence, and whose log tells more."""

    failure: Failure
    why: str
    exit_code: int | None = None
    is_retryable: bool = False
    pod: PodSeen | None = None
    container: ContainerSeen | None = None

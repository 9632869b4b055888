"""Signs and reads the tokens by which a run that is elsewhere fetches input and brings output.

A token says Workitem, number of the run, direction and latest end, and is signed: nothing is kept
of it. Whether the Workitem still waits for that run is asked of its row (run_files.py).
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from django.conf import settings
from django.core.signing import BadSignature, Signer

from routing.models import Workitem
from vendors.cluster_setup import longest_wait
from vendors.manifest import PerformerSpec
from vendors.performers.base import CARRIED, Transfer

Direction = Literal["input", "output"]

# after the run must be over by its own time: to pack and bring what it left
SLACK = timedelta(minutes=15)
_SALT = "routing.run_tokens"
_PARTS = 4


class TokenRefused(Exception):
    """A token is not one of the hub's, or its time is over; ``str()`` says which."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a token says: of which run, and in which direction."""

    uid: uuid.UUID
    run: int
    direction: Direction


def transfer_of(
    workitem: Workitem, spec: PerformerSpec, *, input_bytes: int = 0
) -> Transfer | None:
    """The addresses and tokens of the Workitem's run; None for what runs on this host."""
    if spec.kind not in CARRIED:
        return None
    return Transfer(
        input_url=_url(workitem, "input"),
        input_token=token_of(workitem, "input", seconds=_longest(spec)),
        output_url=_url(workitem, "output"),
        output_token=token_of(workitem, "output", seconds=_longest(spec)),
        input_bytes=input_bytes,
    )


def token_of(workitem: Workitem, direction: Direction, *, seconds: float) -> str:
    """A token for the Workitem's present run that holds for so long at most."""
    ends = int(time.time() + seconds)
    said = f"{workitem.uid.hex}.{workitem.runs}.{direction}.{ends}"
    return Signer(salt=_SALT).sign(said)


def read(token: str) -> Claim:
    """What a token says; raises TokenRefused. The signature is compared in constant time."""
    try:
        said = Signer(salt=_SALT).unsign(token).split(".")
    except BadSignature as fault:
        raise TokenRefused("not signed by this hub") from fault
    if len(said) != _PARTS or said[2] not in ("input", "output"):
        raise TokenRefused("not of this kind")
    if int(said[3]) < time.time():
        raise TokenRefused("expired")
    direction: Direction = "input" if said[2] == "input" else "output"
    return Claim(uuid.UUID(said[0]), int(said[1]), direction)


def _longest(spec: PerformerSpec) -> float:
    """Seconds until a run that is submitted now must be over: its wait for room, and its time."""
    wait = longest_wait(settings.HUB_ENGINE_PATIENCE_SECONDS, settings.HUB_CLUSTER["queue"])
    return wait + spec.timeout_seconds + SLACK.total_seconds()


def _url(workitem: Workitem, direction: Direction) -> str:
    return f"{settings.HUB_CLUSTER_HUB_URL.rstrip('/')}/api/v1/runs/{workitem.uid}/{direction}"

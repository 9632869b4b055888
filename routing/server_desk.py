"""Hands runs to warm servers in a cluster, and takes what they say of them.

A server asks by a token of its own, which opens the runs of its version and organisation alone:
those are given to it one at a time, each with the two tokens by which its input is fetched and its
output brought. The performer (vendors/performers/kubernetes_warm.py) reads what became of it.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner

from routing import cluster_nudges, run_tokens
from routing.models import Workitem
from vendors import warm_servers
from vendors.performers.base import is_final
from vendors.warm_servers import ServerDismissed

# longer than any server lives
LONGEST = timedelta(days=2)
_SALT = "routing.server_desk"
_LONGEST_WHY = 500
_STATES = ("entitled", "dispatched")
# after which a server may still be at the run, or have some of it
_STUCK = ("timeout", "answer", "wipe")
Json = dict[str, Any]


class NotAdmitted(Exception):
    """The token is none of this server."""


def door_of(name: str) -> tuple[str, str]:
    """Where a server of this name asks, and its token."""
    base = settings.HUB_CLUSTER_HUB_URL.rstrip("/")
    return f"{base}/api/v1/servers/{name}", TimestampSigner(salt=_SALT).sign(name)


def admit(name: str, authorization: str) -> None:
    """Raise NotAdmitted unless the token is this server's; compared in constant time."""
    scheme, _, token = authorization.partition(" ")
    try:
        said = TimestampSigner(salt=_SALT).unsign(token.strip(), max_age=LONGEST)
    except BadSignature as fault:
        raise NotAdmitted(str(fault)) from fault
    if scheme.lower() != "bearer" or said != name:
        raise NotAdmitted("of another server")


def ask(name: str, *, question: str, pod: str) -> Json | None:
    """The next run of a server, with its tokens; None where none waits. Raises ServerDismissed."""
    given = warm_servers.give(name, ask=question, pod=pod)
    if given is None:
        return None
    workitem = _workitem_of(given.name)
    spec = workitem.version.declared.performer if workitem else None
    transfer = run_tokens.transfer_of(workitem, spec) if workitem and spec else None
    if spec is None or transfer is None:
        # superseded, or withdrawn, while it waited
        gone = {"state": "failed", "why": "nobody waits for it any more"}
        warm_servers.end(given.name, gone)
        return None
    cluster_nudges.look_at([given.name])
    return {
        "run": given.name,
        "timeout_seconds": spec.timeout_seconds,
        "most_bytes": settings.HUB_OUTPUT_BYTES,
        "input_url": transfer.input_url, "input_token": transfer.input_token,
        "output_url": transfer.output_url, "output_token": transfer.output_token,
    }  # fmt: skip


def beat(name: str, *, run: str) -> None:
    """The run goes on; raises ServerDismissed where nobody waits for it there."""
    warm_servers.heard(name, run)


def answer(name: str, *, run: str, said: Json) -> None:
    """What became of a run; raises ServerDismissed where it is not this server's."""
    server = warm_servers.server_of(name)
    kept = warm_servers.run_of(run)
    if server is not None and kept is None and not (server.run or server.is_stopping):
        return  # told again: it was heard, and the run has been cleaned up since
    if server is None or kept is None or kept.server != name:
        raise ServerDismissed
    is_stuck = said.get("failure") in _STUCK
    if warm_servers.end(run, _outcome(said), is_stopping=is_stuck):
        cluster_nudges.look_at([run])


def _outcome(said: Json) -> Json:
    """As a performer tells it. What could not be carried may reach its end another time."""
    code, failure = said.get("exit_code"), str(said.get("failure") or "")
    why = "".join(c if c.isprintable() else " " for c in str(said.get("why") or "")[:_LONGEST_WHY])
    if code == 0 and failure in ("", "wipe"):
        return {"state": "succeeded", "exit_code": 0}
    if failure == "stage":
        why = f"the input did not reach the run: {why}"
    elif failure == "collect":
        why = f"the output did not come back: {why}"
    why = why or f"ended with exit code {code}"
    is_retryable = code is None or not is_final(code)
    return {"state": "failed", "why": why, "exit_code": code, "is_retryable": is_retryable}


def _workitem_of(run: str) -> Workitem | None:
    uid, _, number = run.rpartition("-")
    found = Workitem.objects.filter(uid=uuid.UUID(uid), runs=int(number), state__in=_STATES)
    return found.select_related("version", "study__site").first()

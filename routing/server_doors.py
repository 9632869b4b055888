"""The door of warm servers in a cluster: they ask for runs, say that one goes on, and how it ended.

Not for people, and not in the published API: attendant.py knocks here.
"""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from hub import audit
from hub.limiting import Allowance
from hub.tokens import address_of
from routing import server_desk
from routing.server_desk import NotAdmitted
from vendors.warm_servers import ServerDismissed

_LARGEST = 16 * 1024
# Signatures of 256 bits: no matter of guessing, but of what each try writes to the audit trail.
_wrong = Allowance(per_minute=30, burst=30)
_SHAPES: dict[str, dict[str, tuple[type, ...]]] = {
    "ask": {"ask": (str,), "pod": (str,)},
    "beat": {"run": (str,)},
    "answer": {"run": (str,), "exit_code": (int, type(None)), "why": (str,), "failure": (str,)},
}


class _Unfit(Exception):
    """What was said is not of the shape; ``str()`` names the field."""


@csrf_exempt
@require_POST
def knock(request: HttpRequest, name: str, verb: str) -> HttpResponse:
    """200 with a run, 204 for nothing to tell, 410 where the server is to be gone."""
    if verb not in _BY_VERB:
        return _told({"detail": "Not found."}, 404)
    try:
        server_desk.admit(name, request.headers.get("Authorization", ""))
    except NotAdmitted as fault:
        return _refused(name, str(fault), address_of(request))
    try:
        told = _BY_VERB[verb](name, _said(request, verb))
    except _Unfit as fault:
        return _told({"detail": str(fault)}, 400)
    except ServerDismissed:
        return _told({"detail": "dismissed"}, 410)
    return _told(told, 200) if told else HttpResponse(status=204)


def _ask(name: str, said: dict[str, Any]) -> dict[str, Any] | None:
    return server_desk.ask(name, question=said["ask"][:64], pod=said["pod"][:253])


def _beat(name: str, said: dict[str, Any]) -> None:
    server_desk.beat(name, run=said["run"])


def _answer(name: str, said: dict[str, Any]) -> None:
    server_desk.answer(name, run=said["run"], said=said)


_BY_VERB = {"ask": _ask, "beat": _beat, "answer": _answer}


def _said(request: HttpRequest, verb: str) -> dict[str, Any]:
    raw = request.read(_LARGEST + 1)
    try:
        said = json.loads(raw) if len(raw) <= _LARGEST else None
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise _Unfit("expected a JSON object")
    for field, kinds in _SHAPES[verb].items():
        value = said.get(field)
        if not isinstance(value, kinds) or isinstance(value, bool):
            names = " or ".join(kind.__name__ for kind in kinds)
            raise _Unfit(f"{field}: expected {names}")
    return said


def _refused(name: str, why: str, address: str) -> HttpResponse:
    if _wrong.take(address):
        return _told({"detail": "too many wrong tokens"}, 429)
    audit.record("server_token.refused", actor="server", site=None, subject=name[:63], why=why,
                 address=address)  # fmt: skip
    response = _told({"detail": "unknown token"}, 401)
    response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _told(body: dict[str, Any], status: int) -> HttpResponse:
    response = HttpResponse(json.dumps(body), status=status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response

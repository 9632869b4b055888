"""The doors of a run that is elsewhere: it fetches its input and brings its output.

An output comes in by way of ASGI, in front of Django, which would write the whole body down before
anybody had looked at the token, and without an end. Under WSGI the view takes it.
"""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from typing import Any, TypeVar

import structlog
from asgiref.sync import sync_to_async
from django.db import connections
from django.http import HttpRequest, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from hub.tokens import address_of
from routing import admitting, run_files
from routing.admitting import NotAdmitted
from routing.models import RunFiles
from routing.run_files import Landing, NoRoomForOutput, OutputTooLarge, Taken

log = structlog.get_logger(__name__)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]
T = TypeVar("T")

TAR = "application/x-tar"
_STEP = 1 << 20
# whoever brings an output and says nothing for so long has gone
_SILENCE_SECONDS = 60.0
_OUTPUT = re.compile(r"/api/v1/runs/([0-9a-f-]{36})/output")
_RANGE = re.compile(r"bytes=([0-9]{1,18})-")


# -- input -----------------------------------------------------------------------------------------
@require_http_methods(["GET", "HEAD"])
def fetch_input(request: HttpRequest, uid: uuid.UUID) -> HttpResponseBase:
    """The tar of what the Workitem is to be run on; ``Range: bytes=N-`` goes on where it broke."""
    try:
        row = admitting.admit(
            uid, request.headers.get("Authorization", ""), "input", address=address_of(request)
        )
    except NotAdmitted as fault:
        return _told(fault.status, fault.detail)
    asked = _RANGE.fullmatch(request.headers.get("Range", ""))
    start = int(asked[1]) if asked else 0
    if start and start >= row.input_bytes:
        return _told(416, "there is no such part")
    pieces = run_files.pieces_of_input(row, start)
    try:
        first = next(pieces, b"")
    except LookupError:
        # Taken away this moment: the Workitem has gone on.
        return _told(404, "Not found.")
    response = StreamingHttpResponse(
        _later(first, pieces), status=206 if start else 200, content_type=TAR
    )
    response.headers["Content-Length"] = str(row.input_bytes - start)
    response.headers["ETag"] = f'"{row.input_sha256}"'
    response.headers["Cache-Control"] = "no-store"
    if start:
        end = row.input_bytes - 1
        response.headers["Content-Range"] = f"bytes {start}-{end}/{row.input_bytes}"
    return response


async def _later(first: bytes, pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    # Django reads all of a plain iterator into memory where the server is asynchronous.
    yield first
    next_piece = sync_to_async(lambda: next(pieces, b""), thread_sensitive=False)
    while piece := await next_piece():
        yield piece


# -- output ----------------------------------------------------------------------------------------
@csrf_exempt
@require_http_methods(["PUT"])
def bring_output(request: HttpRequest, uid: uuid.UUID) -> HttpResponseBase:
    """Take the tar of what the run left: 201 when it came first, 200 for the same again."""
    try:
        row = admitting.admit(
            uid, request.headers.get("Authorization", ""), "output", address=address_of(request)
        )
    except NotAdmitted as fault:
        return _told(fault.status, fault.detail)
    landing = Landing()
    try:
        while piece := request.read(_STEP):
            landing.write(piece)
        taken = run_files.take(row, landing)
    except (OutputTooLarge, NoRoomForOutput, OSError) as fault:
        taken = _not_taken(row, fault)
    finally:
        landing.discard()
    return _told(taken.status, taken.detail)


def in_front_of(application: Application) -> Application:
    """The ASGI application that takes outputs itself, and leaves all else to ``application``."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        found = None
        if scope["type"] == "http" and scope["method"] == "PUT":
            found = _OUTPUT.fullmatch(scope["path"])
        if found is None:
            await application(scope, receive, send)
            return
        taken = await _bring(found[1], scope, receive)
        if taken is not None:
            await _answer(send, taken)

    return answer


async def _bring(said_uid: str, scope: Scope, receive: Receive) -> Taken | None:
    """Take one output as it arrives; None where whoever brought it went away."""
    headers = {name.lower(): value for name, value in scope["headers"]}
    authorization = headers.get(b"authorization", b"").decode("latin-1")
    address = str((scope.get("client") or ("",))[0])
    try:
        uid = uuid.UUID(said_uid)
        row = await _aside(lambda: admitting.admit(uid, authorization, "output", address=address))
    except ValueError:
        return Taken(404, "Not found.")
    except NotAdmitted as fault:
        return Taken(fault.status, fault.detail)
    landing = await _aside(Landing)
    try:
        if not await _all_of(receive, landing):
            return None
        return await _aside(lambda: run_files.take(row, landing))
    except (OutputTooLarge, NoRoomForOutput, OSError) as fault:
        reason = fault
        return await _aside(lambda: _not_taken(row, reason))
    finally:
        await _aside(landing.discard)


async def _all_of(receive: Receive, landing: Landing) -> bool:
    """Write the body down as it comes; False where it did not come to its end."""
    waiting = bytearray()
    while True:
        try:
            message = await asyncio.wait_for(receive(), _SILENCE_SECONDS)
        except TimeoutError:
            return False
        if message["type"] == "http.disconnect":
            return False
        waiting += message.get("body", b"")
        is_last = not message.get("more_body", False)
        if waiting and (is_last or len(waiting) >= _STEP):
            await sync_to_async(landing.write, thread_sensitive=False)(bytes(waiting))
            waiting.clear()
        if is_last:
            return True


async def _answer(send: Send, taken: Taken) -> None:
    body = json.dumps({"detail": taken.detail}).encode()
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store"),
               (b"content-length", str(len(body)).encode())]  # fmt: skip
    if taken.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": taken.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _aside(work: Callable[[], T]) -> T:
    """Do what takes long in a thread of its own, which leaves no connection open."""

    def done() -> T:
        try:
            return work()
        finally:
            connections.close_all()

    return await sync_to_async(done, thread_sensitive=False)()


def _not_taken(row: RunFiles, fault: Exception) -> Taken:
    if isinstance(fault, OutputTooLarge):
        refused = run_files.refuse(row, "more bytes than a run may bring")
        return Taken(413, refused.detail)
    log.warning("run_output.no_room", workitem=str(row.workitem.uid), exc_info=True)
    return Taken(507, "no room to take it now; come again")


def _told(status: int, detail: str) -> JsonResponse:
    response = JsonResponse({"detail": detail}, status=status)
    response.headers["Cache-Control"] = "no-store"
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response

"""Server-sent events: tell open pages that a study which they show has changed.

One watch in each process asks the database once a second, however many pages are open, and wakes
the pages of the sites concerned. A page holds a small set and an asyncio event, and no database
connection. Events carry names only (``worklist``, ``study-<uid>``): what changed is fetched by the
page, through the same doors as everything else.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import Context
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ParamSpec, TypeVar
from uuid import UUID
from weakref import WeakKeyDictionary

import structlog
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user
from django.db import connections
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from hub import draining
from hub.models import Site, User
from routing.models import Study, Transition

log = structlog.get_logger(__name__)

POLL_SECONDS = 1.0
HEARTBEAT_SECONDS = 15.0
# then the browser connects anew, and proves anew who it is
LIFETIME_SECONDS = 600.0
# a row is stamped before its transaction commits, so a look goes back further than the last one
OVERLAP = timedelta(seconds=15)
LATE_MOVES = 200

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Mark:
    """One version of one study; a mark not seen before is a change."""

    site: int
    study: UUID
    version: datetime | int


class Page:
    """One open page: the changes it has not been told of, and the bell that says there are some."""

    def __init__(self) -> None:
        self.is_over = False
        self._waiting: set[tuple[int, UUID]] = set()
        self._bell = asyncio.Event()

    def tell(self, changes: set[tuple[int, UUID]]) -> None:
        """Keep the changes until the page takes them; the same study twice is told once."""
        self._waiting |= changes
        self._bell.set()

    def end(self) -> None:
        """Have its stream end; the browser connects anew, to another process."""
        self.is_over = True
        self._bell.set()

    async def changes(self) -> set[tuple[int, UUID]]:
        """Wait for changes and take them all."""
        await self._bell.wait()
        taken, self._waiting = self._waiting, set()
        self._bell.clear()
        return taken


class Watch:
    """Looks for changes while at least one page is open, and tells every page."""

    def __init__(self) -> None:
        self._pages: set[Page] = set()
        self._looking: asyncio.Task[None] | None = None
        self._has_looked = asyncio.Event()

    @contextlib.contextmanager
    def open_page(self) -> Iterator[Page]:
        """A page for as long as the block lasts; the last one to leave ends the looking."""
        page = Page()
        self._pages.add(page)
        if self._looking is None or self._looking.done():
            self._has_looked.clear()
            # an empty context: the watch outlives the request that happened to start it
            self._looking = asyncio.create_task(self._look(), context=Context())
        try:
            yield page
        finally:
            self._pages.discard(page)
            if not self._pages and self._looking is not None:
                self._looking.cancel()
                self._looking = None

    async def first_look(self) -> None:
        """Wait until the watch has looked once: pages are told of whatever changes after that."""
        await self._has_looked.wait()

    async def _look(self) -> None:
        seen: set[Mark] | None = None
        while True:
            try:
                marks = await in_thread(recent_marks)
            except Exception:
                # the database is away for a moment; pages stay open and are told afterwards
                log.warning("live.look_failed", exc_info=True)
            else:
                # None is before the first look; an empty set is a quiet quarter of a minute
                fresh = marks - (marks if seen is None else seen)
                changes = {(mark.site, mark.study) for mark in fresh}
                for page in self._pages if changes else ():
                    page.tell(changes)
                seen = marks
                self._has_looked.set()
            await asyncio.sleep(POLL_SECONDS)
            for page in self._pages if draining.has_begun() else ():
                page.end()


_watches: WeakKeyDictionary[asyncio.AbstractEventLoop, Watch] = WeakKeyDictionary()


def watch() -> Watch:
    """The watch of this process."""
    return _watches.setdefault(asyncio.get_running_loop(), Watch())


async def in_thread(ask: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Ask the database in a thread of the pool, and let go of the connection at once."""

    def ask_and_let_go() -> T:
        try:
            return ask(*args, **kwargs)
        finally:
            connections.close_all()

    return await sync_to_async(ask_and_let_go, thread_sensitive=False)()


def recent_marks() -> set[Mark]:
    """The versions of what changed in the last seconds: two short walks along an index."""
    since = timezone.now() - OVERLAP
    studies = Study.objects.filter(changed_at__gt=since)
    marks = {Mark(*row) for row in studies.values_list("site_id", "uid", "changed_at")}
    moves = Transition.objects.order_by("-pk").values_list(
        "study__site_id", "study__uid", "pk", "at"
    )[:LATE_MOVES]
    return marks | {Mark(site, uid, pk) for site, uid, pk, at in moves if at > since}


def visible_sites(user: Any) -> set[int]:
    """The sites whose patients the user may see, by key."""
    return set(Site.objects.visible_to(user).values_list("pk", flat=True))


def visible_sites_now(user_pk: int) -> set[int]:
    """The same, asked anew: a role that was taken away counts at once."""
    user = User.objects.filter(pk=user_pk, is_active=True).first()
    return visible_sites(user) if user else set()


def _reader(request: HttpRequest) -> tuple[int | None, set[int]]:
    user = get_user(request)
    return user.pk, visible_sites(user)


async def worklist(request: HttpRequest) -> HttpResponseBase:
    """``text/event-stream`` of the changes at the user's sites, until the client goes away.

    ``?since=`` is when the page was made: what changed before the stream opened is told at once.
    """
    user_pk, sites = await in_thread(_reader, request)
    if user_pk is None:
        return HttpResponse("sign in first", status=401, content_type="text/plain")
    if not sites:
        return HttpResponse("no site to watch", status=403, content_type="text/plain")
    since = _moment(request.GET.get("since", ""))
    response = StreamingHttpResponse(
        events(user_pk, sites, since=since), content_type="text/event-stream"
    )
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"  # a proxy that collects events delays them
    return response


async def events(
    user_pk: int, sites: set[int], *, since: datetime | None = None
) -> AsyncIterator[bytes]:
    """The lines of one stream: what was missed, then changes as they come, and heartbeats."""
    ends_at = time.monotonic() + LIFETIME_SECONDS
    beats_at = time.monotonic() + HEARTBEAT_SECONDS
    with watch().open_page() as page:
        yield b"retry: 2000\n: open\n\n"
        if since is not None:
            await watch().first_look()
            if await in_thread(_missed, sites, since):
                yield event("worklist")
        while time.monotonic() < ends_at and not page.is_over:
            try:
                left = max(beats_at - time.monotonic(), 0)
                changes = await asyncio.wait_for(page.changes(), left)
            except TimeoutError:
                changes = set()
            # however busy the others are: a proxy closes what is silent, and roles are looked at
            is_due = time.monotonic() >= beats_at
            if not (is_due or any(site in sites for site, _study in changes)):
                continue
            beats_at = time.monotonic() + HEARTBEAT_SECONDS
            sites = await in_thread(visible_sites_now, user_pk)
            if not sites:
                return
            told = sorted(str(study) for site, study in changes if site in sites)
            yield b"".join([event("worklist"), *map(_study_event, told)]) if told else b": on\n\n"


def event(name: str) -> bytes:
    """One event without content (HTML, server-sent events, 9.2.6)."""
    return f"event: {name}\ndata: changed\n\n".encode()


def _study_event(uid: str) -> bytes:
    return event(f"study-{uid}")


def _missed(sites: set[int], since: datetime) -> bool:
    return Study.objects.filter(site__in=sites, changed_at__gt=since).exists()


def _moment(text: str) -> datetime | None:
    try:
        moment = parse_datetime(text)
    except ValueError:
        return None
    return moment if moment and timezone.is_aware(moment) else None

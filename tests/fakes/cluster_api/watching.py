"""What one watch of the fake API server is told, and how it ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tests.fakes.cluster_api.answers import Asked, is_true
from tests.fakes.cluster_api.store import KINDS, Change, Json, TooOld, matches

if TYPE_CHECKING:
    from tests.fakes.cluster_api.server import ClusterApi


def lines(api: ClusterApi, asked: Asked) -> Iterator[Json]:
    """Until its time is over, the server dies, or its version is too old."""
    epoch, query = api.epoch, asked.query
    ends_at = time.monotonic() + min(float(query.get("timeoutSeconds") or 300), api.longest_watch)
    since = int(query.get("resourceVersion") or 0)
    sent = since or api.store.version
    if not since:
        # all that is there is told first, as if it were new
        yield from ({"type": "ADDED", "object": one} for one in api.store.all(asked.resource)
                    if matches(one, asked.selector, asked.fields))  # fmt: skip
    bookmark_at = time.monotonic() + api.bookmark_seconds
    has_bookmarks = is_true(query.get("allowWatchBookmarks", ""))
    while time.monotonic() < ends_at and api.epoch == epoch:
        version = api.store.version
        try:
            changes = api.store.changes(asked.resource, sent)
        except TooOld as old:
            yield _too_old(str(old))
            return
        told_until = time.monotonic() - api.lags.get(asked.resource, 0.0)
        changes = [one for one in changes if one.at <= told_until]
        told = [] if api.is_silent else [_told(one, asked) for one in changes]
        sent = changes[-1].version if changes else sent
        yield from filter(None, told)
        if has_bookmarks and time.monotonic() > bookmark_at:
            bookmark_at = time.monotonic() + api.bookmark_seconds
            yield _bookmark(asked.resource, api.store.version)
        api.store.wait(version, min(0.25, max(0.0, ends_at - time.monotonic())))


def _too_old(message: str) -> Json:
    return {"type": "ERROR", "object": {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": "Expired", "code": 410,
    }}  # fmt: skip


def _told(change: Change, asked: Asked) -> Json | None:
    """What a selector no longer meets is told as DELETED, and what it meets anew as ADDED."""
    def is_meant(obj: Json | None) -> bool:
        return obj is not None and matches(obj, asked.selector, asked.fields)

    was, is_now = is_meant(change.before), is_meant(change.object)
    if change.type == "DELETED":
        return {"type": "DELETED", "object": change.object} if was or is_now else None
    if was and not is_now:
        return {"type": "DELETED", "object": change.object}
    if is_now:
        return {"type": "MODIFIED" if was else "ADDED", "object": change.object}
    return None


def _bookmark(resource: str, version: int) -> Json:
    kind, api_version = KINDS[resource]
    meta = {"resourceVersion": str(version), "creationTimestamp": None}
    spec: Json = {"containers": None}
    if kind == "Job":
        spec = {"template": {"metadata": {"creationTimestamp": None}, "spec": spec}}
    shell = {"kind": kind, "apiVersion": api_version, "metadata": meta, "spec": spec, "status": {}}
    return {"type": "BOOKMARK", "object": shell}

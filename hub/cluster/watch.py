"""One informer for a namespace: lists once, then is told, and makes good what it missed.

Three requests stand open whatever runs: Jobs and pods by label, and warnings. Each goes on from the
version last seen after a time-out, a disconnect or a restart of the API server; where that version
is known no more (410) it lists anew, and what is missing in a list is gone. A full list now and
then catches what no watch tells: a version from the future, as after a restored etcd, is silent.
"""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from hub.cluster.client import Cluster, ClusterAway, ClusterRefused, Expired, Json, Stream
from hub.cluster.jobs import events_path, jobs_path, pods_path
from hub.cluster.labels import SELECTOR

Kind = Literal["job", "pod", "event"]

_PAGE = 500
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.2, 30.0
_GONE = 410


@dataclass(frozen=True, slots=True)
class Word:
    """One object was made or changed, or is gone."""

    kind: Kind
    object: Json
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """All there is of one kind: whatever is not in it is gone."""

    kind: Kind
    objects: tuple[Json, ...]


Told = Word | Listed


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How long a watch asks to stand, how often all is listed anew, how long at most to rest."""

    watch_seconds: int = 300
    resync_seconds: float = 600.0
    longest_pause: float = _LONGEST_PAUSE


class Informer:
    """Watches one namespace from its own threads and tells one listener in the caller's."""

    def __init__(self, cluster: Cluster, *, rhythm: Rhythm | None = None) -> None:
        self._told: queue.Queue[Told] = queue.Queue()
        rhythm = rhythm or Rhythm()
        namespace = cluster.namespace
        marked, warnings = {"labelSelector": SELECTOR}, {"fieldSelector": "type=Warning"}
        self._reflectors = [
            Reflector("job", cluster, jobs_path(namespace), marked, rhythm),
            Reflector("pod", cluster, pods_path(namespace), marked, rhythm),
            Reflector("event", cluster, events_path(namespace), warnings, rhythm),
        ]

    def run(
        self, hear: Callable[[Told], None], *, idle: Callable[[], None], stop: threading.Event
    ) -> None:
        """Tell ``hear`` until ``stop`` is set; ``idle`` is called once a second or so."""
        threads = [
            threading.Thread(target=one.run, args=(self._told.put, stop), daemon=True,
                             name=f"watch-{one.kind}")
            for one in self._reflectors
        ]  # fmt: skip
        for thread in threads:
            thread.start()
        looked_at = 0.0
        while not stop.is_set():
            if time.monotonic() - looked_at >= 1.0:
                looked_at = time.monotonic()
                idle()
            try:
                hear(self._told.get(timeout=0.2))
            except queue.Empty:
                continue
        for one in self._reflectors:
            one.end()
        for thread in threads:
            thread.join(timeout=5.0)

    @property
    def is_up_to_date(self) -> bool:
        """Whether Jobs and pods are watched, and nothing that was told waits to be heard."""
        needed = [one for one in self._reflectors if one.kind != "event"]
        return all(one.is_watching for one in needed) and self._told.empty()

    @property
    def trouble(self) -> str:
        """Why something is not watched, empty where all is."""
        return next((one.trouble for one in self._reflectors if one.trouble), "")


class Reflector:
    """One list and watch; ``trouble`` says why there is none at the moment."""

    def __init__(
        self, kind: Kind, cluster: Cluster, path: str, query: dict[str, str], rhythm: Rhythm
    ) -> None:
        self.kind: Kind = kind
        self.is_watching = False
        self.trouble = ""
        self._cluster, self._path, self._query, self._rhythm = cluster, path, query, rhythm
        self._stream: Stream | None = None
        self._version = ""
        self._listed_at = 0.0
        self._pause = _SHORTEST_PAUSE

    def run(self, tell: Callable[[Told], None], stop: threading.Event) -> None:
        """List and watch until ``stop`` is set, whatever happens to the API server."""
        while not stop.is_set():
            try:
                if not self._version or self._is_due():
                    self._list(tell)
                self._watch(tell, stop)
                self._pause = _SHORTEST_PAUSE
            except Expired:
                self._version = ""
            except (ClusterAway, ClusterRefused) as fault:
                self._rest(str(fault), stop)
            except (KeyError, TypeError, AttributeError) as fault:
                # what no API server says, such as a page of a proxy in between
                self._version = ""
                self._rest(f"the API server said what is no object: {fault!r}", stop)

    def end(self) -> None:
        """Let a watch that stands come to an end."""
        if self._stream is not None:
            self._stream.stop()

    def _is_due(self) -> bool:
        return time.monotonic() - self._listed_at > self._rhythm.resync_seconds

    def _rest(self, trouble: str, stop: threading.Event) -> None:
        """Longer each time, and never all at once: an API server that comes back is not stormed."""
        self.is_watching, self.trouble = False, trouble
        stop.wait(self._pause * random.uniform(0.5, 1.0))  # noqa: S311  # nosec B311: no secret
        self._pause = min(self._pause * 2, self._rhythm.longest_pause)

    def _list(self, tell: Callable[[Told], None]) -> None:
        found: list[Json] = []
        rest = ""
        while True:
            query: dict[str, object] = {**self._query, "limit": _PAGE}
            body = self._cluster.ask(
                "GET", self._path, query=query | ({"continue": rest} if rest else {})
            ).body
            found += body["items"]
            rest = body["metadata"].get("continue", "")
            if not rest:
                break
        self._listed_at = time.monotonic()
        tell(Listed(self.kind, tuple(found)))
        self._version = body["metadata"]["resourceVersion"]

    def _watch(self, tell: Callable[[Told], None], stop: threading.Event) -> None:
        seconds = self._rhythm.watch_seconds
        query = {
            **self._query, "watch": "true", "resourceVersion": self._version,
            "allowWatchBookmarks": "true", "timeoutSeconds": seconds,
        }  # fmt: skip
        with self._cluster.stream(self._path, query=query, seconds=seconds + 30) as stream:
            self._stream = stream
            if stop.is_set():
                return
            self.is_watching, self.trouble = True, ""
            try:
                for line in stream:
                    self._hear(line, tell)
                    if stop.is_set():
                        return
            finally:
                self._stream = None

    def _hear(self, line: Json, tell: Callable[[Told], None]) -> None:
        kind, obj = line["type"], line["object"]
        if kind == "ERROR":
            if obj.get("code") == _GONE:
                raise Expired(obj.get("message", ""))
            raise ClusterAway(f"the watch was ended: {obj.get('message', '')}")
        self._version = obj["metadata"]["resourceVersion"]
        if kind != "BOOKMARK":
            tell(Word(self.kind, obj, is_gone=kind == "DELETED"))

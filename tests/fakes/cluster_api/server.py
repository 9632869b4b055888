"""The fake API server: HTTP/1.1 on loopback, answering as the recorded one did.

Kept of it: 409 and its two texts, 422 with causes, 400 for unknown fields under Strict, Warning
headers, quota, synthetic ADDED, bookmarks as empty shells, 410 inside a 200, watches that end in
silence, deletion in steps, logs 204/400/404/500. What pods do comes from scripts (scripts.py) or
from a kubelet that really runs them (kubelet.py).
"""

from __future__ import annotations

import json
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.fakes.cluster_api import answers, watching
from tests.fakes.cluster_api.admission import Admission
from tests.fakes.cluster_api.answers import Said, failure
from tests.fakes.cluster_api.store import Json, Store

NAMESPACE = "hub-algorithms"
# What happens to a Job that was accepted, in a thread of its own.
Actor = Callable[["ClusterApi", Json], None]


class ClusterApi:
    """One API server; ``requests`` counts what was asked, by method and resource."""

    def __init__(self, *, port: int = 0) -> None:
        self.store = Store()
        self.admission = Admission(self.store)
        self.requests: Counter[str] = Counter()
        self.log: list[tuple[str, str, Any]] = []
        self.token = "let-me-in"
        self.logs: dict[tuple[str, str], tuple[int, Any]] = {}
        self.actor: Actor = lambda _api, _job: None
        self.allowed: Callable[[Json], bool] = lambda _asked: True
        self.is_silent = False
        # seconds by which watches of a resource lag behind what lists of it say
        self.lags: dict[str, float] = {}
        # seconds after which a watch ends by itself, whatever it asked for
        self.longest_watch = 300.0
        self.bookmark_seconds = 60.0
        self.faults: list[Said] = []
        self._watches = 0
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.epoch = 0
        self._serve(port)

    # -- as those who run it have it -----------------------------------------------------------
    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Die: connections break, in the middle of watches too."""
        self.epoch += 1
        self._server.shutdown()
        self._server.server_close()
        with self._lock:
            for one in self._connections:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
        with self.store.changed:
            self.store.changed.notify_all()
        self._thread.join()

    def start_again(self) -> None:
        """Come back under the same address, with all that was kept."""
        self._serve(self.port)

    def break_watches(self) -> None:
        """End every watch in silence, as a time-out does."""
        self.epoch += 1
        with self.store.changed:
            self.store.changed.notify_all()

    @property
    def watches(self) -> int:
        """How many watches are open."""
        return self._watches

    @contextmanager
    def connected(self, connection: socket.socket) -> Iterator[None]:
        with self._lock:
            self._connections.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._connections.discard(connection)

    @contextmanager
    def counted_watch(self) -> Iterator[None]:
        with self._lock:
            self._watches += 1
        try:
            yield
        finally:
            with self._lock:
                self._watches -= 1

    def kubeconfig(self, folder: Path) -> Path:
        """A kubeconfig that leads here."""
        path = folder / "kubeconfig"
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "fake",
            "clusters": [{"name": "fake", "cluster": {"server": self.url}}],
            "users": [{"name": "hub", "user": {"token": self.token}}],
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "hub"}}],
        }))  # fmt: skip
        return path

    # -- what is asked -------------------------------------------------------------------------
    def note(self, method: str, resource: str, query: dict[str, str], body: Any) -> None:
        with self._lock:
            what = "WATCH" if answers.is_true(query.get("watch", "")) else method
            self.requests[f"{what} {resource}"] += 1
            self.log.append((what, resource, body))

    def accepted(self, job: Json) -> None:
        """Let happen what happens to a Job."""
        threading.Thread(target=self.actor, args=(self, job), daemon=True).start()

    def _serve(self, port: int) -> None:
        handler = type("Handler", (_Handler,), {"api": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()


class _Handler(BaseHTTPRequestHandler):
    api: ClusterApi
    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        with self.api.connected(self.connection), suppress(OSError):
            super().handle()

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_PUT(self) -> None:
        self._answer("PUT")

    def do_PATCH(self) -> None:
        self._answer("PATCH")

    def do_DELETE(self) -> None:
        self._answer("DELETE")

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _answer(self, method: str) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length) if length else b""
        if self.api.faults:
            self._send(self.api.faults.pop(0))
            return
        asked = answers.Asked.of(method, self.path, raw, dict(self.headers.items()))
        self.api.note(method, asked.resource, asked.query, asked.body)
        if self.headers.get("Authorization") != f"Bearer {self.api.token}":
            self._send(failure(401, "Unauthorized", "Unauthorized"))
        elif asked.is_watch:
            self._watch(asked)
        else:
            self._send(answers.answer(self.api, asked))

    def _send(self, said: Said) -> None:
        self.send_response(said.status)
        is_text = isinstance(said.body, str)
        data = said.body.encode() if is_text else json.dumps(said.body).encode()
        self.send_header("Content-Type", "text/plain" if is_text else "application/json")
        for text in said.warnings:
            quoted = text.replace("\\", "\\\\").replace('"', '\\"')
            self.send_header("Warning", f'299 - "{quoted}"')
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if said.status != 204:
            self.wfile.write(data)

    def _watch(self, asked: answers.Asked) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with self.api.counted_watch():
            try:
                for line in watching.lines(self.api, asked):
                    data = json.dumps(line).encode() + b"\n"
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                    self.wfile.flush()
                self.wfile.write(b"0\r\n\r\n")
            except OSError:
                self.close_connection = True

"""Nodes to call in tests, on loopback: pynetdicom as SCP, and ports that misbehave."""

import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, _config, evt

from hub.dicom.association import Peer, Unreachable
from hub.dicom.scu import echo
from tests.fakes.ports import free_ports
from tests.hub.dicom.peers import program

CT = "1.2.840.10008.5.1.4.1.1.2"


@dataclass
class Archive:
    """A pynetdicom SCP that remembers what it was sent and answers as it is told."""

    statuses: dict[str, int] = field(default_factory=dict)
    comment: str = ""
    has_query: bool = True
    abort_after: int | None = None
    delay_seconds: float = 0
    matches: list[tuple[int, object]] = field(default_factory=list)
    contexts: dict[str, list[str]] = field(default_factory=dict)
    received: dict[str, bytes] = field(default_factory=dict)
    proposed: list[set[tuple[str, str]]] = field(default_factory=list)
    server: Any = None

    def on_request(self, event: evt.Event) -> None:
        self.proposed.append(
            {
                (str(context.abstract_syntax), str(syntax))
                for context in event.assoc.requestor.requested_contexts
                for syntax in context.transfer_syntax
            }
        )

    def on_store(self, event: evt.Event):
        if self.abort_after is not None and len(self.received) >= self.abort_after:
            event.assoc.abort()
            return 0x0000
        time.sleep(self.delay_seconds)
        uid = str(event.request.AffectedSOPInstanceUID)
        self.received[uid] = event.request.DataSet.getvalue()
        answer = Dataset()
        answer.Status = self.statuses.get(uid, 0x0000)
        if self.comment:
            answer.ErrorComment = self.comment
        return answer

    def on_find(self, event: evt.Event) -> Iterator[tuple[int, object]]:
        yield from self.matches


@contextmanager
def archive(
    behaviour: Archive | None = None, *, tls: ssl.SSLContext | None = None, **options
) -> Iterator[tuple[Archive, Peer]]:
    behaviour = behaviour or Archive()
    entity = AE(ae_title="PACS")
    for name, value in options.items():
        setattr(entity, name, value)
    for sop_class, syntaxes in (behaviour.contexts or {CT: [ExplicitVRLittleEndian]}).items():
        entity.add_supported_context(sop_class, syntaxes)
    entity.add_supported_context("1.2.840.10008.1.1")
    if behaviour.has_query:
        entity.add_supported_context("1.2.840.10008.5.1.4.1.2.2.1")
    handlers = [
        (evt.EVT_REQUESTED, behaviour.on_request),
        (evt.EVT_C_STORE, behaviour.on_store),
        (evt.EVT_C_FIND, behaviour.on_find),
    ]
    # A listener of the hub in this process has told pynetdicom to take any class; a PACS does not.
    unrestricted, _config.UNRESTRICTED_STORAGE_SERVICE = _config.UNRESTRICTED_STORAGE_SERVICE, False
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=handlers, ssl_context=tls
    )
    behaviour.server = server
    try:
        yield behaviour, Peer("PACS", "127.0.0.1", server.socket.getsockname()[1])
    finally:
        server.shutdown()
        _config.UNRESTRICTED_STORAGE_SERVICE = unrestricted


@contextmanager
def port_that(serve) -> Iterator[Peer]:
    """Listen, and hand every connection to `serve`, which may do what no node should."""
    listener = socket.create_server(("127.0.0.1", 0))
    held: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            held.append(connection)
            serve(connection)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield Peer("PACS", "127.0.0.1", listener.getsockname()[1])
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in held:
            connection.close()
        thread.join(5)


def free_port() -> int:
    return free_ports(1)[0]


@contextmanager
def running(command: list[object], peer: Peer, log: Path, **environment) -> Iterator[Peer]:
    """Run another's node until it answers C-ECHO, and stop it in the end."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdout=output, stderr=output, env={**os.environ, **environment},
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                echo(peer, calling_ae_title="HUB", connect_timeout_seconds=1)
                break
            except Unreachable:
                assert process.poll() is None, log.read_text(errors="replace")
                assert time.monotonic() < deadline, log.read_text(errors="replace")
                time.sleep(0.1)
        yield peer
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def storescp(folder: Path, *options: object) -> Iterator[Peer]:
    peer = Peer("STORESCP", "127.0.0.1", free_port())
    received = folder / "received"
    received.mkdir()
    command = [program("storescp"), "-aet", peer.ae_title, "-od", received, *options, peer.port]
    with running(command, peer, folder / "storescp.log"):
        yield peer

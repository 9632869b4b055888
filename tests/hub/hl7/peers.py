"""Peers of the MLLP listener and of the sender, on raw sockets; and handlers of messages."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hub.hl7.ack import build_ack
from hub.hl7.frames import FrameReader
from tests.hub.hl7.outgoing import AT


def echo(message: bytes, peer: str) -> bytes:
    return b"echo " + message


def acknowledge(message: bytes, peer: str) -> bytes:
    return build_ack(message, code="AA", control_id="A1", at=AT)


@contextmanager
def raw_peer(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as peer:
        yield peer


def receive(peer: socket.socket, count: int) -> list[bytes]:
    """The next `count` frames; fewer when the other side hangs up."""
    reader, found = FrameReader(), []
    while len(found) < count and (data := peer.recv(65536)):
        found += reader.feed(data)
    return found


@contextmanager
def listener(converse: Callable[[socket.socket], None]) -> Iterator[int]:
    """A peer of ours that does as it is told, once for each connection."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection, contextlib.suppress(ConnectionError):
                converse(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(timeout=5)


def is_hung_up(peer: socket.socket) -> bool:
    """The other side has closed; a reset says so as well as an end of the stream."""
    try:
        return peer.recv(1) == b""
    except ConnectionResetError:
        return True


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)
    return holds()

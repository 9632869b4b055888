"""A port that leads to a server on this host, by a way that may be slow, silent or closed."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.fakes.ports import free_ports

_PIECE = 1 << 16


class Strait:
    """Each piece that goes either way waits for ``seconds``; while it is silent none arrives."""

    def __init__(self, to_port: int) -> None:
        self._to = to_port
        [self.port] = free_ports(1)
        self.seconds, self.is_silent = 0.0, False
        self._wires: list[socket.socket] = []
        self.open()

    def open(self) -> None:
        """Let callers in."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def close(self) -> None:
        """Hang up on everybody; who calls is refused."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for wire in self._wires:
            with suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)
            wire.close()
        self._wires.clear()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                caller, _address = listener.accept()
                called = socket.create_connection(("127.0.0.1", self._to), 5)
            except OSError:
                return
            self._wires += [caller, called]
            for ends in ((caller, called), (called, caller)):
                threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(_PIECE):
                time.sleep(self.seconds)
                while self.is_silent:
                    time.sleep(0.05)
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)


@contextmanager
def strait(to_port: int) -> Iterator[Strait]:
    """A way to a port until the block ends."""
    way = Strait(to_port)
    try:
        yield way
    finally:
        way.is_silent = False
        way.close()

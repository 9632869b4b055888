"""Radiology systems that send orders by MLLP: each waits for its answer, then sends the next."""

from __future__ import annotations

import selectors
import socket
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

_END = b"\x1c\r"
_STUCK_SECONDS = 30.0


@dataclass(slots=True)
class _Line:
    """One connection; ``due_at`` is when the message under way should have been sent."""

    socket: socket.socket
    received: bytearray = field(default_factory=bytearray)
    due_at: float = 0.0

    def send(self, message: bytes, due_at: float) -> None:
        self.due_at = due_at
        self.socket.sendall(b"\x0b" + message + _END)


@dataclass(frozen=True, slots=True)
class Sent:
    """How long it took in all, and each message from the moment it was due to its answer."""

    seconds: float
    latencies: Sequence[float]
    refused: int

    @property
    def rate(self) -> float:
        """Messages a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, percent: int) -> float:
        """The latency, in milliseconds, that this share of the messages was not slower than."""
        ranked = sorted(self.latencies)
        return ranked[min(len(ranked) - 1, len(ranked) * percent // 100)] * 1000


def send_in_turn(
    port: int, messages: Sequence[bytes], *, connections: int = 4, is_new_each: bool = False
) -> Sent:
    """Closed loop: each connection sends its next message when the last was answered.

    ``is_new_each`` for a peer that hangs up after every answer.
    """
    return _Sending(port, messages, connections, is_new_each=is_new_each).run()


def send_at_rate(
    port: int, messages: Sequence[bytes], *, per_second: float, connections: int = 4
) -> Sent:
    """Open loop: message n is due n / ``per_second`` s after the start, however long others take.

    What waits for a free connection waits at the server's expense: latency counts from when the
    message was due.
    """
    return _Sending(port, messages, connections, every=1 / per_second).run()


class _Sending:
    def __init__(
        self, port: int, messages: Sequence[bytes], connections: int, *, every: float = 0.0,
        is_new_each: bool = False,
    ) -> None:  # fmt: skip
        self._port = port
        self._messages = messages
        self._every = every
        self._is_new_each = is_new_each
        self._selector = selectors.DefaultSelector()
        self._free = deque(self._open() for _ in range(connections))
        self._number = self._refused = 0
        self._latencies: list[float] = []

    def run(self) -> Sent:
        """Send all, wait for all answers, hang up."""
        started = time.perf_counter()
        while len(self._latencies) < len(self._messages):
            self._send_what_is_due(started)
            self._wait(started)
        seconds = time.perf_counter() - started
        for key in list(self._selector.get_map().values()):
            key.data.socket.close()
        self._selector.close()
        return Sent(seconds, self._latencies, self._refused)

    def _send_what_is_due(self, started: float) -> None:
        while self._free and self._number < len(self._messages):
            now = time.perf_counter()
            due_at = started + self._number * self._every if self._every else now
            if due_at > now:
                return
            self._free.popleft().send(self._messages[self._number], due_at)
            self._number += 1

    def _wait(self, started: float) -> None:
        wait = _STUCK_SECONDS
        if self._every and self._free and self._number < len(self._messages):
            next_at = started + self._number * self._every
            wait = max(0.0, next_at - time.perf_counter())
        ready = self._selector.select(wait)
        if not ready and wait == _STUCK_SECONDS:
            raise SystemExit(f"no answer within {_STUCK_SECONDS:g} s")
        for key, _ in ready:
            self._read(key.data)

    def _read(self, line: _Line) -> None:
        data = line.socket.recv(65536)
        if not data:
            raise SystemExit("the peer hung up without an answer")
        line.received += data
        if not line.received.endswith(_END):
            return
        self._latencies.append(time.perf_counter() - line.due_at)
        self._refused += b"MSA|AA" not in line.received
        line.received.clear()
        if self._is_new_each:
            self._selector.unregister(line.socket)
            line.socket.close()
            line = self._open()
        self._free.append(line)

    def _open(self) -> _Line:
        wire = socket.create_connection(("127.0.0.1", self._port), timeout=_STUCK_SECONDS)
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line = _Line(wire)
        self._selector.register(wire, selectors.EVENT_READ, line)
        return line

"""The MLLP client: a blocking connection that sends a message and waits for its answer."""

import select
import socket
import ssl
import threading
import time
from types import TracebackType
from typing import Self

from hub.hl7.frames import FrameReader, FrameTooLarge, frame

_MAX_ANSWER_BYTES = 1024 * 1024
_CARRIAGE_RETURN_SECONDS = 2.0


class Unreachable(ConnectionError):  # noqa: N818
    """No connection to the peer; nothing was sent."""


class NoAnswer(ConnectionError):  # noqa: N818
    """The message may have arrived, but no answer came: send it again under the same MSH-10."""


class _HungUp(NoAnswer):
    """The peer ended the connection before a byte of an answer had come."""


class MllpConnection:
    """A blocking connection for one worker: opens at the first send, stays open, opens again.

    `timeout_seconds` bounds a whole send, from connecting to the last byte of the answer. A
    connection that had stood open, and that the peer ends without a word as a message is sent, is
    opened again at once, and the same message sent once more: most likely it had ended before.
    """

    def __init__(
        self,
        host: str,
        port: int,
        timeout_seconds: float = 30.0,
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._address = (host, port)
        self._timeout_seconds = timeout_seconds
        self._tls = tls
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    def send(self, message: bytes) -> bytes:
        """Send one message and give back its answer, unread. Raises Unreachable, NoAnswer."""
        framed = frame(message)
        with self._lock:
            deadline = time.monotonic() + self._timeout_seconds
            was_kept = self._is_open()
            try:
                return self._exchange(framed, deadline)
            except _HungUp:
                if not was_kept:
                    raise
            try:
                return self._exchange(framed, deadline)
            except Unreachable as now:
                # Not as if nothing had been sent: the first time something was.
                raise NoAnswer(f"no answer: {now}") from now

    def _exchange(self, framed: bytes, deadline: float) -> bytes:
        connection = self._open(deadline)
        try:
            connection.settimeout(_left(deadline))
            connection.sendall(framed)
            answer, *more = _receive(connection, deadline)
        except BaseException as error:
            # A late answer must not be taken for the answer to the next message.
            self._hang_up()
            if isinstance(error, TimeoutError):
                raise NoAnswer(f"no answer in {self._timeout_seconds:g} seconds") from error
            if isinstance(error, ConnectionResetError | BrokenPipeError):
                raise _HungUp(f"no answer: {error}") from error
            if isinstance(error, OSError | FrameTooLarge) and not isinstance(error, NoAnswer):
                raise NoAnswer(f"no answer: {error}") from error
            raise
        if more:  # a peer that answers more than was asked is out of step
            self._hang_up()
        return answer

    def close(self) -> None:
        """Hang up; a later send connects again."""
        with self._lock:
            self._hang_up()

    def _is_open(self) -> bool:
        return self._socket is not None and not _has_news(self._socket)

    def _open(self, deadline: float) -> socket.socket:
        if self._socket is not None and _has_news(self._socket):
            self._hang_up()
        if self._socket is None:
            self._socket = self._connect(deadline)
        return self._socket

    def _connect(self, deadline: float) -> socket.socket:
        host, port = self._address
        try:
            plain = socket.create_connection(self._address, timeout=_left(deadline))
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return self._tls.wrap_socket(plain, server_hostname=host) if self._tls else plain
        except OSError as error:
            raise Unreachable(f"{host} port {port}: {error}") from error

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _has_news(connection: socket.socket) -> bool:
    """Something came between two sends: the peer hung up, or answered what was given up."""
    poll = select.poll()
    poll.register(connection, select.POLLIN | select.POLLHUP)
    return bool(poll.poll(0))


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _receive(connection: socket.socket, deadline: float) -> list[bytes]:
    reader, has_begun = FrameReader(_MAX_ANSWER_BYTES), False
    while True:
        data = _read(connection, reader, deadline)
        frames = reader.feed(data) if data else reader.end_frame()
        if frames:
            return frames
        if not data:
            why = "the peer hung up without an answer"
            raise NoAnswer(why) if has_begun else _HungUp(why)
        has_begun = True


def _read(connection: socket.socket, reader: FrameReader, deadline: float) -> bytes:
    left = _left(deadline)
    is_almost_done = reader.awaits_carriage_return
    connection.settimeout(min(left, _CARRIAGE_RETURN_SECONDS) if is_almost_done else left)
    try:
        return connection.recv(65536)
    except TimeoutError:
        if is_almost_done:  # some peers never send the last byte of a frame
            return b""
        raise

"""The line between a hand and the one in front: a pair of sockets, and messages that come whole.

The one in front takes what is there and never waits for the rest of a message: a hand that stops
in the middle of one holds up no other. On a line where an answer may be late nothing is asked
again: it would be taken for the answer to the next question.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

# What a message begins with: something to be written and answered, or not answered; or a question.
WRITE, WRITE_UNASKED, ASK = b"!", b".", b"?"
_HEAD = struct.Struct("!I")
_AT_ONCE = 1 << 16


class NotAnswered(ConnectionError):  # noqa: N818 (named by what failed)
    """The one in front has gone, or could not answer."""


class Line:
    """A hand's end of a line; one thread uses it at a time."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line

    def ask(self, message: bytes, *, kind: bytes = ASK) -> bytes:
        """Say something and wait for the answer, which is never empty. Raises NotAnswered."""
        with self._or_closed():
            self._send(kind, message)
            answer = self._answer()
        if not answer:
            raise NotAnswered("it could not")
        return answer

    def say(self, message: bytes, *, kind: bytes = WRITE_UNASKED) -> None:
        """Say something that is not answered. Raises NotAnswered."""
        with self._or_closed():
            self._send(kind, message)

    def close(self) -> None:
        """The connection is over."""
        self._line.close()

    @contextmanager
    def _or_closed(self) -> Iterator[None]:
        """Let nobody go on with a line on which something broke off."""
        try:
            yield
        except OSError as fault:
            self.close()
            raise NotAnswered("gone") from fault
        except BaseException:
            self.close()
            raise

    def _send(self, kind: bytes, message: bytes) -> None:
        self._line.sendall(_HEAD.pack(len(kind) + len(message)) + kind + message)

    def _answer(self) -> bytes:
        came = self._line.recv(_AT_ONCE)
        while len(came) < _HEAD.size or len(came) < _HEAD.size + _HEAD.unpack_from(came)[0]:
            more = self._line.recv(_AT_ONCE)
            if not more:
                raise ConnectionError("the one in front has gone")
            came += more
        if len(came) > _HEAD.size + _HEAD.unpack_from(came)[0]:
            raise ConnectionError("more was answered than was asked")
        return came[_HEAD.size :]


class Answering:
    """The end of a line of the one in front: one thread hears, any may answer and close."""

    __slots__ = ("_is_closed", "_line", "_lock", "_rest")

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._rest = b""
        self._lock = threading.Lock()
        self._is_closed = False

    def fileno(self) -> int:
        """Of what becomes readable when something is said."""
        return self._line.fileno()

    def hear(self) -> list[bytes] | None:
        """What was said and has come as a whole; None where the line is over. Does not wait."""
        try:
            came = self._line.recv(_AT_ONCE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not came:
            return None
        came, at = self._rest + came, 0
        messages = []
        while at + _HEAD.size <= len(came):
            end = at + _HEAD.size + _HEAD.unpack_from(came, at)[0]
            if end > len(came):
                break
            messages.append(came[at + _HEAD.size : end])
            at = end
        self._rest = came[at:]
        return messages

    def reply(self, answer: bytes) -> None:
        """Answer what was asked; nobody hears it where the line is over."""
        # Under a lock: a number of a line that was closed may be that of another already.
        with self._lock, suppress(OSError):
            if not self._is_closed:
                self._line.sendall(_HEAD.pack(len(answer)) + answer)

    def close(self) -> None:
        """Nothing more is heard or answered."""
        with self._lock:
            self._is_closed = True
            self._line.close()

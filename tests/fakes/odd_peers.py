"""A RIS that answers each message in the next of some odd ways, and a PACS that half closes."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from hub.hl7.ack import build_ack
from hub.hl7.er7 import Message

START, END = b"\x0b", b"\x1c\r"


class Listener:
    """Hands each connection to ``serve`` in a thread of its own."""

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self._serve = serve
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _address = self._listening.accept()
                threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            self._serve(connection)

    def close(self) -> None:
        self._listening.close()


class OddRis(Listener):
    """``moods``: how it answers the next messages; then well. ``received``: all that came."""

    def __init__(self, *moods: str, seconds: float) -> None:
        self.moods, self.seconds = list(moods), seconds
        self.received: list[bytes] = []
        super().__init__(self._talk)

    @property
    def control_ids(self) -> list[str]:
        """MSH-10 of all results that came, in order."""
        found = (Message.from_bytes(one).segment("MSH") for one in self.received)
        return [one.value(10) for one in found if one.value(9).startswith("ORU")]

    def _talk(self, connection: socket.socket) -> None:
        came = b""
        while data := connection.recv(65536):
            came += data
            while END in came:
                message, came = came.split(END, 1)
                self._answer(connection, message.lstrip(START))

    def _answer(self, connection: socket.socket, message: bytes) -> None:
        mood = self.moods.pop(0) if self.moods else "well"
        self.received.append(message)
        answer = START + _ack(message) + END
        if mood == "late":
            time.sleep(self.seconds)
        elif mood == "half closes":
            connection.shutdown(socket.SHUT_WR)
        elif mood == "half an answer":
            connection.sendall(answer[:25])
            connection.shutdown(socket.SHUT_RDWR)
        elif mood == "the one before first":
            before = message.replace(self.control_ids[-1].encode(), b"THE-ONE-BEFORE")
            connection.sendall(START + _ack(before) + END)
        elif mood == "twice":
            connection.sendall(answer)
        connection.sendall(answer)


def _ack(message: bytes) -> bytes:
    return build_ack(message, code="AA", control_id="ODD", at=datetime.now(UTC))


def half_closing_pacs() -> Listener:
    """Reads who calls, and says without a word that it will say nothing."""

    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    return Listener(serve)

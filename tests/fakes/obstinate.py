"""Destinations that refuse, answer to another message, are gone, or listen and say nothing."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass, field

from demo.stand_ins import Pacs, Ris


@dataclass
class ObstinateRis(Ris):
    """A RIS that refuses messages about some studies, and names another message for others.

    ``refuses`` maps a part of a message to AE or AR; ``misnames`` holds parts of messages.
    """

    refuses: dict[str, str] = field(default_factory=dict)
    misnames: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.answer = self._code
        super().__post_init__()

    def about(self, part: str) -> list[bytes]:
        """Every message with ``part`` in it, also one that came twice."""
        return [one for one in list(self.received) if part.encode() in one]

    def _code(self, message: bytes) -> str:
        codes = [code for part, code in self.refuses.items() if part.encode() in message]
        return codes[0] if codes else "AA"

    def _take(self, message: bytes, address: str) -> bytes:
        answer = super()._take(message, address)
        if not any(part.encode() in message for part in self.misnames):
            return answer
        segments = answer.split(b"\r")
        return b"\r".join(
            b"MSA|AA|ANOTHER" if one.startswith(b"MSA|") else one for one in segments
        )


class Door:
    """A port at which a PACS may stand: closed at first, then silent, or open."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.pacs: Pacs | None = None
        self.callers = 0
        self._silent: socket.socket | None = None
        self._held: list[socket.socket] = []

    def fall_silent(self) -> None:
        """Take every connection and never answer."""
        self._silent = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._hold, args=(self._silent,), daemon=True).start()

    def open(self) -> Pacs:
        """Let a PACS that takes everything stand there; hang up on whom the silence held."""
        self.close()
        for attempt in range(50):
            try:
                self.pacs = Pacs(port=self.port)
                return self.pacs
            except OSError:
                if attempt == 49:
                    raise
                time.sleep(0.1)
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Nobody is there."""
        if self._silent is not None:
            self._silent.shutdown(socket.SHUT_RDWR)
            self._silent.close()
            self._silent = None
        for connection in self._held:
            connection.close()
        self._held.clear()
        if self.pacs is not None:
            self.pacs.close()
            self.pacs = None

    def _hold(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _address = listener.accept()
            except OSError:
                return
            self._held.append(connection)
            self.callers += 1

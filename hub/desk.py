"""Answers what hands ask over their lines: one thread for all of them.

What is to be written is collected from all lines that have something, written together, and then
answered. What is asked besides is answered by a few other threads: a slow answer to one holds up
nobody's writing.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Generic, TypeVar

import structlog

from hub.hands import Hand, HandLost, Hands

State = TypeVar("State")
log = structlog.get_logger(__name__)

# What a message begins with: something to be written and answered, or not answered; or a question.
WRITE, WRITE_UNASKED, ASK = b"!", b".", b"?"
_MOST_QUESTIONS = 8
# A commit costs as much as several rows. While so many lines have lately had something to write,
# it is worth a moment to have one commit for more of them.
_SEVERAL, _BUSY_SECONDS, _GATHER_SECONDS = 3, 0.03, 0.0003


class NotAnswered(ConnectionError):  # noqa: N818 (named by what failed)
    """The one in front has gone, or could not answer."""


class Line:
    """A hand's end of a line; one thread uses it at a time."""

    def __init__(self, line: Connection) -> None:
        self._line = line

    def ask(self, message: bytes, *, kind: bytes = ASK) -> bytes:
        """Say something and wait for the answer, which is never empty. Raises NotAnswered."""
        self.say(message, kind=kind)
        try:
            answer = self._line.recv_bytes()
        except (EOFError, OSError) as fault:
            raise NotAnswered("gone") from fault
        if not answer:
            raise NotAnswered("it could not")
        return answer

    def say(self, message: bytes, *, kind: bytes = WRITE_UNASKED) -> None:
        """Say something that is not answered. Raises NotAnswered."""
        try:
            self._line.send_bytes(kind + message)
        except OSError as fault:
            raise NotAnswered("gone") from fault

    def close(self) -> None:
        """The connection is over."""
        self._line.close()


class _Caller(Generic[State]):
    """One line, as the desk knows it: who holds the other end, and what was learnt of it."""

    __slots__ = ("hand", "line", "state")

    def __init__(self, hand: Hand, line: Connection, state: State) -> None:
        self.hand, self.line, self.state = hand, line, state

    def fileno(self) -> int:
        return self.line.fileno()

    def reply(self, answer: bytes) -> None:
        # Where its connection is over, the desk sees that by itself.
        with suppress(OSError):
            self.line.send_bytes(answer)


class Desk(Generic[State]):
    """Gives connections to hands and answers them.

    ``meet`` makes what is kept of a line. ``write`` gets what is to be written, each with what is
    kept of its line, and gives an answer to each in order; ``answer`` gets a question. Where one of
    them raises, whoever asked gets NotAnswered. ``on_loss`` is called once, where a hand is lost.
    """

    def __init__(
        self,
        hands: Hands,
        *,
        meet: Callable[[], State],
        write: Callable[[Sequence[tuple[State, bytes]]], Sequence[bytes]],
        answer: Callable[[State, bytes], bytes],
        on_loss: Callable[[], None],
    ) -> None:
        self._hands, self._meet = hands, meet
        self._write, self._answer, self._on_loss = write, answer, on_loss
        self._selector = selectors.DefaultSelector()
        self._is_dismissed = False
        # When each line last had something to write.
        self._busy: dict[_Caller[State], float] = {}
        for hand in hands.all:
            self._selector.register(hand, selectors.EVENT_READ)
        self._others = ThreadPoolExecutor(_MOST_QUESTIONS, thread_name_prefix="desk")
        self._thread = threading.Thread(target=self._run, daemon=True, name="desk")
        self._thread.start()

    @property
    def is_open(self) -> bool:
        """Whether somebody answers, and every hand is there."""
        return self._thread.is_alive()

    def give(self, connection: socket.socket, address: str) -> None:
        """Have a hand hold a connection; it is closed here. Raises nothing."""
        try:
            hand, line = self._hands.give(connection, address)
        except (HandLost, OSError) as fault:
            log.warning("desk.connection_lost", address=address, why=str(fault))
            return
        self._selector.register(_Caller(hand, line, self._meet()), selectors.EVENT_READ)

    def close(self, grace: float) -> None:
        """Have all hands end, within ``grace`` seconds, and answer them until they have."""
        self._is_dismissed = True
        self._hands.dismiss(grace)
        self._thread.join()
        self._others.shutdown()
        self._hands.close()

    def _run(self) -> None:
        while len(self._selector.get_map()):
            said = self._listen()
            if not said:
                continue
            if self._are_others_busy(said):
                time.sleep(_GATHER_SECONDS)
                said += self._listen(0)
            self._settle(said)

    def _listen(self, seconds: float | None = None) -> list[tuple[_Caller[State], bytes]]:
        """Wait for what is said, see to all but what is to be written, and give that."""
        said: list[tuple[_Caller[State], bytes]] = []
        for key, _events in self._selector.select(seconds):
            party = key.fileobj
            if isinstance(party, Hand):
                self._end(party)
            elif isinstance(party, _Caller):
                self._hear(party, said)
        return said

    def _are_others_busy(self, said: Sequence[tuple[_Caller[State], bytes]]) -> bool:
        """Whether several lines had something to write lately, and some of them not now."""
        now = time.monotonic()
        self._busy = {one: at for one, at in self._busy.items() if now - at < _BUSY_SECONDS}
        self._busy.update((caller, now) for caller, _message in said)
        return len(self._busy) >= _SEVERAL and len(self._busy) > len(said)

    def _hear(self, caller: _Caller[State], said: list[tuple[_Caller[State], bytes]]) -> None:
        try:
            message = caller.line.recv_bytes()
        except (EOFError, OSError):
            self._selector.unregister(caller)
            caller.line.close()
            self._hands.gone(caller.hand)
            return
        if message.startswith(ASK):
            self._others.submit(self._reply, caller, message[1:])
        else:
            said.append((caller, message))

    def _reply(self, caller: _Caller[State], question: bytes) -> None:
        answer = b""
        try:
            answer = self._answer(caller.state, question)
        except Exception:
            log.error("desk.not_answered", exc_info=True)
        caller.reply(answer)

    def _settle(self, said: Sequence[tuple[_Caller[State], bytes]]) -> None:
        try:
            answers = self._write([(caller.state, message[1:]) for caller, message in said])
        except Exception:
            log.error("desk.not_written", exc_info=True)
            answers = [b""] * len(said)
        for (caller, message), answer in zip(said, answers, strict=True):
            if message.startswith(WRITE):
                caller.reply(answer)

    def _end(self, hand: Hand) -> None:
        """Let go of a hand that has ended."""
        self._selector.unregister(hand)
        if not self._is_dismissed:
            log.error("desk.hand_lost", pid=hand.pid)
            self._on_loss()

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
from queue import SimpleQueue
from typing import Generic, TypeVar

import structlog

from hub.hands import Hand, Hands
from hub.lines import ASK, WRITE, WRITE_UNASKED, Answering

State = TypeVar("State")
log = structlog.get_logger(__name__)

_MOST_QUESTIONS = 8
# A commit costs as much as several rows. While so many lines have lately had something to write,
# it is worth a moment to have one commit for more of them.
_SEVERAL, _BUSY_SECONDS, _GATHER_SECONDS = 3, 0.03, 0.0003
# Who waits for no answer is not kept waiting: what so long brings is heard at once, and the one in
# front wakes that much more seldom.
_UNASKED_SECONDS = 0.02
# Hands are asked this often whether they are well.
_ASK_SECONDS = 5.0
# What a hand may take to end after its grace: as long as Associations.shutdown(), and a moment.
_ENDING_SECONDS = 12.0


class _Caller(Generic[State]):
    """One line, as the desk knows it: who holds the other end, and what was learnt of it."""

    __slots__ = ("hand", "is_over", "line", "state")

    def __init__(self, hand: Hand, line: Answering, state: State) -> None:
        self.hand, self.line, self.state = hand, line, state
        self.is_over = False

    def fileno(self) -> int:
        return self.line.fileno()


class Desk(Generic[State]):
    """Gives connections to hands and answers them.

    ``meet`` makes what is kept of a line. ``write`` gets what is to be written, each with what is
    kept of its line, and gives an answer to each in order; ``answer`` gets a question. Where one of
    them raises, or answers nothing, whoever asked gets NotAnswered. ``on_loss`` is called where a
    hand is lost, or the desk itself fails: nothing more is answered then. Hands are asked every
    ``ask_seconds`` whether they are well; who says nothing to twelve of them is killed, and lost.
    """

    def __init__(
        self,
        hands: Hands,
        *,
        meet: Callable[[], State],
        write: Callable[[Sequence[tuple[State, bytes]]], Sequence[bytes]],
        answer: Callable[[State, bytes], bytes],
        on_loss: Callable[[], None],
        ask_seconds: float = _ASK_SECONDS,
    ) -> None:
        self._hands, self._meet = hands, meet
        self._write, self._answer, self._on_loss = write, answer, on_loss
        self._ask_seconds, self._ask_at = ask_seconds, 0.0
        self._selector = selectors.DefaultSelector()
        self._is_dismissed = self._is_lost = False
        # None ends who takes it.
        self._questions: SimpleQueue[tuple[_Caller[State], bytes] | None] = SimpleQueue()
        # When each line last had something to write.
        self._busy: dict[_Caller[State], float] = {}
        for hand in hands.all:
            self._selector.register(hand, selectors.EVENT_READ)
        # All from the start: where the system gives no more threads, that is known then.
        for number in range(_MOST_QUESTIONS):
            threading.Thread(
                target=self._answer_others, daemon=True, name=f"desk {number}"
            ).start()
        self._thread = threading.Thread(target=self._run, daemon=True, name="desk")
        self._thread.start()

    @property
    def is_open(self) -> bool:
        """Whether somebody answers, and every hand is there."""
        return self._thread.is_alive() and not self._is_lost

    def give(self, connection: socket.socket, address: str) -> None:
        """Have a hand hold a connection; it is closed here. Raises nothing."""
        try:
            given = self._hands.give(connection, address)
        except OSError as fault:
            log.warning("desk.connection_lost", address=address, why=str(fault))
            return
        if given is None:
            log.warning("desk.turned_away", address=address, why="too many open files")
            return
        hand, line = given
        caller = _Caller(hand, Answering(line), self._meet())
        try:
            self._selector.register(caller, selectors.EVENT_READ)
        except (OSError, ValueError, KeyError) as fault:
            log.error("desk.connection_lost", address=address, why=str(fault))
            self._let_go(caller)

    def close(self, grace: float, *, patience: float = _ENDING_SECONDS) -> None:
        """Have all hands end, within ``grace`` seconds, and answer them until they have.

        A hand that hangs is killed ``patience`` seconds later; no write that hangs is waited for.
        """
        until = time.monotonic() + grace + patience
        self._is_dismissed = True
        self._hands.dismiss(grace)
        self._thread.join(until - time.monotonic())
        for _ in range(_MOST_QUESTIONS):
            self._questions.put(None)
        self._hands.close(until)

    def _run(self) -> None:
        try:
            while len(self._selector.get_map()):
                self._go_round()
        except Exception:
            log.error("desk.failed", exc_info=True)
            self._lose()
        finally:
            # Who still asks would wait for ever.
            for key in list(self._selector.get_map().values()):
                if isinstance(key.fileobj, _Caller):
                    key.fileobj.line.close()

    def _go_round(self) -> None:
        self._ask_hands()
        said = self._listen(self._ask_seconds)
        if said and (pause := self._worth_waiting(said)):
            time.sleep(pause)
            said += self._listen(0)
        if said:
            self._settle(said)

    def _ask_hands(self) -> None:
        now = time.monotonic()
        if now > self._ask_at and not self._is_dismissed:
            self._ask_at = now + self._ask_seconds
            for hand in self._hands.all:
                hand.ask()

    def _listen(self, seconds: float) -> list[tuple[_Caller[State], bytes]]:
        """Wait so long for what is said, see to all but what is to be written, and give that."""
        said: list[tuple[_Caller[State], bytes]] = []
        for key, _events in self._selector.select(seconds):
            party = key.fileobj
            if isinstance(party, Hand):
                if not party.hear():
                    self._end(party)
            elif isinstance(party, _Caller):
                self._hear(party, said)
        return said

    def _worth_waiting(self, said: Sequence[tuple[_Caller[State], bytes]]) -> float:
        """How many seconds to let more come, which then is written together."""
        if all(message.startswith(WRITE_UNASKED) for _caller, message in said):
            return _UNASKED_SECONDS
        return _GATHER_SECONDS if self._are_others_busy(said) else 0

    def _are_others_busy(self, said: Sequence[tuple[_Caller[State], bytes]]) -> bool:
        """Whether several lines had something to write lately, and some of them not now."""
        now = time.monotonic()
        self._busy = {one: at for one, at in self._busy.items() if now - at < _BUSY_SECONDS}
        self._busy.update((caller, now) for caller, _message in said)
        return len(self._busy) >= _SEVERAL and len(self._busy) > len(said)

    def _hear(self, caller: _Caller[State], said: list[tuple[_Caller[State], bytes]]) -> None:
        messages = caller.line.hear()
        if messages is None:
            self._hang_up(caller)
            return
        for message in messages:
            if message.startswith(ASK):
                self._questions.put((caller, message[1:]))
            else:
                said.append((caller, message))

    def _hang_up(self, caller: _Caller[State]) -> None:
        # What was said last on a line is settled when its end has been heard already.
        if not caller.is_over:
            caller.is_over = True
            self._selector.unregister(caller)
            self._let_go(caller)

    def _let_go(self, caller: _Caller[State]) -> None:
        caller.line.close()
        self._hands.gone(caller.hand)

    def _answer_others(self) -> None:
        while (asked := self._questions.get()) is not None:
            self._reply(*asked)

    def _reply(self, caller: _Caller[State], question: bytes) -> None:
        answer = b""
        try:
            answer = self._answer(caller.state, question)
        except Exception:
            log.error("desk.not_answered", exc_info=True)
        caller.line.reply(answer)

    def _settle(self, said: Sequence[tuple[_Caller[State], bytes]]) -> None:
        try:
            answers = self._write([(caller.state, message[1:]) for caller, message in said])
        except Exception:
            log.error("desk.not_written", exc_info=True)
            answers = [b""] * len(said)
        untold = set()
        for (caller, message), answer in zip(said, answers, strict=True):
            if message.startswith(WRITE):
                caller.line.reply(answer)
            elif not answer:
                untold.add(caller)
        for caller in untold:
            # Who waits for no answer learns only so that what was said came to nothing.
            self._hang_up(caller)

    def _end(self, hand: Hand) -> None:
        """Let go of a hand that has ended."""
        self._selector.unregister(hand)
        if not self._is_dismissed:
            log.error("desk.hand_lost", pid=hand.pid)
            self._lose()

    def _lose(self) -> None:
        self._is_lost = True
        self._on_loss()

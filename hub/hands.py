"""Processes that hold the connections of one that listens: forks of it, without a database.

The one in front accepts connections and gives each to the hand that has the fewest. For each there
is a line between the two: over it a hand asks, and the one in front answers. So what connections
bring is worked on by all processors at once, while one process alone writes, and writes together
what comes together.

A hand is asked now and then whether it is well. One that says nothing for long is killed: those it
holds would wait for ever. One that may open no more files says so, and is given none while others
can; what it is given all the same it takes, with files kept back for that, to say that it is busy.

A hand is forked before its parent has a thread or a connection to anything. It lets signals pass,
and ends when it is dismissed or the one in front is gone, also where it stood still then. None is
replaced alone: a process with threads must not be forked, so one that is lost ends the one in
front, which is then started again.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from hub.passing import is_scarcity
from hub.supervisor import at_end_of_parent, stand_apart

log = structlog.get_logger(__name__)

_ADDRESS_BYTES = 128
# What is said to a hand besides addresses, and what it answers.
_END, _ASKED, _WELL, _SHORT = b"\0", b"\1", b"\2", b"\3"
# Before the address of one that there was no line for.
_TURN_AWAY = b"\4"
# Files that a hand keeps back, to take connections to which it can only say that it is busy.
_KEPT_BACK, _EACH = 16, 2
# So often it is asked without an answer before it is passed over, and before it is killed.
_DOUBTED, _GIVEN_UP = 2, 12
_LOOK_SECONDS, _MOMENT = 0.02, 0.25
_PATIENCE_SECONDS = 5.0


class HandLost(ConnectionError):  # noqa: N818 (named by what happened)
    """A hand is gone that was not dismissed; what it was about to do was not answered."""


@dataclass(frozen=True, slots=True)
class Handed:
    """One connection as a hand gets it: the peer's address, and the line to the one in front.

    Without a line there was nothing left for it to be open with: the peer is to come again.
    """

    connection: socket.socket
    address: str
    line: socket.socket | None


class Taking:
    """What a hand is given, until it is dismissed; ``grace`` is then how many seconds it has."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self.grace = 0.0
        self._kept_back: list[int] = []
        self._keep_back()

    def __iter__(self) -> Iterator[Handed]:
        while True:
            said, descriptors = self._receive()
            if not said or said.startswith(_END):
                # the one in front has gone, or says how long we may take
                self.grace = float(said[len(_END) :] or 0)
                return
            if said == _ASKED:
                self._tell(_WELL if self._keep_back() else _SHORT)
                continue
            address = said.removeprefix(_TURN_AWAY).decode()
            if len(descriptors) < (1 if said.startswith(_TURN_AWAY) else _EACH):
                log.error("hands.cannot_take", address=address, why="too many open files")
                for descriptor in descriptors:
                    os.close(descriptor)
                continue
            yield self._taken(address, *(socket.socket(fileno=one) for one in descriptors))

    def _receive(self) -> tuple[bytes, list[int]]:
        """What the one in front says, and what it gives; there is room for that if for anything."""
        self._keep_back()
        # Given back only now: other threads would have them first.
        self._control.recv(1, socket.MSG_PEEK)
        for _ in range(min(_EACH, len(self._kept_back))):
            os.close(self._kept_back.pop())
        said, descriptors, _flags, _from = socket.recv_fds(self._control, _ADDRESS_BYTES, _EACH)
        return said, descriptors

    def _taken(
        self, address: str, connection: socket.socket, line: socket.socket | None = None
    ) -> Handed:
        """A connection, without its line where there is no file left to work with."""
        if line is not None and not self._keep_back():
            self._tell(_SHORT)
            line.close()
            line = None
        if line is None:
            log.warning("hands.turned_away", address=address, why="too many open files")
        return Handed(connection, address, line)

    def _keep_back(self) -> bool:
        """Keep back as many files as there should be; whether there are."""
        try:
            while len(self._kept_back) < _KEPT_BACK:
                self._kept_back.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        except OSError as fault:
            if not is_scarcity(fault):
                raise
            return False
        return True

    def _tell(self, what: bytes) -> None:
        with suppress(OSError):  # the one in front hears nothing now, or has gone
            self._control.send(what, socket.MSG_DONTWAIT)


@dataclass(eq=False, slots=True)
class Hand:
    """One of the processes, as the one in front knows it; ``held`` is how many connections.

    ``unanswered`` is how often it was asked, and said nothing; ``is_short`` that it said it may
    open no more files.
    """

    pid: int
    control: socket.socket
    held: int = 0
    is_over: bool = False
    unanswered: int = 0
    is_short: bool = False

    def fileno(self) -> int:
        """Of what becomes readable when the process ends, or says that it is well."""
        return self.control.fileno()

    def ask(self) -> None:
        """Ask whether it is well; kill it where it was often asked and never answered."""
        if self.unanswered >= _GIVEN_UP:
            log.error("hands.silent", pid=self.pid)
            os.kill(self.pid, signal.SIGKILL)
        self.unanswered += 1
        with suppress(OSError):  # it has not taken what it was given, or has ended
            self.control.send(_ASKED)

    def hear(self) -> bool:
        """Take what it says; False where it has ended."""
        try:
            said = self.control.recv(_ADDRESS_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if said:
            self.unanswered, self.is_short = 0, said == _SHORT
        return bool(said)

    def has_ended(self) -> bool:
        """Whether the process is no more; its child process entry is freed then."""
        if not self.is_over:
            try:
                self.is_over = os.waitpid(self.pid, os.WNOHANG)[0] == self.pid
            except ChildProcessError:
                self.is_over = True  # the system was told to see to that by itself
        return self.is_over


class Hands:
    """So many processes, each of which does ``work`` with what it is given."""

    def __init__(self, count: int, work: Callable[[Taking], None]) -> None:
        self._lock = threading.Lock()
        self.all: list[Hand] = []
        for number in range(1, count + 1):
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            parent, pid = os.getpid(), os.fork()
            if pid == 0:
                # of a socket that two hold nobody sees the end
                for control in (ours, *(hand.control for hand in self.all)):
                    control.close()
                _work(parent, f"hand {number}", work, theirs)
            theirs.close()
            ours.setblocking(False)
            self.all.append(Hand(pid, ours))

    def give(self, connection: socket.socket, address: str) -> tuple[Hand, socket.socket] | None:
        """Give a connection away; who has it now, and the line to them. Raises OSError.

        A hand that takes nothing, as it is stopped, is passed over; where none does, this waits for
        some seconds, and whoever connects waits with it. None where there is no file for a line: a
        hand then says that it is busy.
        """
        with connection:
            try:
                ours, theirs = socket.socketpair()
            except OSError as fault:
                if not is_scarcity(fault):
                    raise
                self.gone(self._hand_for([connection.fileno()], _TURN_AWAY + address.encode()))
                return None
            with theirs:
                try:
                    given = [connection.fileno(), theirs.fileno()]
                    return self._hand_for(given, address.encode()), ours
                except OSError:
                    ours.close()
                    raise

    def _hand_for(self, given: Sequence[int], said: bytes) -> Hand:
        """The hand that has what was given, once one takes it."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while (hand := self._send(given, said[:_ADDRESS_BYTES])) is None:
            if time.monotonic() > until:
                raise HandLost("no hand takes what it is given")
            time.sleep(_LOOK_SECONDS)
        return hand

    def _send(self, given: Sequence[int], said: bytes) -> Hand | None:
        """The hand that has it, or None where all have as many waiting as the system lets them."""
        fault: OSError = HandLost("there is no hand")
        with self._lock:
            for hand in sorted(self.all, key=_reluctance):
                try:
                    socket.send_fds(hand.control, [said], given)
                except OSError as why:
                    # One that is full may soon not be; one that is gone stays so.
                    fault = fault if isinstance(fault, BlockingIOError) else why
                    continue
                hand.held += 1
                return hand
        if isinstance(fault, BlockingIOError):
            return None
        raise fault

    def gone(self, hand: Hand) -> None:
        """One of its connections is over."""
        with self._lock:
            hand.held -= 1

    def dismiss(self, grace: float) -> None:
        """Have each end what it holds within ``grace`` seconds, and then itself."""
        for hand in self.all:
            try:
                hand.control.send(_END + str(grace).encode())
            except OSError:
                log.warning("hands.lost", pid=hand.pid)

    def close(self, until: float) -> None:
        """Wait until all have ended, which they do soon where they were not dismissed.

        Who has not at this time, of the monotonic clock, or within a moment from now, is killed.
        """
        for hand in self.all:
            hand.control.close()
        until = max(until, time.monotonic() + _MOMENT)
        while left := [hand for hand in self.all if not hand.has_ended()]:
            if time.monotonic() > until:
                for hand in left:
                    log.warning("hands.killed", pid=hand.pid)
                    os.kill(hand.pid, signal.SIGKILL)
                until += _MOMENT
            time.sleep(_LOOK_SECONDS)


def _reluctance(hand: Hand) -> tuple[bool, bool, int]:
    """Who comes last of those that are given a connection."""
    return hand.unanswered > _DOUBTED, hand.is_short, hand.held


def _work(
    parent: int, name: str, work: Callable[[Taking], None], control: socket.socket
) -> None:
    """Be a hand; does not return."""
    code = 1
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        # Who stands still as the one in front is killed would stand there for ever.
        at_end_of_parent(signal.SIGCONT)
        stand_apart(parent, name)
        work(Taking(control))
        code = 0
    except BaseException:
        log.error("hands.failed", exc_info=True)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # Not as a program ends: what is to be done then is the parent's to do.
        os._exit(code)

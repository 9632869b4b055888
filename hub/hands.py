"""Processes that hold the connections of one that listens: forks of it, without a database.

The one in front accepts connections and gives each to the hand that has the fewest. For each there
is a line between the two: over it a hand asks, and the one in front answers. So what connections
bring is worked on by all processors at once, while one process alone writes, and writes together
what comes together.

A hand is asked now and then whether it is well. One that says nothing for long is killed: those it
holds would wait for ever.

A hand is forked before its parent has a thread or a connection to anything. It lets signals pass,
and ends when it is dismissed or the one in front is gone. None is replaced alone: a process with
threads must not be forked, so one that is lost ends the one in front, which is then started again.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import structlog

from hub.supervisor import stand_apart

log = structlog.get_logger(__name__)

_ADDRESS_BYTES = 128
# What is said to a hand besides addresses, and what it answers.
_END, _ASKED, _WELL = b"\0", b"\1", b"\2"
# So often it is asked without an answer before it is passed over, and before it is killed.
_DOUBTED, _GIVEN_UP = 2, 12
_LOOK_SECONDS, _MOMENT = 0.02, 0.25
_PATIENCE_SECONDS = 5.0


class HandLost(ConnectionError):  # noqa: N818 (named by what happened)
    """A hand is gone that was not dismissed; what it was about to do was not answered."""


@dataclass(frozen=True, slots=True)
class Handed:
    """One connection as a hand gets it: the peer's address, and the line to the one in front."""

    connection: socket.socket
    address: str
    line: socket.socket


class Taking:
    """What a hand is given, until it is dismissed; ``grace`` is then how many seconds it has."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self.grace = 0.0

    def __iter__(self) -> Iterator[Handed]:
        while True:
            said, descriptors, _flags, _from = socket.recv_fds(self._control, _ADDRESS_BYTES, 2)
            if not said or said.startswith(_END):
                # the one in front has gone, or says how long we may take
                self.grace = float(said[len(_END) :] or 0)
                return
            if said == _ASKED:
                with suppress(OSError):  # the one in front hears nothing now, or has gone
                    self._control.send(_WELL, socket.MSG_DONTWAIT)
                continue
            if len(descriptors) < 2:
                log.error("hands.cannot_take", address=said.decode(), why="too many open files")
                for descriptor in descriptors:
                    os.close(descriptor)
                continue
            connection, line = (socket.socket(fileno=number) for number in descriptors)
            yield Handed(connection, said.decode(), line)


@dataclass(eq=False, slots=True)
class Hand:
    """One of the processes, as the one in front knows it; ``held`` is how many connections.

    ``unanswered`` is how often it was asked, and said nothing.
    """

    pid: int
    control: socket.socket
    held: int = 0
    is_over: bool = False
    unanswered: int = 0

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
            self.unanswered = 0
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

    def give(self, connection: socket.socket, address: str) -> tuple[Hand, socket.socket]:
        """Give a connection away; who has it now, and the line to them. Raises OSError.

        A hand that takes nothing, as it is stopped, is passed over; where none does, this waits for
        some seconds, and whoever connects waits with it.
        """
        until = time.monotonic() + _PATIENCE_SECONDS
        with connection:
            ours, theirs = socket.socketpair()
            with theirs:
                try:
                    while (hand := self._send(connection, theirs, address)) is None:
                        if time.monotonic() > until:
                            raise HandLost("no hand takes what it is given")
                        time.sleep(_LOOK_SECONDS)
                except OSError:
                    ours.close()
                    raise
        return hand, ours

    def _send(self, connection: socket.socket, line: socket.socket, address: str) -> Hand | None:
        """The hand that has it, or None where all have as many waiting as the system lets them."""
        given = [connection.fileno(), line.fileno()]
        said = [address.encode()[:_ADDRESS_BYTES]]
        fault: OSError = HandLost("there is no hand")
        with self._lock:
            for hand in sorted(self.all, key=lambda one: (one.unanswered > _DOUBTED, one.held)):
                try:
                    socket.send_fds(hand.control, said, given)
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


def _work(
    parent: int, name: str, work: Callable[[Taking], None], control: socket.socket
) -> None:
    """Be a hand; does not return."""
    code = 1
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
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

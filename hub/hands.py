"""Processes that hold the connections of one that listens: forks of it, without a database.

The one in front accepts connections and gives each to the hand that has the fewest. For each there
is a line between the two: over it a hand asks, and the one in front answers. So what connections
bring is worked on by all processors at once, while one process alone writes, and writes together
what comes together.

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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection

import structlog

from hub.supervisor import stand_apart

log = structlog.get_logger(__name__)

_ADDRESS_BYTES = 128
_END = b"\0"


class HandLost(ConnectionError):  # noqa: N818 (named by what happened)
    """A hand is gone that was not dismissed; what it was about to do was not answered."""


@dataclass(frozen=True, slots=True)
class Handed:
    """One connection as a hand gets it: the peer's address, and the line to the one in front."""

    connection: socket.socket
    address: str
    line: Connection


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
            if len(descriptors) < 2:
                log.error("hands.cannot_take", address=said.decode(), why="too many open files")
                for descriptor in descriptors:
                    os.close(descriptor)
                continue
            connection, line = descriptors
            yield Handed(socket.socket(fileno=connection), said.decode(), Connection(line))


@dataclass(eq=False, slots=True)
class Hand:
    """One of the processes, as the one in front knows it; ``held`` is how many connections."""

    pid: int
    control: socket.socket
    held: int = 0

    def fileno(self) -> int:
        """Of what becomes readable when the process ends."""
        return self.control.fileno()


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
            self.all.append(Hand(pid, ours))

    def give(self, connection: socket.socket, address: str) -> tuple[Hand, Connection]:
        """Give a connection away; who has it now, and the line to them. Raises HandLost."""
        ours, theirs = socket.socketpair()
        with self._lock, connection, theirs:
            hand = min(self.all, key=lambda one: one.held)
            given = [connection.fileno(), theirs.fileno()]
            try:
                socket.send_fds(hand.control, [address.encode()[:_ADDRESS_BYTES]], given)
            except OSError as fault:
                ours.close()
                raise HandLost(str(fault)) from fault
            hand.held += 1
        return hand, Connection(ours.detach())

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

    def close(self) -> None:
        """Wait until all have ended, which they do at once where they were not dismissed."""
        for hand in self.all:
            hand.control.close()
            os.waitpid(hand.pid, 0)


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

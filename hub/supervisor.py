"""Runs the processes of the hub in the foreground, starts again what dies, stops all at once.

Each process is a fork of this one, which has imported everything and opened nothing: what they
have in common is loaded once and lies in memory once. That is sound only while this process has a
single thread and no connection, so nothing here may start the one or keep the other.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from hub.preload import settle

log = structlog.get_logger(__name__)

_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15
_SHORTEST_WAIT = 0.5
# A process that has run this long was well: its next death counts as the first.
_WELL_SECONDS = 30.0
_LOOK_SECONDS = 0.05
REFUSED_TO_START = 2
_ENDING = (signal.SIGTERM, signal.SIGINT)


@dataclass
class Child:
    """One process: the words of its command, and how it fared.

    It is shown by its ``title``, or else by the first word; the system keeps 15 characters of it.
    """

    words: Sequence[str]
    pid: int | None = None
    started_at: float = 0.0
    next_start_at: float = 0.0
    deaths: int = 0

    title: str = ""

    @property
    def name(self) -> str:
        """What it does, in the words of the command line."""
        return " ".join(self.words)


class Supervisor:
    """Keeps children running until stop(); a child that refuses to start ends everything.

    A child that died is started again after half a second, and after twice as long each time that
    it dies soon again, up to ``longest_wait`` seconds. One that has not ended ``grace`` seconds
    after it was asked to is killed.
    """

    def __init__(self, children: Sequence[Child], *, longest_wait: float, grace: float) -> None:
        self.children = children
        self._longest_wait = longest_wait
        self._grace = grace
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Ask to be stopped; run() then ends."""
        self._stopping.set()

    def run(self, *, look: Callable[[], None]) -> int | Child:
        """Start the children and watch them until stop() is called; the exit code.

        Returns in every child as well, as fork() does, and gives it the Child that it is: it does
        its work in the caller, and ends as any program ends. ``look`` is called with each look at
        the children.
        """
        settle()
        code = 0
        while not self._stopping.is_set():
            for child in self.children:
                if self._is_refusal(child):
                    code = REFUSED_TO_START
                    self._stopping.set()
                    break
                if self._is_to_start(child) and self._start(child) == 0:
                    return child
            self._free_orphans()
            look()
            self._stopping.wait(_LOOK_SECONDS)
        self._end()
        return code

    def _is_to_start(self, child: Child) -> bool:
        return child.pid is None and time.monotonic() >= child.next_start_at

    def _start(self, child: Child) -> int:
        """The process id of the new process; 0 within it."""
        parent = os.getpid()
        # A signal that came between the fork and the child's own handlers would be lost.
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        try:
            pid = os.fork()
            if pid == 0:
                _stand_alone(parent, child.title or child.words[0])
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
        child.pid, child.started_at = pid, time.monotonic()
        return pid

    def _is_refusal(self, child: Child) -> bool:
        """Look after one child; whether it said that it cannot start at all."""
        if child.pid is None:
            return False
        code = _exit_code(child.pid)
        if code is None:
            return False
        if code == REFUSED_TO_START and child.deaths == 0:
            child.pid = None
            return True
        now = time.monotonic()
        child.deaths = 1 if now - child.started_at > _WELL_SECONDS else child.deaths + 1
        wait = min(_SHORTEST_WAIT * 2 ** (child.deaths - 1), self._longest_wait)
        log.warning("supervisor.died", process=child.name, code=code, again_in_seconds=wait)
        child.pid, child.next_start_at = None, now + wait
        return False

    def _free_orphans(self) -> None:
        """Who outlived its parent comes to the first process of a container, as this one may be."""
        if sys.platform != "linux":
            return
        ours = {child.pid for child in self.children}
        with suppress(ChildProcessError):
            while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                if ended.si_pid in ours:
                    return  # its end is looked at in its turn
                os.waitpid(ended.si_pid, 0)

    def _end(self) -> None:
        running = {child.pid: child.name for child in self.children if child.pid is not None}
        for pid in running:
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + self._grace
        while running and time.monotonic() < deadline:
            time.sleep(0.02)
            running = {pid: name for pid, name in running.items() if _exit_code(pid) is None}
        for pid, name in running.items():
            log.warning("supervisor.killed", process=name)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _exit_code(pid: int) -> int | None:
    """The exit code of a child that has ended (negative: the signal that ended it), or None."""
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def _stand_alone(parent: int, name: str) -> None:
    """In a new child: nothing of the supervisor's but its memory."""
    for number in _ENDING:
        signal.signal(number, signal.SIG_DFL)
    die_with_parent()
    stand_apart(parent, name)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def stand_apart(parent: int, name: str) -> None:
    """In a fork: a session of its own, and a name of up to 15 characters that ps and top show."""
    # Ctrl-C goes to the parent alone; children are asked in order.
    os.setsid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode())
    if os.getppid() != parent:
        os._exit(0)  # it was killed before the system knew that this one ends with it


def die_with_parent() -> None:
    """Linux: end the child when the supervisor is killed, so that none is left holding a port."""
    at_end_of_parent(signal.SIGTERM)


def at_end_of_parent(number: signal.Signals) -> None:
    """Linux: have this signal sent to a fork when the thread that forked it has ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)

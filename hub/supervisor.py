"""Runs the processes of the hub in the foreground, starts again what dies, stops all at once."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

log = structlog.get_logger(__name__)

_PR_SET_PDEATHSIG = 1
_SHORTEST_WAIT = 0.5
# A process that has run this long was well: its next death counts as the first.
_WELL_SECONDS = 30.0
REFUSED_TO_START = 2


@dataclass
class Child:
    """One process: its name, its command, and how it has fared."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    next_start_at: float = 0.0
    deaths: int = 0
    environment: dict[str, str] = field(default_factory=dict)


class Supervisor:
    """Keeps children running until stop(); a child that refuses to start ends everything.

    A child that died is started again after half a second, and after twice as long each time that
    it dies soon again, up to ``longest_wait`` seconds.
    """

    def __init__(self, children: Sequence[Child], *, longest_wait: float) -> None:
        self.children = children
        self._longest_wait = longest_wait
        self._stopping = threading.Event()

    def start(self) -> None:
        """Start every child."""
        for child in self.children:
            self._start(child)

    def stop(self) -> None:
        """Ask to be stopped; run() then ends."""
        self._stopping.set()

    def run(self) -> int:
        """Watch the children until stop() is called; the exit code."""
        code = 0
        while not self._stopping.wait(0.1):
            for child in self.children:
                if self._is_refusal(child):
                    code = REFUSED_TO_START
                    self._stopping.set()
                    break
        self._end()
        return code

    def _start(self, child: Child) -> None:
        child.process = subprocess.Popen(
            child.command,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **child.environment},
            # Ctrl-C goes to the supervisor alone; children are asked in order.
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 (set before any thread is started)
        )
        child.started_at = time.monotonic()

    def _is_refusal(self, child: Child) -> bool:
        """Look after one child; whether it said that it cannot start at all."""
        now = time.monotonic()
        if child.process is None:
            if now >= child.next_start_at:
                self._start(child)
            return False
        code = child.process.poll()
        if code is None:
            return False
        if code == REFUSED_TO_START and child.deaths == 0:
            return True
        child.deaths = 1 if now - child.started_at > _WELL_SECONDS else child.deaths + 1
        wait = min(_SHORTEST_WAIT * 2 ** (child.deaths - 1), self._longest_wait)
        log.warning("supervisor.died", process=child.name, code=code, again_in_seconds=wait)
        child.process, child.next_start_at = None, now + wait
        return False

    def _end(self) -> None:
        running = [(child.name, child.process) for child in self.children if child.process]
        for _name, process in running:
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 25
        for name, process in running:
            try:
                process.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                log.warning("supervisor.killed", process=name)
                process.kill()
                process.wait()


def die_with_parent() -> None:
    """Linux: end the child when the supervisor is killed, so that none is left holding a port."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

"""A worker for tests: takes the nudges from the broker's queues and does what they ask for."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from datetime import datetime

from hub.celery import app
from hub.queues import QUEUES


def drain(
    *,
    seconds: float = 10.0,
    keep_waiting: bool = True,
    until: Callable[[], bool] = lambda: False,
) -> int:
    """Do every nudge, those set for later when their time has come; how many were done.

    Ends when ``until`` holds, or when the queues are empty and, with ``keep_waiting``, nothing is
    set for later.
    """
    import routing.tasks  # noqa: F401 (registers the tasks)

    deadline = time.monotonic() + seconds
    later: list[tuple[float, str, list[int]]] = []
    done = 0
    with app.connection_for_read() as connection:
        queues = [connection.SimpleQueue(name) for name in QUEUES]
        while time.monotonic() < deadline:
            fresh = [message for one in queues for message in _messages(one)]
            later += fresh
            now = time.time()
            ready = sorted(entry for entry in later if entry[0] <= now)
            if not ready and (not later or not keep_waiting):
                return done
            later = [entry for entry in later if entry[0] > now]
            for _at, name, args in ready:
                app.tasks[name](*args)
                done += 1
                if until():
                    return done
            if not ready:
                time.sleep(0.01)
    raise AssertionError(f"still busy after {seconds} s: {later}")


def take_nudges() -> list[tuple[str, list[int]]]:
    """Take every nudge out of the broker without doing it: (task, its arguments)."""
    with app.connection_for_read() as connection:
        queues = [connection.SimpleQueue(name) for name in QUEUES]
        return [(name, args) for one in queues for _at, name, args in _messages(one)]


def lose_everything() -> int:
    """What a broker that loses all its messages does; how many there were."""
    with app.connection_for_read() as connection:
        return sum(len(_messages(connection.SimpleQueue(name))) for name in QUEUES)


def _messages(one: object) -> list[tuple[float, str, list[int]]]:
    found = []
    while True:
        try:
            message = one.get_nowait()  # type: ignore[attr-defined]
        except queue.Empty:
            return found
        message.ack()
        eta = message.headers.get("eta")
        at = datetime.fromisoformat(eta).timestamp() if eta else 0.0
        found.append((at, message.headers["task"], list(message.payload[0])))

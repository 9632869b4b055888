"""The ports of the hub: are they free, are they open, and how a process waits to be stopped."""

from __future__ import annotations

import signal
import socket


def is_open(host: str, port: int) -> bool:
    """Whether somebody listens at the port."""
    try:
        with socket.create_connection((host, port), timeout=0.5):
            return True
    except OSError:
        return False


def is_free(host: str, port: int) -> bool:
    """Whether the port can be listened on."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def wait_for_stop() -> None:
    """Block the main thread until SIGTERM or SIGINT.

    Waits for a byte and not for an Event: a signal that the system hands to another thread wakes no
    thread that sleeps on a lock.
    """
    asleep, awake = socket.socketpair()
    awake.setblocking(False)
    signal.set_wakeup_fd(awake.fileno())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    asleep.recv(1)
    signal.set_wakeup_fd(-1)

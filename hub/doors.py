"""The ports of the hub: what is in their way, are they open, and how a process waits to end."""

from __future__ import annotations

import errno
import signal
import socket
from collections.abc import Callable


def is_open(host: str, port: int) -> bool:
    """Whether somebody listens at the port."""
    try:
        with socket.create_connection((host, port), timeout=0.5):
            return True
    except OSError:
        return False


def is_free(host: str, port: int) -> bool:
    """Whether the port can be listened on."""
    return not obstacle("", host, port)


def obstacle(name: str, host: str, port: int) -> str:
    """Why the port of the setting ``name`` cannot be listened on; nothing where it can."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, UnicodeError) as fault:
        return told(name, host, port, fault)
    return ""


def told(name: str, host: str, port: int, fault: Exception) -> str:
    """What keeps a port from being opened, by the setting that can be changed."""
    number = getattr(fault, "errno", None)
    if number == errno.EADDRINUSE:
        return (
            f"{name}: port {port} is taken by another program; "
            f"set {name} to a free port, or stop the other program"
        )
    if number in (errno.EACCES, errno.EPERM):
        return (
            f"{name}: the system forbids this account to open port {port}; set {name} to a port "
            "from 1024 on, or give the account the right (CAP_NET_BIND_SERVICE)"
        )
    if number == errno.EADDRNOTAVAIL or isinstance(fault, (socket.gaierror, UnicodeError)):
        return f"HUB_BIND: expected an address of this machine, found {host}"
    return f"{name}: port {port} of {host} cannot be opened: {fault}"


def wait_for_stop(*, unless: Callable[[], bool] = lambda: False) -> None:
    """Block the main thread until SIGTERM or SIGINT.

    ``unless`` is asked once from when on a signal counts: to the first process of a container the
    system brings none before.

    Waits for a byte and not for an Event: a signal that the system hands to another thread wakes no
    thread that sleeps on a lock.
    """
    asleep, awake = socket.socketpair()
    awake.setblocking(False)
    signal.set_wakeup_fd(awake.fileno())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    if not unless():
        asleep.recv(1)
    signal.set_wakeup_fd(-1)

"""Sees to it that no file of the spool is deleted while a backup is made, on whatever host."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from routing.places import exclusion_file


class Busy(Exception):  # noqa: N818 (named by what failed)
    """Somebody else is at it."""


@contextmanager
def alone(*, patience: float = 0) -> Iterator[None]:
    """Hold the lock of the state folder; raises Busy where another has it for ``patience`` seconds.

    It is the kernel's own lock: it ends with the process that holds it, however that ends.
    """
    path = exclusion_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(descriptor, until=time.monotonic() + patience)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, *, until: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as fault:
            if time.monotonic() >= until:
                raise Busy from fault
            time.sleep(0.1)

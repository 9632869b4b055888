"""A bell between processes: who waits for something in a folder hears at once that it is there."""

from __future__ import annotations

import contextlib
import os
import select
import time
from pathlib import Path

_MANY = 65536


class Bell:
    """A FIFO (fifo(7)). Whoever cannot hear it must look from time to time, as without it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / ".bell"
        self._heard_by = -1

    def ring(self) -> None:
        """Wake one of those that wait, now or when it next waits; never waits, never fails."""
        with contextlib.suppress(OSError):  # nobody listens
            rope = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
            try:
                os.write(rope, b"!")  # where it is full there is ringing enough
            finally:
                os.close(rope)

    def wait(self, seconds: float) -> None:
        """Wait until it rings, at most so long; for the whole time where there can be no FIFO."""
        if self._heard_by < 0 and not self._listen():
            time.sleep(seconds)
            return
        rings, _, _ = select.select([self._heard_by], [], [], seconds)
        if rings:
            with contextlib.suppress(BlockingIOError):  # another heard it first
                os.read(self._heard_by, _MANY)

    def close(self) -> None:
        """Listen no more."""
        if self._heard_by >= 0:
            os.close(self._heard_by)
            self._heard_by = -1

    def _listen(self) -> bool:
        try:
            with contextlib.suppress(FileExistsError):
                os.mkfifo(self._path, 0o600)
            # For writing too: without a writer select() would find its end, again and again.
            self._heard_by = os.open(self._path, os.O_RDWR | os.O_NONBLOCK)
        except OSError:
            return False
        return True

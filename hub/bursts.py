"""A thread that acts a moment after it was told to: once for all that comes close together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from django.db import connection

# How long something waits for others to be seen to with it, and how long a pause in which nothing
# comes means that for now no more will.
GATHER_SECONDS = 0.25
PAUSE_SECONDS = 0.04


class AfterBursts:
    """Calls ``act`` in a thread of its own after each burst of tell(), and once when it is closed.

    ``act`` sees to all there is, and raises nothing. ``is_closing`` is for one that waits.
    """

    def __init__(
        self,
        act: Callable[[], None],
        *,
        name: str,
        gather_seconds: float = GATHER_SECONDS,
        pause_seconds: float = PAUSE_SECONDS,
    ) -> None:
        self._act = act
        self._gather_seconds, self._pause_seconds = gather_seconds, pause_seconds
        self.is_closing = threading.Event()
        self._came = threading.Event()
        self._last_at = 0.0
        self._thread = threading.Thread(target=self._run, daemon=True, name=name)
        self._thread.start()

    def tell(self) -> None:
        """There is something to see to; say so after it is where ``act`` finds it."""
        self._last_at = time.monotonic()
        if not self._came.is_set():
            self._came.set()

    def close(self) -> None:
        """See to what there is, then end the thread."""
        self.is_closing.set()
        self._came.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self.is_closing.is_set():
                self._came.wait()
                self._gather()
                # Before it acts: what comes from now on is told anew.
                self._came.clear()
                self._act()
            self._act()
        finally:
            connection.close()

    def _gather(self) -> None:
        """Wait for others that come close behind."""
        deadline = time.monotonic() + self._gather_seconds
        while (now := time.monotonic()) < min(deadline, self._last_at + self._pause_seconds):
            if self.is_closing.wait(min(deadline, self._last_at + self._pause_seconds) - now):
                return

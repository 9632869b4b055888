"""One at a time for each key in this process, and nobody who comes meanwhile is forgotten."""

from __future__ import annotations

import threading
from collections.abc import Callable


class SingleFlight:
    """Many ask for the same at once: one does it, and asks once more for all who came meanwhile."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # {key that is at work: whether somebody came since it began}
        self._came: dict[int, bool] = {}

    def run(self, key: int, work: Callable[[], None], *, again: Callable[[], None]) -> None:
        """Do the work now, or leave it to the thread that is at it.

        That one calls ``again`` when it has ended, however it ended, if anybody came meanwhile:
        what they wanted seen may have been too late for it.
        """
        with self._lock:
            if key in self._came:
                self._came[key] = True
                return
            self._came[key] = False
        try:
            work()
        finally:
            with self._lock:
                has_come = self._came.pop(key)
            if has_come:
                again()

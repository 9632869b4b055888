"""When beat nudges next, also after the clock of its host was put back."""

from __future__ import annotations

import time
from typing import Any

from celery.beat import ScheduleEntry
from celery.beat import Scheduler as CelerysScheduler
from celery.schedules import schedstate

_SLACK_SECONDS = 1.0
# Far above the longest that beat waits between two looks: it has an entry every few seconds.
_STILL_SECONDS = 60.0


def is_ticking() -> bool:
    """Whether beat looked lately at what is due."""
    return time.monotonic() - Scheduler.ticked_at < _STILL_SECONDS


class Scheduler(CelerysScheduler):  # type: ignore[misc]  # Celery has no types
    """Celery's, which keeps the moments of the next nudges by the clock of the wall.

    With a clock that was an hour ahead it would sweep nothing for an hour once that is set right.
    """

    # Celery keeps one for beat alone, and goes on with it when its connection is dead: nothing was
    # swept once RabbitMQ had been started anew. One out of the pool is connected again.
    producer = None

    _ahead: float | None = None
    ticked_at = time.monotonic()

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Nudge for what is due; in how many seconds to look again."""
        ahead, before = time.time() - time.monotonic(), self._ahead
        self._ahead = ahead
        Scheduler.ticked_at = time.monotonic()
        if before is not None and ahead < before - _SLACK_SECONDS:
            for entry in self.schedule.values():
                self._bring_back(entry)
            self._heap = None  # made anew at once, by what the clock says now
        return float(super().tick(*args, **kwargs))

    def is_due(self, entry: ScheduleEntry) -> schedstate:
        """Whether to nudge now, and in how many seconds to ask again."""
        self._bring_back(entry)
        return super().is_due(entry)

    def _bring_back(self, entry: ScheduleEntry) -> None:
        now = entry.default_now()
        if entry.last_run_at > now:
            entry.last_run_at = now - entry.schedule.run_every

"""Tells whoever may start a process again that it still lives: a file, touched every few seconds.

A process without a door of its own (worker, beat) can be asked nothing, and one whose door stands
open may have nobody behind it: the system itself takes connections as long as there is room.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import structlog
from django.conf import settings

log = structlog.get_logger(__name__)

SECONDS = 5.0


def start(is_well: Callable[[], bool] = lambda: True, *, every: float = SECONDS) -> None:
    """Touch HUB_HEARTBEAT_FILE every few seconds, as long as ``is_well()``; nothing where not set.

    The thread ends with the process. A file that cannot be written is told and ends nothing: what
    watches it then starts the process again.
    """
    if settings.HUB_HEARTBEAT_FILE:
        file = Path(settings.HUB_HEARTBEAT_FILE)
        threading.Thread(
            target=_go_on, args=(file, is_well, every), name="heartbeat", daemon=True
        ).start()


def _go_on(file: Path, is_well: Callable[[], bool], every: float) -> None:
    turn = threading.Event()
    while True:
        if is_well():
            try:
                file.touch()
            except OSError as fault:
                log.error("heartbeat.not_written", why=fault.strerror)
        turn.wait(every)

"""Connections to the database that threads of a test leave open; in a process they end with it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created


@contextmanager
def others_closed() -> Iterator[None]:
    """Close, at the end of the block, what other threads opened in it; they must be over."""
    mine = threading.get_ident()
    opened: list[BaseDatabaseWrapper] = []

    def note(connection: BaseDatabaseWrapper, **_: Any) -> None:
        if threading.get_ident() != mine:
            opened.append(connection)

    connection_created.connect(note)
    try:
        yield
    finally:
        connection_created.disconnect(note)
        for one in opened:
            one.inc_thread_sharing()
            one.close()

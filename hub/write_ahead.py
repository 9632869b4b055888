"""SQLite's write-ahead log, moved into the database beside whoever commits.

By itself SQLite does that in the commit that finds the log longer than a limit, and then a sender
waits for two more synchronisations of the disk, some ten milliseconds.
"""

from __future__ import annotations

from django.db import connection


def empty() -> int:
    """Move what is in the log into the database, without making anybody wait.

    How many pages stay, because somebody still reads the database as it was before them.
    """
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        return 0
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
        _is_busy, written, moved = cursor.fetchone()
    return int(written - moved)

"""SQLite's log is emptied beside whoever commits, and nobody waits for that."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from django.db import connection

from hub import audit, write_ahead

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]


def write(count: int) -> None:
    for number in range(count):
        audit.record("test.written", actor="test", number=number)


def test_the_log_is_emptied_and_what_somebody_still_reads_over_stays_in_it() -> None:
    write(20)
    assert write_ahead.empty() == 0
    with closing(sqlite3.connect(connection.settings_dict["NAME"], timeout=0)) as other:
        other.execute("BEGIN")
        (before,) = other.execute("SELECT count(*) FROM hub_auditevent").fetchone()
        write(20)
        assert write_ahead.empty() > 0
        # the reader sees what it saw, and kept nobody from writing
        assert other.execute("SELECT count(*) FROM hub_auditevent").fetchone() == (before,)
        other.rollback()
    assert write_ahead.empty() == 0


def test_a_commit_does_not_empty_it() -> None:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_autocheckpoint")
        assert cursor.fetchone() == (10_000,)

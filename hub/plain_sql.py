"""In charge of statements on a hot path: handed to the driver as they are, without the ORM.

On PostgreSQL they are prepared once for each connection, so that planning is not paid for again at
every instance. Elsewhere queries go through the ORM.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import psycopg
from django.db import connection


def fetch(statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """The rows that a statement gives, its placeholders being ``%s``.

    Raises Django's DatabaseError and its kinds, as a cursor of Django does. Where somebody looks on
    (a wrapper of execute(), the log of queries) it is one of Django's.
    """
    connection.ensure_connection()
    if connection.execute_wrappers or connection.queries_logged:
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())
    with connection.wrap_database_errors:
        if connection.vendor == "postgresql":
            # Django's own cursors put values into the text, which is then planned anew.
            with psycopg.Cursor(connection.connection) as cursor:
                return cursor.execute(statement, values, prepare=True).fetchall()
        rows: list[tuple[Any, ...]] = connection.connection.execute(
            _with_question_marks(statement), values
        ).fetchall()
        return rows


@cache
def _with_question_marks(statement: str) -> str:
    return statement.replace("%s", "?")

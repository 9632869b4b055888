"""In charge of statements on a hot path: handed to the driver as they are, without the ORM.

On PostgreSQL they are prepared (hub.prepared); on SQLite they spare the detours of Django's cursor.
Elsewhere queries go through the ORM.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections

from hub.prepared import prepared_cursor


def fetch(statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """The rows that a statement gives, its placeholders being ``%s``.

    Raises Django's DatabaseError and its kinds, as a cursor of Django does. Where somebody looks on
    (a wrapper of execute(), the log of queries) it is one of Django's.
    """
    # Taken from the thread once, not at each look.
    own = connections[DEFAULT_DB_ALIAS]
    is_looked_at = own.execute_wrappers or own.queries_logged
    if own.vendor == "postgresql" or is_looked_at:
        with prepared_cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())
    own.ensure_connection()
    with own.wrap_database_errors:
        rows: list[tuple[Any, ...]] = own.connection.execute(
            _with_question_marks(statement), values
        ).fetchall()
        return rows


@cache
def _with_question_marks(statement: str) -> str:
    return statement.replace("%s", "?")

"""Statements that are the same every time: PostgreSQL reads and plans them once.

Django writes the values into the text of each statement, which the server then reads and plans
anew. What every message writes is worth the other way: the values go beside the text (PostgreSQL
55.2.3, extended query), and the text is prepared when it comes again.

For what is written, or found by its primary key. A plan for finding anything else would be kept
from when its tables were empty, where every index is as good as another.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection


@contextmanager
def prepared_cursor() -> Iterator[Any]:
    """A cursor of this thread's connection for such statements; Django's own on SQLite.

    So it is where statements are logged, for only that one tells them with their values. Faults
    are Django's, as with every cursor.
    """
    if connection.vendor != "postgresql" or connection.queries_logged:
        with connection.cursor() as cursor:
            yield cursor
        return
    from django.db.backends.postgresql.base import ServerBindingCursor

    connection.close_if_health_check_failed()
    connection.ensure_connection()
    # django-stubs does not know that this is psycopg's own.
    bare: Any = ServerBindingCursor(connection.connection)  # type: ignore[call-arg]
    with connection.make_cursor(bare) as cursor:
        yield cursor

"""Empties the test database after a test that commits: of a hundred tables, those that hold rows.

Django would empty all, and then make the content types and permissions anew for every model, which
takes longer than most tests.
"""

from __future__ import annotations

from functools import cache

from django.db import connection, transaction

from hub.append_only import MARKER

KEPT = {MARKER, "django_migrations", "django_content_type", "auth_permission"}


def empty() -> None:
    """Leave no row that a test could have written; what every migrated database holds stays."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_question())
        for (table,) in cursor.fetchall():
            # the rules between tables are looked at when all are empty
            cursor.execute(f"DELETE FROM {table}")


@cache
def _question() -> str:
    """SQL that names the tables that hold rows."""
    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    tables = sorted({connection.ops.quote_name(name) for name in names if name not in KEPT})
    return " UNION ALL ".join(
        f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {table})" for table in tables
    )

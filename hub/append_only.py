"""Makes a table append-only in the database itself, so that no code path can rewrite history.

A migration lists ``append_only(table)`` among its operations. From then on the database refuses
UPDATE, DELETE and (PostgreSQL) TRUNCATE, whoever asks: the ORM, raw SQL, ``manage.py flush``.

Tests must be able to empty their own database (Django does it by DELETE or TRUNCATE). So the
triggers let DELETE and TRUNCATE pass, never UPDATE, where a table named ``MARKER`` exists in the
same schema. Only the test run makes that table; no migration and no model knows it, no row or
setting or session variable stands for it, so lifting the guard elsewhere takes the right to change
the schema, with which one could drop the triggers as well.

SQLite drops a table's triggers when a later migration rebuilds the table: such a migration must
list ``append_only(table)`` again (it is idempotent).
"""

from __future__ import annotations

from functools import partial

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

MARKER = "this_is_a_test_database"

SQLITE = (
    """
    CREATE TRIGGER IF NOT EXISTS {table}_refuses_update BEFORE UPDATE ON {table}
    BEGIN SELECT RAISE(ABORT, '{table} is append-only: UPDATE refused'); END
    """,
    """
    CREATE TRIGGER IF NOT EXISTS {table}_refuses_delete BEFORE DELETE ON {table}
    WHEN NOT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '{marker}')
    BEGIN SELECT RAISE(ABORT, '{table} is append-only: DELETE refused'); END
    """,
)
SQLITE_REVERSE = (
    "DROP TRIGGER IF EXISTS {table}_refuses_update",
    "DROP TRIGGER IF EXISTS {table}_refuses_delete",
)
# The marker is looked up in the schema of the table: an unqualified name would also find a
# temporary table, which any session may make.
POSTGRESQL = (
    """
    CREATE OR REPLACE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS $refuse$
    BEGIN
        IF TG_OP <> 'UPDATE'
            AND to_regclass(format('%I.%I', TG_TABLE_SCHEMA, '{marker}')) IS NOT NULL
        THEN
            IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
            RETURN NULL;
        END IF;
        RAISE EXCEPTION '{table} is append-only: % refused', TG_OP
            USING ERRCODE = 'restrict_violation';
    END
    $refuse$
    """,
    """
    CREATE OR REPLACE TRIGGER {table}_refuses_change BEFORE UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION {table}_refuse()
    """,
    """
    CREATE OR REPLACE TRIGGER {table}_refuses_truncate BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse()
    """,
)
POSTGRESQL_REVERSE = (
    "DROP TRIGGER IF EXISTS {table}_refuses_change ON {table}",
    "DROP TRIGGER IF EXISTS {table}_refuses_truncate ON {table}",
    "DROP FUNCTION IF EXISTS {table}_refuse()",
)
FORWARD = {"sqlite": SQLITE, "postgresql": POSTGRESQL}
REVERSE = {"sqlite": SQLITE_REVERSE, "postgresql": POSTGRESQL_REVERSE}


class DatabaseCannotGuardError(Exception):
    """The database is of a kind for which no append-only triggers are written."""


def append_only(table: str) -> migrations.RunPython:
    """The migration operation that makes ``table`` append-only; reversible."""
    return migrations.RunPython(
        partial(_run, table=table, scripts=FORWARD),
        partial(_run, table=table, scripts=REVERSE),
    )


def _run(
    _apps: Apps,
    editor: BaseDatabaseSchemaEditor,
    *,
    table: str,
    scripts: dict[str, tuple[str, ...]],
) -> None:
    vendor = editor.connection.vendor
    if vendor not in scripts:
        raise DatabaseCannotGuardError(f"no append-only triggers are written for {vendor}")
    for statement in scripts[vendor]:
        editor.execute(statement.format(table=table, marker=MARKER), params=None)

"""Makes a table append-only in the database itself, so that no code path can rewrite history.

A migration lists ``append_only(table)`` among its operations. From then on the database refuses
UPDATE, DELETE and (PostgreSQL) TRUNCATE, whoever asks: the ORM, raw SQL, ``manage.py flush``.

Tests must be able to empty their own database (Django does it by DELETE or TRUNCATE). So the
triggers let DELETE and TRUNCATE pass, never UPDATE, where a table named ``MARKER`` exists in the
same schema. Only the test run makes that table; no migration and no model knows it, no row or
setting or session variable stands for it, so lifting the guard elsewhere takes the right to change
the schema, with which one could drop the triggers as well.

``let_go_after(table, ...)`` lets DELETE pass, besides, for rows older than a number of days that is
written into the trigger: no setting and no code can make it shorter.

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
# In place of the triggers that refuse every DELETE; times are text in UTC, which sorts as they do.
SQLITE_LET_GO = (
    "DROP TRIGGER IF EXISTS {table}_refuses_delete",
    """
    CREATE TRIGGER {table}_refuses_delete BEFORE DELETE ON {table}
    WHEN OLD.{column} >= datetime('now', '-{days} days')
        AND NOT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '{marker}')
    BEGIN SELECT RAISE(ABORT, '{table} is append-only: DELETE refused'); END
    """,
)
SQLITE_LET_GO_REVERSE = ("DROP TRIGGER IF EXISTS {table}_refuses_delete", SQLITE[1])
POSTGRESQL_LET_GO = (
    """
    CREATE OR REPLACE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS $refuse$
    BEGIN
        IF TG_OP <> 'UPDATE'
            AND to_regclass(format('%I.%I', TG_TABLE_SCHEMA, '{marker}')) IS NOT NULL
        THEN
            IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
            RETURN NULL;
        END IF;
        IF TG_OP = 'DELETE' AND OLD.{column} < now() - interval '{days} days' THEN
            RETURN OLD;
        END IF;
        RAISE EXCEPTION '{table} is append-only: % refused', TG_OP
            USING ERRCODE = 'restrict_violation';
    END
    $refuse$
    """,
)
FORWARD = {"sqlite": SQLITE, "postgresql": POSTGRESQL}
REVERSE = {"sqlite": SQLITE_REVERSE, "postgresql": POSTGRESQL_REVERSE}


LET_GO = {"sqlite": SQLITE_LET_GO, "postgresql": POSTGRESQL_LET_GO}
LET_GO_REVERSE = {"sqlite": SQLITE_LET_GO_REVERSE, "postgresql": POSTGRESQL[:1]}


class DatabaseCannotGuardError(Exception):
    """The database is of a kind for which no append-only triggers are written."""


def append_only(table: str) -> migrations.RunPython:
    """The migration operation that makes ``table`` append-only; reversible."""
    return _operation(FORWARD, REVERSE, {"table": table})


def let_go_after(table: str, *, column: str, days: int) -> migrations.RunPython:
    """The operation after which rows of an append-only table may be deleted, never changed.

    Those alone whose time in ``column`` lies more than ``days`` back, by the database's own clock.
    """
    names = {"table": table, "column": column, "days": str(days)}
    return _operation(LET_GO, LET_GO_REVERSE, names)


def _operation(
    forward: dict[str, tuple[str, ...]], back: dict[str, tuple[str, ...]], names: dict[str, str]
) -> migrations.RunPython:
    return migrations.RunPython(
        partial(_run, scripts=forward, names=names), partial(_run, scripts=back, names=names)
    )


def _run(
    _apps: Apps,
    editor: BaseDatabaseSchemaEditor,
    *,
    scripts: dict[str, tuple[str, ...]],
    names: dict[str, str],
) -> None:
    vendor = editor.connection.vendor
    if vendor not in scripts:
        raise DatabaseCannotGuardError(f"no append-only triggers are written for {vendor}")
    for statement in scripts[vendor]:
        editor.execute(statement.format(marker=MARKER, **names), params=None)

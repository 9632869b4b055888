"""Makes the database refuse to change a price that examinations were counted at.

A migration lists ``used_prices_stay()`` among its operations. From then on a price book entry
cannot be changed or removed once an examination was counted on or after its first day, and no
version can be added whose first day lies before one: whoever asks, by whatever code path.

The triggers look into the tables of usage and call-offs. SQLite cannot rebuild a table that a
trigger of another one names, and forgets the triggers of a table that it rebuilds: a migration
after it that changes one of the three lists ``used_prices_free()`` first and ``used_prices_stay()``
last.
Tests empty their database as hub.append_only says.
"""

from __future__ import annotations

from functools import partial

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from hub.append_only import MARKER, DatabaseCannotGuardError

TABLE = "contracts_pricebookentry"
COLUMNS = ("framework_id", "algorithm_id", "valid_from", "model", "terms")
# SQLite knows no time zones: midnight in Oslo is 22:00 or 23:00 UTC of the day before. The hour
# that this takes too much in winter is on the safe side.
SQLITE_STARTS = "datetime(coalesce({row}.valid_from, '0002-01-01'), '-2 hours')"
POSTGRESQL_STARTS = (
    "(coalesce({row}.valid_from, date '0002-01-01')::timestamp AT TIME ZONE 'Europe/Oslo')"
)
USED = """EXISTS (
    SELECT 1 FROM contracts_usageevent used
    JOIN contracts_calloff ordered ON ordered.id = used.call_off_id
    WHERE ordered.framework_id = {row}.framework_id
        AND used.algorithm_id = {row}.algorithm_id AND used.at >= {starts}
)"""
SAID = "a price in use is never changed: add one with a later valid_from"


def _used(row: str, starts: str) -> str:
    return USED.format(row=row, starts=starts.format(row=row))


def _sqlite() -> tuple[str, ...]:
    old, new = _used("OLD", SQLITE_STARTS), _used("NEW", SQLITE_STARTS)
    changed = " OR ".join(f"OLD.{name} IS NOT NEW.{name}" for name in COLUMNS)
    test = (  # names of ours alone
        f"EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '{MARKER}')"  # nosec B608
    )
    refuse = f"BEGIN SELECT RAISE(ABORT, '{SAID}'); END"
    return (
        f"""CREATE TRIGGER IF NOT EXISTS {TABLE}_used_update BEFORE UPDATE ON {TABLE}
        WHEN ({changed}) AND ({old} OR {new}) {refuse}""",
        f"""CREATE TRIGGER IF NOT EXISTS {TABLE}_used_delete BEFORE DELETE ON {TABLE}
        WHEN {old} AND NOT {test} {refuse}""",
        f"""CREATE TRIGGER IF NOT EXISTS {TABLE}_used_insert BEFORE INSERT ON {TABLE}
        WHEN NEW.valid_from IS NOT NULL AND {new} {refuse}""",
    )


def _postgresql() -> tuple[str, ...]:
    old, new = _used("OLD", POSTGRESQL_STARTS), _used("NEW", POSTGRESQL_STARTS)
    same = " AND ".join(f"OLD.{name} IS NOT DISTINCT FROM NEW.{name}" for name in COLUMNS)
    marker = f"to_regclass(format('%I.%I', TG_TABLE_SCHEMA, '{MARKER}'))"
    return (
        f"""CREATE OR REPLACE FUNCTION {TABLE}_used() RETURNS trigger LANGUAGE plpgsql AS $used$
        BEGIN
            IF TG_OP = 'INSERT' THEN
                IF NEW.valid_from IS NULL OR NOT {new} THEN RETURN NEW; END IF;
            ELSIF TG_OP = 'UPDATE' THEN
                IF ({same}) OR NOT ({old} OR {new}) THEN RETURN NEW; END IF;
            ELSIF {marker} IS NOT NULL OR NOT {old} THEN
                RETURN OLD;
            END IF;
            RAISE EXCEPTION '{SAID}' USING ERRCODE = 'restrict_violation';
        END
        $used$""",
        f"""CREATE OR REPLACE TRIGGER {TABLE}_used_refuses
        BEFORE INSERT OR UPDATE OR DELETE ON {TABLE}
        FOR EACH ROW EXECUTE FUNCTION {TABLE}_used()""",
    )


FORWARD = {"sqlite": _sqlite(), "postgresql": _postgresql()}
REVERSE = {
    "sqlite": tuple(
        f"DROP TRIGGER IF EXISTS {TABLE}_used_{name}" for name in ("update", "delete", "insert")
    ),
    "postgresql": (
        f"DROP TRIGGER IF EXISTS {TABLE}_used_refuses ON {TABLE}",
        f"DROP FUNCTION IF EXISTS {TABLE}_used()",
    ),
}


def used_prices_stay() -> migrations.RunPython:
    """The migration operation that makes prices in use immutable; reversible."""
    return migrations.RunPython(partial(_run, scripts=FORWARD), partial(_run, scripts=REVERSE))


def used_prices_free() -> migrations.RunPython:
    """The migration operation that lifts the guard while tables are rebuilt; reversible."""
    return migrations.RunPython(partial(_run, scripts=REVERSE), partial(_run, scripts=FORWARD))


def _run(
    _apps: Apps, editor: BaseDatabaseSchemaEditor, *, scripts: dict[str, tuple[str, ...]]
) -> None:
    vendor = editor.connection.vendor
    if vendor not in scripts:
        raise DatabaseCannotGuardError(f"no triggers over prices are written for {vendor}")
    for statement in scripts[vendor]:
        editor.execute(statement, params=None)

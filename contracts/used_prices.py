"""Makes the database refuse to change a price that examinations were counted at.

A migration lists ``used_prices_stay()`` among its operations, and ``own_prices_stay()`` for the
prices of call-offs. From then on a price cannot be changed or removed once an examination was
counted on or after its first day, and no version can be added whose first day lies before one:
whoever asks, by whatever code path.

The triggers look into the tables of usage and call-offs. SQLite cannot rebuild a table that a
trigger of another one names, and forgets the triggers of a table that it rebuilds: a migration
after it that changes one of the lists ``used_prices_free()`` and ``own_prices_free()`` first, and
those that let them stay last.
Tests empty their database as hub.append_only says.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from hub.append_only import MARKER, DatabaseCannotGuardError

# SQLite knows no time zones: midnight in Oslo is 22:00 or 23:00 UTC of the day before. The hour
# that this takes too much in winter is on the safe side.
SQLITE_STARTS = "datetime(coalesce({row}.valid_from, '0002-01-01'), '-2 hours')"
POSTGRESQL_STARTS = (
    "(coalesce({row}.valid_from, date '0002-01-01')::timestamp AT TIME ZONE 'Europe/Oslo')"
)
SAID = "a price in use is never changed: add one with a later valid_from"


@dataclass(frozen=True, slots=True)
class Guarded:
    """A table of prices; ``used`` is whether ``{row}`` of it was used from ``{starts}`` on.

    ``may_begin`` is when a row may be added although examinations were counted.
    """

    table: str
    columns: tuple[str, ...]
    used: str
    may_begin: str


PRICE_BOOK = Guarded(
    "contracts_pricebookentry",
    ("framework_id", "algorithm_id", "valid_from", "model", "terms"),
    """EXISTS (
    SELECT 1 FROM contracts_usageevent used
    JOIN contracts_calloff ordered ON ordered.id = used.call_off_id
    WHERE ordered.framework_id = {row}.framework_id
        AND used.algorithm_id = {row}.algorithm_id AND used.at >= {starts}
)""",
    "NEW.valid_from IS NULL",
)
OWN_PRICES = Guarded(
    "contracts_calloffprice",
    ("call_off_id", "algorithm_id", "valid_from", "model", "terms"),
    """EXISTS (
    SELECT 1 FROM contracts_usageevent used WHERE used.call_off_id = {row}.call_off_id
        AND used.algorithm_id = {row}.algorithm_id AND used.at >= {starts}
)""",
    "1 = 0",
)
OWN_AMOUNTS = Guarded(
    "contracts_calloffamount",
    ("call_off_id", "name", "amount", "per"),
    "EXISTS (SELECT 1 FROM contracts_usageevent used WHERE used.call_off_id = {row}.call_off_id)",
    "1 = 0",
)


def _used(of: Guarded, row: str, starts: str) -> str:
    return of.used.format(row=row, starts=starts.format(row=row))


def _sqlite(of: Guarded) -> tuple[str, ...]:
    old, new = _used(of, "OLD", SQLITE_STARTS), _used(of, "NEW", SQLITE_STARTS)
    changed = " OR ".join(f"OLD.{name} IS NOT NEW.{name}" for name in of.columns)
    test = (  # names of ours alone
        f"EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '{MARKER}')"  # nosec B608
    )
    refuse = f"BEGIN SELECT RAISE(ABORT, '{SAID}'); END"
    return (
        f"""CREATE TRIGGER IF NOT EXISTS {of.table}_used_update BEFORE UPDATE ON {of.table}
        WHEN ({changed}) AND ({old} OR {new}) {refuse}""",
        f"""CREATE TRIGGER IF NOT EXISTS {of.table}_used_delete BEFORE DELETE ON {of.table}
        WHEN {old} AND NOT {test} {refuse}""",
        f"""CREATE TRIGGER IF NOT EXISTS {of.table}_used_insert BEFORE INSERT ON {of.table}
        WHEN NOT ({of.may_begin}) AND {new} {refuse}""",
    )


def _postgresql(of: Guarded) -> tuple[str, ...]:
    old, new = _used(of, "OLD", POSTGRESQL_STARTS), _used(of, "NEW", POSTGRESQL_STARTS)
    same = " AND ".join(f"OLD.{name} IS NOT DISTINCT FROM NEW.{name}" for name in of.columns)
    marker = f"to_regclass(format('%I.%I', TG_TABLE_SCHEMA, '{MARKER}'))"
    return (
        f"""CREATE OR REPLACE FUNCTION {of.table}_used() RETURNS trigger LANGUAGE plpgsql AS $used$
        BEGIN
            IF TG_OP = 'INSERT' THEN
                IF {of.may_begin} OR NOT {new} THEN RETURN NEW; END IF;
            ELSIF TG_OP = 'UPDATE' THEN
                IF ({same}) OR NOT ({old} OR {new}) THEN RETURN NEW; END IF;
            ELSIF {marker} IS NOT NULL OR NOT {old} THEN
                RETURN OLD;
            END IF;
            RAISE EXCEPTION '{SAID}' USING ERRCODE = 'restrict_violation';
        END
        $used$""",
        f"""CREATE OR REPLACE TRIGGER {of.table}_used_refuses
        BEFORE INSERT OR UPDATE OR DELETE ON {of.table}
        FOR EACH ROW EXECUTE FUNCTION {of.table}_used()""",
    )


def _forward(*guarded: Guarded) -> dict[str, tuple[str, ...]]:
    return {
        "sqlite": tuple(one for of in guarded for one in _sqlite(of)),
        "postgresql": tuple(one for of in guarded for one in _postgresql(of)),
    }


def _reverse(*guarded: Guarded) -> dict[str, tuple[str, ...]]:
    names = [of.table for of in guarded]
    return {
        "sqlite": tuple(
            f"DROP TRIGGER IF EXISTS {table}_used_{name}"
            for table in names for name in ("update", "delete", "insert")
        ),
        "postgresql": tuple(
            text for table in names for text in (
                f"DROP TRIGGER IF EXISTS {table}_used_refuses ON {table}",
                f"DROP FUNCTION IF EXISTS {table}_used()",
            )
        ),
    }  # fmt: skip


def used_prices_stay() -> migrations.RunPython:
    """The migration operation that makes prices in use immutable; reversible."""
    return _operation(_forward(PRICE_BOOK), _reverse(PRICE_BOOK))


def used_prices_free() -> migrations.RunPython:
    """The migration operation that lifts the guard while tables are rebuilt; reversible."""
    return _operation(_reverse(PRICE_BOOK), _forward(PRICE_BOOK))


def own_prices_stay() -> migrations.RunPython:
    """As used_prices_stay(), of the prices and fixed amounts of call-offs."""
    return _operation(_forward(OWN_PRICES, OWN_AMOUNTS), _reverse(OWN_PRICES, OWN_AMOUNTS))


def own_prices_free() -> migrations.RunPython:
    """As used_prices_free(), of the prices and fixed amounts of call-offs."""
    return _operation(_reverse(OWN_PRICES, OWN_AMOUNTS), _forward(OWN_PRICES, OWN_AMOUNTS))


def _operation(
    forward: dict[str, tuple[str, ...]], reverse: dict[str, tuple[str, ...]]
) -> migrations.RunPython:
    return migrations.RunPython(partial(_run, scripts=forward), partial(_run, scripts=reverse))


def _run(
    _apps: Apps, editor: BaseDatabaseSchemaEditor, *, scripts: dict[str, tuple[str, ...]]
) -> None:
    vendor = editor.connection.vendor
    if vendor not in scripts:
        raise DatabaseCannotGuardError(f"no triggers over prices are written for {vendor}")
    for statement in scripts[vendor]:
        editor.execute(statement, params=None)

"""A database made in one step for each app is the one that all its migrations would have made."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests import templates
from tests.fakes.cluster import server
from tests.fakes.running_hub import ROOT

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

STEP_BY_STEP = """
import django
django.setup()
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from tests.upgrades.schema import unsquashed

executor = MigrationExecutor(connection)
executor.loader = unsquashed(connection)
executor.migrate(executor.loader.graph.leaf_nodes())
"""
AT_ONCE = """
import django
django.setup()
from django.core.management import call_command

call_command("migrate", verbosity=0)
"""
# of each: what it is and belongs to, and how the database itself would write it
OF_POSTGRESQL = """
SELECT 'column', table_name, column_name || ' ' || data_type || ' ' || is_nullable || ' '
    || coalesce(column_default, '') || ' ' || coalesce(character_maximum_length, 0)
    || ' ' || is_identity
    FROM information_schema.columns WHERE table_schema = 'public'
UNION SELECT 'constraint', conrelid::regclass::text, conname || ' ' || pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION SELECT 'index', tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION SELECT 'trigger', tgrelid::regclass::text, pg_get_triggerdef(oid)
    FROM pg_trigger WHERE NOT tgisinternal
UNION SELECT 'function', proname, pg_get_functiondef(pg_proc.oid) FROM pg_proc
    JOIN pg_language ON pg_language.oid = prolang
    WHERE pronamespace = 'public'::regnamespace AND lanname = 'plpgsql'
"""
WITH_ROWS = "routing_tallymark"
Schema = set[tuple[object, ...]]


def migrated(way: str, url: str, folder: Path) -> None:
    given = os.environ | {
        "DJANGO_SETTINGS_MODULE": "hub.settings", "HUB_DEBUG": "on",
        "HUB_STATE_DIR": str(folder), "HUB_DATABASE_URL": url,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", way], cwd=ROOT, env=given, capture_output=True,
        text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def of_sqlite(file: Path) -> Schema:
    """What sqlite_master says, the columns of a table in any order."""
    with closing(sqlite3.connect(file)) as wire:
        found = wire.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
        rows = set(wire.execute(f"SELECT 'row', * FROM {WITH_ROWS}").fetchall())
    return rows | {(kind, name, *parts(sql or "")) for kind, name, sql in found}


def parts(statement: str) -> Iterator[str]:
    """The columns and rules of a CREATE TABLE by themselves, sorted; others as they are."""
    if not statement.startswith("CREATE TABLE"):
        yield " ".join(statement.split())
        return
    inner = statement[statement.index("(") + 1 : statement.rindex(")")]
    yield from sorted(re.split(r", (?=\"|CONSTRAINT |UNIQUE |FOREIGN |CHECK )", inner))


def test_one_step_for_each_app_makes_the_same_on_sqlite(tmp_path: Path) -> None:
    schemas = []
    for way in (STEP_BY_STEP, AT_ONCE):
        file = tmp_path / f"{len(schemas)}.sqlite3"
        migrated(way, f"sqlite:///{file}", tmp_path)
        schemas.append(of_sqlite(file))
    assert len(schemas[0]) > 300
    assert schemas[0] ^ schemas[1] == set()


def test_one_step_for_each_app_makes_the_same_on_postgresql(tmp_path: Path) -> None:
    schemas: list[Schema] = []
    with server() as database:
        for way in (STEP_BY_STEP, AT_ONCE):
            database.ask(f"CREATE DATABASE way_{len(schemas)}")
            url = templates.on(database.url(), f"way_{len(schemas)}")
            migrated(way, url, tmp_path)
            schemas.append(of_postgresql(url))
    assert len(schemas[0]) > 1000
    assert schemas[0] ^ schemas[1] == set()


def of_postgresql(url: str) -> Schema:
    import psycopg

    with psycopg.connect(url) as wire:
        rows = set(wire.execute(f"SELECT 'row', * FROM {WITH_ROWS}").fetchall())
        return rows | set(wire.execute(OF_POSTGRESQL).fetchall())

"""In charge of a copy of the database as it was at one moment, and of putting one back.

SQLite is copied by its online backup API, PostgreSQL by pg_dump in an exported snapshot: the hub
goes on meanwhile, and whatever is asked of a Moment is answered as of the copy.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

_POSTGRESQL = Path("/usr/lib/postgresql")
_AT_ONCE = 5000
_NOT_OF_A_COPY = ("-wal", "-shm", "-journal")
FILE_NAMES = {"sqlite": "database.sqlite3", "postgresql": "database.dump"}


class DumpFailed(Exception):  # noqa: N818 (named by what failed)
    """The database could not be copied, or not be put back, for the reason given."""


class Moment(Protocol):
    """The database as it was when the block began."""

    def write(self, path: Path) -> None:
        """Write all of it to a new file. Raises DumpFailed."""

    def rows(self, question: str) -> Iterator[tuple[Any, ...]]:
        """What a SELECT without parameters gives, a few thousand rows in memory at a time.

        With SQLite after write(): it is the copy that is asked.
        """


@contextmanager
def moment() -> Iterator[Moment]:
    """Hold the database at one moment, without holding up anybody who writes."""
    if connection.vendor == "sqlite":
        yield _SqliteMoment()
        return
    wire = connection.copy()
    try:
        wire.ensure_connection()
        with wire.connection.cursor() as cursor:
            cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            # It may last as long as pg_dump does, whatever the server's default is.
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            cursor.execute("SELECT pg_export_snapshot()")
            (snapshot,) = cursor.fetchone()
        yield _PostgresqlMoment(wire, snapshot)
    finally:
        wire.close()


def is_empty() -> bool:
    """Whether the database that the settings name has no table yet."""
    if connection.vendor == "sqlite":
        return not any(connection.introspection.table_names())
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT NOT EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n"
            " ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S')"
            " AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
            " AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid"
            " AND d.deptype = 'e'))"
        )
        (found,) = cursor.fetchone()
        return bool(found)


def put_back(path: Path) -> None:
    """Make a copy the hub's database: all of it or nothing. Raises DumpFailed.

    Whether the database is empty is looked at once more; nothing that is there is replaced.
    """
    if not is_empty():
        raise DumpFailed("the database is not empty")
    if connection.vendor == "sqlite":
        _put_back_sqlite(path)
    else:
        # A database is changed by one transaction: somebody who starts a hub meanwhile sees none.
        _run(connection, "pg_restore", "--no-owner", "--no-privileges", "--no-comments",
             "--single-transaction", "--exit-on-error", "--dbname", _name(), str(path))  # fmt: skip
    connection.close()


def fault_of(path: Path) -> str:
    """Why a copy cannot be read as one; empty where it can."""
    try:
        if path.name == FILE_NAMES["sqlite"]:
            _check_sqlite(path)
        else:
            _run(None, "pg_restore", "--list", str(path))
    except DumpFailed as fault:
        return str(fault)
    return ""


class _SqliteMoment:
    def __init__(self) -> None:
        self._copy: Path | None = None

    def write(self, path: Path) -> None:
        try:
            with (
                closing(sqlite3.connect(connection.settings_dict["NAME"], timeout=30)) as wire,
                closing(sqlite3.connect(path)) as copy,
            ):
                # In one step: of several, each would begin anew whenever somebody has written.
                wire.backup(copy, pages=-1)
                copy.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.Error as fault:
            raise DumpFailed(f"SQLite: {fault}") from fault
        _check_sqlite(path)
        self._copy = path

    def rows(self, question: str) -> Iterator[tuple[Any, ...]]:
        assert self._copy is not None
        with closing(sqlite3.connect(self._copy)) as copy:
            yield from copy.execute(question)


class _PostgresqlMoment:
    def __init__(self, wire: BaseDatabaseWrapper, snapshot: str) -> None:
        self._wire = wire
        self._snapshot = snapshot

    def write(self, path: Path) -> None:
        _run(self._wire, "pg_dump", "--format=custom", "--no-owner", "--no-privileges",
             f"--snapshot={self._snapshot}", "--file", str(path))  # fmt: skip

    def rows(self, question: str) -> Iterator[tuple[Any, ...]]:
        with self._wire.connection.cursor(name="of_a_moment") as cursor:
            cursor.itersize = _AT_ONCE
            yield from cursor.execute(question)


def _put_back_sqlite(path: Path) -> None:
    target = Path(connection.settings_dict["NAME"])
    beside = target.with_name(f"{target.name}.restoring")
    connection.close()
    try:
        shutil.copyfile(path, beside)
        os.chmod(beside, 0o600)
        for suffix in _NOT_OF_A_COPY:
            with suppress(FileNotFoundError):
                target.with_name(target.name + suffix).unlink()
        os.replace(beside, target)
    except OSError as fault:
        beside.unlink(missing_ok=True)
        raise DumpFailed(f"{target}: {fault.strerror}") from fault


def _check_sqlite(path: Path) -> None:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as copy:
            ((found,), *_more) = copy.execute("PRAGMA quick_check(1)").fetchall()
    except sqlite3.Error as fault:
        raise DumpFailed(f"SQLite: {fault}") from fault
    if found != "ok":
        raise DumpFailed(f"SQLite: {found}")


def _name() -> str:
    return str(connection.settings_dict["NAME"])


def _run(wire: BaseDatabaseWrapper | None, program: str, *words: str) -> None:
    """Run a program of PostgreSQL; the password is in its environment, never among its words."""
    command = [str(_program(program)), *words]
    done = subprocess.run(  # nosec B603 (no shell, and no word of anybody else)
        command, env=os.environ | _parameters(wire), capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if done.returncode:
        said: Sequence[str] = done.stderr.strip().splitlines() or ["it said nothing"]
        raise DumpFailed(f"{program}: {said[0].removeprefix(f'{program}: ')}")


def _parameters(wire: BaseDatabaseWrapper | None) -> dict[str, str]:
    """How the connection was made, as libpq reads it; of several hosts, the one that answered."""
    if wire is None:
        return {}
    wire.ensure_connection()
    info = wire.connection.info
    known = {
        "PGHOST": info.host, "PGPORT": str(info.port), "PGUSER": info.user,
        "PGDATABASE": info.dbname, "PGPASSWORD": info.password,
    }  # fmt: skip
    given = {f"PG{name.upper()}": str(value) for name, value in info.get_parameters().items()}
    tls = {name: value for name, value in given.items() if name.startswith("PGSSL")}
    return {name: value for name, value in (known | tls).items() if value}


def _program(name: str) -> Path:
    """The newest of that name that is installed: an older pg_dump cannot read a newer server."""
    versions = [path for path in _POSTGRESQL.glob(f"*/bin/{name}") if path.parts[4].isdigit()]
    if versions:
        return max(versions, key=lambda path: int(path.parts[4]))
    if found := shutil.which(name):
        return Path(found)
    raise DumpFailed(f"{name} is not installed; it comes with PostgreSQL's client programs")

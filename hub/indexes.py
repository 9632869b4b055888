"""Indexes that are added to large tables while others go on writing to them."""

from __future__ import annotations

from typing import Any

import structlog
from django.db import DatabaseError, migrations, transaction

log = structlog.get_logger(__name__)


class AddIndexWithoutLock(migrations.AddIndex):
    """AddIndex that on PostgreSQL lets writers go on; its migration must be ``atomic = False``.

    One that was broken off leaves an index that is not valid: it is made anew.
    """

    atomic = False

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Make the index, unless it is there."""
        model = to_state.apps.get_model(app_label, self.model_name)
        if schema_editor.connection.vendor != "postgresql":
            schema_editor.add_index(model, self.index)
        elif _is_to_be_made(schema_editor, str(self.index.name)):
            schema_editor.add_index(model, self.index, concurrently=True)


class AddTrigrams(migrations.RunPython):
    """PostgreSQL: an index that finds a few characters in the middle of a text.

    ``columns`` are SQL. Needs the extension pg_trgm, which an owner of the database may add where
    PostgreSQL's contrib modules are installed; without it there is no index, and a warning.
    """

    def __init__(self, name: str, *, table: str, columns: str) -> None:
        self.given = {"name": name, "table": table, "columns": columns}
        super().__init__(self._add, self._remove, atomic=False)

    def deconstruct(self) -> Any:
        """How a migration writes it down."""
        name = self.given["name"]
        kept = {key: value for key, value in self.given.items() if key != "name"}
        return self.__class__.__name__, [name], kept

    def _add(self, _apps: Any, schema_editor: Any) -> None:
        if schema_editor.connection.vendor != "postgresql":
            return
        wire = schema_editor.connection
        try:
            with transaction.atomic(wire.alias):
                schema_editor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        except DatabaseError as fault:
            log.warning("indexes.no_trigrams", index=self.given["name"], why=str(fault).strip())
            return
        if _is_to_be_made(schema_editor, self.given["name"]):
            # Small parts at a time: whoever adds the row that fills the list has to put it away.
            # In a transaction the table is one that was made just now: nobody waits for it.
            how = "" if wire.in_atomic_block else "CONCURRENTLY"
            schema_editor.execute(
                "CREATE INDEX {how} {name} ON {table} USING gin ({columns})"
                " WITH (gin_pending_list_limit = 256)".format(how=how, **self.given),
                params=None,
            )

    def _remove(self, _apps: Any, schema_editor: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            how = "" if schema_editor.connection.in_atomic_block else "CONCURRENTLY"
            schema_editor.execute(f"DROP INDEX {how} IF EXISTS {self.given['name']}")


def _is_to_be_made(schema_editor: Any, name: str) -> bool:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", [f'"{name}"']
        )
        found = cursor.fetchone()
        if found and not found[0]:
            cursor.execute(f'DROP INDEX CONCURRENTLY "{name}"')
    return not (found and found[0])


class CountFinely(migrations.RunPython):
    """PostgreSQL: so many examples of the first column of an index are kept, to plan by.

    Of a text the server guesses how often some characters are in it by how many of its examples
    have them. The hundred that it keeps by itself may well have none of what every twentieth row
    has, and it then reads all of those. It counts anew with the next ANALYZE, which it does itself.
    """

    def __init__(self, index: str, *, examples: int) -> None:
        self.index, self.examples = index, examples
        super().__init__(self._count, self._as_before, atomic=False)

    def deconstruct(self) -> Any:
        """How a migration writes it down."""
        return self.__class__.__name__, [self.index], {"examples": self.examples}

    def _count(self, _apps: Any, schema_editor: Any) -> None:
        self._set(schema_editor, self.examples)

    def _as_before(self, _apps: Any, schema_editor: Any) -> None:
        self._set(schema_editor, -1)

    def _set(self, schema_editor: Any, examples: int) -> None:
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(
                f"ALTER INDEX IF EXISTS {self.index} ALTER COLUMN 1"
                f" SET STATISTICS {examples}"
            )

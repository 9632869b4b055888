"""What the release before uses of the database, held against what the migrations of this one leave.

Both run side by side for as long as an upgrade takes. Columns are added first; what the release
before still names is renamed, narrowed or dropped in the release after (ADR 44).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.db.models import Model

RECORD = Path(__file__).with_name("release-before.json")
APPS = ("hub", "vendors", "marketplace", "contracts", "routing")
_VARCHAR = re.compile(r"varchar\((\d+)\)")
_WHOLE = ("smallint", "integer", "bigint")


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its type in words of the database; nothing where only the database knows it."""

    type: str = ""
    is_nullable: bool = False
    has_default: bool = False


Tables = Mapping[str, Mapping[str, Column]]


@dataclass(frozen=True, slots=True)
class Record:
    """The release before: its commit, the migrations it has, and what was accepted, with why."""

    commit: str
    migrations: Mapping[str, list[str]]
    accepted: Mapping[str, str]


def recorded() -> Record:
    """What tools/release-before wrote down."""
    return Record(**json.loads(RECORD.read_text()))


def state_of(migrations: Mapping[str, list[str]] | None = None) -> ProjectState:
    """The models after some migrations, or after all there are."""
    if migrations is None:
        return MigrationLoader(None).project_state()
    named = {(app, name) for app, names in migrations.items() for name in names}
    loader = unsquashed(but=named)
    known = sorted(named.union(loader.replacements))
    return loader.project_state([node for node in known if node in loader.graph.nodes])


def unsquashed(wire: Any = None, *, but: Set[tuple[str, str]] = frozenset()) -> MigrationLoader:
    """The migrations one by one; but one that is squashed where it, or all of its own, is named."""
    loader = MigrationLoader(wire, replace_migrations=False)
    for squashed, migration in loader.replacements.items():
        if squashed in but or but >= set(migration.replaces):
            loader.graph.remove_replaced_nodes(squashed, migration.replaces)
        else:
            loader.graph.remove_replacement_node(squashed, migration.replaces)
    return loader


def used_by(state: ProjectState) -> dict[str, dict[str, Column]]:
    """The columns that code of these models reads and writes."""
    return {
        model._meta.db_table: {
            field.column: Column(str(field.db_type(connection)), is_nullable=field.null)
            for field in model._meta.local_concrete_fields
        }
        for model in _models(state)
    }


def _models(state: ProjectState) -> Iterator[type[Model]]:
    for model in state.apps.get_models(include_auto_created=True):
        if model._meta.app_label in APPS and not model._meta.proxy:
            yield model


def there() -> dict[str, dict[str, Column]]:
    """The columns of the database as it was migrated."""
    types = used_by(state_of())
    with connection.cursor() as cursor:
        names = connection.introspection.table_names(cursor)
        return {name: _columns(cursor, name, types.get(name, {})) for name in names}


def _columns(cursor: Any, table: str, types: Mapping[str, Column]) -> dict[str, Column]:
    found = connection.introspection.get_table_description(cursor, table)
    return {
        one.name: Column(
            types[one.name].type if one.name in types else "",
            is_nullable=bool(one.null_ok),
            has_default=one.default is not None or bool(getattr(one, "is_autofield", False)),
        )
        for one in found
    }


def rules_of(state: ProjectState) -> set[str]:
    """What the database refuses: constraints by name, and columns that are unique."""
    return {
        f"{model._meta.db_table}: {name}"
        for model in _models(state)
        for name in (
            *(one.name for one in model._meta.constraints),
            *(f"{field.column} is unique" for field in model._meta.local_fields if field.unique),
        )
    }


def problems(old: Tables, new: Tables) -> Iterator[str]:
    """Each way in which code that uses ``old`` would break on ``new``, in a sentence."""
    for table, columns in old.items():
        if table not in new:
            yield f"{table}: it is gone, and the release before uses it"
            continue
        for name, column in columns.items():
            now = new[table].get(name)
            why = "it is gone or renamed" if now is None else _narrower(column, now)
            if why:
                yield f"{table}.{name}: {why}, and the release before uses it"
        for name, column in new[table].items():
            if name not in columns and not (column.is_nullable or column.has_default):
                yield (
                    f"{table}.{name}: the release before does not know it and writes rows without "
                    "it: give it a default in the database (db_default), or null"
                )


def _narrower(old: Column, new: Column) -> str:
    if old.is_nullable and not new.is_nullable:
        return "it may not be null any more"
    if not new.type or old.type == new.type or _holds(old.type, new.type):
        return ""
    return f"it was {old.type} and is {new.type}"


def _holds(old: str, new: str) -> bool:
    """Whether a column of the new type takes and gives all that one of the old did."""
    if old in _WHOLE and new in _WHOLE:
        return _WHOLE.index(old) <= _WHOLE.index(new)
    length, now = _VARCHAR.fullmatch(old), _VARCHAR.fullmatch(new)
    if length and now:
        return int(length[1]) <= int(now[1])
    return bool(length) and new == "text"

"""Writes rows of one model with a prepared statement, where the ORM's own work would cost more."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache
from operator import attrgetter
from typing import Any, TypeAlias

from django.db import connection, models

from hub.prepared import prepared_cursor

_Field: TypeAlias = "models.Field[Any, Any]"
_Convert: TypeAlias = Callable[[models.Model], Any]
# What a database wants otherwise than it stands in the row.
_CONVERTED = (models.JSONField, models.DateTimeField, models.BinaryField)

# SQLite takes 32,766 in a statement (its limit SQLITE_MAX_VARIABLE_NUMBER).
_MOST_VALUES = 30_000


def insert_all(rows: Sequence[models.Model]) -> None:
    """Insert new rows of one model and give each its key; inside a transaction.

    On PostgreSQL all are one parameter, as JSON, and so the statement is the same for any number
    of them. A column takes from JSON what it takes from a text (9.16.2).
    """
    if not rows:
        return
    keys = (_insert_json if connection.vendor == "postgresql" else _insert_values)(rows)
    for row, key in zip(rows, keys, strict=True):
        row.pk = key
        row._state.adding, row._state.db = False, connection.alias


def _insert_json(rows: Sequence[models.Model]) -> list[int]:
    statement, names, columns = _insert(type(rows[0]))
    said = [dict(zip(names, columns.of(row), strict=True)) for row in rows]
    with prepared_cursor() as cursor:
        cursor.execute(statement, [json.dumps(said)])
        return [key for (key,) in cursor.fetchall()]


def _insert_values(rows: Sequence[models.Model]) -> list[int]:
    statement, marks, columns = _insert_plainly(type(rows[0]))
    most = max(1, _MOST_VALUES // len(columns.names))
    keys: list[int] = []
    with prepared_cursor() as cursor:
        for start in range(0, len(rows), most):
            some = rows[start : start + most]
            values = ", ".join([marks] * len(some))
            said = [value for row in some for value in columns.of(row)]
            cursor.execute(f"{statement} VALUES {values} RETURNING id", said)
            keys += [key for (key,) in cursor.fetchall()]
    return keys


def update_all(rows: Sequence[models.Model], names: tuple[str, ...]) -> None:
    """Write these fields, two at least, of rows of one model, each as it stands."""
    if not rows:
        return
    statement, columns = _update(type(rows[0]), names)
    with prepared_cursor() as cursor:
        cursor.executemany(statement, [[*columns.of(row), row.pk] for row in rows])


class _Columns:
    """The columns of some fields, and what a row has for them."""

    def __init__(self, fields: Sequence[_Field], convert: Callable[[_Field], _Convert]) -> None:
        self.names = [connection.ops.quote_name(str(one.column)) for one in fields]
        self._plain = attrgetter(*(one.attname for one in fields))
        self._converted = [
            (place, convert(one)) for place, one in enumerate(fields) if isinstance(one, _CONVERTED)
        ]

    def of(self, row: models.Model) -> list[Any]:
        values = list(self._plain(row))
        for place, convert in self._converted:
            values[place] = convert(row)
        return values


@cache
def _insert(model: type[models.Model]) -> tuple[str, list[str], _Columns]:
    fields = [one for one in model._meta.concrete_fields if not one.primary_key]
    columns = _Columns(fields, _to_json)
    table, names = connection.ops.quote_name(model._meta.db_table), ", ".join(columns.names)
    # Names of the table and its columns alone, no value.
    statement = (
        f"INSERT INTO {table} ({names}) SELECT {names} "  # noqa: S608  # nosec B608
        f"FROM json_populate_recordset(NULL::{table}, %s) RETURNING id"
    )
    return statement, [str(one.column) for one in fields], columns


@cache
def _insert_plainly(model: type[models.Model]) -> tuple[str, str, _Columns]:
    fields = [one for one in model._meta.concrete_fields if not one.primary_key]
    columns = _Columns(fields, _to_new_column)
    table = connection.ops.quote_name(model._meta.db_table)
    # Names of the table and its columns alone, no value.
    statement = f"INSERT INTO {table} ({', '.join(columns.names)})"
    return statement, f"({', '.join('%s' for _ in fields)})", columns


@cache
def _update(model: type[models.Model], names: tuple[str, ...]) -> tuple[str, _Columns]:
    fields: list[Any] = [model._meta.get_field(name) for name in names]
    columns = _Columns(fields, _to_column)
    sets = ", ".join(f"{name} = %s" for name in columns.names)
    # Names of the table and its columns alone, no value.
    return f"UPDATE {model._meta.db_table} SET {sets} WHERE id = %s", columns  # noqa: S608  # nosec B608


def _to_column(field: _Field) -> _Convert:
    return lambda row: field.get_db_prep_save(getattr(row, field.attname), connection)


def _to_new_column(field: _Field) -> _Convert:
    return lambda row: field.get_db_prep_save(field.pre_save(row, add=True), connection)


def _to_json(field: _Field) -> _Convert:
    if isinstance(field, models.BinaryField):
        return lambda row: rf"\x{getattr(row, field.attname).hex()}"
    if isinstance(field, models.DateTimeField):
        return lambda row: (moment := field.pre_save(row, add=True)) and moment.isoformat()
    return attrgetter(field.attname)

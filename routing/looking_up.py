"""Asks in one short statement which values are known, where the ORM's own work would cost more.

Most orders are new, and so is every message: that nothing is known is nearly always the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import connection, models


@dataclass(frozen=True, slots=True)
class Wanted:
    """Rows of ``model`` where ``scope`` is ``owner`` and ``column`` one of ``values``."""

    model: type[models.Model]
    scope: str
    owner: int
    column: str
    values: Sequence[str | int]


def is_any_known(wanted: Iterable[Wanted]) -> bool:
    """Whether at least one such row is there."""
    return which_are_known(wanted)[0]


def which_are_known(*questions: Iterable[Wanted]) -> list[bool]:
    """For each question whether at least one such row is there, all in one statement."""
    columns: list[str] = []
    params: list[str | int] = []
    for wanted in questions:
        parts = []
        for one in wanted:
            if one.values:
                marks = ", ".join(["%s"] * len(one.values))
                # Names of tables and columns are the models' own.
                parts.append(
                    f"EXISTS (SELECT 1 FROM {one.model._meta.db_table} "  # noqa: S608  # nosec B608
                    f"WHERE {one.scope} = %s AND {one.column} IN ({marks}))"
                )
                params += [one.owner, *one.values]
        columns.append(" OR ".join(parts) or "1 = 0")
    if not params:
        return [False] * len(columns)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(columns)}", params)
        return [bool(value) for value in cursor.fetchone()]

"""A worker that is killed at the n-th statement it sends to the database: nothing after it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

# Sent while a transaction is undone, which the database does by itself when a client is gone.
_UNDOING = ("ROLLBACK", "SAVEPOINT", "RELEASE")


class Killed(BaseException):
    """What kill -9 would have been; no ``except Exception`` of the code sees it."""


class Fate:
    """Whether the worker was killed in the block."""

    was_killed = False


@contextmanager
def killed_at(statement: int | None) -> Iterator[Fate]:
    """Run the block as a worker that dies at its n-th statement; None: it lives.

    Every statement after that fails too, so that no ``finally`` can tidy up: leases stay behind,
    transactions are undone, what was sent stays sent.
    """
    fate, seen = Fate(), 0

    def deadly(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal seen
        if statement is not None and seen >= statement and not sql.startswith(_UNDOING):
            raise Killed
        seen += 1
        return execute(sql, params, many, context)

    try:
        with connection.execute_wrapper(deadly):
            yield fate
    except Killed:
        fate.was_killed = True
        connection.close()

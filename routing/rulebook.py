"""The rules of a site, made ready once and kept by this process until one of them changes."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection

from routing.compiled import Clauses, Holds
from routing.models import Rule

# Sites of which a process remembers the rules.
_MOST_SITES = 64
# No code of a rule and no JSON has these: they end a value, and a rule.
_UNIT, _RECORD = "\x1f", "\x1e"


@dataclass(frozen=True, slots=True)
class ReadyRule:
    """One rule: what it is called, what it says, and whether it holds for what is known."""

    code: str
    when: Any
    holds: Holds


@dataclass(frozen=True, slots=True)
class Rulebook:
    """The rules of a site by the key of the algorithm they are for, the oldest first."""

    by_algorithm: Mapping[int, tuple[ReadyRule, ...]]
    reads_the_order: bool


class _Shelf:
    """The rulebooks of this process, each with the text of the rows of which it was made."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._books: OrderedDict[int, tuple[str, Rulebook]] = OrderedDict()

    def get(self, site_id: int, written: str) -> Rulebook | None:
        with self._lock:
            text, book = self._books.get(site_id, ("", None))
            if book is None or text != written:
                return None
            self._books.move_to_end(site_id)
            return book

    def put(self, site_id: int, written: str, book: Rulebook) -> None:
        with self._lock:
            self._books[site_id] = written, book
            while len(self._books) > _MOST_SITES:
                self._books.popitem(last=False)


_SHELF = _Shelf()


def rules_at(site_id: int) -> Rulebook:
    """Give the rules of a site as they are now, in this transaction."""
    written = _written(site_id)
    book = _SHELF.get(site_id, written)
    if book is None:
        book = _made_of(written)
        _SHELF.put(site_id, written, book)
    return book


def _written(site_id: int) -> str:
    """All the rules of a site as one text.

    That the rules are still those of which the book was made is seen by comparing this text: no
    trace of a change can be missed, whoever made it, and the database hands over one value.
    """
    # Compiled by hand, for the ORM knows no such aggregate of both databases.
    with connection.cursor() as cursor:
        cursor.execute(_SQL[connection.vendor], [site_id])
        (written,) = cursor.fetchone()
    return written or ""


def _joined(aggregate: str, *, text: str) -> str:
    row = f"id || '{_UNIT}' || algorithm_id || '{_UNIT}' || code || '{_UNIT}' || {text}"
    rows = f"SELECT {row} AS line FROM {Rule._meta.db_table} WHERE site_id = %s ORDER BY id"  # nosec B608
    return f"SELECT {aggregate}(line, '{_RECORD}') FROM ({rows}) AS lines"  # nosec B608


_SQL = {
    "sqlite": _joined("GROUP_CONCAT", text='"when"'),
    "postgresql": _joined("STRING_AGG", text='"when"::text'),
}


def _made_of(written: str) -> Rulebook:
    clauses = Clauses()
    by_algorithm: dict[int, list[ReadyRule]] = {}
    rows = [line.split(_UNIT) for line in written.split(_RECORD) if line]
    for _pk, algorithm, code, text in sorted(rows, key=lambda row: int(row[0])):
        when = json.loads(text)
        rule = ReadyRule(code, when, clauses.holds(when))
        by_algorithm.setdefault(int(algorithm), []).append(rule)
    frozen = {algorithm: tuple(rules) for algorithm, rules in by_algorithm.items()}
    return Rulebook(frozen, reads_the_order='"order.' in written)

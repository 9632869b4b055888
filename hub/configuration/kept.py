"""Shapes of what people change in the hub too: what a file does not mention stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hub.configuration.records import One, Rows
from hub.configuration.shapes import Boolean, Difference, column_of, set_column


@dataclass(frozen=True, slots=True)
class KeptRows(Rows):
    """Rows below a row: a list that is left out keeps them, an empty one removes them."""

    def finish(self, row: Any, value: Any, *, path: str, store: Any) -> None:
        if value is not None:
            Rows.finish(self, row, value, path=path, store=store)

    def differences(self, path: str, old: Any, new: Any) -> Iterator[Difference]:
        return iter(()) if new is None else Rows.differences(self, path, old, new)


@dataclass(frozen=True, slots=True)
class KeptOne(One):
    """One row below a row, which stays where the file does not mention it."""

    def finish(self, row: Any, value: Any, *, path: str, store: Any) -> None:
        if value is not None:
            One.finish(self, row, value, path=path, store=store)

    def differences(self, path: str, old: Any, new: Any) -> Iterator[Difference]:
        return iter(()) if new is None else One.differences(self, path, old, new)


@dataclass(frozen=True, slots=True)
class Flag(Boolean):
    """``true``, or left out: in a mapping of which nothing is said, it says nothing either."""

    def load(self, row: Any, column: str) -> bool | None:
        return True if column_of(row, column) else None

    def save(self, row: Any, column: str, value: Any) -> None:
        set_column(row, column, bool(value))

"""Shapes of what a file says of a procedure: lists that grow, and moments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from contracts.zone import CONTRACT_ZONE
from hub.configuration.document import Node, Scalar
from hub.configuration.reader import Reader, Value
from hub.configuration.records import Record, name_of
from hub.configuration.shapes import (
    Difference,
    ListOf,
    Schema,
    Shape,
    Use,
    column_of,
    set_column,
)


@dataclass(frozen=True, slots=True)
class Told(Shape):
    """What was said, one mapping for each, known by ``key``: a file adds to it and takes nothing.

    Where ``is_whole`` what the file leaves out is gone. The verbs behind the kind do it
    (Kind.settle); nothing is saved by the shape itself.
    """

    record: Record
    key: tuple[str, ...]
    rows: Callable[[Any], Iterable[Any]]
    is_whole: bool = False

    def read(self, node: Node, at: Reader) -> Any:
        values = ListOf(self.record).read(node, at)
        if values is not None and len({self.of(one) for one in values if one}) < len(values):
            told = _("expected each once, by %(names)s") % {"names": ", ".join(self.key)}
            return at.refuse(node.place, told)
        return values

    def of(self, value: Value) -> tuple[Any, ...]:
        """What tells one from the others."""
        return tuple(value[name] for name in self.key)

    def schema(self) -> Schema:
        return ListOf(self.record).schema()

    def load(self, row: Any, column: str) -> Any:
        return [self.record.load(one, "") for one in self.rows(row)] or None

    def save(self, row: Any, column: str, value: Any) -> None:
        """Nothing: the verbs do it."""

    def differences(self, path: str, old: Any, new: Any) -> Iterator[Difference]:
        if new is None:
            return
        before = {self.of(one): one for one in old or []}
        after = {self.of(one): one for one in new}
        for identity, one in after.items():
            below = f"{path}[{name_of(identity)[:40]}]"
            yield from self.record.differences(below, before.get(identity), one)
        if self.is_whole:
            for identity in before.keys() - after.keys():
                yield Difference(f"{path}[{name_of(identity)[:40]}]", before[identity], None)

    def uses(self, path: str, value: Any) -> Iterator[Use]:
        for index, one in enumerate(value):
            yield from self.record.uses(f"{path}[{index}]", one)


@dataclass(frozen=True, slots=True)
class Moment(Shape):
    """A day and a time, as 2027-01-31T12:00 in Oslo, or with its own offset."""

    def read(self, node: Node, at: Reader) -> Any:
        text = node.text if isinstance(node, Scalar) else ""
        try:
            if "T" not in text:
                raise ValueError(text)
            moment = datetime.fromisoformat(text)
        except ValueError:
            return at.expected(node, _("a moment such as 2027-01-31T12:00"))
        return moment_text(moment if moment.tzinfo else moment.replace(tzinfo=CONTRACT_ZONE))

    def schema(self) -> Schema:
        return {"type": "string", "minLength": 16}

    def load(self, row: Any, column: str) -> str | None:
        held = column_of(row, column)
        return None if held is None else moment_text(held)

    def save(self, row: Any, column: str, value: Any) -> None:
        set_column(row, column, None if value is None else datetime.fromisoformat(value))


def moment_text(moment: datetime) -> str:
    """A moment in the zone of contracts, to the second."""
    return moment.astimezone(CONTRACT_ZONE).isoformat(timespec="seconds")

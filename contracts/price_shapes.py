"""The shapes that only the terms of a price have: months, percentages, amounts with conditions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from hub.configuration.document import Node, Scalar
from hub.configuration.identifiers import Pattern
from hub.configuration.reader import Reader
from hub.configuration.records import Record
from hub.configuration.shapes import (
    Amount,
    InJson,
    Schema,
    Shape,
    Text,
    Use,
    amount_text,
    column_of,
    set_column,
)

any_percentage = Pattern(
    r"-?[0-9]{1,3}(\.[0-9]{1,4})?%", gettext_noop('a percentage such as "4%" or "-1.5%"')
)
decimal_number = Pattern(r"-?[0-9]{1,9}(\.[0-9]{1,6})?", gettext_noop('a number such as "0.5"'))
calendar_month = Pattern(r"[0-9]{4}-(0[1-9]|1[0-2])", gettext_noop("a month such as 2026-01"))


@dataclass(frozen=True, slots=True)
class Terse(Record):
    """A mapping in JSON that leaves out what was not given, except ``kept``.

    A term that comes to be later makes no difference to an entry that does not have it.
    """

    kept: tuple[str, ...] = ()

    def read(self, node: Node, at: Reader) -> Any:
        value = Record.read(self, node, at)
        if value is None:
            return None
        return {name: held for name, held in value.items() if held is not None or name in self.kept}


@dataclass(frozen=True, slots=True)
class AmountOr(Terse):
    """An amount, or a mapping with ``amount`` and further terms; the same value either way."""

    def read(self, node: Node, at: Reader) -> Any:
        if not isinstance(node, Scalar):
            return Terse.read(self, node, at)
        amount = Amount().read(node, at)
        if amount is None:
            return None
        defaults = {one.name: one.default for one in self.fields if not one.is_required}
        return {"amount": amount} | {
            name: held for name, held in defaults.items() if held is not None
        }

    def schema(self) -> Schema:
        return {"oneOf": [Amount().schema(), Record.schema(self)]}


@dataclass(frozen=True, slots=True)
class Term(InJson):
    """A term of a price, kept under its name in the JSON of the entry."""

    def uses(self, path: str, value: Any) -> Iterator[Use]:
        return self.inner.uses(path, value)


def term(shape: Shape) -> Term:
    """The shape as a term that is not there where it is not given."""
    return Term(shape, lambda: None)


@dataclass(frozen=True, slots=True)
class Month(Shape):
    """A month such as 2026-01; a row keeps its first day."""

    def read(self, node: Node, at: Reader) -> Any:
        return Text(7, calendar_month).read(node, at)

    def schema(self) -> Schema:
        return Text(7, calendar_month).schema()

    def load(self, row: Any, column: str) -> str | None:
        day = column_of(row, column)
        return None if day is None else f"{day:%Y-%m}"

    def save(self, row: Any, column: str, value: Any) -> None:
        set_column(row, column, None if value is None else date.fromisoformat(f"{value}-01"))


@dataclass(frozen=True, slots=True)
class IndexNumber(Amount):
    """The value of an index, above 0, as a decimal text in quotes."""

    decimals: int = 6

    def read(self, node: Node, at: Reader) -> Any:
        value = Amount.read(self, node, at)
        if value is not None and not Decimal(value):
            return at.expected(node, _("a value above 0"))
        return None if value is None else amount_text(Decimal(value))

"""The shapes a value of a set-up file can have: read from the tree, described, kept in a column.

A value is what JSON can hold, in one canonical form, so that equal means unchanged: a date is its
ISO text, an amount a decimal text with two decimals or more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar, NamedTuple

from django.utils.translation import gettext as _

from hub.configuration import identifiers
from hub.configuration.document import Listing, Node, Scalar, described
from hub.configuration.identifiers import Check, Pattern
from hub.configuration.problems import nearest
from hub.configuration.reader import Reader

Schema = dict[str, Any]


class Difference(NamedTuple):
    """What changes at one path of an entry; None where there is nothing."""

    path: str
    old: Any
    new: Any


class Use(NamedTuple):
    """A reference from ``path`` to the entry ``code`` of the kind ``kind``."""

    path: str
    kind: str
    code: str


class Shape:
    """How one value is read from a file, described in a JSON Schema, kept in a row."""

    # what a column that may not be NULL holds where the file gives no value
    nothing: ClassVar[Any] = None

    def read(self, node: Node, at: Reader) -> Any:
        """The canonical value, or None where ``at`` got a problem instead."""
        raise NotImplementedError

    def schema(self) -> Schema:
        """The JSON Schema (2020-12) of the value."""
        raise NotImplementedError

    def load(self, row: Any, column: str) -> Any:
        """The canonical value as the row holds it, None for nothing."""
        held = column_of(row, column)
        return None if held is None or held == self.nothing else held

    def save(self, row: Any, column: str, value: Any) -> None:
        """Set the column; the row is saved by the caller."""
        set_column(row, column, self.nothing if value is None else value)

    def finish(self, row: Any, value: Any, *, path: str, store: Any) -> None:
        """Save what hangs below the row, after the row itself."""

    def clear(self, row: Any) -> None:
        """Delete what hangs below the row, before the row itself."""

    def differences(self, path: str, old: Any, new: Any) -> Iterator[Difference]:
        """What changes from ``old`` to ``new``, as finely as the shape knows."""
        if old != new:
            yield Difference(path, old, new)

    def uses(self, path: str, value: Any) -> Iterator[Use]:
        """The references to other entries in the value."""
        return iter(())


@dataclass(frozen=True, slots=True)
class Text(Shape):
    """Text of 1 to ``longest`` characters, in quotes or not."""

    nothing: ClassVar[Any] = ""
    longest: int = 200
    check: Check = identifiers.one_line

    def read(self, node: Node, at: Reader) -> Any:
        if not isinstance(node, Scalar) or node.is_nothing or not node.text:
            return at.expected(node, _("text"))
        if isinstance(self.check, Pattern) and (what := self.check(node.text)):
            return at.expected(node, what)
        if len(node.text) > self.longest:
            return at.expected(
                node, _("at most %(most)s characters") % {"most": self.longest}
            )
        if what := self.check(node.text):
            return at.expected(node, what)
        return node.text

    def schema(self) -> Schema:
        schema: Schema = {"type": "string", "minLength": 1, "maxLength": self.longest}
        if isinstance(self.check, Pattern):
            schema["pattern"] = f"^({self.check.expression})$"
        return schema


@dataclass(frozen=True, slots=True)
class Country(Text):
    """Two capital letters; ``false`` is what tools for YAML 1.1 write for Norway without quotes."""

    longest: int = 2
    check: Check = identifiers.country

    def read(self, node: Node, at: Reader) -> Any:
        if isinstance(node, Scalar) and node.is_plain and node.text == "false":
            text = _('read as NO, which YAML 1.1 takes for false: write "NO" in quotes')
            at.doubt(node.place, text)
            return "NO"
        return Text.read(self, node, at)


@dataclass(frozen=True, slots=True)
class Choice(Shape):
    """One of a few words."""

    nothing: ClassVar[Any] = ""
    words: tuple[str, ...]

    def read(self, node: Node, at: Reader) -> Any:
        if not isinstance(node, Scalar) or node.text not in self.words:
            hint = nearest(node.text, self.words) if isinstance(node, Scalar) else ""
            text = _("expected one of %(known)s, found %(found)s")
            told = {"known": ", ".join(self.words), "found": described(node)}
            return at.refuse(node.place, f"{text % told}{hint}")
        return node.text

    def schema(self) -> Schema:
        return {"enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class Choices(Shape):
    """A list of distinct words, whose order means nothing."""

    words: tuple[str, ...]

    def read(self, node: Node, at: Reader) -> Any:
        if not isinstance(node, Listing):
            return at.expected(node, _("a list of %(words)s") % {"words": ", ".join(self.words)})
        found = set()
        for index, one in enumerate(node.items):
            here = at.item(index, one.place)
            word = Choice(self.words).read(one, here)
            if word in found:
                text = _("expected each word once, found %(word)s again") % {"word": word}
                here.refuse(one.place, text)
            elif word:
                found.add(word)
        return self._sorted(found)

    def schema(self) -> Schema:
        return {"type": "array", "uniqueItems": True, "items": {"enum": list(self.words)}}

    def load(self, row: Any, column: str) -> list[str]:
        return self._sorted(column_of(row, column))

    def _sorted(self, words: Any) -> list[str]:
        return [word for word in self.words if word in words]


@dataclass(frozen=True, slots=True)
class Integer(Shape):
    """A whole number within bounds."""

    low: int
    high: int

    def read(self, node: Node, at: Reader) -> Any:
        digits = node.text if isinstance(node, Scalar) and node.is_plain else ""
        if not re.fullmatch(r"-?(0|[1-9][0-9]{0,17})", digits, re.ASCII):
            return at.expected(node, self._expected)
        if not self.low <= int(digits) <= self.high:
            return at.expected(node, self._expected)
        return int(digits)

    @property
    def _expected(self) -> str:
        text = _("a whole number from %(low)s to %(high)s")
        return text % {"low": self.low, "high": self.high}

    def schema(self) -> Schema:
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True, slots=True)
class Kept(Shape):
    """A value that the hub moves on by itself: left out it stays, and a new row has ``first``.

    ``is_written`` is off where the app above brings an existing row to the value (Kind.settle).
    """

    inner: Shape
    first: Any
    is_written: bool = True

    def read(self, node: Node, at: Reader) -> Any:
        return self.inner.read(node, at)

    def schema(self) -> Schema:
        return self.inner.schema()

    def load(self, row: Any, column: str) -> Any:
        return self.inner.load(row, column)

    def save(self, row: Any, column: str, value: Any) -> None:
        if row.pk is None:
            is_said = self.is_written and value is not None
            self.inner.save(row, column, value if is_said else self.first)
        elif self.is_written and value is not None:
            self.inner.save(row, column, value)

    def differences(self, path: str, old: Any, new: Any) -> Iterator[Difference]:
        return iter(()) if new is None else self.inner.differences(path, old, new)


@dataclass(frozen=True, slots=True)
class Begins(Shape):
    """A value with which a new row begins, ``first`` where nothing is said; the hub counts on."""

    inner: Shape
    first: Any

    def read(self, node: Node, at: Reader) -> Any:
        return self.inner.read(node, at)

    def schema(self) -> Schema:
        return self.inner.schema()

    def load(self, row: Any, column: str) -> Any:
        return self.inner.load(row, column)

    def save(self, row: Any, column: str, value: Any) -> None:
        if row.pk is None:
            self.inner.save(row, column, self.first if value is None else value)

    def differences(self, path: str, old: Any, new: Any) -> Iterator[Difference]:
        return iter(())


@dataclass(frozen=True, slots=True)
class Boolean(Shape):
    """``true`` or ``false``, and no other spelling."""

    def read(self, node: Node, at: Reader) -> Any:
        if isinstance(node, Scalar) and node.is_plain and node.text in ("true", "false"):
            return node.text == "true"
        return at.expected(node, _("true or false"))

    def schema(self) -> Schema:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Date(Shape):
    """A day, as 2026-01-31."""

    def read(self, node: Node, at: Reader) -> Any:
        text = node.text if isinstance(node, Scalar) else ""
        try:
            if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
                return date.fromisoformat(text).isoformat()
        except ValueError:
            return at.expected(node, _("a day of the calendar such as 2026-01-31"))
        return at.expected(node, _("a date such as 2026-01-31"))

    def schema(self) -> Schema:
        return {"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}

    def load(self, row: Any, column: str) -> str | None:
        day = column_of(row, column)
        return None if day is None else day.isoformat()

    def save(self, row: Any, column: str, value: Any) -> None:
        set_column(row, column, None if value is None else date.fromisoformat(value))


@dataclass(frozen=True, slots=True)
class Amount(Shape):
    """Money as a decimal text in quotes, never a float; ``decimals`` at most."""

    decimals: int = 2

    def read(self, node: Node, at: Reader) -> Any:
        if not isinstance(node, Scalar) or node.is_plain:
            return at.expected(node, self._expected)
        if not re.fullmatch(rf"[0-9]{{1,12}}(\.[0-9]{{1,{self.decimals}}})?", node.text, re.ASCII):
            return at.expected(node, self._expected)
        return amount_text(Decimal(node.text))

    @property
    def _expected(self) -> str:
        text = _('an amount in quotes with at most %(most)s decimals, such as "24.00"')
        return text % {"most": self.decimals}

    def schema(self) -> Schema:
        return {
            "type": "string", "pattern": rf"^[0-9]{{1,12}}(\.[0-9]{{1,{self.decimals}}})?$",
        }  # fmt: skip

    def load(self, row: Any, column: str) -> str | None:
        held = column_of(row, column)
        return None if held is None else amount_text(Decimal(held))

    def save(self, row: Any, column: str, value: Any) -> None:
        set_column(row, column, None if value is None else Decimal(value))


@dataclass(frozen=True, slots=True)
class ListOf(Shape):
    """A list whose order matters, kept as JSON in one column; an empty one counts as none."""

    each: Shape
    shortest: int = 0

    def read(self, node: Node, at: Reader) -> Any:
        if not isinstance(node, Listing) or len(node.items) < self.shortest:
            return at.expected(node, _("a list of at least %(least)s") % {"least": self.shortest})
        values = [
            self.each.read(one, at.item(index, one.place)) for index, one in enumerate(node.items)
        ]
        return values or None

    def schema(self) -> Schema:
        return {"type": "array", "minItems": self.shortest, "items": self.each.schema()}

    def load(self, row: Any, column: str) -> list[Any] | None:
        return column_of(row, column) or None


@dataclass(frozen=True, slots=True)
class InJson(Shape):
    """A value of another shape, kept as JSON in one column; ``empty`` makes its nothing."""

    inner: Shape
    empty: Callable[[], Any] = dict

    def read(self, node: Node, at: Reader) -> Any:
        return self.inner.read(node, at)

    def schema(self) -> Schema:
        return self.inner.schema()

    def load(self, row: Any, column: str) -> Any:
        return column_of(row, column) or None

    def save(self, row: Any, column: str, value: Any) -> None:
        set_column(row, column, self.empty() if value is None else value)

    def differences(self, path: str, old: Any, new: Any) -> Iterator[Difference]:
        if old is None or new is None:
            return Shape.differences(self, path, old, new)
        return self.inner.differences(path, old, new)


def amount_text(amount: Decimal) -> str:
    """The amount with two decimals, or with more where it has more."""
    text = format(amount.normalize(), "f")
    return text if len(text.partition(".")[2]) > 2 else format(amount, ".2f")


def column_of(row: Any, column: str) -> Any:
    """What lies at a dotted column: attributes of rows, then keys of a JSON column."""
    held = row
    for part in column.split("."):
        held = held.get(part) if isinstance(held, Mapping) else getattr(held, part)
        if held is None:
            return None
    return held


def set_column(row: Any, column: str, value: Any) -> None:
    """Set a column, or with one dot a key of a JSON column."""
    name, _, key = column.partition(".")
    if key:
        value = {**getattr(row, name), key: value}
        value = {one: held for one, held in value.items() if held is not None}
    setattr(row, name, value)

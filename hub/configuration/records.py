"""Shapes made of fields: a mapping in columns of a row, rows below a row, a reference to one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from django.db import models
from django.utils.translation import gettext as _

from hub.configuration import registry
from hub.configuration.document import Entries, Listing, Node, Scalar
from hub.configuration.problems import cut, nearest
from hub.configuration.reader import Reader, Value
from hub.configuration.shapes import Difference, Schema, Shape, Use, column_of

Identity: TypeAlias = tuple[Any, ...]


class _Required:
    """Marks a field that must be given."""


REQUIRED = _Required()


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a mapping; ``column`` is where its row keeps it, the key's own name if not said.

    ``is_written`` is off for a part of the key that the row holds through another one.
    """

    name: str
    shape: Shape
    default: Any = REQUIRED
    says: str = ""
    column: str = ""
    is_written: bool = True

    @property
    def is_required(self) -> bool:
        """Whether a file that leaves it out is refused."""
        return self.default is REQUIRED

    @property
    def held_in(self) -> str:
        """The column of the row."""
        return self.column or self.name

    def schema(self) -> Schema:
        """The JSON Schema of the field, with its meaning and its default."""
        schema = self.shape.schema()
        if self.says:
            schema = {"description": self.says, **schema}
        if not self.is_required and self.default not in (None, []):
            schema["default"] = self.default
        return schema


@dataclass(frozen=True, slots=True)
class Record(Shape):
    """A mapping whose fields lie in columns of one row; nothing but blanks counts as none."""

    fields: tuple[Field, ...]

    def read(self, node: Node, at: Reader) -> Any:
        if not isinstance(node, Entries):
            return at.expected(
                node, _("a mapping with %(names)s") % {"names": ", ".join(self._names)}
            )
        for name in node.values.keys() - set(self._names):
            hint = nearest(name, self._names)
            known = ", ".join(self._names)
            at.key(name, node.keys[name]).refuse(
                node.keys[name],
                _("expected one of %(known)s, found %(found)s")
                % {"known": known, "found": cut(name)} + hint,
            )
        value = {field.name: self._read(field, node, at) for field in self.fields}
        return value if any(held is not None for held in value.values()) else None

    def _read(self, field: Field, node: Entries, at: Reader) -> Any:
        found = node.values.get(field.name)
        if found is None or (isinstance(found, Scalar) and found.is_nothing):
            if field.is_required:
                place = node.keys.get(field.name, node.place)
                at.key(field.name, place).refuse(place, _("expected a value, found nothing"))
                return None
            return field.default
        return field.shape.read(found, at.key(field.name, node.keys[field.name]))

    @property
    def _names(self) -> list[str]:
        return [field.name for field in self.fields]

    def schema(self) -> Schema:
        schema: Schema = {
            "type": "object",
            "additionalProperties": False,
            "properties": {field.name: field.schema() for field in self.fields},
        }
        if required := [field.name for field in self.fields if field.is_required]:
            schema["required"] = required
        return schema

    def load(self, row: Any, column: str) -> Value | None:
        value = {field.name: field.shape.load(row, field.held_in) for field in self.fields}
        return value if any(held is not None for held in value.values()) else None

    def save(self, row: Any, column: str, value: Any) -> None:
        for field in self.fields:
            if field.is_written:
                held = None if value is None else value[field.name]
                field.shape.save(row, field.held_in, held)

    def finish(self, row: Any, value: Any, *, path: str, store: Any) -> None:
        for field in self.fields:
            below = f"{path}.{field.name}" if path else field.name
            field.shape.finish(row, (value or {}).get(field.name), path=below, store=store)

    def clear(self, row: Any) -> None:
        for field in self.fields:
            field.shape.clear(row)

    def differences(self, path: str, old: Any, new: Any) -> Iterator[Difference]:
        if old is None or new is None:
            yield from Shape.differences(self, path, old, new)
            return
        for field in self.fields:
            below = f"{path}.{field.name}" if path else field.name
            yield from field.shape.differences(below, old.get(field.name), new.get(field.name))

    def uses(self, path: str, value: Any) -> Iterator[Use]:
        for field in self.fields:
            below = f"{path}.{field.name}" if path else field.name
            if (value or {}).get(field.name) is not None:
                yield from field.shape.uses(below, value[field.name])


@dataclass(frozen=True, slots=True)
class Reference(Shape):
    """The code of an entry of another kind, kept as a foreign key."""

    kind: str

    def read(self, node: Node, at: Reader) -> Any:
        if isinstance(node, Scalar) and node.text and not node.is_nothing:
            return node.text
        return at.expected(node, _("the code of one of the %(section)s") % {
            "section": registry.kind(self.kind).section
        })  # fmt: skip

    def schema(self) -> Schema:
        return {"type": "string", "minLength": 1}

    def load(self, row: Any, column: str) -> str | None:
        target = column_of(row, column)
        return None if target is None else str(getattr(target, self._key))

    def save(self, row: Any, column: str, value: Any) -> None:
        model = registry.kind(self.kind).model
        target = value and model._base_manager.get(**{self._key: value})
        setattr(row, column, target)

    def uses(self, path: str, value: Any) -> Iterator[Use]:
        yield Use(path, self.kind, value)

    @property
    def _key(self) -> str:
        return registry.kind(self.kind).key[0]


@dataclass(frozen=True, slots=True)
class Rows(Shape):
    """A list of mappings, each a row of ``model`` below the row; ``key`` tells them apart."""

    model: type[models.Model]
    parent: str
    key: tuple[str, ...]
    record: Record
    shortest: int = 0

    def read(self, node: Node, at: Reader) -> Any:
        if not isinstance(node, Listing) or len(node.items) < self.shortest:
            return at.expected(node, _("a list of at least %(least)s") % {"least": self.shortest})
        found: dict[Identity, int] = {}
        values: list[Value] = []
        for index, one in enumerate(node.items):
            here, faults = at.item(index, one.place), len(at.report.problems)
            value = self.record.read(one, here)
            values += [] if value is None else [value]
            if value is None or len(at.report.problems) > faults:
                continue
            name = name_of(self.identity_of(value))
            known = found.setdefault(self.identity_of(value), index)
            at.alias(f"[{index}]", f"[{name}]")
            if known != index:
                text = _("expected each once, found %(name)s as in [%(place)s]")
                here.refuse(one.place, text % {"name": name, "place": known})
        return values

    def identity_of(self, value: Value) -> Identity:
        """What tells the child from its sisters."""
        return tuple(column_of(value, key) for key in self.key)

    def schema(self) -> Schema:
        return {"type": "array", "minItems": self.shortest, "items": self.record.schema()}

    def load(self, row: Any, column: str) -> list[Value]:
        return [value for _, value in self._held(row)]

    def save(self, row: Any, column: str, value: Any) -> None:
        """Nothing: the children are saved by finish(), when the row has its key."""

    def finish(self, row: Any, value: Any, *, path: str, store: Any) -> None:
        found = self._held(row)
        held = {self.identity_of(child_value): child for child, child_value in found}
        before = {self.identity_of(child_value): child_value for _, child_value in found}
        wanted = {self.identity_of(child_value): child_value for child_value in value or []}
        for identity in held.keys() - wanted.keys():
            below = f"{path}[{name_of(identity)}]"
            store.remove(held[identity], self.record, path=below)
        for identity, child_value in wanted.items():
            if before.get(identity) == child_value:
                continue
            child = held.get(identity) or self.model(**{self.parent: row})
            self.record.save(child, "", child_value)
            child.save()
            below = f"{path}[{name_of(identity)}]"
            self.record.finish(child, child_value, path=below, store=store)

    def clear(self, row: Any) -> None:
        for child, _value in self._held(row):
            self.record.clear(child)
            child.delete()

    def differences(self, path: str, old: Any, new: Any) -> Iterator[Difference]:
        before = {self.identity_of(value): value for value in old or []}
        after = {self.identity_of(value): value for value in new or []}
        for identity in dict.fromkeys([*before, *after]):
            below = f"{path}[{name_of(identity)}]"
            yield from self.record.differences(below, before.get(identity), after.get(identity))

    def uses(self, path: str, value: Any) -> Iterator[Use]:
        for index, child in enumerate(value):
            yield from self.record.uses(f"{path}[{index}]", child)

    def _held(self, row: Any) -> list[tuple[models.Model, Value]]:
        query = self.model._base_manager.filter(**{self.parent: row}).order_by("pk")
        if related := related_columns(self.record):
            query = query.select_related(*related)
        return [(child, self.record.load(child, "") or {}) for child in query]


@dataclass(frozen=True, slots=True)
class One(Shape):
    """A mapping that is one row of ``model`` below the row, or none."""

    model: type[models.Model]
    parent: str
    record: Record

    def read(self, node: Node, at: Reader) -> Any:
        return self.record.read(node, at)

    def schema(self) -> Schema:
        return self.record.schema()

    def load(self, row: Any, column: str) -> Value | None:
        child = self._held(row)
        return None if child is None else self.record.load(child, "")

    def save(self, row: Any, column: str, value: Any) -> None:
        """Nothing: the child is saved by finish(), when the row has its key."""

    def finish(self, row: Any, value: Any, *, path: str, store: Any) -> None:
        child = self._held(row)
        if value is None:
            if child is not None:
                store.remove(child, self.record, path=path)
            return
        child = child or self.model(**{self.parent: row})
        self.record.save(child, "", value)
        child.save()
        self.record.finish(child, value, path=path, store=store)

    def clear(self, row: Any) -> None:
        if child := self._held(row):
            self.record.clear(child)
            child.delete()

    def differences(self, path: str, old: Any, new: Any) -> Iterator[Difference]:
        return self.record.differences(path, old, new)

    def uses(self, path: str, value: Any) -> Iterator[Use]:
        return self.record.uses(path, value)

    def _held(self, row: Any) -> models.Model | None:
        return self.model._base_manager.filter(**{self.parent: row}).first()


def name_of(identity: Identity) -> str:
    """What tells a row from its sisters, for people."""
    return "/".join(str(part) for part in identity if part is not None)


def related_columns(record: Record) -> list[str]:
    """The foreign keys of a record, as select_related() wants them."""
    return [
        field.held_in.replace(".", "__")
        for field in record.fields
        if isinstance(field.shape, Reference)
    ]


def owned_models(record: Record) -> frozenset[type[models.Model]]:
    """The models whose rows belong to a record's row, at any depth."""
    owned: set[type[models.Model]] = set()
    for field in record.fields:
        if isinstance(field.shape, (Rows, One)):
            owned |= {field.shape.model} | owned_models(field.shape.record)
        elif isinstance(field.shape, Record):
            owned |= owned_models(field.shape)
    return frozenset(owned)

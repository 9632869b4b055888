"""Rows told by codes instead of numbers, so that another database can find what they refer to."""

from __future__ import annotations

import base64
import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeAlias
from uuid import UUID

from django.db import models

# What a row is called in another database: a text, or a list where it takes several.
Name: TypeAlias = Any

Memo: TypeAlias = dict[tuple[type[models.Model], str], models.Model]

_names: dict[type[models.Model], tuple[str, ...]] = {}


class CannotBeFound(LookupError):
    """A row refers to something that this database does not have."""


class HasNoName(TypeError):
    """Nobody has said by which fields rows of a model are known elsewhere."""


def call(model: type[models.Model], *fields: str) -> None:
    """Let rows of the model be known by these fields, in every database."""
    _names[model] = fields


def told(row: models.Model, *, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """The row as JSON can hold it: every column but its number, references by name."""
    return {
        field.name: _plain(getattr(row, field.name))
        for field in row._meta.concrete_fields
        if not field.primary_key and field.name not in without
    }


def read(model: type[models.Model], said: dict[str, Any], *, memo: Memo) -> dict[str, Any]:
    """Column -> value of what told() gave; ``memo`` keeps what was found before.

    Raises CannotBeFound, ValueError, TypeError.
    """
    known = {field.name: field for field in model._meta.concrete_fields if not field.primary_key}
    if strange := said.keys() - known.keys():
        raise ValueError(f"expected {', '.join(known)}; found {', '.join(sorted(strange))}")
    values: dict[str, Any] = {}
    for name, value in said.items():
        field = known[name]
        if field.related_model and not isinstance(field.related_model, str) and value is not None:
            key = (field.related_model, json.dumps(value))
            if key not in memo:
                memo[key] = find(field.related_model, value)
            values[name] = memo[key]
        else:
            values[name] = field.to_python(value)
    return values


def name_of(row: models.Model) -> Name:
    """What the row is called elsewhere."""
    parts = [_plain(getattr(row, field)) for field in _fields_of(type(row))]
    return parts[0] if len(parts) == 1 else parts


def find(model: type[models.Model], name: Name) -> models.Model:
    """The row of this database that is called so. Raises CannotBeFound."""
    fields = _fields_of(model)
    parts = [name] if len(fields) == 1 else name
    wanted = {}
    for field, part in zip(fields, parts, strict=True):
        related = model._meta.get_field(field).related_model
        is_row = related is not None and not isinstance(related, str) and part is not None
        wanted[field] = find(related, part) if is_row else part  # type: ignore[arg-type]
    if found := model._base_manager.filter(**wanted).first():
        return found
    raise CannotBeFound(f"there is no {model._meta.verbose_name} {name}")


def _fields_of(model: type[models.Model]) -> tuple[str, ...]:
    if model not in _names:
        raise HasNoName(f"{model._meta.label} has no name elsewhere")
    return _names[model]


def _plain(value: Any) -> Any:
    if isinstance(value, models.Model):
        return name_of(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(bytes(value)).decode()
    return value

"""Describes the set-up file from the registry: a JSON Schema for machines, tables for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hub.configuration import registry
from hub.configuration.reading import VERSION
from hub.configuration.records import One, Record
from hub.configuration.shapes import InJson, ListOf, Schema, Shape


def schema() -> Schema:
    """The JSON Schema (2020-12) of the set-up file, as YAML 1.2 reads it."""
    sections: dict[str, Any] = {
        kind.section: {
            "description": kind.says,
            "type": "array",
            "items": kind.record.schema(),
        }
        for kind in registry.kinds()
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:hub:setup:1",
        "title": "Set-up of the hub",
        "description": "What `manage.py apply` makes the database agree with.",
        "type": "object",
        "additionalProperties": False,
        "required": ["version"],
        "properties": {
            "version": {"description": "The shape of this file.", "const": int(VERSION)},
            **sections,
        },
        "$defs": dict(registry.definitions()),
    }


def tables() -> str:
    """Every section with its fields, as Markdown."""
    parts = []
    for kind in registry.kinds():
        key = " + ".join(f"`{name}`" for name in kind.key)
        parts += [f"### {kind.section}", "", f"{kind.says} Key: {key}.", ""]
        parts += ["| field | value | if left out | meaning |", "|---|---|---|---|"]
        parts += list(_rows(kind.record, ""))
        parts += [""]
    return "\n".join(parts)


def _rows(record: Record, above: str) -> Iterator[str]:
    for field in record.fields:
        name = f"{above}{field.name}"
        absent = "refused" if field.is_required else _absent(field.default)
        value = _value(field.shape).replace("|", "\\|")
        yield f"| `{name}` | {value} | {absent} | {field.says} |"
        below, suffix = _below(field.shape)
        if below:
            yield from _rows(below, f"{name}{suffix}.")


def _absent(default: Any) -> str:
    if default in (None, []):
        return "nothing"
    return f"`{str(default).lower()}`" if default is True else f"`{default}`"


def _below(shape: Shape) -> tuple[Record | None, str]:
    """The record inside a shape, and how a path writes the step to it."""
    if isinstance(shape, InJson):
        return _below(shape.inner)
    if isinstance(shape, ListOf):
        return _below(shape.each)[0], "[]"
    if isinstance(shape, Record):
        return shape, ""
    if isinstance(record := getattr(shape, "record", None), Record):  # also shapes of the apps
        return record, "" if isinstance(shape, One) else "[]"
    return None, ""


def _value(shape: Shape) -> str:
    """The value in words, from its JSON Schema."""
    return _words(shape.schema())


def _words(schema: Schema) -> str:
    if "oneOf" in schema:
        return ", or ".join(_words(one) for one in schema["oneOf"])
    if "enum" in schema:
        return " | ".join(f"`{word}`" for word in schema["enum"])
    if schema.get("type") == "array":
        inner = schema.get("items", {})
        return f"list of: {_words(inner)}" if "enum" in inner else "list"
    if schema.get("type") == "integer":
        return f"{schema['minimum']} to {schema['maximum']}"
    if schema.get("format") == "date":
        return "date"
    if "oneOf" in schema:
        return ", or ".join(_words(one) for one in schema["oneOf"])
    if "$ref" in schema:
        return "mapping, see below"
    words = {"string": "text", "boolean": "`true` | `false`", "object": "mapping"}
    return words.get(str(schema["type"]), "path, or mapping")

"""Holds data from outside against a JSON Schema, and tells each problem in plain words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

FOLDER = Path(__file__).parent
TYPE_NAMES = {
    "object": "an object",
    "array": "a list",
    "string": "a text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}
LONGEST_QUOTE = 80


class ShapeInvalid(ValueError):
    """Data does not have its shape; ``problems`` has one "path: expected ..., got ..." each."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


@lru_cache
def schema_of(name: str) -> Draft202012Validator:
    """The validator of ``<name>.schema.json`` beside this module."""
    schema = json.loads((FOLDER / f"{name}.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def problems_in(data: Any, name: str) -> list[str]:
    """Each way in which ``data`` departs from the schema ``name``, in the order of the paths."""
    errors = sorted(schema_of(name).iter_errors(data), key=lambda error: error.json_path)
    return list(dict.fromkeys(line for error in errors for line in _lines(error)))


def _lines(error: ValidationError) -> Iterator[str]:
    path, schema = _path(error.absolute_path), cast(dict[str, Any], error.schema)
    keys = cast(Iterable[str], error.instance)
    known = schema.get("properties", {})
    if error.validator == "required":
        for key in schema["required"]:
            if key not in keys:
                expected = _expectation(known.get(key, {})) or "a value"
                yield f"{_joined(path, key)}: expected {expected}, got nothing"
    elif error.validator == "additionalProperties":
        for key in keys:
            if key not in known and not key.startswith("x-"):
                yield f"{_joined(path, key)}: expected one of {', '.join(known)}, got {key!r}"
    else:
        expected = _expectation(schema) or error.message
        yield f"{path or '(the whole)'}: expected {expected}, got {_quoted(error.instance)}"


def _path(parts: Iterable[str | int]) -> str:
    path = ""
    for part in parts:
        path = f"{path}[{part}]" if isinstance(part, int) else _joined(path, part)
    return path


def _joined(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _expectation(schema: dict[str, Any]) -> str:
    """What the schema asks for, in words; empty where it does not say."""
    if "x-expected" in schema:
        return str(schema["x-expected"])
    if "const" in schema:
        return repr(schema["const"])
    if "enum" in schema:
        return "one of " + ", ".join("null" if one is None else one for one in schema["enum"])
    if "type" not in schema:
        return ""
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    return " or ".join(TYPE_NAMES[kind] for kind in kinds) + _bounds(schema)


def _bounds(schema: dict[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f" from {low} to {high}"
    if low is not None:
        return f" >= {low}"
    if "minItems" in schema:
        return f" of at least {schema['minItems']}"
    if "maxLength" in schema:
        return f" of {schema.get('minLength', 0)} to {schema['maxLength']} characters"
    return ""


def _quoted(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}..."

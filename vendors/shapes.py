"""Holds data from outside against a JSON Schema, and tells each problem in plain words."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

# jsonschema makes a grammar of IRIs at import, wherever this package of developers is about:
# a second or two in each process, and no schema of ours has an IRI.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

FOLDER = Path(__file__).parent
TYPE_NAMES = {
    "object": gettext_noop("an object"),
    "array": gettext_noop("a list"),
    "string": gettext_noop("a text"),
    "integer": gettext_noop("a whole number"),
    "number": gettext_noop("a number"),
    "boolean": gettext_noop("true or false"),
    "null": "null",
}
LONGEST_QUOTE = 80
# What is wrong a hundred times is read by nobody, and takes a minute to put into words.
MOST_PROBLEMS = 100
# One value of a coded concept (PS3.3 8): a backslash would make two of it (PS3.5 6.2).
_ONE_VALUE = frozenset(("value", "scheme", "meaning", "unit"))
_LINE_ENDS = "\n\r\t"


class ShapeInvalid(ValueError):
    """Data does not have its shape; ``problems`` has one "path: expected ..., got ..." each."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


@lru_cache
def schema_of(name: str, folder: Path = FOLDER) -> Draft202012Validator:
    """The validator of ``<name>.schema.json`` in ``folder``, by default beside this module."""
    # Slow to import, and not needed until somebody brings a manifest or findings.
    from jsonschema import Draft202012Validator

    schema = json.loads((folder / f"{name}.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def problems_in(data: Any, name: str, *, folder: Path = FOLDER) -> list[str]:
    """The ways in which ``data`` departs from the schema ``name``, in the order of the paths."""
    found = islice(schema_of(name, folder).iter_errors(data), MOST_PROBLEMS)
    errors = sorted(found, key=lambda error: error.json_path)
    return list(dict.fromkeys(line for error in errors for line in _lines(error)))


def unfit_values(data: Any, path: str = "", key: str = "") -> Iterator[str]:
    """What a schema lets pass and neither DICOM nor a database takes, each with its path.

    Numbers beyond any float (Python takes NaN, 1e999 and integers of any length), and text with
    control characters, halves of a character, or nothing but blanks.
    """
    if isinstance(data, dict):
        for name, value in data.items():
            if not name.startswith("x-"):
                yield from unfit_values(value, _joined(path, name), name)
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from unfit_values(value, f"{path}[{index}]", key)
    elif expected := _fit_value(data, key):
        yield _departure(path, expected, data)


def _fit_value(value: Any, key: str) -> str:
    if isinstance(value, str):
        return _fit_text(value, key)
    is_number = isinstance(value, (int, float))
    return _("a finite number") if is_number and not _is_finite(value) else ""


def _fit_text(text: str, key: str) -> str:
    """What was expected of a text that is not fit to be written; empty where it is."""
    allowed = _LINE_ENDS if key == "reason" else ""
    if not text.strip():
        return _("a text, not blanks")
    if any(c < " " or c == "\x7f" or "\ud800" <= c <= "\udfff" for c in text if c not in allowed):
        return _("a text of one line without control characters")
    return _("a text without backslashes") if key in _ONE_VALUE and "\\" in text else ""


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def _lines(error: ValidationError) -> Iterator[str]:
    path, schema = _path(error.absolute_path), cast(dict[str, Any], error.schema)
    keys = cast(Iterable[str], error.instance)
    known = schema.get("properties", {})
    if error.validator == "required":
        for key in schema["required"]:
            if key not in keys:
                expected = _expectation(known.get(key, {})) or _("a value")
                yield _departure(_joined(path, key), expected)
    elif error.validator == "additionalProperties":
        for key in keys:
            if key not in known and not key.startswith("x-"):
                here = _joined(path, key[:LONGEST_QUOTE])
                expected = _("one of %(known)s") % {"known": ", ".join(known)}
                yield _departure(here, expected, key)
    else:
        expected = _expectation(schema) or error.message[: 2 * LONGEST_QUOTE]
        if error.validator == "maxItems":
            expected = _("a list of at most %(most)s") % {"most": schema["maxItems"]}
        yield _departure(path or "(the whole)", expected, error.instance)


def _departure(path: str, expected: str, *got: Any) -> str:
    found = _quoted(got[0]) if got else _("nothing")
    return f"{path}: " + _("expected %(what)s, got %(found)s") % {"what": expected, "found": found}


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
        return gettext(str(schema["x-expected"]))
    if "const" in schema:
        return repr(schema["const"])
    if "enum" in schema:
        known = ", ".join("null" if one is None else one for one in schema["enum"])
        return _("one of %(known)s") % {"known": known}
    if "type" not in schema:
        return ""
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    return _(" or ").join(gettext(TYPE_NAMES[kind]) for kind in kinds) + _bounds(schema)


def _bounds(schema: dict[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return _(" from %(low)s to %(high)s") % {"low": low, "high": high}
    if low is not None:
        return f" >= {low}"
    if "minItems" in schema:
        return _(" of at least %(least)s") % {"least": schema["minItems"]}
    if "maxLength" in schema:
        span = {"low": schema.get("minLength", 0), "high": schema["maxLength"]}
        return _(" of %(low)s to %(high)s characters") % span
    return ""


def _quoted(value: Any) -> str:
    if isinstance(value, list) and len(value) > LONGEST_QUOTE:
        return _("a list of %(count)s") % {"count": len(value)}
    if isinstance(value, int) and not _is_finite(value):
        return _("a number of hundreds of digits")
    text = repr(value)
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}..."

"""Reads YAML into a tree that keeps lines and guesses no types: ``NO`` is a country, not false."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

import yaml
from django.utils.translation import gettext as _

from hub.configuration.problems import Place, Problem, Report, quoted

NOTHING = ("", "~", "null")
_BASE_TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("str", "seq", "map"))


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text as it stands in the file; ``is_plain``: written without quotes."""

    place: Place
    text: str
    is_plain: bool

    @property
    def is_nothing(self) -> bool:
        """Whether it says that there is no value: empty, ``~`` or ``null`` without quotes."""
        return self.is_plain and self.text in NOTHING


@dataclass(frozen=True, slots=True)
class Listing:
    """A YAML sequence."""

    place: Place
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Entries:
    """A YAML mapping; ``keys`` holds the place of each key."""

    place: Place
    values: dict[str, Node]
    keys: dict[str, Place]


Node: TypeAlias = Scalar | Listing | Entries


class _NoValueItself(yaml.MarkedYAMLError):  # noqa: N818 (named by what failed)
    """An anchor or an alias, where each value stands where it is used."""


class _PlainLoader(yaml.BaseLoader):
    """Composes without resolving types, and without aliases: each value stands where it is used."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if getattr(event, "anchor", None):
            is_alias = isinstance(event, yaml.AliasEvent)
            what = _("an alias (*)") if is_alias else _("an anchor (&)")
            told = _("expected %(what)s, found %(found)s") % {
                "what": _("the value itself"), "found": what,
            }  # fmt: skip
            raise _NoValueItself(problem=told, problem_mark=event.start_mark)
        return super().compose_node(parent, index)


def parse(raw: bytes, *, name: str, report: Report) -> Node | None:
    """The tree of one YAML (or JSON) document, None where ``report`` got a problem instead."""
    try:
        text = raw.decode("utf-8-sig")
        root = yaml.compose(text, Loader=_PlainLoader)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        _refuse(report, Place(name, line), _("expected text in UTF-8"))
        return None
    except RecursionError:
        _refuse(report, Place(name, 1), _("expected at most some hundred levels, found more"))
        return None
    except yaml.YAMLError as error:
        _refuse(report, *_syntax(error, name))
        return None
    if root is None:
        _refuse(report, Place(name, 1), _("expected a set-up, found nothing"))
        return None
    return _tree(root, name, report)


def resolved(node: Node, schema: Mapping[str, Any] | None = None, *, root: Any = None) -> Any:
    """The tree as JSON values; where ``schema`` (JSON Schema) wants a text, it stays a text.

    Elsewhere true, false and numbers are read as such only if writing them again gives the very
    same text: 10 and 0.5 are numbers, while 1.10, 007 and 1e5 are texts.
    """
    schema, root = _followed(schema or {}, root or schema or {})
    if isinstance(node, Listing):
        return [resolved(item, schema.get("items"), root=root) for item in node.items]
    if isinstance(node, Entries):
        known = schema.get("properties", {})
        return {
            key: resolved(value, known.get(key), root=root) for key, value in node.values.items()
        }
    if not node.is_plain or (_wants_text(schema) and not node.is_nothing):
        return node.text
    return _scalar(node)


def number_text(value: float) -> str:
    """The shortest decimal text of the number, never with an exponent."""
    return format(Decimal(repr(value)), "f")


def described(node: Node) -> str:
    """What stands there, for ``expected ..., found ...``."""
    if isinstance(node, Scalar):
        return _("nothing") if node.is_nothing else quoted(node.text)
    return _("a list") if isinstance(node, Listing) else _("a mapping")


def _followed(schema: Mapping[str, Any], root: Mapping[str, Any]) -> tuple[Any, Any]:
    while "$ref" in schema:
        found: Any = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    return schema, root


def _wants_text(schema: Mapping[str, Any]) -> bool:
    words = [*schema.get("enum", []), schema.get("const")]
    return schema.get("type") == "string" or any(isinstance(word, str) for word in words)


def _scalar(node: Scalar) -> Any:
    if node.is_nothing:
        return None
    if node.text in ("true", "false"):
        return node.text == "true"
    if re.fullmatch(r"-?(0|[1-9][0-9]{0,17})", node.text):
        return int(node.text)
    if re.fullmatch(r"-?[0-9]{1,15}\.[0-9]{1,20}", node.text):
        value = float(node.text)
        return value if number_text(value) == node.text else node.text
    return node.text


def _tree(node: yaml.Node, name: str, report: Report) -> Node:
    place = Place(name, node.start_mark.line + 1)
    if node.tag not in _BASE_TAGS:
        _refuse(report, place, _("expected no tag, found %(found)s") % {"found": node.tag})
    if isinstance(node, yaml.ScalarNode):
        return Scalar(place, node.value, node.style is None)
    if isinstance(node, yaml.SequenceNode):
        return Listing(place, tuple(_tree(item, name, report) for item in node.value))
    return _entries(node, place, report)


def _entries(node: yaml.Node, place: Place, report: Report) -> Entries:
    values: dict[str, Node] = {}
    keys: dict[str, Place] = {}
    for key, value in node.value:
        here = Place(place.file, key.start_mark.line + 1)
        if not isinstance(key, yaml.ScalarNode):
            _refuse(report, here, _("expected a name, found a list or names with values"))
        elif key.value in keys:
            text = _("expected each once, found %(name)s as on line %(line)s")
            _refuse(report, here, text % {"name": key.value, "line": keys[key.value].line})
        else:
            keys[key.value] = here
            values[key.value] = _tree(value, place.file, report)
    return Entries(place, values, keys)


def _syntax(error: yaml.YAMLError, name: str) -> tuple[Place, str]:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    is_told = isinstance(error, _NoValueItself)
    text = problem if is_told else _("expected YAML: %(why)s") % {"why": problem}
    return Place(name, mark.line + 1 if mark else 1), text


def _refuse(report: Report, place: Place, text: str) -> None:
    report.problems.append(Problem(place, "", "", "", text))

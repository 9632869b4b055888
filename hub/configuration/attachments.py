"""Values free in their form: JSON inside the set-up file, or in a file of its own beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from django.utils.translation import gettext as _

from hub.configuration.document import Entries, Node, Scalar, resolved
from hub.configuration.problems import Place, Problem, quoted
from hub.configuration.reader import Reader
from hub.configuration.shapes import Difference, Schema, Shape, column_of, set_column

LONGEST_PATH = 255


@dataclass(frozen=True, slots=True)
class Attachment:
    """Data that may stand in a file of its own; where it stands makes no difference to it."""

    data: Mapping[str, Any]
    name: str = field(compare=False)
    title: str = field(compare=False)

    @property
    def text(self) -> str:
        """The content of the file."""
        return json.dumps(self.data, indent=2, ensure_ascii=False) + "\n"

    @property
    def name_below(self) -> str:
        """A path in the folder of the set-up: the one it came from, if that lies there."""
        path = PurePosixPath(self.name)
        is_below = self.name and not path.is_absolute() and ".." not in path.parts
        is_good = is_below and self.name.isprintable()
        return str(path) if is_good else f"manifests/{self.title}.json"

    def __str__(self) -> str:
        return f"{self.title} ({self.name or 'inline'})"


@dataclass(frozen=True, slots=True)
class Json(Shape):
    """A mapping that an app above judges; kept as JSON in one column."""

    description: Schema = field(default_factory=lambda: {"type": "object"})

    def read(self, node: Node, at: Reader) -> Any:
        if not isinstance(node, Entries):
            return at.expected(node, "a mapping")
        at.note(node)
        return _storable(resolved(node), node.place, at)

    def schema(self) -> Schema:
        return self.description

    def differences(self, path: str, old: Any, new: Any) -> Iterator[Difference]:
        return changed(path, old, new)


@dataclass(frozen=True, slots=True)
class Attached(Shape):
    """A mapping inline, or the path of a JSON file that holds it, relative to the set-up file.

    ``faults`` judges the data; ``shape`` is its JSON Schema, which says what is a text;
    ``name_column`` keeps the path; ``title`` names the data;
    ``copies`` are keys of the data kept in columns as well.
    """

    noun: str
    shape: Callable[[], Schema]
    faults: Callable[[Any], list[str]]
    name_column: str
    title: Callable[[Mapping[str, Any]], str]
    copies: tuple[str, ...] = ()

    def read(self, node: Node, at: Reader) -> Any:
        faults = len(at.report.problems)
        name = ""
        if isinstance(node, Entries):
            at.note(node)
            data = resolved(node, self.shape())
        elif isinstance(node, Scalar) and node.text and not node.is_nothing:
            name = node.text
            data = self._from_file(node, at)
        else:
            data = at.expected(node, _("the path of a file in JSON, or names with values"))
        if len(at.report.problems) > faults:
            return None
        for fault in self.faults(data):
            place, where = self._place_of(fault, node, at), f"{name}: " if name else ""
            at.refuse(place, f"{where}{fault}")
        if len(at.report.problems) > faults or _storable(data, node.place, at) is None:
            return None
        return Attachment(data, name, self.title(data))

    def schema(self) -> Schema:
        return {"type": ["string", "object"], "minLength": 1, "maxLength": LONGEST_PATH}

    def load(self, row: Any, column: str) -> Attachment:
        data = column_of(row, column)
        return Attachment(data, column_of(row, self.name_column) or "", self.title(data))

    def save(self, row: Any, column: str, value: Any) -> None:
        set_column(row, column, value.data)
        set_column(row, self.name_column, value.name)
        for name in self.copies:
            set_column(row, name, value.data[name])

    def differences(self, path: str, old: Any, new: Any) -> Iterator[Difference]:
        return changed(path, old and old.data, new and new.data)

    def _from_file(self, node: Scalar, at: Reader) -> Any:
        if len(node.text) > LONGEST_PATH:
            what = _("a path of at most %(most)s characters") % {"most": LONGEST_PATH}
            return at.expected(node, what)
        path = at.folder / node.text
        try:
            return json.loads(
                path.read_bytes(), object_pairs_hook=_once, parse_constant=_no_constant
            )
        except json.JSONDecodeError as error:
            place = Place(str(path), error.lineno)
            text = _("expected JSON: %(why)s") % {"why": error.msg}
            at.report.problems.append(Problem(place, at.section, at.code, at.path, text))
        except (OSError, RecursionError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            text = _("expected a file that can be read, found %(found)s: %(why)s")
            at.refuse(node.place, text % {"found": quoted(node.text), "why": reason})
        return None

    def _place_of(self, fault: str, node: Node, at: Reader) -> Place:
        below = fault.partition(":")[0]
        return at.places.get(f"{at.path}.{below}", node.place)


def changed(path: str, old: Any, new: Any) -> Iterator[Difference]:
    """What differs between two JSON values, as deep as both are mappings."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in dict.fromkeys([*old, *new]):
            yield from changed(f"{path}.{name}", old.get(name), new.get(name))
    elif old != new:
        yield Difference(path, old, new)


def _storable(data: Any, place: Place, at: Reader) -> Any:
    """The data, unless it holds what no database keeps: U+0000, or half of a character."""
    text = json.dumps(data, ensure_ascii=False)
    if "\\u0000" in text or any("\ud800" <= one <= "\udfff" for one in text):
        return at.refuse(place, _("expected text without U+0000 and lone surrogates"))
    return data


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(_("%(name)s stands there twice") % {"name": quoted(name)})
        found[name] = value
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(_("%(name)s is no JSON") % {"name": name})

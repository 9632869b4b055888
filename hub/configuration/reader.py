"""Where in a set-up one is reading, so that whatever is wrong there can be said with its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from hub.configuration.document import Entries, Listing, Node, described
from hub.configuration.problems import IN_DATABASE, Place, Problem, Report

Value = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reader:
    """A position: the entry ``code`` of ``section``, and the ``path`` of a field in it.

    ``places`` collects the line of every path read; ``folder`` is what paths of files are
    relative to.
    """

    report: Report
    section: str
    code: str
    folder: Path
    path: str = ""
    places: dict[str, Place] = field(default_factory=dict)

    def key(self, name: str, place: Place) -> Reader:
        """The position of the member ``name`` of the mapping at hand."""
        path = f"{self.path}.{name}" if self.path else name
        self.places[path] = place
        return replace(self, path=path)

    def item(self, index: int, place: Place) -> Reader:
        """The position of one item of the list at hand, counted from 0."""
        path = f"{self.path}[{index}]"
        self.places[path] = place
        return replace(self, path=path)

    def note(self, node: Node) -> None:
        """Keep the lines of all that lies below, for problems found only later."""
        if isinstance(node, Entries):
            for name, value in node.values.items():
                self.key(name, node.keys[name]).note(value)
        elif isinstance(node, Listing):
            for index, value in enumerate(node.items):
                self.item(index, value.place).note(value)

    def alias(self, suffix: str, other: str) -> None:
        """Let what was read at ``path + suffix`` be found at ``path + other`` as well."""
        start, again = self.path + suffix, self.path + other
        for path, place in list(self.places.items()):
            if path.startswith(start):
                self.places[again + path.removeprefix(start)] = place

    def expected(self, node: Node, what: str) -> Any:
        """Report that ``what`` was expected where ``node`` stands; None, as value of the field."""
        told = {"what": what, "found": described(node)}
        return self.refuse(node.place, _("expected %(what)s, found %(found)s") % told)

    def doubt(self, place: Place, text: str) -> None:
        """Tell something about the field at hand that stops nothing."""
        problem = Problem(place, self.section, self.code, self.path, text)
        self.report.warnings.append(problem)

    def refuse(self, place: Place, text: str) -> Any:
        """Report a problem of the field at hand; None, as value of the field."""
        problem = Problem(place, self.section, self.code, self.path, text)
        self.report.problems.append(problem)
        return None


@dataclass(frozen=True, slots=True)
class Item:
    """One entry as read: ``value`` has every field of the kind, None where none was given."""

    section: str
    code: str
    value: Value
    place: Place
    places: Mapping[str, Place] = field(default_factory=dict)

    def place_of(self, path: str) -> Place:
        """The line of the path, or of the nearest thing around it."""
        while path and path not in self.places:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.places.get(path, self.place)


def in_database(section: str, code: str, value: Value) -> Item:
    """An entry that stands in no file of this run."""
    return Item(section, code, value, IN_DATABASE)

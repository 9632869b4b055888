"""The kinds of entry a set-up file has; each app registers its own when Django starts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from django.db import models

from hub.configuration.problems import Place, Problem, Report
from hub.configuration.reader import Item, Value

if TYPE_CHECKING:
    from hub.configuration.records import Record


@dataclass(frozen=True, slots=True)
class World:
    """All entries as they would be once the files are applied: kind name -> code -> entry."""

    items: Mapping[str, Mapping[str, Item]]
    # what another hub exported comes back: it was judged there, by the rules of its time
    is_return: bool = False

    def of(self, kind_name: str) -> Mapping[str, Item]:
        """The entries of a kind, by code."""
        return self.items.get(kind_name, {})

    def value(self, kind_name: str, code: str | None) -> Value:
        """The value of an entry; empty where there is none of the code."""
        item = self.of(kind_name).get(code or "")
        return item.value if item else {}


@dataclass(frozen=True, slots=True)
class Say:
    """Tells what is wrong with one entry, at a path in it."""

    item: Item
    report: Report

    def error(self, path: str, text: str) -> None:
        """The set-up is refused because of this; a field that was not readable is told once."""
        problem = self._problem(path, text)
        if not any(problem.is_about_the_same_as(known) for known in self.report.problems):
            self.report.problems.append(problem)

    def warning(self, path: str, text: str) -> None:
        """Somebody should look at this; the set-up is applied."""
        self.report.warnings.append(self._problem(path, text))

    def has_errors(self, path: str) -> bool:
        """Whether something was refused at the path or below it, here or where it was read."""
        here = self._problem(path, "")
        return any(
            (one.place.file, one.section, one.code) == (here.place.file, here.section, here.code)
            and one.field.startswith(path)
            and one.field[len(path) :][:1] in ("", ".", "[")
            for one in self.report.problems
        )

    def _problem(self, path: str, text: str) -> Problem:
        place: Place = self.item.place_of(path)
        return Problem(place, self.item.section, self.item.code, path, text)


Examination: TypeAlias = Callable[[Value, Say, World], None]
# (row, entry before or None where it is new, entry, who applies) -> (path, reason) of each refusal
Settlement: TypeAlias = Callable[
    [Any, Value | None, Value, str], Iterable[tuple[str, str]]
]


@dataclass(frozen=True, slots=True)
class Kind:
    """One section of the file: its fields, the rows that hold them, what must hold of them."""

    name: str
    section: str
    model: type[models.Model]
    record: Record
    says: str
    key: tuple[str, ...] = ("code",)
    # which rows are of this kind, where several kinds share a table
    rows: Callable[[models.QuerySet[Any]], models.QuerySet[Any]] | None = None
    # a new row for a value, where columns of the model are not fields of the file
    make: Callable[[Value], models.Model] | None = None
    # what must hold of one entry beyond the shape of its fields; values may be None (not readable)
    examine: Examination | None = None
    # gives rows that change for the time being what no other row can have, where they must differ
    # in more than their key: two that swap it would be refused
    step_aside: Callable[[models.QuerySet[Any]], object] | None = None
    # does what takes more than to write columns, once the row and all below it are saved
    settle: Settlement | None = None
    # the same for what another hub exported: it was allowed there, as it stood then
    settle_return: Settlement | None = None
    # what a person can do where history forbids to remove an entry
    instead: str = ""

    def code_of(self, value: Value) -> str:
        """The code: the values of the key, joined by a slash where there are several."""
        return "/".join(str(value[name]) for name in self.key)

    def held(self) -> dict[str, tuple[models.Model, Value]]:
        """Code -> row and value, of all that the database holds."""
        from hub.configuration.records import related_columns

        query = self.model._base_manager.order_by("pk")
        if self.rows:
            query = self.rows(query)
        if related := related_columns(self.record):
            query = query.select_related(*related)
        loaded = [(row, self.record.load(row, "") or {}) for row in query]
        return {self.code_of(value): (row, value) for row, value in loaded}


# (entry, value in the database) -> (path, reason) of each change that must not be made
Guard: TypeAlias = Callable[[Value, Value], Iterable[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class Owner:
    """An organisation and its sites, by their codes."""

    organisation: str
    sites: frozenset[str]


# entries of files, once they are applied -> (entry, path, sentence) of what to look at
Look: TypeAlias = Callable[
    [Mapping[str, Mapping[str, Item]]], Iterable[tuple[Item, str, str]]
]
# (entry, owner) -> what of the entry belongs to the owner, None where nothing does
Share: TypeAlias = Callable[[Value, Owner], Value | None]

_kinds: dict[str, Kind] = {}
_shares: dict[str, Share] = {}
_guards: dict[str, list[Guard]] = {}
_looks: list[Look] = []
_kept_back: dict[str, tuple[str, ...]] = {}
_disposable: set[str] = set()
_definitions: dict[str, Any] = {}


def register(kind: Kind) -> None:
    """Add a kind; a file may refer only to kinds registered before."""
    _kinds[kind.name] = kind


def kinds() -> tuple[Kind, ...]:
    """All kinds, each after those it refers to."""
    return tuple(_kinds.values())


def kind(name: str) -> Kind:
    """The kind of that name."""
    return _kinds[name]


def guard(kind_name: str, ask: Guard) -> None:
    """Let ``ask(old, new)`` refuse changes of a kind, for an app above the one that owns it."""
    asked = _guards.setdefault(kind_name, [])
    if ask not in asked:
        asked.append(ask)


def refusals(kind_name: str, *, old: Value, new: Value) -> Iterator[tuple[str, str]]:
    """What every guard of the kind says against the change."""
    for ask in _guards.get(kind_name, []):
        yield from ask(old, new)


def look_after(ask: Look) -> None:
    """Let ``ask`` warn of what rows say together once the files are applied."""
    if ask not in _looks:
        _looks.append(ask)


def looked_at(items: Mapping[str, Mapping[str, Item]]) -> Iterator[tuple[Item, str, str]]:
    """What all that look say of the entries."""
    for ask in _looks:
        yield from ask(items)


def share(kind_name: str, ask: Share) -> None:
    """Let ``ask`` say what of an entry of the kind belongs to one organisation."""
    _shares[kind_name] = ask


def shared(kind: Kind, value: Value, owner: Owner) -> Value | None:
    """What of an entry belongs to the owner: by default one that refers to it or a site of it."""
    if kind.name in _shares:
        return _shares[kind.name](value, owner)
    mine = {"organisation": {owner.organisation}, "site": owner.sites}
    names = {field.name for field in kind.record.fields}
    uses = kind.record.uses("", value)
    is_mine = any(use.path in names and use.code in mine.get(use.kind, ()) for use in uses)
    return value if is_mine else None


def keep_back(kind_name: str, *fields: str) -> None:
    """Let fields of a kind stay where they are when an organisation takes along what it names."""
    _kept_back[kind_name] = fields


def kept_back(kind_name: str) -> Value:
    """Those fields, as nothing."""
    return dict.fromkeys(_kept_back.get(kind_name, ()))


def define(name: str, schema: Mapping[str, Any]) -> None:
    """Add a definition to the JSON Schema of the file, for ``{"$ref": "#/$defs/NAME"}``."""
    _definitions[name] = schema


def definitions() -> Mapping[str, Any]:
    """All definitions of the JSON Schema."""
    return _definitions


def dispose(label: str) -> None:
    """Rows of the model ``app.Model`` are no history: they go with the row they hang on."""
    _disposable.add(label.lower())


def is_disposable(model: Any) -> bool:
    """Whether rows of the model may go without a word."""
    return bool(model._meta.auto_created) or model._meta.label_lower in _disposable

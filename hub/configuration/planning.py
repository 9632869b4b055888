"""What must change so that the database agrees with the files, and what forbids it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from django.db import connection, models
from django.utils.translation import gettext as _

from hub.configuration import registry
from hub.configuration.problems import Report, cut, nearest, shown
from hub.configuration.reader import Item, Value, in_database
from hub.configuration.reading import Items
from hub.configuration.registry import Kind, Say, World
from hub.configuration.shapes import Difference

Held = dict[str, dict[str, tuple[models.Model, Value]]]


class Action(StrEnum):
    """What happens to an entry."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Change:
    """One entry that changes; ``row`` is None where it is new."""

    action: Action
    kind: Kind
    item: Item
    row: models.Model | None = None
    differences: tuple[Difference, ...] = ()

    def lines(self) -> Iterator[str]:
        """The change for people: one line, or one for each field of an update."""
        head = f"{self.action} {self.kind.name} {self.item.code}"
        if self.action is not Action.UPDATE:
            yield head
        for path, old, new in self.differences:
            yield f"{head}: {path} {shown(old)} -> {shown(new)}"


def lock() -> None:
    """Let nobody else write to the set-up until the transaction ends; reading goes on.

    SQLite has one writer anyway. PostgreSQL would let two plan with what one of them changes.
    """
    if connection.vendor == "postgresql":
        names = [connection.ops.quote_name(kind.model._meta.db_table) for kind in registry.kinds()]
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {', '.join(names)} IN SHARE ROW EXCLUSIVE MODE")


def held() -> Held:
    """Kind name -> code -> row and value: all that the database holds."""
    return {kind.name: kind.held() for kind in registry.kinds()}


def world_of(
    items: Items, database: Held, *, is_pruning: bool, is_return: bool = False
) -> World:
    """All entries as they would be: those of the files, over those of the database."""
    after: Items = {}
    for kind in registry.kinds():
        after[kind.name] = dict(items[kind.name])
        if not is_pruning:
            for code, (_, value) in database[kind.name].items():
                kept = in_database(kind.section, code, value)
                after[kind.name].setdefault(code, kept)
    return World(after, is_return)


def examine(world: World, *, report: Report) -> None:
    """Report references to nothing, and whatever the kinds find wrong with their entries.

    Entries that only the database knows are not judged: they were when they were applied.
    """
    for kind in registry.kinds():
        for item in world.of(kind.name).values():
            if not item.place.file:
                continue
            say = Say(item, report)
            for path, target, code in kind.record.uses("", item.value):
                known = world.of(target)
                if code not in known:
                    hint = nearest(code, known)
                    text = _("expected a known %(kind)s, found %(code)s")
                    say.error(path, text % {"kind": target, "code": cut(code)} + hint)
            if kind.examine:
                kind.examine(item.value, say, world)


def plan(items: Items, database: Held, *, is_pruning: bool) -> list[Change]:
    """The changes in the order in which they are told: deletions last, and backwards."""
    changes = [
        change
        for kind in registry.kinds()
        for item in items[kind.name].values()
        if (change := _change_to(item, kind, database[kind.name].get(item.code)))
    ]
    if is_pruning:
        changes += [
            Change(Action.DELETE, kind, in_database(kind.section, code, value), row)
            for kind in reversed(registry.kinds())
            for code, (row, value) in database[kind.name].items()
            if code not in items[kind.name]
        ]
    return changes


def _change_to(item: Item, kind: Kind, found: tuple[models.Model, Value] | None) -> Change | None:
    if found is None:
        return Change(Action.CREATE, kind, item)
    row, value = found
    differences = tuple(kind.record.differences("", value, item.value))
    return Change(Action.UPDATE, kind, item, row, differences) if differences else None


def step_aside(changes: list[Change]) -> None:
    """Take out of each other's way the rows that change what only one of them may have."""
    for kind in registry.kinds():
        rows = [one.row.pk for one in changes if one.kind is kind and one.row is not None]
        if kind.step_aside and rows:
            kind.step_aside(kind.model._base_manager.filter(pk__in=rows))


def judge(changes: list[Change], database: Held, *, report: Report) -> None:
    """Report what the apps above forbid to change."""
    for change in changes:
        if change.action is Action.UPDATE:
            _, old = database[change.kind.name][change.item.code]
            for path, text in registry.refusals(change.kind.name, old=old, new=change.item.value):
                Say(change.item, report).error(path, text)

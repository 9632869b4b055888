"""What somebody should look at of a row: the warnings that a set-up file with its entry would get.

Nothing is refused for them, so they are told wherever the row is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hub.configuration import entries, registry
from hub.configuration.problems import Problem, Report
from hub.configuration.reader import Item, in_database
from hub.configuration.registry import Kind, Say, World


def doubts_of(kind_name: str, row: Any) -> list[Problem]:
    """The warnings about a row, in the order of its fields."""
    kind, report = registry.kind(kind_name), Report()
    value = entries.value_of(kind_name, row)
    item = in_database(kind.section, kind.code_of(value), value)
    if kind.examine:
        kind.examine(value, Say(item, report), World(_Held()))
    return sorted(set(report.warnings))


class _Held(Mapping[str, Mapping[str, Item]]):
    """All that the database holds, read as it is asked for."""

    def __getitem__(self, kind_name: str) -> Mapping[str, Item]:
        return _OfKind(registry.kind(kind_name))

    def __iter__(self) -> Iterator[str]:
        return (kind.name for kind in registry.kinds())

    def __len__(self) -> int:
        return len(registry.kinds())


class _OfKind(Mapping[str, Item]):
    """The entries of one kind; one of them alone is read by itself."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind

    def __getitem__(self, code: str) -> Item:
        if self.kind.key != ("code",):
            return self._items()[code]
        row = self.kind.model._base_manager.filter(code=code).first()
        if row is None:
            raise KeyError(code)
        return in_database(self.kind.section, code, self.kind.record.load(row, "") or {})

    def __iter__(self) -> Iterator[str]:
        return iter(self._items())

    def __len__(self) -> int:
        return self.kind.model._base_manager.count()

    def _items(self) -> dict[str, Item]:
        return {
            code: in_database(self.kind.section, code, value)
            for code, (_row, value) in self.kind.held().items()
        }

"""Rules made ready to be asked often: as true as `conditions.decide`, and without its sentences.

A clause is found out once for each series, whatever number of rules it stands in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Protocol

from routing import conditions
from routing.conditions import Facts

Holds = Callable[["Known"], bool]

# What costs least is asked first; the order never decides.
_COSTS = ("exists", "at_least", "at_most", "equals", "in", "contains", "matches")

# So many patterns of one field are tried as one first.
_TOGETHER = 50


class Known(dict["Asked", bool]):
    """The facts of one series, and the clauses about them that were asked so far."""

    def __init__(self, facts: Facts) -> None:
        super().__init__()
        self.facts = facts
        self._said: dict[str, list[Any]] = {}
        self._texts: dict[str, list[str]] = {}

    def __missing__(self, asked: Asked) -> bool:
        holds = self[asked] = asked.holds(self)
        return holds

    def said(self, field: str) -> list[Any]:
        """The values of a fact, without those that say nothing."""
        found = self._said.get(field)
        if found is None:
            found = self._said[field] = conditions.values_of(self.facts.get(field))
        return found

    def texts(self, field: str) -> list[str]:
        """The values of a fact as they are compared."""
        found = self._texts.get(field)
        if found is None:
            found = self._texts[field] = list(map(conditions.text_of, self.said(field)))
        return found


class Asked(Protocol):
    """What may be found out once about what is known."""

    def holds(self, known: Known) -> bool:
        """The answer."""


class Clause:
    """One clause; the same one wherever a set of rules has it."""

    __slots__ = ("guard", "holds", "operator")

    def __init__(self, operator: str, holds: Holds, guard: Asked | None = None) -> None:
        self.operator = operator
        self.holds = holds
        # What must hold for the clause to hold, and answers for many clauses at once.
        self.guard = guard


class _Patterns:
    """Patterns of one field that are looked for together before each is looked for alone."""

    __slots__ = ("_any", "_field", "_patterns")

    def __init__(self, field: str) -> None:
        self._field = field
        self._patterns: list[str] = []
        self._any: Any = None

    def has_room(self, pattern: str) -> bool:
        # What is quoted to the end of a pattern would be quoted to the end of them all.
        return len(self._patterns) < _TOGETHER and "\\Q" not in pattern

    def add(self, pattern: str) -> None:
        self._patterns.append(pattern)

    def holds(self, known: Known) -> bool:
        """Whether each value may match one of them; where not, none of them holds."""
        if len(self._patterns) < 2:
            return True
        if self._any is None:
            self._any = _together(self._patterns)
        proper = map(conditions.proper, known.said(self._field))
        return all(self._any.search(text) is not None for text in proper)


def _together(patterns: Sequence[str]) -> Any:
    try:
        return conditions.pattern("|".join(f"(?:{one})" for one in patterns))
    except conditions.UnfitPattern:
        # Two that give a name to a group, for example: what matches all says nothing.
        return conditions.pattern("")


class Clauses(dict[str, Clause]):
    """The clauses of a set of rules, by what they say."""

    def __init__(self) -> None:
        super().__init__()
        self._patterns: dict[str, _Patterns] = {}

    def holds(self, when: Any) -> Holds:
        """Make a rule ready; one that has a fault is decided, or breaks, as ever."""
        if conditions.check(when):
            return lambda known: conditions.decide(when, known.facts).holds
        return self._holds(when)

    def clause(self, field: str, operator: str, operand: Any) -> Clause:
        """Give the clause, made only once."""
        # As JSON, for 1, 1.0 and True are one key and three texts.
        says = json.dumps([field, operator, operand])
        if says not in self:
            guard = self._together(field, operand) if operator == "matches" else None
            self[says] = Clause(operator, _ASKING[operator](field, operand), guard)
        return self[says]

    def _together(self, field: str, pattern: str) -> _Patterns:
        together = self._patterns.get(field)
        if together is None or not together.has_room(pattern):
            together = self._patterns[field] = _Patterns(field)
        together.add(pattern)
        return together

    def _holds(self, when: Mapping[str, Any]) -> Holds:
        ((name, inner),) = when.items()
        if name == "all":
            return self._all(inner)
        if name == "any":
            return self._any(inner)
        if name == "not":
            part = self._holds(inner)
            return lambda known: not part(known)
        return itemgetter(self._clause(when))

    def _all(self, parts: Sequence[Any]) -> Holds:
        clauses, others = self._parted(parts)
        asked = [one for clause in clauses for one in (clause.guard, clause) if one is not None]
        if not others:
            return lambda known: all(map(known.__getitem__, asked))
        return lambda known: (
            all(map(known.__getitem__, asked)) and all(part(known) for part in others)
        )

    def _any(self, parts: Sequence[Any]) -> Holds:
        clauses, others = self._parted(parts)
        if not others:
            return lambda known: any(map(known.__getitem__, clauses))
        return lambda known: (
            any(map(known.__getitem__, clauses)) or any(part(known) for part in others)
        )

    def _parted(self, parts: Sequence[Any]) -> tuple[list[Clause], list[Holds]]:
        clauses = [self._clause(part) for part in parts if not _is_compound(part)]
        clauses.sort(key=lambda clause: _COSTS.index(clause.operator))
        return clauses, [self._holds(part) for part in parts if _is_compound(part)]

    def _clause(self, when: Mapping[str, Any]) -> Clause:
        ((field, test),) = when.items()
        ((operator, operand),) = test.items()
        return self.clause(field, operator, operand)


def _is_compound(when: Mapping[str, Any]) -> bool:
    return not when.keys().isdisjoint(("all", "any", "not"))


def _exists(field: str, operand: Any) -> Holds:
    wanted = bool(operand)
    return lambda known: bool(known.said(field)) == wanted


def _equals(field: str, operand: Any) -> Holds:
    only = [conditions.text_of(operand)]

    def holds(known: Known) -> bool:
        texts = known.texts(field)
        return texts == only or (len(texts) > 1 and all(text == only[0] for text in texts))

    return holds


def _in(field: str, operand: Any) -> Holds:
    wanted = frozenset(map(conditions.text_of, operand))
    return lambda known: bool(texts := known.texts(field)) and wanted.issuperset(texts)


def _contains(field: str, operand: Any) -> Holds:
    wanted = conditions.text_of(operand)

    def holds(known: Known) -> bool:
        found = [wanted in text for text in known.texts(field)]
        is_text = isinstance(known.facts.get(field), str)
        return bool(found) and (all(found) if is_text else any(found))

    return holds


def _matches(field: str, operand: Any) -> Holds:
    search = conditions.pattern(str(operand)).search

    def holds(known: Known) -> bool:
        values = known.said(field)
        return bool(values) and all(search(conditions.proper(one)) is not None for one in values)

    return holds


def _each(operator: str) -> Callable[[str, Any], Holds]:
    check_one = conditions.OPERATORS[operator]

    def asking(field: str, operand: Any) -> Holds:
        def holds(known: Known) -> bool:
            values = known.said(field)
            return bool(values) and all(check_one(value, operand) for value in values)

        return holds

    return asking


_ASKING: dict[str, Callable[[str, Any], Holds]] = {
    "exists": _exists,
    "equals": _equals,
    "in": _in,
    "contains": _contains,
    "matches": _matches,
    "at_least": _each("at_least"),
    "at_most": _each("at_most"),
}

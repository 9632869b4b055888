"""Rules made ready to be asked often: as true as `conditions.decide`, and without its sentences.

A clause is found out once for all series of a study, whatever number of rules it stands in, and
for those with the same value together. For which it holds is one number, a bit for each series:
rules are then a matter of `&` and `|`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from operator import itemgetter
from typing import Any, Protocol

from routing import conditions
from routing.conditions import Facts

# The series of which it is true: bit n stands for the one in place n.
Which = int
Holds = Callable[["Known"], Which]

# What costs least is asked first; the order never decides.
_COSTS = ("exists", "at_least", "at_most", "equals", "in", "contains", "matches")

# So many patterns of one field are tried as one first.
_TOGETHER = 200


class Value:
    """What some of the series have in a field, and which of them."""

    def __init__(self, fact: Any) -> None:
        self.fact = fact
        self.which: Which = 0

    @cached_property
    def said(self) -> list[Any]:
        """The values of the fact, without those that say nothing."""
        return conditions.values_of(self.fact)

    @cached_property
    def texts(self) -> list[str]:
        """The values as they are compared."""
        return list(map(conditions.text_of, self.said))

    @cached_property
    def proper(self) -> list[str]:
        """The values as they are searched."""
        return list(map(conditions.proper, self.said))


class Known(dict["Asked", Which]):
    """The facts of each series of a study, and the clauses about them that were asked so far."""

    def __init__(self, facts: Sequence[Facts]) -> None:
        super().__init__()
        self.facts = facts
        self.all: Which = (1 << len(facts)) - 1
        self._values: dict[str, list[Value]] = {}

    def __missing__(self, asked: Asked) -> Which:
        which = self[asked] = asked.holds(self)
        return which

    def where(self, field: str, test: Callable[[Value], bool]) -> Which:
        """The series whose value of a field passes a test, which is asked once for each value."""
        values = self._values.get(field)
        if values is None:
            values = self._values[field] = self._values_of(field)
        which = 0
        for value in values:
            if test(value):
                which |= value.which
        return which

    def that(self, test: Callable[[Facts], bool]) -> Which:
        """The series whose facts pass a test."""
        return sum(1 << place for place, facts in enumerate(self.facts) if test(facts))

    def _values_of(self, field: str) -> list[Value]:
        found: dict[str, Value] = {}
        for place, facts in enumerate(self.facts):
            fact = facts.get(field)
            # As it is written, for 1, 1.0 and True are one key and three texts.
            value = found.setdefault(repr(fact), Value(fact))
            value.which |= 1 << place
        return list(found.values())


def places(which: Which) -> list[int]:
    """The places of the series of which something is true."""
    return [place for place in range(which.bit_length()) if which >> place & 1]


class Asked(Protocol):
    """What may be found out once about what is known."""

    def holds(self, known: Known) -> Which:
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

    def holds(self, known: Known) -> Which:
        """Where each value may match one of them; elsewhere none of them holds."""
        if len(self._patterns) < 2:
            return known.all
        if self._any is None:
            self._any = _together(self._patterns)
        return known.where(self._field, _each_found(self._any.search))


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
            return lambda known: known.that(lambda facts: conditions.decide(when, facts).holds)
        return self._holds(when)

    def clause(self, field: str, operator: str, operand: Any) -> Clause:
        """Give the clause, made only once."""
        # As JSON, for 1, 1.0 and True are one key and three texts.
        says = json.dumps([field, operator, operand])
        if says not in self:
            guard = self._together(field, operand) if operator == "matches" else None
            test = _ASKING[operator](operand)
            self[says] = Clause(operator, lambda known: known.where(field, test), guard)
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
            return lambda known: known.all & ~part(known)
        return itemgetter(self._clause(when))

    def _all(self, parts: Sequence[Any]) -> Holds:
        clauses, others = self._parted(parts)
        asked = [one for clause in clauses for one in (clause.guard, clause) if one is not None]

        def holds(known: Known) -> Which:
            which = known.all
            for one in asked:
                which &= known[one]
                if not which:
                    return 0
            for part in others:
                which &= part(known)
            return which

        return holds

    def _any(self, parts: Sequence[Any]) -> Holds:
        clauses, others = self._parted(parts)

        def holds(known: Known) -> Which:
            which = 0
            for clause in clauses:
                which |= known[clause]
            for part in others:
                which |= part(known)
            return which

        return holds

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


def _each_found(search: Callable[[str], Any]) -> Callable[[Value], bool]:
    return lambda value: bool(value.said) and all(search(one) is not None for one in value.proper)


def _exists(operand: Any) -> Callable[[Value], bool]:
    wanted = bool(operand)
    return lambda value: bool(value.said) == wanted


def _equals(operand: Any) -> Callable[[Value], bool]:
    wanted = {conditions.text_of(operand)}
    return lambda value: bool(value.said) and wanted.issuperset(value.texts)


def _in(operand: Any) -> Callable[[Value], bool]:
    wanted = frozenset(map(conditions.text_of, operand))
    return lambda value: bool(value.said) and wanted.issuperset(value.texts)


def _contains(operand: Any) -> Callable[[Value], bool]:
    wanted = conditions.text_of(operand)

    def test(value: Value) -> bool:
        found = [wanted in text for text in value.texts]
        return bool(found) and (all(found) if isinstance(value.fact, str) else any(found))

    return test


def _matches(operand: Any) -> Callable[[Value], bool]:
    return _each_found(conditions.pattern(str(operand)).search)


def _each(operator: str) -> Callable[[Any], Callable[[Value], bool]]:
    check_one = conditions.OPERATORS[operator]

    def asking(operand: Any) -> Callable[[Value], bool]:
        return lambda value: bool(value.said) and all(
            check_one(one, operand) for one in value.said
        )

    return asking


_ASKING: dict[str, Callable[[Any], Callable[[Value], bool]]] = {
    "exists": _exists,
    "equals": _equals,
    "in": _in,
    "contains": _contains,
    "matches": _matches,
    "at_least": _each("at_least"),
    "at_most": _each("at_most"),
}

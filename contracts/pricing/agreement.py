"""What is rated: an agreement with its price versions and call-off lines, and what was used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from contracts.pricing.terms import Price, Scope


@dataclass(frozen=True, slots=True)
class Line:
    """One algorithm at one site under one call-off; ``key`` is what usage names it by.

    ``activated`` is the first day of use, ``ends`` the last one that the call-off can have. Of
    equal claims to an øre the lowest organisation, then the lowest key has it. ``price`` names the
    price where it is another than the agreement's for the algorithm.
    """

    key: str
    call_off: str
    organisation: str
    algorithm: str
    site: str
    activated: date
    ends: date
    price: str = ""

    @property
    def priced_as(self) -> str:
        """The name of its price: lines that have one count together, and with no other."""
        return self.price or self.algorithm


@dataclass(frozen=True, slots=True)
class FixedAmount:
    """What some lines (by their keys) cost together beside their prices, shared by their days.

    Once, or for each contract year; a year that is not whole counts by days.
    """

    name: str
    amount: Decimal
    is_yearly: bool
    lines: frozenset[str]


@dataclass(frozen=True, slots=True)
class Version:
    """What an algorithm costs from a day on, until a later version."""

    valid_from: date
    price: Price


@dataclass(frozen=True, slots=True)
class Agreement:
    """A framework agreement as it is priced.

    ``prices`` has the versions of each algorithm, and of each price that only some lines have
    (Line.price); ``series`` the values of each index by the first day of the month. Contract years
    count from ``begins``.
    """

    code: str
    begins: date
    ends: date
    prices: Mapping[str, tuple[Version, ...]]
    lines: tuple[Line, ...]
    series: Mapping[str, Mapping[date, Decimal]] = field(default_factory=dict)
    fixed: tuple[FixedAmount, ...] = ()

    @property
    def last_use(self) -> date:
        """The last day that any of its lines can have: a call-off may outlive the agreement."""
        return max([self.ends, *(line.ends for line in self.lines)])


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used of a line on a local day; several of one line and day add up.

    ``units`` are billable examinations; ``late`` of them came later than agreed. ``failed`` jobs
    are those the supplier is at fault for: no units. ``rejected`` are examinations that could not
    be read by the customer's fault: no units either, and charged where the price says so.
    """

    line: str
    day: date
    units: int
    late: int = 0
    failed: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Availability:
    """The share of a month (its first day) in which the service of a line was available."""

    line: str
    month: date
    share: Decimal


@dataclass(frozen=True, slots=True)
class Measured:
    """An outcome measured for a contract year: ``successes`` of ``n`` (any day of that year)."""

    algorithm: str
    kpi: str
    day: date
    successes: int
    n: int


@dataclass(frozen=True, slots=True)
class Usages:
    """All that rating needs to know of what happened."""

    used: tuple[Usage, ...]
    availability: tuple[Availability, ...] = ()
    measured: tuple[Measured, ...] = ()


def group_of(line: Line, scope: Scope) -> str:
    """Whose examinations those of the line are counted with."""
    if scope is Scope.FRAMEWORK:
        return ""
    return line.organisation if scope is Scope.AUTHORITY else line.call_off


def grouped(lines: Iterable[Line], scope: Scope) -> dict[str, list[Line]]:
    """The lines by group, each in the order of their keys."""
    groups: dict[str, list[Line]] = {}
    for line in sorted(lines, key=lambda one: (one.organisation, one.call_off, one.key)):
        groups.setdefault(group_of(line, scope), []).append(line)
    return groups

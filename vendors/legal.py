"""What the law says on a day: facts that ship with the hub, and those that replace them.

A fact is a day, a list of words, or a number; the code of a number has a dot
(``framework.months``). None of them is a constant of the code: each has its first day and its
source, and ``legal_facts`` and ``legal_limits`` of a set-up file say it otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from vendors.models import LegalFact

SHIPPED = Path(__file__).with_name("legal_facts.json")


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: ``value`` holds from ``since`` on, until one of the same code follows."""

    code: str
    since: date
    value: Any
    source: str

    @property
    def number(self) -> Decimal:
        """The value of a limit: days, months, percent, or an amount."""
        return Decimal(self.value)


class FactUnknown(LookupError):
    """Nobody has recorded what the law says of this on that day."""


def is_limit(code: str) -> bool:
    """Whether a code is that of a number."""
    return "." in code


def in_force(known: Iterable[Fact], *, on: date) -> dict[str, Fact]:
    """Code -> the fact that holds on the day; of the same day the later one in ``known`` stands."""
    found: dict[str, Fact] = {}
    for one in sorted(known, key=lambda one: one.since):  # stable
        if one.since <= on:
            found[one.code] = one
    return found


def limit_in_force(code: str, *, on: date, added: Iterable[Fact] = ()) -> Fact | None:
    """The newest limit of the code that has begun; ``added`` goes before what is shipped."""
    return in_force((*shipped(), *added), on=on).get(code)


def facts(*, on: date) -> dict[str, Fact]:
    """Code -> the fact that holds on the day; a row replaces what ships with the hub."""
    return in_force((*shipped(), *recorded()), on=on)


def recorded() -> list[Fact]:
    """What was recorded in this hub, besides what ships with it."""
    return [Fact(row.code, row.since, row.value, row.source) for row in LegalFact.objects.all()]


def limit(code: str, *, on: date) -> Decimal | None:
    """The number that holds on the day, None where the law has none."""
    found = facts(on=on).get(code)
    return found.number if found else None


def day(code: str, *, on: date) -> date:
    """The day that the fact ``code`` names; raises FactUnknown."""
    try:
        return date.fromisoformat(facts(on=on)[code].value)
    except (KeyError, TypeError, ValueError):
        raise FactUnknown(code) from None


def words(code: str, *, on: date) -> tuple[str, ...]:
    """The words of the fact ``code``, such as a code list; none where nothing is recorded."""
    known = facts(on=on).get(code)
    return tuple(known.value if known and isinstance(known.value, list) else ())


def countries(code: str, *, on: date) -> frozenset[str]:
    """The countries (ISO 3166) of the fact ``code``; none where nothing is recorded."""
    return frozenset(words(code, on=on))


@lru_cache
def shipped() -> tuple[Fact, ...]:
    """The facts that come with the hub."""
    return tuple(
        Fact(one["code"], date.fromisoformat(one["since"]), one["value"], one["source"])
        for one in json.loads(SHIPPED.read_text("utf-8"))
    )


def limit_codes() -> tuple[str, ...]:
    """The codes of the numbers that the hub knows of."""
    return tuple(dict.fromkeys(one.code for one in shipped() if is_limit(one.code)))

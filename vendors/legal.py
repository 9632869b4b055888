"""What the law says on a day: facts that ship with the hub, and those that replace them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
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


class FactUnknown(LookupError):
    """Nobody has recorded what the law says of this on that day."""


def facts(*, on: date) -> dict[str, Fact]:
    """Code -> the fact that holds on the day; a row replaces what ships with the hub."""
    rows = [
        Fact(row.code, row.since, row.value, row.source)
        for row in LegalFact.objects.filter(since__lte=on)
    ]
    found: dict[str, Fact] = {}
    # sorted() is stable: of the same day, the row comes last and stands
    for one in sorted([*_shipped(), *rows], key=lambda one: one.since):
        if one.since <= on:
            found[one.code] = one
    return found


def day(code: str, *, on: date) -> date:
    """The day that the fact ``code`` names; raises FactUnknown."""
    try:
        return date.fromisoformat(facts(on=on)[code].value)
    except (KeyError, TypeError, ValueError):
        raise FactUnknown(code) from None


def countries(code: str, *, on: date) -> frozenset[str]:
    """The countries (ISO 3166) of the fact ``code``; none where nothing is recorded."""
    known = facts(on=on).get(code)
    return frozenset(known.value if known and isinstance(known.value, list) else ())


@lru_cache
def _shipped() -> tuple[Fact, ...]:
    return tuple(
        Fact(one["code"], date.fromisoformat(one["since"]), one["value"], one["source"])
        for one in json.loads(SHIPPED.read_text("utf-8"))
    )

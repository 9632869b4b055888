"""Which limit of the law holds on a day: what the hub ships with, and what a set-up file adds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path

import yaml

SHIPPED = Path(__file__).with_name("reference") / "legal_limits.yaml"
CODES = (
    "framework.months", "amendment.add-wss", "amendment.mod-cir", "amendment.mod-minv",
    "comp-dial.request_days", "comp-dial.least_candidates", "comp-dial.standstill_days",
    "mini-competition.standstill_days", "environment.weight",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit from a day on; ``source`` names the paragraph that sets it."""

    code: str
    begins: date
    value: Decimal
    source: str


def limit(code: str, *, on: date, added: Iterable[Limit] = ()) -> Limit | None:
    """The newest limit of the code that has begun; ``added`` goes before what is shipped."""
    known = {(one.code, one.begins): one for one in (*shipped(), *added)}
    begun = [one for one in known.values() if one.code == code and one.begins <= on]
    return max(begun, key=lambda one: one.begins, default=None)


@cache
def shipped() -> tuple[Limit, ...]:
    """The limits that come with the hub."""
    rows = yaml.safe_load(SHIPPED.read_text("utf-8"))
    return tuple(
        Limit(row["code"], row["from"], Decimal(row["value"]), row["source"]) for row in rows
    )

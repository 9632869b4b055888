"""The dated limits of the law that procedures are held to, from contracts/reference/."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import yaml

SHIPPED = Path(__file__).with_name("reference") / "tender_limits.yaml"


@dataclass(frozen=True, slots=True)
class TenderLimit:
    """One limit from a day on; ``source`` names the paragraph that sets it."""

    code: str
    begins: date
    value: Decimal
    source: str


def limit(code: str, *, on: date) -> Decimal | None:
    """The newest limit of the code that has begun on the day, None where the law has none."""
    begun = [one for one in _limits() if one.code == code and one.begins <= on]
    return max(begun, key=lambda one: one.begins).value if begun else None


@cache
def end_reasons() -> tuple[str, ...]:
    """Why a procedure may end without a winner (eForms BT-144)."""
    return tuple(_shipped()["end_reasons"])


@cache
def _limits() -> tuple[TenderLimit, ...]:
    return tuple(
        TenderLimit(row["code"], row["from"], Decimal(row["value"]), row["source"])
        for row in _shipped()["limits"]
    )


@cache
def _shipped() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(SHIPPED.read_text("utf-8"))
    return found

"""The limits of the law that procedures are held to on a day, and why they may end."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path

import yaml

from contracts import legal
from contracts.models import LegalLimit

REASONS = Path(__file__).with_name("reference") / "end_reasons.yaml"


def limit(code: str, *, on: date) -> Decimal | None:
    """The newest limit of the code that has begun on the day, None where the law has none."""
    added = [
        legal.Limit(one.code, one.valid_from, one.value, one.source)
        for one in LegalLimit.objects.filter(code=code)
    ]
    found = legal.limit(code, on=on, added=added)
    return found.value if found else None


@cache
def end_reasons() -> tuple[str, ...]:
    """Why a procedure may end without a winner (eForms BT-144)."""
    return tuple(yaml.safe_load(REASONS.read_text("utf-8")))

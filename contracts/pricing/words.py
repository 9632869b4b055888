"""Single values of terms, read from JSON: amounts, percentages, whole numbers, days, months."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, TypeVar

from contracts.pricing.money import ONE, ZERO
from contracts.pricing.terms import PriceTermsError

Word = TypeVar("Word", bound=StrEnum)
Terms = Mapping[str, Any]


def known(item: Any, names: set[str], *, where: str) -> Terms:
    """The mapping without what is null; PriceTermsError for a term that is not understood."""
    if not isinstance(item, Mapping):
        raise PriceTermsError(f"{where}: expected named terms, found {_told(item)}")
    if unknown := sorted(set(item) - names):
        raise PriceTermsError(f"{where}: unknown term {unknown[0]!r}")
    return {name: value for name, value in item.items() if value is not None}


def listed(terms: Terms, name: str, *, where: str = "") -> list[Any]:
    """A list, empty where it is left out."""
    found = terms.get(name, [])
    if not isinstance(found, list):
        raise PriceTermsError(f"{where}{name}: expected a list, found {_told(found)}")
    return found


def money(value: Any, *, where: str) -> Decimal:
    """An amount, as text so that no float ever touched it."""
    if not isinstance(value, str):
        raise PriceTermsError(f"{where}: expected an amount as text, found {_told(value)}")
    found = number(value, where=where)
    if found < ZERO:
        raise PriceTermsError(f"{where}: expected an amount of 0 or more, found {_told(value)}")
    return found


def number(value: Any, *, where: str) -> Decimal:
    """A finite number, as text."""
    try:
        found = Decimal(value) if isinstance(value, str) else None
    except InvalidOperation:
        found = None
    if found is None or not found.is_finite():
        raise PriceTermsError(f"{where}: expected a number, found {_told(value)}")
    return found


def percentage(value: Any, *, where: str) -> Decimal:
    """A percentage of any size as a share of one: "4%" is 0.04."""
    text = str(value).strip()
    if not text.endswith("%"):
        raise PriceTermsError(f"{where}: expected a percentage, found {_told(value)}")
    return number(text[:-1].strip(), where=where) / 100


def share(value: Any, *, where: str) -> Decimal:
    """A percentage from 0 to 100 as a share of one."""
    found = percentage(value, where=where)
    if not ZERO <= found <= ONE:
        raise PriceTermsError(f"{where}: expected 0% to 100%, found {_told(value)}")
    return found


def whole(value: Any, *, least: int, where: str) -> int:
    """A whole number of at least ``least``."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        what = f"a whole number above {least - 1}" if least else "a whole number"
        raise PriceTermsError(f"{where}: expected {what}, found {_told(value)}")
    return value


def flag(value: Any, *, where: str) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise PriceTermsError(f"{where}: expected true or false, found {_told(value)}")
    return value


def word(value: Any, words: type[Word], *, where: str) -> Word:
    """One of a few words."""
    try:
        return words(value)
    except ValueError:
        raise PriceTermsError(
            f"{where}: expected {', '.join(words)}, found {_told(value)}"
        ) from None


def day(value: Any, *, where: str) -> date:
    """A day such as 2026-01-31."""
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise PriceTermsError(f"{where}: expected a date, found {_told(value)}") from None


def month(value: Any, *, where: str) -> date:
    """The first day of a month such as 2026-01."""
    try:
        return date.fromisoformat(f"{value}-01")
    except ValueError:
        raise PriceTermsError(f"{where}: expected a month, found {_told(value)}") from None


def _told(value: Any) -> str:
    return "nothing" if value is None or value == "" else repr(value)

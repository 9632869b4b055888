"""Single values of terms, read from JSON: amounts, percentages, whole numbers, days, months."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, TypeVar

from django.utils.translation import gettext as _

from contracts.pricing.money import ONE, ZERO
from contracts.pricing.terms import PriceTermsError

Word = TypeVar("Word", bound=StrEnum)
Terms = Mapping[str, Any]


def known(item: Any, names: set[str], *, where: str) -> Terms:
    """The mapping without what is null; PriceTermsError for a term that is not understood."""
    if not isinstance(item, Mapping):
        raise unlike(_("named terms"), item, where=where)
    if unknown := sorted(set(item) - names):
        raise refused(where, _("unknown term %(found)s") % {"found": repr(unknown[0])})
    return {name: value for name, value in item.items() if value is not None}


def listed(terms: Terms, name: str, *, where: str = "") -> list[Any]:
    """A list, empty where it is left out."""
    found = terms.get(name, [])
    if not isinstance(found, list):
        raise unlike(_("a list"), found, where=f"{where}{name}")
    return found


def money(value: Any, *, where: str) -> Decimal:
    """An amount, as text so that no float ever touched it."""
    if not isinstance(value, str):
        raise unlike(_("an amount as text"), value, where=where)
    found = number(value, where=where)
    if found < ZERO:
        raise unlike(_("an amount of 0 or more"), value, where=where)
    return found


def number(value: Any, *, where: str) -> Decimal:
    """A finite number, as text."""
    try:
        found = Decimal(value) if isinstance(value, str) else None
    except InvalidOperation:
        found = None
    if found is None or not found.is_finite():
        raise unlike(_("a number"), value, where=where)
    return found


def percentage(value: Any, *, where: str) -> Decimal:
    """A percentage of any size as a share of one: "4%" is 0.04."""
    text = str(value).strip()
    if not text.endswith("%"):
        raise unlike(_("a percentage"), value, where=where)
    return number(text[:-1].strip(), where=where) / 100


def share(value: Any, *, where: str) -> Decimal:
    """A percentage from 0 to 100 as a share of one."""
    found = percentage(value, where=where)
    if not ZERO <= found <= ONE:
        raise unlike(_('a percentage from "0%" to "100%"'), value, where=where)
    return found


def whole(value: Any, *, least: int, where: str) -> int:
    """A whole number of at least ``least``."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        what = _("a whole number of %(least)s or more") % {"least": least}
        raise unlike(what, value, where=where)
    return value


def flag(value: Any, *, where: str) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise unlike(_("true or false"), value, where=where)
    return value


def word(value: Any, words: type[Word], *, where: str) -> Word:
    """One of a few words."""
    try:
        return words(value)
    except ValueError:
        raise unlike(", ".join(words), value, where=where) from None


def day(value: Any, *, where: str) -> date:
    """A day such as 2026-01-31."""
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise unlike(_("a date such as 2026-01-31"), value, where=where) from None


def month(value: Any, *, where: str) -> date:
    """The first day of a month such as 2026-01."""
    try:
        return date.fromisoformat(f"{value}-01")
    except ValueError:
        raise unlike(_("a month such as 2026-01"), value, where=where) from None


def refused(where: str, rule: str) -> PriceTermsError:
    """The refusal of a term: the ``rule`` in the reader's language."""
    return PriceTermsError(f"{where}: {rule}")


def unlike(what: str, value: Any, *, where: str) -> PriceTermsError:
    """The refusal of a ``value`` where something else was expected."""
    found = _("nothing") if value is None or value == "" else repr(value)
    return refused(where, _("expected %(what)s, found %(found)s") % {"what": what, "found": found})

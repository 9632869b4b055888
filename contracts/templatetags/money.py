"""Amounts, counts and percentages as people read them."""

from __future__ import annotations

from decimal import Decimal

from django import template
from django.utils.formats import number_format
from django.utils.translation import get_language

register = template.Library()
# Between thousands; a full stop in Danish, else a narrow space that no line breaks at.
_BETWEEN = {"da": "."}
_NARROW = "\N{NARROW NO-BREAK SPACE}"
_LEAST, _MOST = 2, 4


@register.filter
def money(value: Decimal | str | None) -> str:
    """An amount with two decimals, thousands apart: 40 000 000,00 in Norwegian."""
    return "–" if value is None else _told(Decimal(value), decimals=_LEAST)


@register.filter
def price(value: Decimal | None) -> str:
    """The price of one, with two decimals, or as many up to four as it has."""
    if value is None:
        return "–"
    exponent = value.normalize().as_tuple().exponent
    has = -exponent if isinstance(exponent, int) else 0
    return _told(value, decimals=min(max(has, _LEAST), _MOST))


@register.filter
def count(value: Decimal | int | None) -> str:
    """A whole number, thousands apart."""
    return "–" if value is None else _told(Decimal(value), decimals=0)


@register.filter
def plain(value: Decimal | float | str | None, least: int = 0) -> str:
    """Any number as people write it: thousands apart, up to four decimals and no needless zeros."""
    if value is None or value == "":
        return "–"
    told = round(Decimal(str(value)), _MOST).normalize()
    exponent = told.as_tuple().exponent
    has = -exponent if isinstance(exponent, int) else 0
    return _told(told, decimals=max(has, least))


@register.filter
def whole(value: Decimal | float | None) -> str:
    """A number without decimals, thousands apart."""
    return "–" if value is None else _told(round(Decimal(str(value))), decimals=0)


@register.filter
def share(value: Decimal) -> str:
    """A percentage with one decimal."""
    return f"{number_format(round(value, 1), decimal_pos=1)}\N{NO-BREAK SPACE}%"


@register.filter
def percent(value: Decimal) -> str:
    """A share of one as a percentage with two decimals."""
    return f"{number_format(round(value * 100, _LEAST), decimal_pos=_LEAST)}\N{NO-BREAK SPACE}%"


def _told(value: Decimal | int, *, decimals: int) -> str:
    whole, _, rest = f"{abs(value):,.{decimals}f}".partition(".")
    sign = "\N{MINUS SIGN}" if value < 0 and any(one in "123456789" for one in whole + rest) else ""
    between = _BETWEEN.get((get_language() or "")[:2], _NARROW)
    point = number_format("0.1", decimal_pos=1)[1]
    return f"{sign}{whole.replace(',', between)}{point + rest if rest else ''}"

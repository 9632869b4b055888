"""Amounts and percentages as people read them."""

from __future__ import annotations

from decimal import Decimal

from django import template
from django.utils.formats import number_format

register = template.Library()


@register.filter
def money(value: Decimal | None) -> str:
    """An amount with two decimals, thousands apart: 40 000 000,00 in Norwegian."""
    if value is None:
        return "–"
    whole = f"{abs(value):,.2f}"
    digits, _, cents = whole.partition(".")
    sign = "\N{MINUS SIGN}" if value < 0 else ""
    point = number_format("0.1", decimal_pos=1)[1]
    return f"{sign}{digits.replace(',', chr(0xA0))}{point}{cents}"


@register.filter
def share(value: Decimal) -> str:
    """A percentage with one decimal."""
    return f"{number_format(value, decimal_pos=1)}\N{NO-BREAK SPACE}%"

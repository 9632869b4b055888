"""Writes amounts and days in a sentence as people of its language do: 500 000,00 and 31.12.2032.

Refusals and warnings say values as a set-up file has them, so that one sentence serves file, API
and page. This is where a person is about to read it. English has them as files do; what stands in
quotes is what somebody sent or is to send, and stays: so every translation quotes its examples.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date
from typing import Any

from django.utils.formats import date_format, number_format
from django.utils.translation import get_language

_AS_IN_FILES = ("", "en")
_BETWEEN = {"da": "."}
_NO_BREAK = "\N{NO-BREAK SPACE}"
_PARTS = re.compile(
    # what was sent, and an example of what is to be sent, stays as it is sent
    r'(?P<quoted>"[^"]*")'
    r"|(?<![\w.,:/-])(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})(?![\w-])"
    # a version may be 1.10: an amount has more before its point, or a currency or % behind it
    r"|(?<![\w.,:/])(?P<amount>-?(?:[0-9][0-9\u00a0]+\.[0-9]{2,4}(?![\w.]*[0-9])"
    r"|[0-9]\.[0-9]{2,4}(?=[ \u00a0]?(?:%|[A-Z]{3}\b))))"
)


def spelt(sentence: str) -> str:
    """The sentence with its amounts and days as the active language writes them."""
    language = (get_language() or "")[:2]
    if language in _AS_IN_FILES:
        return sentence
    return _PARTS.sub(lambda found: _told(found, language), sentence)


def spelt_all(told: Any) -> Any:
    """The same of every sentence in what an answer tells."""
    if isinstance(told, dict):
        return {name: spelt_all(one) for name, one in told.items()}
    if isinstance(told, list | tuple):
        return [spelt_all(one) for one in told]
    return spelt(told) if isinstance(told, str) else told


def _told(found: re.Match[str], language: str) -> str:
    if day := found["day"]:
        with suppress(ValueError):
            return date_format(date.fromisoformat(day), "SHORT_DATE_FORMAT")
    if amount := found["amount"]:
        whole, _point, rest = amount.replace(_NO_BREAK, "").partition(".")
        apart = f"{int(whole):,}".replace(",", _BETWEEN.get(language, _NO_BREAK))
        sign = "-" if whole == "-0" else ""
        return f"{sign}{apart}{number_format('0.1', decimal_pos=1)[1]}{rest}"
    return found[0]

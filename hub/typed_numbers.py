"""Numbers as people of a language type them, and as forms show them: 33 000 000,00 and 24,50.

What leaves here is a number as files and the API have it, or the text as it was typed: whether it
is a number at all, the field says that it was typed into.
"""

from __future__ import annotations

import re

from django.utils.formats import get_format
from django.utils.translation import get_language

_SPACES = "[ \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}]"
_BETWEEN = re.compile(rf"(?<=[0-9]){_SPACES}(?=[0-9]{{3}}(?![0-9]))")
_PLAIN = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)
# thousands apart: by commas where a point stands before decimals, by points where a comma does;
# 1,350 alone may be either, and is nobody's to guess
_APART = {
    ".": re.compile(r"-?[0-9]{1,3}((,[0-9]{3})+\.[0-9]+|(,[0-9]{3}){2,})", re.ASCII),
    ",": re.compile(r"-?[0-9]{1,3}((\.[0-9]{3})+,[0-9]+|(\.[0-9]{3}){2,})", re.ASCII),
}
_GUESS = re.compile(r"-?[0-9]{1,3},[0-9]{3}", re.ASCII)


def plain_number(text: str) -> str:
    """``33 000 000,00`` as ``33000000.00``, by the active language; other texts as they are."""
    typed = _BETWEEN.sub("", text.strip()).replace("\N{MINUS SIGN}", "-")
    point = _point()
    if _APART[point].fullmatch(typed):
        typed = typed.replace("," if point == "." else ".", "")
    is_clear = point == "," or not _GUESS.fullmatch(typed)
    changed = typed.replace(",", ".") if is_clear else typed
    return changed if _PLAIN.fullmatch(changed) else text.strip()


def shown_number(text: str) -> str:
    """``24.50`` with the decimal sign of the active language; other texts as they are."""
    return text.replace(".", _point()) if _PLAIN.fullmatch(text) else text


def _point() -> str:
    """The decimal sign of the active language: a comma or a point."""
    found = str(get_format("DECIMAL_SEPARATOR", lang=get_language()))
    return found if found in _APART else "."

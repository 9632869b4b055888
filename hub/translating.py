"""Looks up short texts that one page says fifty times over: each once in a language."""

from __future__ import annotations

from functools import lru_cache

from django.utils import translation
from django.utils.translation import gettext_noop

# What libraries say, where our catalogue says it better than theirs.
OF_OTHERS = (
    gettext_noop("A valid number is required."),
    gettext_noop("A valid integer is required."),
    gettext_noop("Ensure this value is greater than or equal to {min_value}."),
    gettext_noop("Ensure this value is less than or equal to {max_value}."),
)


def gettext(text: str) -> str:
    """``text`` in the active language, as Django's own function of the name gives it."""
    return _in(translation.get_language(), text)


@lru_cache(maxsize=4096)
def _in(_language: str | None, text: str) -> str:
    # Catalogues are read once by a process, so what one says stays what it is.
    return translation.gettext(text)

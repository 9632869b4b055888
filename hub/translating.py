"""Looks up short texts that one page says fifty times over: each once in a language."""

from __future__ import annotations

from functools import lru_cache

from django.utils import translation


def gettext(text: str) -> str:
    """``text`` in the active language, as Django's own function of the name gives it."""
    return _in(translation.get_language(), text)


@lru_cache(maxsize=4096)
def _in(_language: str | None, text: str) -> str:
    # Catalogues are read once by a process, so what one says stays what it is.
    return translation.gettext(text)

"""A sentence for people, kept as text and arguments, so that each reader gets it in their language.

A reason is written once, in English, where the decision is made; it is stored with the row it
explains and translated only when somebody reads it.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import get_language

from hub.translating import gettext

StoredPhrase = dict[str, Any]
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Phrase:
    """A sentence with named arguments; ``str()`` gives it in the active language."""

    text: str
    args: Mapping[str, Any] = field(default_factory=dict)

    def stored(self) -> StoredPhrase:
        """The JSON form that a row keeps."""
        args = {name: _plain(value) for name, value in self.args.items()}
        return {"text": self.text, "args": args}

    def __str__(self) -> str:
        return render(self.stored())


def phrase(text: str, /, **args: Any) -> Phrase:
    """A Phrase of ``text`` with ``%(name)s`` places filled by ``args``."""
    return Phrase(text, args)


def render(stored: StoredPhrase | str | None) -> str:
    """The stored sentence in the active language; arguments may be phrases themselves."""
    if not stored:
        return ""
    if isinstance(stored, str):
        return stored
    args = {name: _told(value) for name, value in stored.get("args", {}).items()}
    text = gettext(stored["text"])
    return text % args if args else text


def _told(value: Any) -> Any:
    """An argument in the active language; a day as people write it, in English as ISO 8601."""
    if isinstance(value, dict) and "text" in value:
        return render(value)
    is_day = isinstance(value, str) and len(value) == 10 and _DAY.fullmatch(value)
    if is_day and get_language() not in (None, "en"):
        with contextlib.suppress(ValueError):
            return date_format(date.fromisoformat(value), "SHORT_DATE_FORMAT")
    return value


def _plain(value: Any) -> Any:
    """What JSON can hold: phrases as their stored form, all else but numbers as text."""
    if isinstance(value, Phrase):
        return value.stored()
    if value is None or isinstance(value, (bool, int, float)):
        return value
    # An argument may quote what somebody sent, and PostgreSQL takes neither NUL nor half a pair.
    text = str(value).replace("\x00", "\N{REPLACEMENT CHARACTER}")
    return text.encode("utf-8", "replace").decode()

"""What is wrong with a set-up: each problem with its place, gathered to be told all at once."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

LONGEST_QUOTE = 60
LONGEST_SHOWN = 200


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line (from 1) of a file; ``str()`` gives ``first-site.yaml:24``."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.file else "database"


# what is not written in any file: an entry that only the database knows
IN_DATABASE = Place("", 0)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong, and where; ``section`` and ``field`` as the file spells them."""

    place: Place
    section: str
    code: str
    field: str
    text: str

    def is_about_the_same_as(self, other: Problem) -> bool:
        """Whether both are problems of one field of one entry in one file."""
        return (self.place.file, self.section, self.code, self.field) == (
            other.place.file, other.section, other.code, other.field,
        )  # fmt: skip

    def __str__(self) -> str:
        code = cut(self.code, longest=LONGEST_SHOWN)
        about = " ".join(part for part in (self.section, code) if part)
        parts = [str(self.place), about, self.field, self.text]
        return printable(": ".join(part for part in parts if part))


@dataclass(slots=True)
class Report:
    """The problems found so far; warnings are told and stop nothing."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def refuse_if_any(self) -> None:
        """Raise SetUpRefused with every problem, in the order of the files."""
        if self.problems:
            raise SetUpRefused(sorted(set(self.problems)))


class SetUpRefused(Exception):
    """The set-up was not applied; ``problems`` says all that is wrong with it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        count = len(self.problems)
        head = ngettext(
            "%(count)s problem, nothing was changed", "%(count)s problems, nothing was changed",
            count,
        )  # fmt: skip
        return "\n".join([head % {"count": count}, *map(str, self.problems)])


def nearest(word: str, known: Iterable[str]) -> str:
    """``; did you mean X?`` for the known word most like this one, or nothing."""
    by_lower = {one.lower(): one for one in known}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return _("; did you mean %(word)s?") % {"word": by_lower[close[0]]} if close else ""


def one_of(what: str, known: Iterable[str | None], *, found: str) -> str:
    """The refusal of a code that is none of those which something has."""
    names = ", ".join(filter(None, known)) or _("there is none")
    text = _("expected %(what)s: %(known)s; found %(found)s")
    return text % {"what": what, "known": names, "found": cut(found)}


def printable(text: str) -> str:
    """The text with escapes for what no terminal, log or database should be given raw."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


def shown(value: Any) -> str:
    """A value of an entry, for people: text as it is, mappings and lists as short JSON."""
    if value is None or value == "":
        return _("nothing")
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return printable(text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}...")


def quoted(text: str) -> str:
    """The text in quotes, cut where it is long."""
    return f'"{cut(text)}"'


def cut(text: str, *, longest: int = LONGEST_QUOTE) -> str:
    """The text, or its beginning where it is long."""
    return text if len(text) <= longest else f"{text[:longest]}..."

"""Judges single values of a list of usage, and keeps every fault with its path and its rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.utils.translation import gettext as _

from contracts.priced import line_key
from contracts.pricing import Agreement, Line
from contracts.zone import CONTRACT_ZONE
from hub.configuration.problems import nearest, shown

MOST = 10**7
MOST_TOLD = 100
OF_A_LINE = ("call_off", "algorithm", "site")

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at a path such as ``usage[3].quantity``, and by which rule."""

    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}"


class UsageRefused(Exception):  # noqa: N818 (named by what failed)
    """The usage cannot be priced; ``faults`` says all that is wrong with it."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, self.faults[:MOST_TOLD])))


@dataclass(slots=True)
class Judge:
    """Takes values out of rows; what is not fit becomes a fault, and None is given instead."""

    lines: Mapping[str, tuple[Agreement, Line]]
    faults: list[Fault] = field(default_factory=list)

    def refuse(self, path: str, text: str) -> None:
        """Keep a fault."""
        self.faults.append(Fault(path, text))

    def listed(self, given: Any, path: str) -> list[Any]:
        """A list, or a fault and an empty one."""
        if isinstance(given, list):
            return given
        self.unlike(path, _("a list"), given)
        return []

    def unlike(self, path: str, what: str, found: Any) -> None:
        """Keep the fault that something else was expected than what was found."""
        told = {"what": what, "found": shown(found)}
        self.refuse(path, _("expected %(what)s, found %(found)s") % told)

    def row(
        self, given: Any, path: str, *, needed: tuple[str, ...], other: tuple[str, ...]
    ) -> bool:
        """Whether it is an object with the needed fields, and none but those and the other."""
        names, before = (*needed, *other), len(self.faults)
        if not isinstance(given, Mapping):
            what = _("an object with %(names)s") % {"names": ", ".join(needed)}
            self.unlike(path, what, given)
            return False
        for name in sorted(map(str, set(given) - set(names))):
            text = _("expected one of %(known)s, found %(found)s")
            told = text % {"known": ", ".join(names), "found": shown(name)}
            self.refuse(f"{path}.{shown(name)}", told + nearest(name, names))
        for name in needed:
            if given.get(name) is None:
                self.refuse(f"{path}.{name}", _("expected a value, found nothing"))
        return len(self.faults) == before

    def text(self, row: Row, name: str, path: str) -> str | None:
        """A text of a row."""
        if isinstance(row[name], str) and row[name]:
            return str(row[name])
        self.unlike(f"{path}.{name}", _("a text"), row[name])
        return None

    def whole(self, row: Row, name: str, path: str, *, most: int = MOST) -> int:
        """A whole number of a row; 0 where it is left out."""
        value = row.get(name)
        if value is None:
            return 0
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most:
            return value
        what = _("a whole number from %(low)s to %(high)s") % {"low": 0, "high": most}
        self.unlike(f"{path}.{name}", what, value)
        return 0

    def day(self, row: Row, path: str) -> date | None:
        """The local day of a date, or of a moment with its offset from UTC."""
        text = row["date"]
        try:
            if isinstance(text, str) and len(text) == len("2026-01-31"):
                return date.fromisoformat(text)
            if isinstance(text, str) and (at := datetime.fromisoformat(text)).tzinfo:
                return at.astimezone(CONTRACT_ZONE).date()
        except (ValueError, OverflowError):
            pass
        what = _("a date such as 2026-01-31, or a time with its offset from UTC")
        self.unlike(f"{path}.date", what, text)
        return None

    def line(self, row: Row, path: str) -> tuple[Agreement, Line] | None:
        """The line of a call-off that a row is about."""
        names = [self.text(row, name, path) for name in OF_A_LINE]
        call_off, algorithm, site = names
        if call_off is None or algorithm is None or site is None:
            return None
        if found := self.lines.get(line_key(call_off, algorithm, site)):
            return found
        fits = [line for _, line in self.lines.values()]
        for name, value in zip(OF_A_LINE, (call_off, algorithm, site), strict=True):
            known = sorted({getattr(one, name) for one in fits})
            fits = [one for one in fits if getattr(one, name) == value]
            if not fits:
                said = f"{shown(value)}{nearest(value, known)}"
                self.unlike(f"{path}.{name}", _of_a_line(name) % {"call_off": call_off}, said)
                break
        return None


def _of_a_line(name: str) -> str:
    return {
        "call_off": _("a call-off with lines"),
        "algorithm": _("an algorithm of a line of %(call_off)s"),
        "site": _("a site of a line of %(call_off)s with this algorithm"),
    }[name]

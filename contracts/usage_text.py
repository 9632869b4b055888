"""A list of usage as people bring it: the JSON of the API, or a table out of a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from django.utils.translation import gettext as _

NUMBERS = ("quantity", "late", "failed", "rejected")
MOST_DIGITS = 12


class UsageNotRead(ValueError):
    """The text is neither; the message says what was expected."""


def read(text: str) -> Any:
    """What ``simulation.simulate()`` takes as usage; its rows are judged there. UsageNotRead."""
    text = text.strip().removeprefix("\ufeff")
    if text[:1] in ("[", "{"):
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UsageNotRead(_("expected JSON: %(why)s") % {"why": error}) from error
    return _of_table(text)


def _of_table(text: str) -> list[dict[str, Any]]:
    """Rows below a line of names; apart by tabs, semicolons or commas."""
    head = text.partition("\n")[0]
    between = next((one for one in ("\t", ";") if one in head), ",")
    try:
        rows = list(csv.DictReader(io.StringIO(text), delimiter=between))
    except csv.Error as error:
        raise UsageNotRead(_("expected a table: %(why)s") % {"why": error}) from error
    if not rows:
        raise UsageNotRead(_("expected a line of names, such as call_off, and rows below it"))
    return [_row(row) for row in rows]


def _row(row: dict[str, Any]) -> dict[str, Any]:
    """A cell that is empty is not there; what is more than the names is refused by its name."""
    said: dict[str, Any] = {}
    for name, cell in row.items():
        value = cell.strip() if isinstance(cell, str) else cell
        if value:
            said[str(name).strip()] = _number(value) if name in NUMBERS else value
    return said


def _number(text: str) -> int | str:
    return int(text) if text.isdecimal() and len(text) <= MOST_DIGITS else text

"""Puts index series and rates of value added tax on record; who buys for all does.

They are dated: a new month or a new rate is added, and what was rated with an older one is not
touched, unless that is said anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from contracts import vat
from contracts.models import IndexSeries, VatRate
from hub.configuration import entries
from hub.configuration.entries import ANY

SERIES, RATE = "index_series", "vat_rate"


def begin(kind: str, entry: Mapping[str, Any], *, by: Any) -> Any:
    """A new series or rate, as a set-up file has it; raises EntryRefused."""
    return entries.write(kind, entry, is_new=True, by=by)


def change(kind: str, row: Any, fields: Mapping[str, Any], *, by: Any, of: str = ANY) -> Any:
    """Let fields of its entry say something else, each as a whole.

    Raises EntryRefused, and EntryChanged where it is none of the revisions ``of``.
    """
    return entries.change(kind, row, fields, by=by, of=of)


def series_of(code: str) -> IndexSeries | None:
    """The series of a code, which may come from an address; no database takes NUL."""
    return None if "\x00" in code else IndexSeries.objects.filter(code=code).first()


def rate_of(country: str, day: str) -> VatRate | None:
    """The rate that was put on record for a country from a day (ISO) on."""
    try:
        since = date.fromisoformat(day)
    except ValueError:
        return None
    return VatRate.objects.filter(country=country, valid_from=since).first()


def rates_in_force() -> list[dict[str, Any]]:
    """All rates by country, the newest first: ``row`` is None for one that comes with the hub."""
    own = {(one.country, one.valid_from): one for one in VatRate.objects.all()}
    return [
        {
            "country": country, "valid_from": day, "row": own.get((country, day)),
            "percent": (share * 100).normalize() + Decimal(0),
        }
        for country, dated in sorted(vat.rates_held().items())
        for day, share in sorted(dated.items(), reverse=True)
    ]  # fmt: skip

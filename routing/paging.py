"""Pages of studies in the order to read: each begins where the one before it ended.

A page is found by the place of a study and not by counting: what comes or is read meanwhile moves
no study from a page not seen yet to one that was, and a late page costs what the first does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from django.db.models import BooleanField, DateTimeField, F, Func, IntegerField, Value
from django.utils.translation import gettext as _

from routing.models import Study
from routing.models.studies import StudyQuerySet

_WRITTEN = re.compile(r"([0-9]{1,10})-([0-9]{1,4})-([0-9]{1,17})-([0-9]{1,18})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Among studies that were read there may be any number: they are not counted.
MOST_COUNTED = 10_000


class NotAPlace(ValueError):  # noqa: N818 (named by what failed)
    """What was given as a place in the list is none; ``str()`` says what was expected."""


@dataclass(frozen=True, slots=True)
class Place:
    """Between two studies of the list: beside the one with this key, ``number`` stand before it."""

    number: int
    band: int
    read_by: datetime
    pk: int

    @classmethod
    def read(cls, text: str) -> Place | None:
        """The place that str() wrote, None for no text; NotAPlace for anything else."""
        if not text:
            return None
        found = _WRITTEN.fullmatch(text)
        if found is None:
            told = _("expected a place as in next or previous; got %(value)s")
            raise NotAPlace(told % {"value": text[:40]})
        number, band, microseconds, pk = map(int, found.groups())
        try:
            read_by = _EPOCH + timedelta(microseconds=microseconds)
        except OverflowError:
            read_by = datetime.max.replace(tzinfo=UTC)
        return cls(number, band, read_by, pk)

    def __str__(self) -> str:
        microseconds = (self.read_by - _EPOCH) // timedelta(microseconds=1)
        return f"{self.number}-{self.band}-{microseconds}-{self.pk}"


@dataclass(frozen=True, slots=True)
class Page:
    """Some studies, the places before and after them where there are more, and how many in all.

    ``number`` stand before the first; ``count`` is None where they were not counted.
    """

    studies: list[Study]
    number: int
    before: Place | None
    after: Place | None
    count: int | None


class _Beyond(Func):
    """Whether a study stands behind (``>``) or before (``<``) a place; a comparison of rows."""

    output_field = BooleanField()

    def __init__(self, place: Place, sign: str) -> None:
        super().__init__(
            F("reading_band"), F("read_by"), F("pk"),
            Value(place.band, IntegerField()),
            Value(place.read_by, DateTimeField()),
            Value(place.pk, IntegerField()),
        )  # fmt: skip
        self._sign = sign

    def as_sql(self, compiler: Any, *_args: Any, **_extra: Any) -> Any:
        """``(reading_band, read_by, id) > (%s, %s, %s)``, which an index answers."""
        parts, given = [], []
        for expression in self.get_source_expressions():
            sql, params = compiler.compile(expression)
            parts.append(sql)
            given.extend(params)
        left, right = ", ".join(parts[:3]), ", ".join(parts[3:])
        return f"(({left}) {self._sign} ({right}))", given


def page_of(
    studies: StudyQuerySet,
    *,
    size: int,
    after: Place | None = None,
    before: Place | None = None,
    is_counted: bool = True,
    count: int | None = None,
) -> Page:
    """The first page, or the one ``after`` or ``before`` a place; ``studies`` in reading order.

    ``count`` spares counting them, where the caller has done so.
    """
    counted = partial(_count, studies, is_counted=is_counted, known=count)
    if before is not None:
        found = list(studies.filter(_Beyond(before, "<")).reverse()[: size + 1])
        rows = found[:size][::-1]
        number, is_more = max(before.number - len(rows), 0), len(found) > size
        first = _place(rows[0], number) if rows and is_more else None
        return Page(rows, number, first, before, counted())
    number = after.number if after else 0
    rows = list((studies.filter(_Beyond(after, ">")) if after else studies)[: size + 1])
    is_more, rows = len(rows) > size, rows[:size]
    last = _place(rows[-1], number + len(rows) - 1, is_behind=True) if is_more else None
    first = (_place(rows[0], number) if rows else after) if after else None
    is_all = not (after or is_more)
    return Page(rows, number, first, last, len(rows) if is_all else counted())


def _place(study: Study, number: int, *, is_behind: bool = False) -> Place:
    return Place(number + is_behind, study.reading_band, study.read_by, study.pk)


def _count(studies: StudyQuerySet, *, is_counted: bool, known: int | None) -> int | None:
    if not is_counted:
        return None
    return studies[:MOST_COUNTED].count() if known is None else known

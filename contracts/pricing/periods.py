"""The periods that money is counted in: contract years, quarters, months, and parts of them.

Days are local dates of the contract's zone; a period is ``[start, end)``, its last day is the day
before ``end``.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum

from contracts.pricing.money import rounded

DAY = timedelta(days=1)


class Length(StrEnum):
    """How long something is counted before it starts at nothing again."""

    MONTH = "month"
    QUARTER = "quarter"
    CONTRACT_YEAR = "contract_year"


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """From ``start`` to the day before ``end``."""

    start: date
    end: date

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.end - self.start).days

    @property
    def last(self) -> date:
        """Its last day."""
        return self.end - DAY

    def within(self, other: Period) -> Period:
        """What lies in both; they have a day in common."""
        return Period(max(self.start, other.start), min(self.end, other.end))


def months_after(start: date, months: int) -> date:
    """The same day of the month ``months`` later, or the last day of a month that is too short."""
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(start.day, last))


def month_of(day: date) -> Period:
    """The calendar month of a day."""
    start = day.replace(day=1)
    return Period(start, months_after(start, 1))


def quarter_of(day: date) -> Period:
    """The calendar quarter of a day."""
    start = date(day.year, day.month - (day.month - 1) % 3, 1)
    return Period(start, months_after(start, 3))


def contract_year_of(day: date, *, begins: date) -> Period:
    """The contract year of a day under an agreement that begins on ``begins``."""
    years = day.year - begins.year
    if day < months_after(begins, 12 * years):
        years -= 1
    return Period(months_after(begins, 12 * years), months_after(begins, 12 * (years + 1)))


def period_of(day: date, *, length: Length, begins: date) -> Period:
    """The period of that length that a day lies in."""
    if length is Length.MONTH:
        return month_of(day)
    if length is Length.QUARTER:
        return quarter_of(day)
    return contract_year_of(day, begins=begins)


def slots(first: date, last: date, *, begins: date, cuts: Iterable[date] = ()) -> Iterator[Period]:
    """The days from ``first`` to ``last`` cut where a month, a contract year or a price ends.

    Each slot lies in one month, one quarter and one contract year; a cut is a first day.
    """
    further = sorted(set(cuts))
    while first <= last:
        ends = [month_of(first).end, contract_year_of(first, begins=begins).end, last + DAY]
        end = min(ends + [cut for cut in further if cut > first])
        yield Period(first, end)
        first = end


def prorated(amount: Decimal, *, active: int, days: int) -> Decimal:
    """``amount`` for ``active`` of ``days`` days (actual/actual, both ends included)."""
    return rounded(amount * active / days)

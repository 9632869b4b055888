"""Reads a list of usage that is to be priced: by agreement, every row judged by its lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.utils.translation import gettext as _

from contracts.pricing import (
    Agreement,
    Availability,
    Line,
    Measured,
    PriceTermsError,
    Usage,
    Usages,
    contract_year_of,
)
from contracts.pricing.words import month, share
from contracts.usage_rows import OF_A_LINE, Judge, Row, UsageRefused
from hub.configuration.problems import shown

MOST_ROWS = 1_000_000
# (source, id) -> the first row that told of it, and where
Told = dict[tuple[str, str], tuple[str, Row]]
USED = (*OF_A_LINE, "date", "quantity")
OTHERS = ("late", "failed", "rejected", "id", "source")
AVAILABLE = (*OF_A_LINE, "month", "share")
MEASURED = ("framework", "algorithm", "kpi", "date", "successes", "n")


@dataclass(slots=True)
class Listed:
    """What was listed for one agreement."""

    agreement: Agreement
    used: list[Usage] = field(default_factory=list)
    availability: list[Availability] = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)

    @property
    def usages(self) -> Usages:
        """As rating takes it."""
        return Usages(tuple(self.used), tuple(self.availability), tuple(self.measured))

    @property
    def last_day(self) -> date | None:
        """The last day that anything was listed for."""
        days = [one.day for one in self.used] + [one.day for one in self.measured]
        return max(days + [one.month for one in self.availability], default=None)


def read_usage(given: Any, *, agreements: Iterable[Agreement]) -> list[Listed]:
    """What ``given`` lists, by agreement: a list of rows, or an object with ``usage``.

    A row is ``call_off, algorithm, site, date, quantity`` (billable examinations of a local day)
    and may have ``late`` (so many of them), and beside them ``failed`` (jobs) and ``rejected``
    (examinations that could not be read, by the customer's fault). Rows add up; those
    with an ``id`` (of a ``source``) count once. The object may list ``availability`` and
    ``outcomes`` as well. Raises UsageRefused with every fault.
    """
    by_code = {one.code: Listed(one) for one in agreements}
    lines = {
        line.key: (one.agreement, line) for one in by_code.values() for line in one.agreement.lines
    }
    judge = Judge(lines)
    whole = {"usage": given} if isinstance(given, list) else given
    if judge.row(whole, "usage", needed=("usage",), other=("availability", "outcomes")):
        _read_used(judge, whole["usage"], by_code)
        _read_available(judge, whole.get("availability") or [], by_code)
        _read_measured(judge, whole.get("outcomes") or [], by_code)
    if judge.faults:
        raise UsageRefused(judge.faults)
    return [one for one in by_code.values() if one.last_day is not None]


def _read_used(judge: Judge, given: Any, by_code: Mapping[str, Listed]) -> None:
    told: Told = {}
    rows = judge.listed(given, "usage")
    if len(rows) > MOST_ROWS:
        judge.unlike("usage", _("at most %(most)s rows") % {"most": MOST_ROWS}, len(rows))
        return
    for index, row in enumerate(rows):
        path = f"usage[{index}]"
        if not judge.row(row, path, needed=USED, other=OTHERS):
            continue
        if row.get("id") is not None and _is_told(judge, row, path, told):
            continue
        found, day = judge.line(row, path), judge.day(row, path)
        units = judge.whole(row, "quantity", path)
        late = judge.whole(row, "late", path, most=units)
        failed = judge.whole(row, "failed", path)
        if found and day and _was_in_use(judge, *found, day=day, path=path):
            rejected = judge.whole(row, "rejected", path)
            one = Usage(found[1].key, day, units, late, failed, rejected)
            by_code[found[0].code].used.append(one)


def _is_told(judge: Judge, row: Row, path: str, told: Told) -> bool:
    """Whether the event was in a row before; then that one counts."""
    source = judge.text(row, "source", path) if row.get("source") is not None else ""
    name = judge.text(row, "id", path)
    if name is None or source is None:
        return True
    before, first = told.setdefault((source, name), (path, row))
    if first != row:
        text = _("expected what %(place)s says of %(name)s, found something else")
        judge.refuse(f"{path}.id", text % {"place": before, "name": shown(name)})
    return before != path


def _was_in_use(
    judge: Judge, agreement: Agreement, line: Line, *, day: date, path: str
) -> bool:
    """Whether the line was in use on the day, at a price."""
    first = max(line.activated, agreement.begins)
    if not first <= day <= line.ends:
        what = _("a day from %(first)s, when the line is activated, to %(last)s")
        judge.unlike(f"{path}.date", what % {"first": first, "last": line.ends}, f"{day}")
        return False
    versions = agreement.prices.get(line.priced_as, ())
    if not any(one.valid_from <= day for one in versions):
        what = _("an algorithm with a price in %(agreement)s on %(day)s")
        told = what % {"agreement": agreement.code, "day": day}
        judge.unlike(f"{path}.algorithm", told, line.algorithm)
        return False
    return True


def _read_available(judge: Judge, given: Any, by_code: Mapping[str, Listed]) -> None:
    for index, row in enumerate(judge.listed(given, "availability")):
        path = f"availability[{index}]"
        if not judge.row(row, path, needed=AVAILABLE, other=()) or not (
            found := judge.line(row, path)
        ):
            continue
        try:
            here = Availability(
                found[1].key,
                month(row["month"], where=f"{path}.month"),
                share(row["share"], where=f"{path}.share"),
            )
        except PriceTermsError as fault:
            where, _colon, text = str(fault).partition(": ")
            judge.refuse(where, text)
            continue
        if not found[1].activated.replace(day=1) <= here.month <= found[1].ends:
            span = {"first": f"{found[1].activated:%Y-%m}", "last": f"{found[1].ends:%Y-%m}"}
            what = _("a month from %(first)s to %(last)s") % span
            judge.unlike(f"{path}.month", what, f"{here.month:%Y-%m}")
            continue
        listed = by_code[found[0].code].availability
        if any((one.line, one.month) == (here.line, here.month) for one in listed):
            text = _("expected one for %(month)s and this line, found another")
            judge.refuse(f"{path}.month", text % {"month": f"{here.month:%Y-%m}"})
            continue
        listed.append(here)


def _read_measured(judge: Judge, given: Any, by_code: Mapping[str, Listed]) -> None:
    for index, row in enumerate(judge.listed(given, "outcomes")):
        path = f"outcomes[{index}]"
        if not judge.row(row, path, needed=MEASURED, other=()):
            continue
        framework, kpi = judge.text(row, "framework", path), judge.text(row, "kpi", path)
        algorithm, day = judge.text(row, "algorithm", path), judge.day(row, path)
        n = judge.whole(row, "n", path)
        successes = judge.whole(row, "successes", path, most=n)
        if framework is not None and framework not in by_code:
            judge.unlike(f"{path}.framework", _("a known framework"), framework)
        elif framework and algorithm and kpi and day:
            found = by_code[framework]
            if algorithm not in found.agreement.prices:
                what = _("an algorithm with a price in %(agreement)s") % {"agreement": framework}
                judge.unlike(f"{path}.algorithm", what, algorithm)
            elif not found.agreement.begins <= day <= found.agreement.last_use:
                span = {"first": found.agreement.begins, "last": found.agreement.last_use}
                what = _("a day from %(first)s to %(last)s") % span
                judge.unlike(f"{path}.date", what, f"{day}")
            elif _is_agreed(judge, found, algorithm, kpi, day, path=path):
                found.measured.append(Measured(algorithm, kpi, day, successes, n))


def _is_agreed(
    judge: Judge, listed: Listed, algorithm: str, kpi: str, day: date, *, path: str
) -> bool:
    """Whether a price hangs on what was measured, and nothing was listed of its year before."""
    agreement = listed.agreement
    prices = [one.price.outcome for one in agreement.prices[algorithm]]
    known = sorted({one.kpi for one in prices if one})
    if kpi not in known:
        none = _("nothing: no price of %(algorithm)s follows an outcome")
        what = ", ".join(known) or none % {"algorithm": algorithm}
        judge.unlike(f"{path}.kpi", what, kpi)
        return False
    year = contract_year_of(day, begins=agreement.begins)
    if any(
        (one.algorithm, one.kpi) == (algorithm, kpi) and year.start <= one.day < year.end
        for one in listed.measured
    ):
        text = _("expected one for the contract year from %(day)s, found another")
        judge.refuse(f"{path}.date", text % {"day": year.start})
        return False
    return True

"""What was used, added up as it is asked for: by organisation, agreement, algorithm, site, time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum, Value
from django.db.models.functions import TruncDate, TruncMonth

from contracts.agreements import CONTRACT_ZONE
from contracts.models import UsageAdjustment, UsageEvent
from hub.access import CONTRACT_ROLES, site_clause

# Where it stands in a usage event what may be grouped by.
_PATHS: Mapping[str, str] = {
    "organisation": "call_off__organisation__code",
    "framework": "call_off__framework__code",
    "call_off": "call_off__code",
    "algorithm": "algorithm__code",
    "version": "version__version",
    "site": "site__code",
    "purpose": "purpose",
    "month": "at",
    "day": "at",
}
GROUPS = tuple(_PATHS)
NARROWED = ("organisation", "framework", "call_off", "algorithm", "site")


@dataclass(frozen=True, slots=True)
class Question:
    """``group_by``: names of GROUPS; ``only``: codes by names of NARROWED; local days, both in."""

    group_by: Sequence[str]
    only: Mapping[str, str]
    first: date | None = None
    last: date | None = None


def usage(user: Any, question: Question) -> list[dict[str, Any]]:
    """Rows of the groups asked for, with ``units`` (corrected), ``events`` and ``failures``.

    Without groups it is one row of all that is asked for.
    """
    events = UsageEvent.objects.filter(_clause(user, question, path=""))
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in _grouped(events, question, path="").annotate(
        units_=Sum("units"),
        events_=Count("pk"),
        failures_=Count("pk", filter=Q(fault=UsageEvent.Fault.SUPPLIER)),
    ):
        counts = {name: row[f"{name}_"] or 0 for name in ("units", "events", "failures")}
        found[_key(row, question)] = _names(row, question) | counts
    corrections = UsageAdjustment.objects.filter(_clause(user, question, path="corrects__"))
    grouped = _grouped(corrections, question, path="corrects__")
    for row in grouped.annotate(more=Sum("delta_units")):
        found[_key(row, question)]["units"] += row["more"] or 0
    return [found[key] for key in sorted(found, key=lambda key: tuple(map(str, key)))]


def day_begins(day: date) -> datetime:
    """The moment at which a day begins where contracts are reckoned."""
    return datetime.combine(day, time.min, CONTRACT_ZONE)


def _clause(user: Any, question: Question, *, path: str) -> Q:
    clause = site_clause(user, path=f"{path}site", roles=CONTRACT_ROLES)
    for name, code in question.only.items():
        clause &= Q(**{path + _PATHS[name]: code})
    if question.first:
        clause &= Q(**{f"{path}at__gte": day_begins(question.first)})
    if question.last:
        clause &= Q(**{f"{path}at__lt": day_begins(question.last + timedelta(days=1))})
    return clause


def _grouped(rows: QuerySet[Any], question: Question, *, path: str) -> QuerySet[Any, Any]:
    groups = {f"group_{name}": _expression(name, path) for name in question.group_by}
    return rows.order_by().values(**(groups or {"group_": Value(0)}))


def _expression(name: str, path: str) -> Any:
    where = path + _PATHS[name]
    if name == "month":
        return TruncMonth(where, tzinfo=CONTRACT_ZONE)
    return TruncDate(where, tzinfo=CONTRACT_ZONE) if name == "day" else F(where)


def _key(row: Mapping[str, Any], question: Question) -> tuple[Any, ...]:
    return tuple(_names(row, question).values())


def _names(row: Mapping[str, Any], question: Question) -> dict[str, Any]:
    names: dict[str, Any] = {}
    for name in question.group_by:
        value = row[f"group_{name}"]
        names[name] = f"{value:%Y-%m}" if name == "month" else value
        if name == "day":
            names[name] = value.isoformat()
    return names

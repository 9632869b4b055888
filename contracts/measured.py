"""What was measured under an agreement, as rating takes it; of several readings the newest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import F, QuerySet, Window
from django.db.models.functions import RowNumber

from contracts.models import AvailabilityReading, FrameworkAgreement, OutcomeReading
from contracts.priced import line_key
from contracts.pricing import Availability, Measured

Fact = Mapping[str, Any]


def availability(rows: QuerySet[AvailabilityReading]) -> QuerySet[AvailabilityReading]:
    """The newest reading of each line and month among the rows."""
    return _newest(rows, "line", "month").select_related(
        "line__call_off", "line__algorithm", "line__site"
    )


def outcomes(rows: QuerySet[OutcomeReading]) -> QuerySet[OutcomeReading]:
    """The newest reading of each agreement, algorithm, what is measured, and contract year."""
    found = _newest(rows, "framework", "algorithm", "kpi", "contract_year")
    return found.select_related("framework", "algorithm")


def facts_of(framework: FrameworkAgreement) -> dict[str, list[Fact]]:
    """Both as JSON values, by the codes of lines, in one order."""
    read = AvailabilityReading.objects.filter(line__call_off__framework=framework)
    led_to = OutcomeReading.objects.filter(framework=framework)
    return {
        "availability": [
            {"line": key_of(one), "month": one.month.isoformat(), "share": f"{one.share:f}"}
            for one in availability(read).order_by("line", "month")
        ],
        "outcomes": [
            {
                "algorithm": one.algorithm.code, "kpi": one.kpi,
                "day": one.contract_year.isoformat(), "successes": one.successes, "n": one.n,
            }
            for one in outcomes(led_to).order_by("algorithm", "kpi", "contract_year")
        ],
    }  # fmt: skip


def availability_in(facts: Iterable[Fact]) -> tuple[Availability, ...]:
    """What ``facts_of()`` told of availability."""
    return tuple(
        Availability(one["line"], date.fromisoformat(one["month"]), Decimal(one["share"]))
        for one in facts
    )


def outcomes_in(facts: Iterable[Fact]) -> tuple[Measured, ...]:
    """What ``facts_of()`` told of outcomes."""
    return tuple(
        Measured(
            one["algorithm"], one["kpi"], date.fromisoformat(one["day"]), one["successes"], one["n"]
        )
        for one in facts
    )


def key_of(reading: AvailabilityReading) -> str:
    """What usage names the line of a reading by."""
    line = reading.line
    return line_key(line.call_off.code, line.algorithm.code, line.site.code)


def _newest(rows: QuerySet[Any], *of: str) -> QuerySet[Any]:
    """Of the rows that agree in ``of`` the one that was added last."""
    place = Window(RowNumber(), partition_by=[F(name) for name in of], order_by=F("pk").desc())
    found: QuerySet[Any] = rows.annotate(place_=place).filter(place_=1)
    return found

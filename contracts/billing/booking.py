"""Books usage to a run: each event and each adjustment once, for ever, and reads the meters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, F, Max, Q, QuerySet, Sum, Value
from django.db.models.functions import TruncDate

from contracts.agreements import CONTRACT_ZONE
from contracts.models import (
    AdjustmentBooking,
    BillingRun,
    CallOffLine,
    EventBooking,
    FrameworkAgreement,
    MeterReading,
    UsageAdjustment,
    UsageEvent,
)
from contracts.models.usage import REJECTED
from contracts.pricing import Usage, months_after
from contracts.usage import day_begins
from marketplace.models import Clearance


@dataclass(frozen=True, slots=True)
class Threshold:
    """After how many seconds a result is late, by a price that holds from a day to before another.

    Two agreements may price one algorithm, each with a clause of its own.
    """

    framework: int
    algorithm: str
    seconds: int
    begins: date
    ends: date | None = None

    def clause(self) -> Q:
        """The events that are late by it."""
        found = Q(
            call_off__framework=self.framework, algorithm__code=self.algorithm,
            latency_ms__gt=self.seconds * 1000, at__gte=day_begins(self.begins),
        )  # fmt: skip
        return found & Q(at__lt=day_begins(self.ends)) if self.ends else found


@dataclass(frozen=True, slots=True)
class Booked:
    """What a run took: how many events, and which versions examined for which line and month."""

    events: int
    # line, first day of the month, version
    versions: frozenset[tuple[int, date, int]]


def book(
    run: BillingRun, frameworks: Collection[FrameworkAgreement], *, late: Iterable[Threshold]
) -> Booked:
    """Take all usage up to the end of the run's month that no run has taken.

    The caller holds the locks of the agreements. What comes while this goes on is taken by the
    next run: the readings are those of the booked events and no others.
    """
    end = day_begins(months_after(run.period, 1))
    events = UsageEvent.objects.filter(call_off__framework__in=frameworks, at__lt=end, booking=None)
    adjustments = UsageAdjustment.objects.filter(
        Q(corrects__booking__run=run) | Q(corrects__booking__isnull=False),
        corrects__call_off__framework__in=frameworks, booking=None,
    )  # fmt: skip
    count = _insert(EventBooking, "event_id", events, run=run)
    count += _insert(AdjustmentBooking, "adjustment_id", adjustments, run=run)
    counted = _counted(run, late)
    MeterReading.objects.bulk_create(_readings(run, counted), batch_size=2000)
    versions = {
        (one.line, one.day.replace(day=1), one.version) for one in counted if one.is_examined
    }
    return Booked(count, frozenset(versions))


def read_meters(run: BillingRun, framework: FrameworkAgreement) -> tuple[Usage, ...]:
    """What this and earlier runs booked under an agreement, by line and local day."""
    rows = MeterReading.objects.filter(line__call_off__framework=framework, run__lte=run.pk)
    summed = (
        rows.order_by("line", "day")
        .values_list("line__call_off__code", "line__algorithm__code", "line__site__code", "day")
        .annotate(
            units_=Sum("units"), late_=Sum("late"), failures_=Sum("failures"),
            rejected_=Sum("rejected"),
        )
    )  # fmt: skip
    return tuple(
        Usage("/".join((call_off, algorithm, site)), day, *counted)
        for call_off, algorithm, site, day, *counted in summed
    )


def events_of(*, line: int, month: date, until: BillingRun) -> QuerySet[UsageEvent]:
    """The events of a line and month that were booked by ``until``, in their order."""
    return UsageEvent.objects.filter(
        line=line, booking__run__lte=until.pk,
        at__gte=day_begins(month), at__lt=day_begins(months_after(month, 1)),
    ).order_by("at", "pk")  # fmt: skip


def devices_of(
    booked: Booked, framework: FrameworkAgreement
) -> dict[str, list[dict[str, Any]]]:
    """By call-off, with what devices (UDI-DI) the examinations of a run were made, as JSON."""
    lines = CallOffLine.objects.filter(call_off__framework=framework)
    names = ("pk", "call_off__code", "algorithm__code", "site__code")
    places = {pk: (code, of, at) for pk, code, of, at in lines.values_list(*names)}
    versions = {version for line, _month, version in booked.versions if line in places}
    known = dict(
        Clearance.objects.filter(version__in=versions)
        .exclude(udi_di="")
        .values_list("version", "udi_di")
    )
    found: defaultdict[tuple[str, str, str, date], set[str]] = defaultdict(set)
    for line, month, version in booked.versions:
        if line in places and version in known:
            found[(*places[line], month)].add(known[version])
    told: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for (call_off, algorithm, site, month), devices in sorted(found.items()):
        told[call_off].append({
            "algorithm": algorithm, "site": site, "month": f"{month:%Y-%m}",
            "udi_di": sorted(devices),
        })  # fmt: skip
    return told


def last_day_of(month: date) -> date:
    """The last day of the month that begins on ``month``."""
    return months_after(month, 1) - timedelta(days=1)


def _insert(model: Any, column: str, rows: QuerySet[Any], *, run: BillingRun) -> int:
    """INSERT ... SELECT: a million keys need not pass through here."""
    chosen = rows.order_by().annotate(taken_by=Value(run.pk)).values_list("pk", "taken_by")
    select, params = chosen.query.sql_with_params()
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        statement = f"INSERT INTO {table} ({column}, run_id) {select}"  # noqa: S608
        cursor.execute(statement, params)
        return int(cursor.rowcount)


@dataclass(frozen=True, slots=True)
class _Count:
    """What one version did for one line on one local day; ``most`` is that of one event."""

    line: int
    day: date
    version: int
    units: int
    failures: int
    late: int
    rejected: int
    most: int

    @property
    def is_examined(self) -> bool:
        return self.most > 0


def _counted(run: BillingRun, late: Iterable[Threshold]) -> list[_Count]:
    """All that a run booked, in one walk over its events: they are many."""
    is_late = Q(pk__in=[])
    for threshold in late:
        is_late |= threshold.clause()
    void, paid = _overturned(run)
    events = UsageEvent.objects.filter(booking__run=run).order_by()
    rows = events.values_list(
        "line", TruncDate("at", tzinfo=CONTRACT_ZONE), "version"
    ).annotate(
        units_=Sum("units"),
        failures_=Count("pk", filter=Q(fault=UsageEvent.Fault.SUPPLIER)),
        late_=Count("pk", filter=Q(units__gt=0) & is_late & ~Q(pk__in=void)),
        rejected_=Count("study_ref", filter=REJECTED & ~Q(pk__in=paid), distinct=True),
        most_=Max("units"),
    )  # fmt: skip
    return [_Count(*row) for row in rows]


def _overturned(run: BillingRun) -> tuple[list[int], list[int]]:
    """Events of a run that its corrections took back whole, and those that these made billable."""
    corrected = UsageAdjustment.objects.filter(booking__run=run, corrects__booking__run=run)
    rows = corrected.order_by().values_list("corrects", "corrects__units").annotate(
        more_=Sum("delta_units")
    )
    found = [(pk, units, units + more) for pk, units, more in rows]
    void = [pk for pk, before, after in found if before > 0 >= after]
    return void, [pk for pk, before, after in found if before == 0 < after]


def _readings(run: BillingRun, counted: Iterable[_Count]) -> Iterator[MeterReading]:
    found: defaultdict[tuple[int, date], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for one in counted:
        of = found[one.line, one.day]
        of[0] += one.units
        of[1] += one.failures
        of[2] += one.late
        of[3] += one.rejected
    adjusted = UsageAdjustment.objects.filter(booking__run=run).order_by()
    for line, day, units in (
        adjusted.annotate(
            of_line=F("corrects__line"), on_day=TruncDate("corrects__at", tzinfo=CONTRACT_ZONE)
        )
        .values_list("of_line", "on_day")
        .annotate(units_=Sum("delta_units"))
    ):
        found[line, day][0] += units
    for (line, day), (units, failures, count, rejected) in sorted(found.items()):
        yield MeterReading(
            run=run, line_id=line, day=day, units=units, failures=failures, late=count,
            rejected=rejected,
        )  # fmt: skip

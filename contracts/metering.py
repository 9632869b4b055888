"""Counts what was delivered: one usage event for a study, algorithm and call-off, for ever.

The event and the counter it moves are written in the transaction of the caller, so that a delivered
result is counted exactly when the delivery itself is committed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils.crypto import salted_hmac

from contracts.agreements import contract_year
from contracts.models import CallOffLine, UsageEvent, VolumeCounter
from hub import keys
from marketplace.models import AlgorithmVersion

STUDY_REF_SALT = "contracts.metering.study_ref"
# What two reports of one event must agree on. Not ``at``: as the time of a CloudEvent it describes
# the report, and a worker that died before it could say so reports the same delivery later.
PAYLOAD = ("call_off_id", "line_id", "algorithm_id", "version_id", "units", "details")


@dataclass(frozen=True, slots=True)
class Recorded:
    """The event is new and was counted."""

    event: UsageEvent


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The event, or the study under that call-off, was counted before by ``event``."""

    event: UsageEvent


class UsageConflictError(Exception):
    """The same source and event id came again with other content."""


class UsageMismatchError(ValueError):
    """The line is for another site or another algorithm than what was delivered."""


@dataclass(frozen=True, slots=True)
class Report:
    """One delivered clinical result to be counted.

    ``study_ref_of`` is (site code, Study Instance UID); ``at`` is when the result was delivered and
    decides the contract year; ``details`` holds no patient data. For clinical results only: shadow,
    validation, failures and re-runs are 0 units.
    """

    study_ref_of: tuple[str, str]
    line: CallOffLine
    version: AlgorithmVersion
    source: str
    event_id: str
    at: datetime
    details: dict[str, Any]


def record(
    *,
    study_ref_of: tuple[str, str],
    line: CallOffLine,
    version: AlgorithmVersion,
    source: str,
    event_id: str,
    at: datetime,
    details: dict[str, Any],
) -> Recorded | Duplicate:
    """Count one delivered clinical result, unless it was counted before: see Report.

    Raises UsageConflictError where the same (source, event_id) was recorded with other content,
    UsageMismatchError where site or algorithm are not those of the line.
    """
    return _record(Report(study_ref_of, line, version, source, event_id, at, details))


def record_all(reports: Sequence[Report]) -> list[UsageConflictError]:
    """Count many as record() does one, and together where none was counted before.

    Gives the conflicts back that record() would raise; raises UsageMismatchError.
    """
    if _is_recorded_as_new(reports):
        return []
    conflicts = []
    for report in reports:
        try:
            _record(report)
        except UsageConflictError as fault:
            conflicts.append(fault)
    return conflicts


def _record(report: Report) -> Recorded | Duplicate:
    event, study_refs = _event(report), _study_refs(report)
    with transaction.atomic():
        if earlier := _recorded_before(event, study_refs=study_refs):
            return earlier
        if lost_race := _insert(event, study_refs=study_refs):
            return lost_race
        count_up([event])
    return Recorded(event)


def _is_recorded_as_new(reports: Sequence[Report]) -> bool:
    """Count all of them at once, if none of them can have been counted before."""
    if not reports:
        return True
    events = [_event(report) for report in reports]
    refs = {ref for report in reports for ref in _study_refs(report)}
    same_event = Q(event_id__in=[event.event_id for event in events])
    if UsageEvent.objects.filter(same_event | Q(study_ref__in=refs)).exists():
        return False
    try:
        with transaction.atomic():
            UsageEvent.objects.bulk_create(events)
            count_up(events)
    except IntegrityError:  # one of them twice, or another worker was faster
        return False
    return True


def _event(report: Report) -> UsageEvent:
    line = report.line
    _must_fit(line, site_code=report.study_ref_of[0], version=report.version)
    return UsageEvent(
        source=report.source,
        event_id=report.event_id,
        at=report.at,
        study_ref=study_ref(*report.study_ref_of),
        tenant_id=line.call_off.organisation_id,
        call_off=line.call_off,
        line=line,
        algorithm_id=line.algorithm_id,
        version=report.version,
        site_id=line.site_id,
        # as JSON gives it back, so that it compares with what a row holds
        details=json.loads(json.dumps(report.details)),
    )


def _study_refs(report: Report) -> list[str]:
    """What the study is called under the hub's key, and was under each that it replaced."""
    return [study_ref(*report.study_ref_of, secret=secret) for secret in keys.known()]


def study_ref(site_code: str, study_instance_uid: str, *, secret: str | bytes | None = None) -> str:
    """A keyed hash that names a study of a site to nobody who has not the key.

    ``secret`` defaults to the key of identity, which outlives HUB_SECRET_KEY: with another one
    studies counted before would be counted anew when they are run again.
    """
    digest = salted_hmac(
        STUDY_REF_SALT, f"{site_code}/{study_instance_uid}", secret=secret or keys.identity(),
        algorithm="sha256",
    ).hexdigest()  # fmt: skip
    return f"hmac-sha256:{digest}"


def _must_fit(line: CallOffLine, *, site_code: str, version: AlgorithmVersion) -> None:
    if line.site.code != site_code:
        raise UsageMismatchError(f"line {line.pk} is for {line.site.code}, not {site_code}")
    if line.algorithm_id != version.algorithm_id:
        raise UsageMismatchError(f"line {line.pk} is for another algorithm than {version}")


def _insert(event: UsageEvent, *, study_refs: list[str]) -> Duplicate | None:
    """Add the row; where another worker was faster, the unique constraints say so."""
    try:
        with transaction.atomic():
            event.save(force_insert=True)
    except IntegrityError:
        if earlier := _recorded_before(event, study_refs=study_refs):
            return earlier
        raise
    return None


def _recorded_before(event: UsageEvent, *, study_refs: list[str]) -> Duplicate | None:
    same_event = Q(source=event.source, event_id=event.event_id, tenant=event.tenant_id)
    same_study = Q(
        study_ref__in=study_refs, algorithm=event.algorithm_id, call_off=event.call_off_id,
        units__gt=0,
    )  # fmt: skip
    earlier = list(UsageEvent.objects.filter(same_event | same_study))
    for row in earlier:
        if (row.source, row.event_id) == (event.source, event.event_id):
            _must_agree(row, event, study_refs=study_refs)
    return Duplicate(earlier[0]) if earlier else None


def _must_agree(earlier: UsageEvent, event: UsageEvent, *, study_refs: list[str]) -> None:
    differing = [name for name in PAYLOAD if getattr(earlier, name) != getattr(event, name)]
    if earlier.study_ref not in study_refs:
        differing.insert(0, "study_ref")
    if differing:
        raise UsageConflictError(
            f"{event.source} {event.event_id} was recorded before with another "
            f"{', '.join(differing)}"
        )


def count_up(events: Sequence[UsageEvent]) -> None:
    """Move the counters by the units of events that were added in this transaction."""
    move_counters((event, event.units) for event in events)


def move_counters(units_of: Iterable[tuple[UsageEvent, int]]) -> None:
    """Move the counter of each event's contract year by so many units, which may be below 0."""
    units: Counter[tuple[int, int, date]] = Counter()
    for event, count in units_of:
        framework = event.call_off.framework
        year = contract_year(framework, at=event.at)
        units[framework.pk, event.algorithm_id, year] += count
    # In one order, so that no two transactions wait for each other's.
    for (framework_id, algorithm_id, year), count in sorted(units.items()):
        if not count:
            continue
        of: dict[str, Any] = {
            "framework_id": framework_id, "algorithm_id": algorithm_id, "contract_year": year
        }  # fmt: skip
        counter = VolumeCounter.objects.filter(**of)
        if not counter.update(quantity=F("quantity") + count):
            VolumeCounter.objects.get_or_create(**of)
            counter.update(quantity=F("quantity") + count)

"""Counts what was delivered: one usage event for a study, algorithm and call-off, for ever.

The event and the counter it moves are written in the transaction of the caller, so that a delivered
result is counted exactly when the delivery itself is committed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils.crypto import salted_hmac

from contracts.agreements import contract_year
from contracts.models import CallOffLine, UsageEvent, VolumeCounter
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
    """Count one delivered clinical result, unless it was counted before.

    ``study_ref_of`` is (site code, Study Instance UID); ``at`` is when the result was delivered and
    decides the contract year; ``details`` holds no patient data. Call it for clinical results only:
    shadow, validation, failures and re-runs are 0 units. Raises UsageConflictError where the same
    (source, event_id) was recorded with other content, UsageMismatchError where site or algorithm
    are not those of the line.
    """
    _must_fit(line, site_code=study_ref_of[0], version=version)
    event = UsageEvent(
        source=source,
        event_id=event_id,
        at=at,
        study_ref=study_ref(*study_ref_of),
        call_off=line.call_off,
        line=line,
        algorithm_id=line.algorithm_id,
        version=version,
        site_id=line.site_id,
        # as JSON gives it back, so that it compares with what a row holds
        details=json.loads(json.dumps(details)),
    )
    study_refs = [
        study_ref(*study_ref_of, secret=secret)
        for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    ]
    with transaction.atomic():
        if earlier := _recorded_before(event, study_refs=study_refs):
            return earlier
        if lost_race := _insert(event, study_refs=study_refs):
            return lost_race
        _count_up(event)
    return Recorded(event)


def study_ref(site_code: str, study_instance_uid: str, *, secret: str | bytes | None = None) -> str:
    """A keyed hash that names a study of a site to nobody who has not the key.

    ``secret`` defaults to the key of the hub; a replaced key belongs in SECRET_KEY_FALLBACKS, else
    studies counted under it would be counted anew when they are run again.
    """
    digest = salted_hmac(
        STUDY_REF_SALT, f"{site_code}/{study_instance_uid}", secret=secret, algorithm="sha256"
    ).hexdigest()
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
    same_event = Q(source=event.source, event_id=event.event_id)
    same_study = Q(
        study_ref__in=study_refs, algorithm=event.algorithm_id, call_off=event.call_off_id
    )
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


def _count_up(event: UsageEvent) -> None:
    framework = event.call_off.framework
    counter = VolumeCounter.objects.filter(
        framework=framework,
        algorithm=event.algorithm_id,
        contract_year=contract_year(framework, at=event.at),
    )
    if counter.update(quantity=F("quantity") + event.units):
        return
    VolumeCounter.objects.get_or_create(
        framework=framework,
        algorithm_id=event.algorithm_id,
        contract_year=contract_year(framework, at=event.at),
    )
    counter.update(quantity=F("quantity") + event.units)

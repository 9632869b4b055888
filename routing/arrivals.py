"""The rows of instances that have just arrived: Study, Series with their aggregates, Instance."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from hub.dicom.headers import Header, SeriesHeader, StudyHeader
from hub.dicom.spool import Stored
from hub.models import Node
from routing import linking, naming, nudges, preparing, revisions
from routing.conditions import SERIES_FIELDS
from routing.models import Result, Series, Study
from routing.surviving import surviving_id

_LONGEST_ISSUER = 64
# Distinct values kept of one attribute; more than these never decide a rule.
_MOST_VALUES = 32
# What a study has a column for, and how much of it fits; all of it is in its header.
_COLUMNS = {
    "accession_number": 64,
    "issuer_of_patient_id": _LONGEST_ISSUER,
    "patient_name": 324,
    "study_description": 64,
}
_OF_SERIES = frozenset(field.name for field in fields(SeriesHeader))
_COLUMNS_OF_INSTANCE = (
    "study_id", "series_id", "sop_instance_uid", "sop_class_uid", "transfer_syntax_uid",
    "instance_number", "number_of_frames", "rows", "columns", "key", "sha256", "size", "revision",
    "received_at",
)  # fmt: skip
_INSERT = (
    "INSERT INTO routing_instance ("  # nosec B608 (names and marks alone, no value)
    + ", ".join(f'"{name}"' for name in _COLUMNS_OF_INSTANCE)
    + ") VALUES ("
    + ", ".join(["%s"] * len(_COLUMNS_OF_INSTANCE))
    + ")"
)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One instance that is durable in the spool and waits for its row."""

    node: Node
    header: Header
    stored: Stored
    sender: str
    received_at: datetime = field(default_factory=timezone.now)

    @property
    def issuer(self) -> str:
        """Who gave out the Patient ID, as much of it as a study keeps."""
        return self.header.study.issuer_of_patient_id[:_LONGEST_ISSUER]


def study_of(arrival: Arrival) -> tuple[Study, bool]:
    """The Study row of an arrival, locked, and whether it was made just now."""
    header = arrival.header.study
    now = arrival.received_at
    site = arrival.node.site_id
    return Study.objects.select_for_update(
        no_key=True
    ).get_or_create(
        site=arrival.node.site,
        study_instance_uid=header.study_instance_uid,
        defaults={
            "source": arrival.node,
            "uid": naming.study_uid(arrival.node.site, header.study_instance_uid),
            # asked only where there is no such study yet
            "patient_id": lambda: surviving_id(  # type: ignore[misc]
                site, header.patient_id, arrival.issuer
            ),
            **{name: getattr(header, name)[:longest] for name, longest in _COLUMNS.items()},
            "header": _plain(header),
            "expected_instances": _count(header.number_of_study_related_instances),
            "has_images": False,
            "first_instance_at": now,
            "last_instance_at": now,
            "waiting_since": now,
            "read_by": now,
        },
    )


def add(study: Study, fresh: list[Arrival], *, is_new: bool) -> None:
    """Add instances that the study did not have; a late one opens a new revision."""
    now = max(arrival.received_at for arrival in fresh)
    series = _series_of(study, fresh)
    others = [
        arrival for arrival in fresh
        if not series[arrival.header.series.series_instance_uid].is_own
    ]  # fmt: skip
    opens_revision = bool(others) and study.state != Study.State.RECEIVING
    if opens_revision:
        revisions.open_next(study, instances=len(others), has_images=_are_images(others))
    with connection.cursor() as cursor:
        # A third of what bulk_create() takes, and every instance comes through here.
        cursor.executemany(_INSERT, [_instance(study, series, arrival) for arrival in fresh])
    is_named = _fill_in(study, others)
    if is_new:
        revisions.begin(study)
    if is_new or is_named:
        linking.link_study(study)
    # What the hub of another site wrote, sent on, is nothing to analyse, but no study in limbo.
    if others or is_new:
        look_at = now + timedelta(seconds=settings.HUB_SHORT_QUIET_SECONDS)
        waits_long = study.due_at is None or study.due_at > look_at
        study.due_at = look_at
        _count_in(study, others, now)
        _wake(study, is_first=is_new or opens_revision or waits_long)
    if others and (is_new or opens_revision):
        preparing.begin(study)


def _fill_in(study: Study, others: list[Arrival]) -> bool:
    """Take from later instances what the earlier ones left unsaid; what was said stands.

    A scout, a dose report or a captured screen may come first, and says less than the images do.
    Whether the study has an accession number now that it did not have.
    """
    was_named = bool(study.accession_number)
    # most instances of a study say the same of it
    for header in dict.fromkeys(arrival.header.study for arrival in others):
        study.header = _plain(header) | study.header
        for name, longest in _COLUMNS.items():
            if not getattr(study, name):
                setattr(study, name, getattr(header, name)[:longest])
        if study.expected_instances is None:
            study.expected_instances = _count(header.number_of_study_related_instances)
    return bool(study.accession_number) and not was_named


def _count_in(study: Study, others: list[Arrival], now: datetime) -> None:
    modalities = {arrival.header.series.modality for arrival in others}
    modalities |= set(study.modality.split("\\"))
    study.modality = "\\".join(sorted(filter(None, modalities)))[:64]
    study.instance_count += len(others)
    study.has_images |= _are_images(others)
    study.last_instance_at = max(study.last_instance_at, now)
    study.save(
        update_fields=[
            "modality", "instance_count", "has_images", "last_instance_at", "due_at", "changed_at",
            "header", "expected_instances", *_COLUMNS,
        ]
    )  # fmt: skip


def _are_images(arrivals: list[Arrival]) -> bool:
    return any(arrival.header.instance.rows for arrival in arrivals)


def _wake(study: Study, *, is_first: bool) -> None:
    """One timer for each revision, which sets itself anew; the sweep finds it should it be lost."""
    if study.instance_count == study.expected_instances:
        nudges.complete(study.pk)
    elif is_first:
        nudges.complete(study.pk, seconds=settings.HUB_SHORT_QUIET_SECONDS)


def _series_of(study: Study, fresh: list[Arrival]) -> dict[str, Series]:
    """The Series rows of the arrivals, by UID, with their aggregates brought up to date."""
    by_uid: dict[str, list[Header]] = defaultdict(list)
    for arrival in fresh:
        by_uid[arrival.header.series.series_instance_uid].append(arrival.header)
    rows = {row.series_instance_uid: row for row in
            study.series.filter(series_instance_uid__in=by_uid)}  # fmt: skip
    # What the hub wrote never comes round again: its own Series are known by their UID.
    unknown = by_uid.keys() - rows.keys()
    own = set(
        Result.objects.filter(series_instance_uid__in=unknown).values_list(
            "series_instance_uid", flat=True
        )
        if unknown
        else ()
    )
    for uid, headers in by_uid.items():
        row = rows.setdefault(
            uid, Series(study=study, series_instance_uid=uid, is_own=uid in own, attributes={})
        )
        _absorb(row, headers)
        row.save()
    return rows


def _absorb(row: Series, headers: list[Header]) -> None:
    first = headers[0].series
    row.modality = row.modality or first.modality[:16]
    if row.series_number is None:
        row.series_number = _number(first.series_number)
    row.expected_instances = (
        row.expected_instances
        or _count(first.number_of_series_related_instances)
        or _count(first.images_in_acquisition)
    )
    row.instance_count += len(headers)
    # Slices have the header of their series in common, as the very same object mostly.
    series = {id(header.series): header.series for header in headers}.values()
    for name in SERIES_FIELDS:
        values = row.attributes.setdefault(name, [])
        holders = series if name in _OF_SERIES else [header.instance for header in headers]
        for value in dict.fromkeys(getattr(holder, name, None) for holder in holders):
            said = "\\".join(map(str, value)) if isinstance(value, tuple) else value
            if said not in (None, "", *values) and len(values) < _MOST_VALUES:
                values.append(said)


def _instance(study: Study, series: dict[str, Series], arrival: Arrival) -> tuple[Any, ...]:
    """The values of _COLUMNS_OF_INSTANCE."""
    header, stored = arrival.header.instance, arrival.stored
    return (
        study.pk,
        series[arrival.header.series.series_instance_uid].pk,
        header.sop_instance_uid,
        header.sop_class_uid,
        header.transfer_syntax_uid,
        _number(header.instance_number),
        _count(header.number_of_frames) or 1,
        header.rows,
        header.columns,
        stored.key,
        stored.digest,
        stored.size,
        study.revision,
        connection.ops.adapt_datetimefield_value(arrival.received_at),
    )


def _number(value: int | None) -> int | None:
    """An IS value, where a sender kept within the 32 bits that PS3.5 6.2 gives it."""
    return value if value is not None and -(2**31) <= value < 2**31 else None


def _count(value: int | None) -> int | None:
    return value if value is not None and 0 < value < 2**31 else None


def _plain(header: StudyHeader) -> dict[str, Any]:
    return {name: value for name, value in asdict(header).items() if value not in (None, "")}

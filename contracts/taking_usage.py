"""Takes an envelope of reported usage: each event is accepted, known, in conflict, or refused.

What is accepted is added and counted in one transaction; what came before is never changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db import IntegrityError, OperationalError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from contracts import headroom, metering, naming
from contracts.agreements import CONTRACT_ZONE
from contracts.cloud_events import Correction, EventNotUnderstoodError, Use, read
from contracts.headroom import Headroom, NoRoomError
from contracts.models import Authority, CallOff, CallOffLine, UsageAdjustment, UsageEvent
from contracts.priced import line_key
from contracts.pricing import Usage
from hub import audit
from hub.access import CONTRACT_ROLES, site_clause
from marketplace.models import AlgorithmVersion

MOST_EVENTS = 1000
ACCEPTED, DUPLICATE, CONFLICT, REJECTED = "accepted", "duplicate", "conflict", "rejected"
# Others may add the same event, or the hub deliver it, at the same moment: then all is asked anew.
_TRIES = 5
_USED_STATES = (CallOff.State.ACTIVE, CallOff.State.CLOSED)

Key = tuple[int | None, str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one event, and for people why."""

    source: str
    id: str
    status: str
    reason: str = ""


class RefusedError(Exception):
    """The event cannot be counted; the message says why."""


def take(events: Sequence[Any], *, by: Any) -> list[Answer]:
    """One answer for each of at most MOST_EVENTS events, in their order; ``by`` is a user."""
    found = [_read(event, now=timezone.now()) for event in events]
    for attempt in range(_TRIES):
        try:
            with transaction.atomic():
                answers = _take(found, by=by)
            break
        except (IntegrityError, OperationalError):
            if attempt == _TRIES - 1:
                raise
    return answers


def _read(event: Any, *, now: datetime) -> Use | Correction | Answer:
    try:
        return read(event, now=now)
    except EventNotUnderstoodError as fault:
        named = event if isinstance(event, dict) else {}
        source, event_id = (str(named.get(name, ""))[:200] for name in ("source", "id"))
        return Answer(source, event_id, REJECTED, str(fault))


def _take(found: Sequence[Use | Correction | Answer], *, by: Any) -> list[Answer]:
    counting = _Counting(by, [one for one in found if not isinstance(one, Answer)])
    answers = [one if isinstance(one, Answer) else counting.answer(one) for one in found]
    counting.keep()
    told = Counter(answer.status for answer in answers)
    audit.record("usage.reported", actor=by, subject=f"{len(answers)} events", answers=dict(told))
    return answers


@dataclass(slots=True)
class _Counting:
    """One envelope on its way into the rows: what is known already, and what is to be added."""

    by: Any
    events: Sequence[Use | Correction]
    known: dict[Key, UsageEvent | UsageAdjustment] = field(default_factory=dict)
    paid: set[tuple[str, int, int]] = field(default_factory=set)
    added: list[UsageEvent] = field(default_factory=list)
    corrected: list[UsageAdjustment] = field(default_factory=list)
    deltas: Counter[Key] = field(default_factory=Counter)
    rooms: dict[int, Headroom] = field(default_factory=dict)
    lines: dict[tuple[str, str, str], CallOffLine] = field(default_factory=dict)
    call_offs: dict[str, CallOff] = field(default_factory=dict)
    versions: dict[tuple[str, str], AlgorithmVersion] = field(default_factory=dict)
    # by agreement and organisation, how it is named there as one that buys
    buyers: dict[tuple[int, int], list[Authority]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._find_lines()
        for framework_id in sorted({one.framework_id for one in self.call_offs.values()}):
            self.rooms[framework_id] = headroom.of(framework_id)
            self.rooms[framework_id].expect(self._expected(framework_id))
        self._find_known()

    def _find_lines(self) -> None:
        codes = {one.envelope.call_off for one in self.events}
        theirs = site_clause(self.by, path="site", roles=CONTRACT_ROLES)
        lines = CallOffLine.objects.filter(theirs, call_off__code__in=codes)
        for line in lines.select_related(
            "call_off__framework", "call_off__organisation", "site", "algorithm"
        ):
            self.lines[line.call_off.code, line.algorithm.code, line.site.code] = line
            self.call_offs[line.call_off.code] = line.call_off
        uses = [one for one in self.events if isinstance(one, Use)]
        versions = AlgorithmVersion.objects.select_related("algorithm").filter(
            algorithm__code__in={one.algorithm for one in uses},
            version__in={one.version for one in uses},
        )
        self.versions = {(one.algorithm.code, one.version): one for one in versions}
        named = Authority.objects.filter(
            framework__in={one.framework_id for one in self.call_offs.values()},
            organisation__in={one.organisation_id for one in self.call_offs.values()},
            role__in=naming.MAY_CALL_OFF,
        ).select_related("option")
        for row in named:
            self.buyers.setdefault((row.framework_id, row.organisation_id), []).append(row)

    def _expected(self, framework_id: int) -> Iterator[Usage]:
        """What is reported of an agreement, as if all of it were accepted."""
        for one in self.events:
            if not isinstance(one, Use) or not one.units:
                continue
            line = self.lines.get((one.envelope.call_off, one.algorithm, one.site))
            if line is not None and line.call_off.framework_id == framework_id:
                key = line_key(line.call_off.code, line.algorithm.code, line.site.code)
                day = one.envelope.at.astimezone(CONTRACT_ZONE).date()
                yield Usage(key, day, one.units)

    def _find_known(self) -> None:
        tenants = {one.organisation_id for one in self.call_offs.values()}
        ids = {one.envelope.event_id for one in self.events}
        ids |= {one.ref_id for one in self.events if isinstance(one, Correction)}
        for model in (UsageEvent, UsageAdjustment):
            for row in model.objects.filter(tenant__in=tenants, event_id__in=ids):
                self.known[row.tenant_id, row.source, row.event_id] = row
        before = UsageAdjustment.objects.filter(corrects__tenant__in=tenants)
        before = before.filter(corrects__event_id__in=ids)
        for row in before.select_related("corrects"):
            key = (row.corrects.tenant_id, row.corrects.source, row.corrects.event_id)
            self.deltas[key] += row.delta_units
        refs = {one.study_ref for one in self.events if isinstance(one, Use)}
        paid = UsageEvent.objects.filter(study_ref__in=refs, units__gt=0)
        self.paid = set(paid.values_list("study_ref", "algorithm_id", "call_off_id"))

    def answer(self, one: Use | Correction) -> Answer:
        """What becomes of one event."""
        source, event_id = one.envelope.source, one.envelope.event_id
        try:
            status, why = self._status(one)
        except (RefusedError, NoRoomError) as fault:
            status, why = REJECTED, str(fault)
        return Answer(source, event_id, status, why)

    def _status(self, one: Use | Correction) -> tuple[str, str]:
        call_off = self.call_offs.get(one.envelope.call_off)
        if call_off is None:
            raise RefusedError(_("subject: you have no call-off with this code"))
        key = (call_off.organisation_id, one.envelope.source, one.envelope.event_id)
        if (before := self.known.get(key)) is not None:
            if before.payload_sha256 == one.envelope.sha256:
                return DUPLICATE, ""
            return CONFLICT, _("source, id: recorded before with other content")
        if isinstance(one, Correction):
            return self._correct(one, call_off, key)
        return self._add(one, key)

    def _add(self, one: Use, key: Key) -> tuple[str, str]:
        line, version = self._line(one), self._version(one)
        paid = (one.study_ref, line.algorithm_id, line.call_off_id)
        if one.units and paid in self.paid:
            return DUPLICATE, _("data.study_ref: counted before under this call-off")
        room = self.rooms[line.call_off.framework_id]
        room.take(line, at=one.envelope.at, units=one.units)
        event = UsageEvent(
            tenant_id=key[0], source=key[1], event_id=key[2], at=one.envelope.at,
            study_ref=one.study_ref, call_off=line.call_off, line=line,
            algorithm_id=line.algorithm_id, version=version, site_id=line.site_id,
            units=one.units, purpose=one.purpose, fault=one.fault, latency_ms=one.latency_ms,
            payload_sha256=one.envelope.sha256, details=dict(one.details),
        )  # fmt: skip
        self.known[key] = event
        self.added.append(event)
        if one.units:
            self.paid.add(paid)
        return ACCEPTED, ""

    def _correct(self, one: Correction, call_off: CallOff, key: Key) -> tuple[str, str]:
        corrected = (key[0], one.ref_source, one.ref_id)
        event = self.known.get(corrected)
        if not isinstance(event, UsageEvent) or event.call_off_id != call_off.pk:
            raise RefusedError(_("data.ref_id: no usage event of this call-off has this id"))
        if event.units + self.deltas[corrected] + one.delta_units < 0:
            raise RefusedError(_("data.delta_units: the event would have fewer than 0 units"))
        room = self.rooms[call_off.framework_id]
        room.take(event.line, at=event.at, units=one.delta_units)
        adjustment = UsageAdjustment(
            tenant_id=call_off.organisation_id, source=key[1], event_id=key[2], corrects=event,
            delta_units=one.delta_units, reason=one.reason, at=one.envelope.at,
            recorded_by=str(getattr(self.by, "username", self.by)),
            payload_sha256=one.envelope.sha256,
        )  # fmt: skip
        self.known[key] = adjustment
        self.deltas[corrected] += one.delta_units
        self.corrected.append(adjustment)
        return ACCEPTED, ""

    def _line(self, one: Use) -> CallOffLine:
        line = self.lines.get((one.envelope.call_off, one.algorithm, one.site))
        if line is None:
            raise RefusedError(_("data: the call-off has no line for this algorithm and site"))
        day = one.envelope.at.astimezone(CONTRACT_ZONE).date()
        for first, last, what in _spans(line):
            if day < first or (last is not None and _asked_on(one) > last):
                raise RefusedError(
                    _("data.completed_at: %(what)s was not in force on %(day)s")
                    % {"what": what, "day": day}
                )
        if line.call_off.state not in _USED_STATES:
            raise RefusedError(_("subject: the call-off is not active"))
        self._demand_party(line.call_off, on=_asked_on(one))
        closed_at = line.call_off.closed_at
        if closed_at is not None and _asked_at(one) > closed_at:
            text = _("data.completed_at: %(call_off)s was closed at %(moment)s")
            moment = closed_at.astimezone(CONTRACT_ZONE).isoformat(timespec="seconds")
            raise RefusedError(text % {"call_off": line.call_off.code, "moment": moment})
        return line

    def _demand_party(self, call_off: CallOff, *, on: date) -> None:
        """Who has an option that it did not exercise, or is named no more, buys nothing."""
        rows = self.buyers.get((call_off.framework_id, call_off.organisation_id), ())
        if rows and not any(naming.could_call_off(row, on=on) for row in rows):
            text = _("subject: %(organisation)s may not call off under %(framework)s on %(day)s")
            names = {"organisation": call_off.organisation, "framework": call_off.framework.code}
            raise RefusedError(text % (names | {"day": on}))

    def _version(self, one: Use) -> AlgorithmVersion:
        version = self.versions.get((one.algorithm, one.version))
        if version is None:
            raise RefusedError(_("data.version: the algorithm has no version of this name"))
        return version

    def keep(self) -> None:
        """Add the rows, and move the counters."""
        UsageEvent.objects.bulk_create(self.added)
        for row in self.corrected:
            row.corrects_id = row.corrects.pk
        UsageAdjustment.objects.bulk_create(self.corrected)
        metering.count_up(self.added)
        metering.move_counters((row.corrects, row.delta_units) for row in self.corrected)
        for row in self.corrected:
            audit.record(
                "usage.adjusted", actor=self.by, subject=row.corrects.event_id,
                delta_units=row.delta_units, reason=row.reason,
            )  # fmt: skip


def _asked_at(one: Use) -> datetime:
    """By the request, where it is told: what was asked for before the end is paid for."""
    return one.envelope.at - timedelta(milliseconds=one.latency_ms or 0)


def _asked_on(one: Use) -> date:
    return _asked_at(one).astimezone(CONTRACT_ZONE).date()


def _spans(line: CallOffLine) -> Iterator[tuple[Any, Any, str]]:
    call_off, framework = line.call_off, line.call_off.framework
    # a call-off that says until when may outlive its agreement
    yield framework.valid_from, call_off.valid_to or framework.valid_to, framework.code
    yield call_off.valid_from, call_off.valid_to, call_off.code
    yield line.activated, None, _("the line")

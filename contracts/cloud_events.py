"""Reads what is reported as used: CloudEvents 1.0 whose data name no patient; no rows here.

An event is a result that was delivered or failed (``hub.inference.completed.v1``), or the
correction of one (``hub.usage.adjusted.v1``).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils.dateparse import parse_datetime

from contracts.zone import CONTRACT_ZONE

COMPLETED, ADJUSTED = "hub.inference.completed.v1", "hub.usage.adjusted.v1"
# A sender's clock may be ahead of ours by so much.
TOLERANCE = timedelta(minutes=5)
MOST_UNITS = 10_000
_SHOWN = 60

Check = Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class Envelope:
    """What every event has: by (source, event_id) and its tenant it is known for ever."""

    source: str
    event_id: str
    at: datetime
    call_off: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Use:
    """One result, delivered or failed; ``units`` is what is paid for, 0 for all but clinical."""

    envelope: Envelope
    algorithm: str
    version: str
    site: str
    study_ref: str
    purpose: str
    fault: str
    units: int
    latency_ms: int | None
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Correction:
    """So many units more or fewer for an event that was recorded before."""

    envelope: Envelope
    ref_source: str
    ref_id: str
    delta_units: int
    reason: str


class EventNotUnderstoodError(ValueError):
    """The event cannot be taken; the message names the field and what it must be."""


def read(event: Any, *, now: datetime) -> Use | Correction:
    """What one event says. Raises EventNotUnderstoodError."""
    if not isinstance(event, Mapping):
        raise EventNotUnderstoodError(f"event: expected an object, found {_shown(event)}")
    _demand(event, _CONTEXT, optional=_OPTIONAL_CONTEXT, path="")
    data = event["data"]
    if not isinstance(data, Mapping):
        raise EventNotUnderstoodError(f"data: expected an object, found {_shown(data)}")
    if event["type"] == ADJUSTED:
        _demand(data, _ADJUSTED, optional=_OPTIONAL_ADJUSTED, path="data.")
        return _correction(event, data, now=now)
    _demand(data, _COMPLETED, optional=_OPTIONAL_COMPLETED, path="data.")
    return _use(event, data, now=now)


def _use(event: Mapping[str, Any], data: Mapping[str, Any], *, now: datetime) -> Use:
    completed = _moment(data.get("completed_at", event["time"]))
    if completed > now + TOLERANCE:
        where = "data.completed_at" if "completed_at" in data else "time"
        raise EventNotUnderstoodError(f"{where}: expected a time that has come, found {completed}")
    purpose, fault = data.get("purpose", "clinical"), data.get("fault", "none")
    outcome = data.get("outcome", "final")
    is_paid = (purpose, fault, outcome) == ("clinical", "none", "final")
    is_rerun = data.get("rerun_of") is not None
    kept = {name: data[name] for name in _KEPT if data.get(name) is not None}
    return Use(
        envelope=_envelope(event, completed),
        algorithm=data["algorithm"],
        version=data["version"],
        site=data["site"],
        study_ref=data["study_ref"],
        purpose=purpose,
        fault=fault,
        units=data.get("units", 1) if is_paid and not is_rerun else 0,
        latency_ms=_latency_ms(data, completed),
        details=kept | {"purpose": purpose, "outcome": outcome},
    )


def _correction(event: Mapping[str, Any], data: Mapping[str, Any], *, now: datetime) -> Correction:
    at = _moment(event["time"])
    if at > now + TOLERANCE:
        raise EventNotUnderstoodError(f"time: expected a time that has come, found {at}")
    return Correction(
        envelope=_envelope(event, at),
        ref_source=data.get("ref_source", event["source"]),
        ref_id=data["ref_id"],
        delta_units=data["delta_units"],
        reason=data["reason"],
    )


def _envelope(event: Mapping[str, Any], at: datetime) -> Envelope:
    canonical = json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
    call_off = event["subject"].removeprefix("call_off:")
    return Envelope(event["source"], event["id"], at, call_off, digest)


def _latency_ms(data: Mapping[str, Any], completed: datetime) -> int | None:
    if data.get("latency_s") is not None:
        return int(Decimal(str(data["latency_s"])) * 1000)
    if data.get("requested_at") is None:
        return None
    waited = (completed - _moment(data["requested_at"])) // timedelta(milliseconds=1)
    if waited < 0:
        raise EventNotUnderstoodError("data.requested_at: expected a time before the result came")
    return waited


# -- what each field must be -------------------------------------------------------------------
def _demand(
    given: Mapping[str, Any], checks: Mapping[str, Check], *, optional: Mapping[str, Check],
    path: str,
) -> None:  # fmt: skip
    if unknown := sorted(str(name) for name in set(given) - set(checks) - set(optional)):
        known = ", ".join((*checks, *optional))
        found = _shown(unknown[0])
        raise EventNotUnderstoodError(f"{path or 'event: '}{found}: expected one of {known}")
    for name, check in checks.items():
        if name not in given:
            raise EventNotUnderstoodError(f"{path}{name}: expected {check(_NOTHING)}, found none")
        _check(given[name], check, path + name)
    for name, check in optional.items():
        if given.get(name) is not None:
            _check(given[name], check, path + name)


def _check(value: Any, check: Check, path: str) -> None:
    if expected := check(value):
        raise EventNotUnderstoodError(f"{path}: expected {expected}, found {_shown(value)}")


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


_NOTHING = object()


def _text(pattern: str, what: str) -> Check:
    form = re.compile(pattern)
    return lambda value: "" if isinstance(value, str) and form.fullmatch(value) else what


def _one_of(*values: str) -> Check:
    return lambda value: "" if value in values else f"one of {', '.join(values)}"


def _whole(least: int, most: int, *, is_zero_one: bool = True) -> Check:
    what = f"a whole number from {least} to {most}" + ("" if is_zero_one else " but 0")

    def check(value: Any) -> str:
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        return "" if is_whole and least <= value <= most and (value or is_zero_one) else what

    return check


def _is_time(value: Any) -> str:
    what = "a time with its zone (RFC 3339)"
    if not isinstance(value, str) or not _RFC_3339.fullmatch(value):
        return what
    try:
        # in the zone of contracts too, where the first and last hours of the calendar are none
        return "" if (found := _parsed(value)) and found.astimezone(CONTRACT_ZONE) else what
    except (ValueError, OverflowError):
        return what


def _is_seconds(value: Any) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return "" if is_number and 0 <= value <= 10**8 else "seconds, 0 or more"


def _moment(text: str) -> datetime:
    found = _parsed(text)
    assert found is not None  # _is_time() saw to it
    return found


def _parsed(text: str) -> datetime | None:
    return parse_datetime(text.upper())


_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_ID = _text(r"[!-~]{1,100}", "1 to 100 characters without spaces")
_SOURCE = _text(r"[!-~]{1,200}", "a URI of up to 200 characters")
_CODE = _text(r"[!-~]{1,64}", "a code")
_CONTEXT: Mapping[str, Check] = {
    "specversion": _one_of("1.0"),
    "type": _one_of(COMPLETED, ADJUSTED),
    "source": _SOURCE,
    "id": _ID,
    "time": _is_time,
    "subject": _text(r"call_off:[!-~]{1,40}", "call_off: and the code of a call-off"),
    "data": lambda value: "an object" if value is _NOTHING else "",
}
_OPTIONAL_CONTEXT: Mapping[str, Check] = {
    "datacontenttype": _one_of("application/json"),
    "dataschema": _text(r"[!-~]{1,200}", "a URI"),
}
_COMPLETED: Mapping[str, Check] = {
    "algorithm": _CODE,
    "version": _text(r"[!-~][ -~]{0,63}", "the version of the algorithm"),
    "site": _CODE,
    "study_ref": _text(
        r"hmac-sha256:[0-9a-f]{64}", "hmac-sha256: and 64 hexadecimal digits, never an identity"
    ),
}
_OPTIONAL_COMPLETED: Mapping[str, Check] = {
    "purpose": _one_of("clinical", "validation", "shadow", "research"),
    "outcome": _one_of("final", "failed", "rejected"),
    "fault": _one_of("none", "supplier", "customer"),
    "rerun_of": _ID,
    "units": _whole(0, MOST_UNITS),
    "udi_di": _text(r"[!-~]{1,40}", "a UDI-DI"),
    "modality": _text(r"[A-Z0-9_]{1,16}", "a modality such as CT"),
    "requested_at": _is_time,
    "completed_at": _is_time,
    "latency_s": _is_seconds,
}
_KEPT = ("udi_di", "modality", "rerun_of", "requested_at")
_ADJUSTED: Mapping[str, Check] = {
    "ref_id": _ID,
    "delta_units": _whole(-MOST_UNITS, MOST_UNITS, is_zero_one=False),
    "reason": _text(r"(?s)\S.{0,298}\S|\S", "a reason of up to 300 characters"),
}
_OPTIONAL_ADJUSTED: Mapping[str, Check] = {"ref_source": _SOURCE}

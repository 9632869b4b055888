"""What an algorithm found in one study, as a frozen value."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NoReturn, Self

from vendors.manifest import Code, Urgency
from vendors.shapes import ShapeInvalid, problems_in, unfit_values

Status = Literal["present", "absent", "indeterminate"]
Laterality = Literal["left", "right", "bilateral"]
LARGEST_FILE = 4 * 1024 * 1024
# as in findings.schema.json
MOST_FINDINGS, MOST_CORNERS = 1000, 10_000
# far beyond any image, and far from where a float ends
FARTHEST = 1e9


class FindingsInvalid(ShapeInvalid):
    """Findings are not of the shape hub.findings/1; ``problems`` lists each departure."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """A number with its UCUM unit."""

    code: Code
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class Region:
    """An area of one image: corners (column, row) in pixels, frames counted from 1."""

    sop_instance_uid: str
    frame: int
    polygon: tuple[tuple[float, float], ...]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """From one of a finding's ``regions``, already held against the schema."""
        corners = tuple((float(column), float(row)) for column, row in data["polygon"])
        return cls(data["sop_instance_uid"], int(data.get("frame", 1)), corners)


@dataclass(frozen=True, slots=True)
class Finding:
    """One coded statement; ``probability`` is that the finding is present, from 0 to 1."""

    code: Code
    status: Status
    probability: float | None = None
    urgency: Urgency | None = None
    site: Code | None = None
    laterality: Laterality | None = None
    tracking_id: str | None = None
    measurements: tuple[Measurement, ...] = ()
    regions: tuple[Region, ...] = ()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """From one of ``findings``, already held against the schema."""
        return cls(
            code=Code.from_json(data["code"]),
            status=data["status"],
            probability=data.get("probability"),
            urgency=data.get("urgency"),
            site=Code.from_json(data["site"]) if data.get("site") else None,
            laterality=data.get("laterality"),
            tracking_id=data.get("tracking_id"),
            measurements=tuple(
                Measurement(Code.from_json(one["code"]), one["value"], one["unit"])
                for one in data.get("measurements", ())
            ),
            regions=tuple(Region.from_json(one) for one in data.get("regions", ())),
        )


@dataclass(frozen=True, slots=True)
class Findings:
    """The outcome of one run; ``reason`` is set where, and only where, nothing was analysed."""

    outcome: Literal["complete", "not_analysed"]
    findings: tuple[Finding, ...] = ()
    reason: str = ""

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """From parsed JSON; raises FindingsInvalid with every problem, each with its path."""
        short = _abridged(data)
        problems = _too_many(data) or problems_in(short, "findings") or [
            *unfit_values(short),
            *_repeated_tracking_ids(data.get("findings", ())),
        ]
        if problems:
            raise FindingsInvalid(problems)
        is_complete = data["outcome"] == "complete"
        findings = tuple(Finding.from_json(one) for one in data.get("findings", ()))
        return cls(data["outcome"], findings, "" if is_complete else data["reason"])

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """From the bytes of findings.json; raises FindingsInvalid."""
        if len(raw) > LARGEST_FILE:
            raise FindingsInvalid([f"findings.json: expected at most {LARGEST_FILE} bytes"])
        try:
            # utf-8-sig: a byte order mark is harmless, and common where the file is made on Windows
            data = json.loads(raw.decode("utf-8-sig"), parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise FindingsInvalid([f"findings.json: expected JSON in UTF-8, got {error}"]) from None
        return cls.from_json(data)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name}, which is not a JSON number")


def _too_many(data: Any) -> list[str]:
    """Told before a schema looks at each of them."""
    stated = data.get("findings") if isinstance(data, dict) else None
    if not isinstance(stated, list) or len(stated) <= MOST_FINDINGS:
        return []
    return [f"findings: expected a list of at most {MOST_FINDINGS}, got a list of {len(stated)}"]


def _abridged(data: Any) -> Any:
    """The same with three corners of each sound outline: a schema takes a minute over them all."""
    if not isinstance(data, dict) or not isinstance(data.get("findings"), list):
        return data
    return data | {"findings": [_with_short_outlines(one) for one in data["findings"]]}


def _with_short_outlines(finding: Any) -> Any:
    if not isinstance(finding, dict) or not isinstance(finding.get("regions"), list):
        return finding
    return finding | {
        "regions": [
            one | {"polygon": one["polygon"][:3]}
            if isinstance(one, dict) and _is_sound(one.get("polygon"))
            else one
            for one in finding["regions"]
        ]
    }


def _is_sound(polygon: Any) -> bool:
    """Whether an outline is as the schema asks for; one that is not is left for it to describe."""
    return (
        isinstance(polygon, list)
        and 3 <= len(polygon) <= MOST_CORNERS
        and all(
            type(corner) is list and len(corner) == 2 and all(map(_is_coordinate, corner))
            for corner in polygon
        )
    )


def _is_coordinate(number: Any) -> bool:
    return type(number) in (int, float) and 0 <= number < FARTHEST


def _repeated_tracking_ids(findings: list[Mapping[str, Any]]) -> Iterator[str]:
    seen = set()
    for index, finding in enumerate(findings):
        name = finding.get("tracking_id")
        if name in seen:
            yield f"findings[{index}].tracking_id: expected each name once, got {name!r} again"
        if name:
            seen.add(name)

"""The contract between the hub and an algorithm: study.json in, findings.json out, exit codes."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

DONE, BAD_INPUT = 0, 64
PAUSE_SECONDS = 0.02
Json = dict[str, Any]


class UnfitError(Exception):
    """The study is sound but not one that this algorithm can judge; the text says why."""


class BadInputError(Exception):
    """The input breaks the contract, or cannot be read."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series of the study, with the files of its instances in the order of study.json."""

    modality: str
    paths: tuple[Path, ...]
    facts: Json

    def must_show(self, *body_parts: str) -> Series:
        """This series, unless it says it shows another part of the body: raises UnfitError."""
        said = str(self.facts.get("body_part_examined") or "").strip().upper()
        if said and said not in body_parts:
            raise UnfitError(f"the series shows {said}, not {' or '.join(body_parts)}")
        return self


@dataclass(frozen=True, slots=True)
class Study:
    """What the hub handed over (hub.study/1)."""

    study_instance_uid: str
    age_years: float | None
    series: tuple[Series, ...]

    def largest(self, *modalities: str) -> Series:
        """The series of these modalities with most instances; raises UnfitError."""
        fit = [one for one in self.series if one.modality in modalities]
        if not fit:
            raise UnfitError(f"the study has no series of modality {' or '.join(modalities)}")
        return max(fit, key=lambda one: len(one.paths))


def run(analyse: Callable[[Study], list[Json]]) -> NoReturn:
    """Read the study, analyse it, write findings.json, and end the program.

    Where the manifest says ``serving: warm``, do so for one run after another, without end.
    """
    input_dir = Path(os.environ.get("HUB_INPUT_DIR", "/input"))
    output_dir = Path(os.environ.get("HUB_OUTPUT_DIR", "/output"))
    if os.environ.get("HUB_SERVING") == "warm":
        serve(analyse, output_dir)
    sys.exit(_once(analyse, input_dir, output_dir))


def serve(analyse: Callable[[Study], list[Json]], mailbox: Path) -> NoReturn:
    """Take what is asked for in the mailbox, answer, and wait until the hub has taken it."""
    (mailbox / "ready").touch()
    while True:
        request = mailbox / "request.json"
        if not request.exists() or (mailbox / "response.json").exists():
            time.sleep(PAUSE_SECONDS)
            continue
        asked = json.loads(request.read_text("utf-8"))
        exit_code = _once(analyse, mailbox / asked["input"], mailbox / asked["output"])
        part = mailbox / "response.json.part"
        part.write_text(json.dumps({"run": asked["run"], "exit_code": exit_code}), "utf-8")
        part.replace(mailbox / "response.json")


def _once(analyse: Callable[[Study], list[Json]], input_dir: Path, output_dir: Path) -> int:
    try:
        result = {"outcome": "complete", "findings": analyse(read_study(input_dir))}
    except UnfitError as error:
        result = {"outcome": "not_analysed", "reason": str(error)}
    except BadInputError as error:
        print(f"bad input: {error}", file=sys.stderr)
        return BAD_INPUT
    write_findings(output_dir, result)
    return DONE


def read_study(input_dir: Path) -> Study:
    """The study of ``study.json``; raises BadInputError."""
    try:
        data = json.loads((input_dir / "study.json").read_text("utf-8"))
        if data["schema"] != "hub.study/1":
            raise BadInputError(f"study.json has the schema {data['schema']!r}")
        series = tuple(_series(input_dir, one) for one in data["series"])
        return Study(data["study_instance_uid"], data["patient"].get("age_years"), series)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInputError(f"study.json: {error!r}") from error


def write_findings(output_dir: Path, result: Json) -> None:
    """Write findings.json in one move, so that half a file is never taken for a result."""
    part = output_dir / "findings.json.part"
    part.write_text(json.dumps({"schema": "hub.findings/1", **result}), "utf-8")
    part.replace(output_dir / "findings.json")


def code(value: str, meaning: str, scheme: str = "SCT") -> Json:
    """A coded concept, of SNOMED CT unless said otherwise."""
    return {"value": value, "scheme": scheme, "meaning": meaning}


def measurement(concept: Json, value: float, unit: str) -> Json:
    """A number in a UCUM unit."""
    return {"code": concept, "value": round(float(value), 2), "unit": unit}


def regions(outlines: Iterable[tuple[str, list[list[float]]]]) -> list[Json]:
    """One region for each (SOP Instance UID, polygon)."""
    return [{"sop_instance_uid": uid, "frame": 1, "polygon": polygon} for uid, polygon in outlines]


def _series(input_dir: Path, data: Json) -> Series:
    paths = tuple(input_dir / one["path"] for one in data["instances"])
    for path in paths:
        if not path.resolve().is_relative_to(input_dir.resolve()):
            raise BadInputError("a path in study.json leads out of the input folder")
    return Series(data["modality"], paths, data)

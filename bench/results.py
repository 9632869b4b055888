"""The file of a run: everything that was measured, under which conditions, and on what machine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.measurement import Measurement, Target, ratios

FOLDER = Path(__file__).resolve().parent / "results"
Read = tuple[list[Measurement], dict[str, Any], dict[str, str]]
_FIELDS = ("name", "says", "unit", "is_rate")


def write(
    path: Path, rows: Sequence[Measurement], *, run: Mapping[str, Any], failures: Mapping[str, str]
) -> None:
    """Write the file of one run; ``failures`` are whole areas that could not be measured."""
    document = {
        "run": dict(run),
        "rows": [_plain(row) for row in rows],
        "ratios": ratios(rows),
        "failures": dict(failures),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document, indent=1, ensure_ascii=False, default=str)
    path.write_text(text + "\n", "utf-8")


def read(path: Path) -> Read:
    """The rows of a file, what it says of the run, and the areas that are missing."""
    document = json.loads(path.read_text("utf-8"))
    return [_row(one) for one in document["rows"]], document["run"], document["failures"]


def together(before: Read, now: Read) -> Read:
    """What was measured before and what now, of which the newer counts where both have it.

    A quick run and a long one do not go together: only what is new is given then.
    """
    (old_rows, old_run, old_failures), (rows, run, failures) = before, now
    if old_run["is_quick"] != run["is_quick"]:
        return now
    new = {row.name for row in rows}
    took = {**old_run["seconds_by_area"], **run["seconds_by_area"]}
    lost = {area: why for area, why in old_failures.items() if area not in run["seconds_by_area"]}
    return (
        [row for row in old_rows if row.name not in new] + rows,
        {**run, "seconds_by_area": took, "seconds": sum(took.values())},
        {**lost, **failures},
    )


def newest() -> Path | None:
    """The newest of the files that are kept, if there is one."""
    return max(FOLDER.glob("*.json"), default=None)


def _plain(row: Measurement) -> dict[str, Any]:
    return {
        **{name: getattr(row, name) for name in _FIELDS},
        "figures": {who: [round(one, 6) for one in found] for who, found in row.figures.items()},
        "targets": [
            {"peer": t.peer, "at_least": t.at_least, "at_most": t.at_most, "is": row.verdict(t)}
            for t in row.targets
        ],
        "conditions": dict(row.conditions),
        "details": dict(row.details),
        "failures": dict(row.failures),
    }


def _row(given: Mapping[str, Any]) -> Measurement:
    targets = tuple(
        Target(one["peer"], at_least=one["at_least"], at_most=one["at_most"])
        for one in given["targets"]
    )
    rest = {name: given[name] for name in (*_FIELDS, "figures", "conditions", "details")}
    return Measurement(**rest, targets=targets, failures=given["failures"])

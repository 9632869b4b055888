"""The README's table of performance, made of the newest file of results.

    .venv/bin/python -m bench.report [RESULTS]
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import results
from bench.measurement import HUB, Measurement, Target
from bench.places import ROOT

README = ROOT / "README.md"
BEGIN, END = "<!-- bench results -->", "<!-- end of bench results -->"
_HEAD = "| measured | hub | beside it | times as good | aim |\n|---|---|---|---|---|\n"


def section(path: Path) -> str:
    """What stands between the markers for this file of results."""
    rows, run, failures = results.read(path)
    rows = [*rows, *_of_earlier_days(path, {row.name for row in rows})]
    table = _HEAD + "".join(line for row in rows for line in table_lines(row))
    lost = _lost(rows, failures)
    return f"\n{_introduction(path, run, rows)}\n{table}{lost}{_pictures(path)}\n"


def _of_earlier_days(path: Path, names: set[str]) -> list[Measurement]:
    """What only earlier runs beside this one measured, the newest of each, with its day."""
    found: dict[str, Measurement] = {}
    for earlier in sorted(path.parent.glob("*.json"), reverse=True):
        if earlier.stem < path.stem:
            rows, run, _failures = results.read(earlier)
            for row in () if run["is_quick"] else rows:
                of_day = replace(row, says=f"{row.says} ({run['date']})")
                found |= {} if row.name in names | found.keys() else {row.name: of_day}
    return list(found.values())


def _lost(rows: Sequence[Measurement], failures: Mapping[str, str]) -> str:
    """What was not measured, in a paragraph for each reason."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for area, why in failures.items():
        by_reason[why].append(area)
    for row in rows:
        for who, why in row.failures.items():
            by_reason[why].append(f"{row.says} ({who})")
    return "".join(
        f"\nNot measured, for {_plain(why)}: {'; '.join(whose)}.\n"
        for why, whose in by_reason.items()
    )


def table_lines(row: Measurement) -> list[str]:
    """The lines of one measurement: one for each peer, or for the hub where it was alone."""
    others = [who for who in row.figures if who != HUB]
    others += [who for who in row.failures if who != HUB]
    others += [target.peer for target in row.targets if target.peer not in (*others, "")]
    own = [target for target in row.targets if not target.peer]
    hub = _figure(row, HUB)
    says = row.says
    lines = []
    for peer in [None] * bool(own or not others) + others:
        beside = "" if peer is None else f"{peer} {_figure(row, peer)}"
        ratio = "" if peer is None else _ratio(row, peer)
        aims = own if peer is None else [t for t in row.targets if t.peer == peer]
        cells = (says, hub, beside, ratio, "; ".join(_aim(row, target) for target in aims))
        lines.append("| " + " | ".join(cells) + " |\n")
        says = hub = ""
    return lines


def replaced(readme: str, text: str) -> str:
    """The README with this text between the markers."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def _plain(why: str) -> str:
    """A reason as one line that Markdown leaves as it is."""
    return f"`{' '.join(why.replace('`', chr(39)).split())[:200]}`"


def _figure(row: Measurement, who: str) -> str:
    if who not in row.figures:
        return "not measured"
    figures = row.figures[who]
    spread = f" ({_short(min(figures))} to {_short(max(figures))})" if len(figures) > 1 else ""
    return f"{_short(row.median(who))} {row.unit}{spread}"


def _ratio(row: Measurement, peer: str) -> str:
    if HUB not in row.figures or peer not in row.figures:
        return ""
    return _short(row.ratio(peer))


def _aim(row: Measurement, target: Target) -> str:
    bounds = (("≥", target.at_least), ("≤", target.at_most))
    words = " and ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)
    verdict = row.verdict(target)
    return f"{words}: {verdict if verdict == 'met' else f'**{verdict}**'}"


def _short(number: float) -> str:
    """Three digits that count, and no power of ten."""
    if abs(number) >= 100:
        return f"{number:,.0f}".replace(",", " ")
    return f"{number:.3g}"


def _introduction(path: Path, run: Mapping[str, Any], rows: Sequence[Measurement]) -> str:
    machine = run["environment"]
    verdicts = [row.verdict(target) for row in rows for target in row.targets]
    aims = ", ".join(f"{verdicts.count(one)} {one}" for one in ("met", "missed", "not measured"))
    kind = "A quick run of" if run["is_quick"] else "Measured on"
    versions = machine["versions"]
    return (
        f"`make bench` measures the hub beside its peers in one run, in turns, on one machine; "
        f"[how, and how to read it](docs/explanation/performance.md).\n"
        f"{kind} {run['date']}: {machine['processors']} processors, {machine['file_system']}, "
        f"{machine['system']}, Python {machine['python']}, dcmtk {versions['dcmtk']}, "
        f"Orthanc {versions['Orthanc']}, PostgreSQL {versions['PostgreSQL']}; load "
        f"{run['load_before']} before and {run['load_after']} after. "
        f"Of {len(verdicts)} aims: {aims}.\n"
        f"Medians, lowest and highest in brackets; conditions of every row are in "
        f"[the results](bench/results/{path.name}). A row with a day is of that day.\n"
    )


def _pictures(path: Path) -> str:
    """Charts of the run, those of receiving alone: the others lie beside them."""
    shown = ("receive_durable", "receive_factory")
    charts = [path.with_suffix("") / f"{name}.svg" for name in shown]
    return "".join(
        f"\n![{chart.stem.replace('_', ' ')}]({chart.relative_to(ROOT)})\n"
        for chart in charts
        if chart.exists()
    )


def main() -> int:
    """Write the README's table anew."""
    path = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else results.newest()
    if path is None:
        print("there are no results yet: make bench")
        return 1
    README.write_text(replaced(README.read_text("utf-8"), section(path)), "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

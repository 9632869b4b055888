"""Measures the hub beside its peers, area by area, and keeps what was found.

    make bench                        everything, some 40 minutes
    make bench ARGS=--quick           less data, fewer turns, within 6 minutes
    make bench ARGS="--only receive,orders"

Each area has a process of its own, and they may be measured one by one: what a folder of results
has of the same day, from a run as long as this, stays beside what is new. A whole run goes into
bench/results, its charts beside it, and the README's table is made of it; a quick or partial one
into var/bench, unless --results says where. What a run of today left out stands in the README with
the day on which it was measured. The last line printed is the ratios as one JSON object. Exit code
1: something could not be measured, and it is said what. A missed aim is shown, and no error.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench import alone, charts, machine, report, results
from bench.areas import AREAS, areas, measured
from bench.measurement import Measurement, ratios
from bench.places import ROOT, folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; the exit code."""
    options = _options(arguments)
    # Without it what was started would outlive a benchmark that is told to stop.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started = time.monotonic()
    with folder() as here:
        environment = machine.describe(here)
    run: dict[str, object] = {
        "date": datetime.now(UTC).date().isoformat(), "is_quick": options.quick,
        "environment": environment, "load_before": machine.load(),
    }  # fmt: skip
    rows: list[Measurement] = []
    failures: dict[str, str] = {}
    took: dict[str, int] = {}
    for area in options.only:
        print(f"== {area}", flush=True)
        began = time.monotonic()
        found, why = measured(area, is_quick=options.quick)
        took[area] = round(time.monotonic() - began)
        rows += found
        if why:
            failures[area] = why
            print(f"  not measured: {why}")
        for row in found:
            print("\n".join(alone.lines(row)), flush=True)
    seconds = round(time.monotonic() - started)
    run |= {"load_after": machine.load(), "seconds": seconds, "seconds_by_area": took}
    _keep(options, rows, run, failures)
    failed = failures | {row.name: str(dict(row.failures)) for row in rows if row.failures}
    for name, why in failed.items():
        print(f"not measured: {name}: {why}")
    print(json.dumps(ratios(rows)))
    return 1 if failed else 0


def _keep(
    options: argparse.Namespace, rows: list[Measurement], run: dict[str, object],
    failures: dict[str, str],
) -> None:  # fmt: skip
    path = options.results / f"{run['date']}.json"
    if set(options.only) != set(areas()) and path.exists():
        rows, run, failures = results.together(results.read(path), (rows, run, failures))
    results.write(path, rows, run=run, failures=failures)
    charts.draw(rows, path.with_suffix(""))
    print(f"results: {os.path.relpath(path, ROOT)}")
    if options.results == results.FOLDER:
        report.README.write_text(
            report.replaced(report.README.read_text("utf-8"), report.section(path)), "utf-8"
        )


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer turns, less data")
    parser.add_argument("--only", default="", help=f"areas with commas between: {','.join(AREAS)}")
    parser.add_argument("--results", type=Path, help="the folder to write into")
    options = parser.parse_args(arguments)
    options.only = [one.strip() for one in options.only.split(",") if one.strip()] or areas()
    if unknown := set(options.only) - set(areas()):
        parser.error(f"no such area: {', '.join(sorted(unknown))}")
    is_whole = not options.quick and options.only == areas()
    options.results = (
        options.results.resolve() if options.results
        else results.FOLDER if is_whole else ROOT / "var/bench"
    )  # fmt: skip
    return options


if __name__ == "__main__":
    raise SystemExit(main())

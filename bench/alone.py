"""One area of the benchmarks by itself: measures, prints its rows, and last its ratios as JSON."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Callable, Sequence

from bench.measurement import HUB, Measurement, ratios
from bench.places import NotMeasured

Measure = Callable[..., list[Measurement]]


def run(measure: Measure, arguments: Sequence[str] | None = None) -> int:
    """The exit code of `python -m bench.AREA [--quick]`: 0 unless something was not measured."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, less data")
    options = parser.parse_args(arguments)
    # Without it what was started would outlive a benchmark that is told to stop.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        rows = measure(is_quick=options.quick)
    except NotMeasured as fault:
        print(f"not measured: {fault}")
        return 1
    for row in rows:
        for line in lines(row):
            print(line)
    print(json.dumps(ratios(rows)))
    return 1 if any(row.failures for row in rows) else 0


def lines(row: Measurement) -> list[str]:
    """A row as text: who, the median and its spread, the ratio, and whether targets are met."""
    conditions = "; ".join(f"{name}: {value}" for name, value in row.conditions.items())
    said = [f"{row.name}: {row.says}", f"  {conditions}"]
    for who, figures in row.figures.items():
        spread = f"[{min(figures):.4g}-{max(figures):.4g}]"
        text = f"  {who:16}{row.median(who):10.4g} {row.unit} {spread}"
        if who != HUB and HUB in row.figures:
            text += f"  {row.ratio(who):.3g} x"
        said.append(text)
    said += [f"  {who:16}not measured: {why}" for who, why in row.failures.items()]
    said += [f"  aim: {target}: {row.verdict(target)}" for target in row.targets]
    return said

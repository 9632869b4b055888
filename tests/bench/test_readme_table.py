"""The README's table of performance is what the newest results say, with what was missed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench import report, results
from bench.measurement import HUB, Measurement, Target

FIGURES = {HUB: [90.0, 110.0, 100.0], "Orthanc": [45.0, 55.0, 40.0]}
ROW = Measurement("receive_1", "Receive", "instances/s", FIGURES)
RUN = {
    "date": "2026-11-25", "is_quick": False, "load_before": 0.1, "load_after": 1.2,
    "environment": {
        "processors": 2, "file_system": "ext4 on /dev/vda", "system": "Debian", "python": "3.11.2",
        "versions": {"dcmtk": "3.6.7", "Orthanc": "1.10.1", "PostgreSQL": "15"},
    },
}  # fmt: skip


def _written(folder: Path, *rows: Measurement, **failures: str) -> Path:
    path = folder / "2026-11-25.json"
    results.write(path, rows, run=RUN, failures=failures)
    return path


def test_the_table_in_the_readme_is_made_of_the_newest_results() -> None:
    newest = results.newest()
    assert newest is not None
    readme = report.README.read_text("utf-8")
    assert report.replaced(readme, report.section(newest)) == readme
    assert results.read(newest)[0]


def test_a_row_tells_medians_spread_ratio_and_whether_the_aim_is_met() -> None:
    row = replace(ROW, targets=[Target("Orthanc", at_least=1.8)])
    assert report.table_lines(row) == [
        "| Receive | 100 instances/s (90 to 110) | Orthanc 45 instances/s (40 to 55) | 2 "
        "| ≥ 1.8: met |\n"
    ]


def test_a_missed_aim_and_one_that_was_not_measured_are_shown_as_such(tmp_path: Path) -> None:
    aims = [Target("Orthanc", at_least=3), Target("storescp", at_least=0.9)]
    row = replace(ROW, targets=aims, failures={"storescp": "storescp is not installed"})
    text = report.section(_written(tmp_path, row, orders="it died"))
    assert "≥ 3: **missed**" in text
    assert "storescp not measured |  | ≥ 0.9: **not measured**" in text
    assert "Of 2 aims: 0 met, 1 missed, 1 not measured." in text
    assert "Not measured, for `it died`: orders." in text
    assert "Not measured, for `storescp is not installed`: Receive (storescp)." in text


def test_what_was_not_measured_again_stands_with_its_day(tmp_path: Path) -> None:
    old = replace(ROW, name="way", says="Way", targets=[Target("Orthanc", at_least=1.8)])
    _written(tmp_path, ROW, old)
    now = tmp_path / "2026-12-01.json"
    new = replace(ROW, figures={HUB: [300.0], "Orthanc": [100.0]})
    results.write(now, [new], run=RUN | {"date": "2026-12-01"}, failures={})
    text = report.section(now)
    assert "| Receive | 300 instances/s | Orthanc 100 instances/s | 3 |" in text
    assert "| Way (2026-11-25) | 100 instances/s (90 to 110) |" in text
    assert "Of 1 aims: 1 met" in text
    assert text.count("| Receive") == 1
    assert "2026-12-01" not in report.section(tmp_path / "2026-11-25.json")


def test_an_aim_without_a_peer_has_a_line_of_its_own() -> None:
    aims = [Target(at_most=0.1), Target("pydicom", at_least=8)]
    figures = {HUB: [0.08], "pydicom": [1.2]}
    row = Measurement("header", "Header", "ms", figures, is_rate=False, targets=aims)
    assert report.table_lines(row) == [
        "| Header | 0.08 ms |  |  | ≤ 0.1: met |\n",
        "|  |  | pydicom 1.2 ms | 15 | ≥ 8: met |\n",
    ]


def test_what_is_written_is_read_again_as_it_was(tmp_path: Path) -> None:
    row = replace(ROW, targets=(Target("Orthanc", at_least=1.8),), details={"plan": ["Index Scan"]})
    rows, run, failures = results.read(_written(tmp_path, row, way="it died"))
    assert (rows, run["date"], failures) == ([row], "2026-11-25", {"way": "it died"})


def test_what_was_measured_apart_on_a_day_stands_together() -> None:
    old, new = replace(ROW, name="way"), replace(ROW, figures={HUB: [1.0]})
    before = ([ROW, old], RUN | {"seconds_by_area": {"receive": 60, "way": 30}}, {"large": "died"})
    now = ([new], RUN | {"seconds_by_area": {"receive": 40, "large": 5}}, {})
    rows, run, failures = results.together(before, now)
    assert (rows, failures) == ([old, new], {})
    assert (run["seconds"], run["seconds_by_area"]["receive"]) == (75, 40)
    quick = ([new], {**now[1], "is_quick": True}, {})
    assert results.together(before, quick) == quick


def test_only_what_stands_between_the_markers_is_replaced() -> None:
    readme = f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n"
    assert report.replaced(readme, "new") == f"before\n{report.BEGIN}\nnew\n{report.END}\nafter\n"


@pytest.mark.parametrize("figure", [1.8, 2.5])
def test_an_aim_is_met_at_its_bound_and_beyond(figure: float) -> None:
    assert Target("Orthanc", at_least=1.8).is_met_by(figure)
    assert not Target("Orthanc", at_least=1.8).is_met_by(1.79)

"""Benchmarks are fair: turns alternate, ratios are of pairs, and who fails has no figure."""

from __future__ import annotations

import importlib
from pathlib import Path

from bench import areas, charts
from bench.measurement import HUB, Measurement, Target, ratios
from bench.pairs import alternate
from bench.places import NotMeasured


def test_everybody_has_a_turn_before_anybody_has_a_second() -> None:
    order: list[tuple[str, int]] = []

    def turn(who: str, pair: int) -> float:
        order.append((who, pair))
        return float(pair)

    figures = alternate(
        {HUB: lambda pair: turn(HUB, pair), "peer": lambda pair: turn("peer", pair)}, pairs=2
    )
    assert order == [(HUB, 0), ("peer", 0), (HUB, 1), ("peer", 1)]
    assert figures == {HUB: [0.0, 1.0], "peer": [0.0, 1.0]}


def test_who_loses_something_once_has_no_figure_at_all() -> None:
    def loses(pair: int) -> float:
        if pair == 1:
            raise NotMeasured("1 of 10 instances did not arrive")
        return 1.0

    failures: dict[str, str] = {}
    figures = alternate({HUB: lambda _: 2.0, "peer": loses}, pairs=3, failures=failures)
    assert figures == {HUB: [2.0, 2.0, 2.0]}
    assert failures == {"peer": "1 of 10 instances did not arrive"}


def test_the_ratio_is_the_median_of_pairs_and_above_one_where_the_hub_is_better() -> None:
    # the machine was ten times slower in the second pair, for both
    figures = {HUB: [200.0, 20.0, 220.0], "peer": [100.0, 10.0, 100.0]}
    rate = Measurement("a", "A", "1/s", figures)
    time = Measurement("b", "B", "ms", figures, is_rate=False)
    assert (rate.ratio("peer"), time.ratio("peer")) == (2.0, 0.5)
    alone = Measurement("c", "C", "MB", {HUB: [3.0]})
    nobody = Measurement("d", "D", "MB", {"peer": [3.0]})
    assert ratios([rate, time, alone, nobody]) == {
        "a": {"peer": 2.0}, "b": {"peer": 0.5}, "c": {HUB: 3.0},
    }  # fmt: skip


def test_an_aim_without_figures_is_neither_met_nor_missed() -> None:
    row = Measurement("a", "A", "1/s", {HUB: [2.0], "peer": [1.0]})
    assert row.verdict(Target("peer", at_least=2)) == "met"
    assert row.verdict(Target("peer", at_least=2.1)) == "missed"
    assert row.verdict(Target(at_most=1.9)) == "missed"
    assert row.verdict(Target("other", at_least=2)) == "not measured"


def test_every_area_that_measures_is_run_and_no_other_is_named() -> None:
    folder = Path(areas.__file__).parent
    measuring = {path.stem for path in folder.glob("*.py") if "\ndef measure(" in path.read_text()}
    assert set(areas.areas()) == measuring
    for area in areas.areas():
        assert callable(importlib.import_module(f"bench.{area}").measure)


def test_an_area_that_breaks_is_named_and_the_rest_goes_on() -> None:
    rows, why = areas.measured("there_is_none", is_quick=True)
    assert (rows, why) == ([], "ModuleNotFoundError: No module named 'bench.there_is_none'")


def test_rows_that_differ_in_a_number_share_a_chart_and_a_curve_has_its_own(
    tmp_path: Path,
) -> None:
    rows = [
        Measurement(
            f"receive_{count}", f"Receive, {count} associations", "1/s",
            {HUB: [2.0], "Orthanc": [1.0]}, conditions={"associations": count},
        )
        for count in (2, 4)
    ]  # fmt: skip
    curve = {"match": {10_000: 1.0, 1_000_000: 1.1}}
    rows.append(Measurement("growth", "Growth", "ms", {HUB: [1.0]}, details={"values": curve}))
    first = charts.draw(rows, tmp_path)
    texts = [path.read_text() for path in first]
    assert [path.name for path in first] == ["receive.svg", "growth_curve.svg"]
    assert "2 associations" in texts[0]
    assert "4 associations" in texts[0]
    assert "1,000,000" in texts[1]
    assert [path.read_text() for path in charts.draw(rows, tmp_path)] == texts
    assert "<script" not in texts[0]
    assert "http" not in texts[0].replace("http://www.w3.org/", "")

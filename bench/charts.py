"""Charts of a run as SVG: bars for who was measured beside whom, lines for what grows.

Readable on light and dark: the background is nobody's, and texts take the reader's own scheme.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import log10
from pathlib import Path

import pygal
from pygal.style import Style

from bench.measurement import HUB, Measurement

# After Okabe and Ito, told apart by people who see few colours; neither too light nor too dark,
# so that black figures are readable on all of them.
_HUB_COLOUR = "#3b8ed0"
_COLOURS = ("#E69F00", "#009E73", "#CC79A7", "#D55E00", "#b8a500")
_GREY = "#6e7781"
_DARK = """inline:
@media (prefers-color-scheme: dark) {
  {{ id }} text, {{ id }} .title { fill: #c9d1d9 !important; }
}
"""
_FAMILY = re.compile(r"^(?P<name>\w+?)_(?P<number>\d+)$")
_NEEDLESS = re.compile(r"<script.*?</script>|<!--.*?-->", re.DOTALL)
_LABEL = ("associations", "connections", "studies")


def draw(rows: Sequence[Measurement], folder: Path) -> list[Path]:
    """Write the charts of these rows; their paths. Rows without a peer or a curve have none."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, family in _families(rows).items():
        chart = _bars(family)
        written.append(_write(chart, folder / f"{name}.svg"))
    for row in rows:
        if curve := _curve(row):
            written.append(_write(_lines(row, curve), folder / f"{row.name}_curve.svg"))
    return written


def _families(rows: Sequence[Measurement]) -> dict[str, list[Measurement]]:
    """Rows that differ in a number at the end of the name alone go into one chart."""
    found: dict[str, list[Measurement]] = defaultdict(list)
    for row in rows:
        if len(row.figures) > 1 and HUB in row.figures:
            match = _FAMILY.match(row.name)
            found[match["name"] if match else row.name].append(row)
    return found


def _bars(family: Sequence[Measurement]) -> pygal.Bar:
    first = family[0]
    who = list(dict.fromkeys(one for row in family for one in row.figures))
    title = first.says if len(family) == 1 else re.sub(r",[^,]*$", "", first.says)
    better = "more is better" if first.is_rate else "less is better"
    title = f"{title} ({first.unit}, {better})"
    chart = pygal.Bar(**_options(who), print_values=True, title=title)
    chart.x_labels = [_label(row) for row in family] if len(family) > 1 else [""]
    for one in who:
        values = [row.median(one) if one in row.figures else None for row in family]
        chart.add(one, values)
    return chart


def _lines(row: Measurement, curve: Mapping[str, Mapping[float, float]]) -> pygal.XY:
    highest = max(value for values in curve.values() for value in values.values())
    chart = pygal.XY(
        **_options(list(curve)), title=f"{row.says} ({row.unit})", dots_size=4,
        range=(0, highest * 1.1), x_value_formatter=lambda power: f"{10**power:,.0f}",
    )  # fmt: skip
    sizes = sorted({size for values in curve.values() for size in values})
    chart.x_labels = [log10(size) for size in sizes]
    for name, values in curve.items():
        chart.add(name, [(log10(size), value) for size, value in sorted(values.items())])
    return chart


def _curve(row: Measurement) -> dict[str, dict[float, float]]:
    """``details["values"]``: figures by size, or those of several things by size."""
    values = row.details.get("values")
    if not isinstance(values, Mapping) or not values:
        return {}
    if all(isinstance(one, Mapping) for one in values.values()):
        return {str(name): _by_size(one) for name, one in values.items()}
    return {HUB: _by_size(values)}


def _by_size(values: Mapping[object, object]) -> dict[float, float]:
    return {float(str(size)): float(str(value)) for size, value in values.items()}


def _label(row: Measurement) -> str:
    for name in _LABEL:
        if name in row.conditions:
            number = row.conditions[name]
            return f"{number} {name[:-1] if number == 1 and name != 'studies' else name}"
    return row.says.rpartition(",")[2].strip()


def _options(who: Sequence[str]) -> dict[str, object]:
    others = iter(_COLOURS * len(who))
    colours = tuple(_HUB_COLOUR if one == HUB else next(others) for one in who)
    style = Style(
        background="transparent", plot_background="transparent", colors=colours,
        foreground=_GREY, foreground_strong=_GREY, foreground_subtle=_GREY, opacity="1",
        opacity_hover="1", guide_stroke_color="#8b949e55", major_guide_stroke_color="#8b949e55",
        font_family="system-ui, sans-serif", label_font_size=13, major_label_font_size=13,
        legend_font_size=13, title_font_size=14, value_font_size=11, value_colors=(),
    )  # fmt: skip
    return {
        "style": style, "js": (), "css": ("file://style.css", "file://graph.css", _DARK),
        "width": 760, "height": 340, "legend_at_bottom": True, "margin": 12, "show_legend": True,
        "legend_at_bottom_columns": max(len(who), 1), "margin_right": 45,
        "value_formatter": lambda value: f"{value:,.3g}" if value < 100 else f"{value:,.0f}",
        "disable_xml_declaration": True, "pretty_print": False, "show_y_guides": True,
        "min_scale": 3, "max_scale": 6, "include_x_axis": True, "no_prefix": False,
    }  # fmt: skip


def _write(chart: pygal.Graph, path: Path) -> Path:
    # The name of a chart's parts is drawn at random: the same figures would give another file.
    text = chart.render(is_unicode=True).replace(chart.uuid, path.stem.replace("_", "-"))
    path.write_text(_NEEDLESS.sub("", text) + "\n", "utf-8")
    return path

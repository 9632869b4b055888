"""Draws a tornado: how far each parameter moves the net present value, the widest on top.

Readable on light and dark: the background is nobody's, and texts are of a grey that stands on both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from contracts.templatetags.money import plain, whole
from contracts.templatetags.value_words import value_word

_WIDE, _NARROW = 900, 400
# so many letters of a name leave the bars half of a telephone
_SHORT = 20
_GREY = "#7d8794"
# after Okabe and Ito: told apart by people who see few colours
_LOW, _HIGH = "#E69F00", "#3b8ed0"
_NEEDLESS = re.compile(r"<script.*?</script>|<!--.*?-->", re.DOTALL)


def draw(
    bars: Sequence[Mapping[str, Any]], *, base: float, is_narrow: bool = False
) -> str:
    """The SVG; each bar in thousands from the value with all parameters as they are.

    Narrow, for a telephone, it leaves the ranges to the table below it.
    """
    # here, because most processes of the hub never draw one
    import pygal
    from pygal.style import Style

    style = Style(
        background="transparent", plot_background="transparent", foreground=_GREY,
        foreground_strong=_GREY, foreground_subtle=_GREY, opacity="1", colors=(_LOW, _HIGH),
        label_font_size=12, major_label_font_size=12, legend_font_size=12, value_font_size=11,
    )  # fmt: skip
    chart = pygal.HorizontalStackedBar(
        style=style, height=90 + 42 * len(bars), width=_NARROW if is_narrow else _WIDE, js=(),
        show_x_guides=False,
        legend_at_bottom=True, disable_xml_declaration=True,
        truncate_label=90, legend_at_bottom_columns=1 if is_narrow else 2,
        # of a chart that lies down, the axis of the values is the one that is called x
        x_labels_major_count=3 if is_narrow else 5, show_minor_x_labels=False,
        value_formatter=lambda value: f"{whole(value)} k",
    )  # fmt: skip
    rising = list(reversed(bars))
    chart.x_labels = [
        _short(value_word(one["name"])) if is_narrow
        else f"{value_word(one['name'])} ({plain(one['low'])} – {plain(one['high'])})"
        for one in rising
    ]
    for title, key in ((_("at its low value"), "npv_low"), (_("at its high value"), "npv_high")):
        chart.add(title, [(one[key] - base) / 1000 for one in rising])
    return _NEEDLESS.sub("", chart.render(is_unicode=True))


def _short(name: str) -> str:
    return name if len(name) <= _SHORT else f"{name[: _SHORT - 1].rstrip()}…"

"""Writes what the demonstration has to say: plain, aligned lines, as things happen."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from io import TextIOWrapper
from typing import TextIO

WIDTH = 100


class Teller:
    """Lines for people, on standard output unless told otherwise."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        if isinstance(self._out, TextIOWrapper):
            # A terminal without æ or ✓ gets a question mark, and not a stack trace.
            self._out.reconfigure(errors="replace", line_buffering=True)
        self._started = time.monotonic()

    def say(self, text: str = "") -> None:
        """One line as it is."""
        self._out.write(text.rstrip() + "\n")
        self._out.flush()

    def title(self, text: str) -> None:
        """A heading, with room above it."""
        self.say()
        self.say(text)
        self.say("-" * len(text))

    def event(self, way: str, place: str, text: str) -> None:
        """Something that has just happened: minutes and seconds since the start, between whom."""
        minutes, seconds = divmod(int(time.monotonic() - self._started), 60)
        self.say(f" {minutes}:{seconds:02d}  {way:<13}  {place:<14}  {text}")

    def table(self, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Columns as wide as their widest cell."""
        cells = [list(head), *([str(cell) for cell in row] for row in rows)]
        widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
        for number, row in enumerate(cells):
            self.say("  " + "  ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)))
            if number == 0:
                self.say("  " + "  ".join("-" * width for width in widths))

    def expectation(self, text: str, *, is_met: bool, instead: str = "") -> None:
        """One thing that had to come true, and whether it did."""
        found = f": {instead}" if instead and not is_met else ""
        self.say(f"  {'✓' if is_met else '✗'} {text}{found}")

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._started

"""What a benchmark found: figures of the hub and its peers from one run, and their ratio."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

HUB = "hub"


@dataclass(frozen=True, slots=True)
class Target:
    """What was aimed at: a ratio to ``peer``, or without one a figure in the unit measured.

    The hub's figure, or its ratio, is to be ``at_least`` or ``at_most`` so much.
    """

    peer: str = ""
    at_least: float | None = None
    at_most: float | None = None

    def is_met_by(self, figure: float) -> bool:
        """Whether this figure or ratio is as good as was aimed at."""
        low = self.at_least is None or figure >= self.at_least
        return low and (self.at_most is None or figure <= self.at_most)

    def __str__(self) -> str:
        """The aim in words, ``at least 1.8 x Orthanc`` for example."""
        bounds = (("at least", self.at_least), ("at most", self.at_most))
        words = " and ".join(f"{word} {bound:g}" for word, bound in bounds if bound is not None)
        return f"{words} x {self.peer}" if self.peer else words


@dataclass(frozen=True, slots=True)
class Measurement:
    """One row: the same work done by the hub and by peers, in turns, in one run.

    ``figures`` has a list for each who took part, one figure for each repetition, in ``unit``;
    ``is_rate`` where more is better. ``conditions`` say what a reader must know to find it fair:
    which ends had TCP_NODELAY, who synced, how many associations. ``details`` are kept in the
    results and shown nowhere else, a query plan for example. ``failures`` tell who has no figures,
    and why: a peer that is not installed, or a receiver that lost something.
    """

    name: str
    says: str
    unit: str
    figures: Mapping[str, Sequence[float]]
    is_rate: bool = True
    targets: Sequence[Target] = ()
    conditions: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)

    def median(self, who: str = HUB) -> float:
        """The middle of all repetitions."""
        return statistics.median(self.figures[who])

    def ratio(self, peer: str) -> float:
        """How many times better the hub did than the peer: the median of its pairs.

        Repetitions are pairs, made one after the other: what else the machine did meanwhile was
        the same for both.
        """
        pairs = zip(self.figures[HUB], self.figures[peer], strict=True)
        return statistics.median(a / b if self.is_rate else b / a for a, b in pairs)

    def verdict(self, target: Target) -> str:
        """One of met, missed and not measured."""
        if not {HUB, target.peer or HUB} <= set(self.figures):
            return "not measured"
        figure = self.ratio(target.peer) if target.peer else self.median()
        return "met" if target.is_met_by(figure) else "missed"


def ratios(rows: Sequence[Measurement]) -> dict[str, dict[str, float]]:
    """By row and peer how many times better the hub did; where it was alone, its own figure."""
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        if HUB not in row.figures:
            continue
        peers = {who: round(row.ratio(who), 3) for who in row.figures if who != HUB}
        found[row.name] = peers or {HUB: round(row.median(), 4)}
    return found

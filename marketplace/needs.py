"""Which needs to buy algorithms for: scores, the gate on the CE class, and the best set. Pure.

The score of a need is ``w_g * G / max(G) + w_c * competence / 5``, with ``G`` the examinations of a
year times the gain of one. The best set is found exactly, by integer programming; what breadth
costs is told beside it: the score of the best set without any rule of breadth, less its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from django.utils.translation import gettext as _

# Only these pass: certified by a notified body (MDR rule 11: information for diagnosis).
PASSING_CLASSES = ("IIa", "IIb", "III")
BEST_COMPETENCE = 5
DIMENSIONS = ("modality", "organ", "pathology", "risk")
# HiGHS looks at differences of 1e-6 in its objective; scores lie between 0 and some units.
_SCALE = 10**7


class NothingToChooseFrom(ValueError):
    """Fewer needs pass the gate than are to be chosen, or no set of them keeps the rules."""


@dataclass(frozen=True, slots=True)
class NeedFacts:
    """One need: volume in examinations a year, gain of one examination in the unit of the list."""

    code: str
    volume: int
    gain: Fraction
    competence: int
    risk: str
    modality: str
    organ: str
    pathology: str = ""
    best_class: str = ""

    @property
    def potential(self) -> Fraction:
        """What a year of it would gain."""
        return self.volume * self.gain


@dataclass(frozen=True, slots=True)
class Breadth:
    """One rule of breadth over a dimension: so many values, so many of each, these for certain."""

    dimension: str
    at_least: int = 0
    at_most_each: int | None = None
    every: tuple[str, ...] = ()

    def is_kept_by(self, chosen: Iterable[NeedFacts]) -> bool:
        """Whether a set of needs keeps the rule."""
        values = [getattr(need, self.dimension) for need in chosen]
        if len(set(values)) < self.at_least or set(self.every) - set(values):
            return False
        most = self.at_most_each
        return most is None or all(values.count(value) <= most for value in values)

    def __str__(self) -> str:
        parts = [_("at least %(count)s") % {"count": self.at_least}] if self.at_least else []
        if self.at_most_each is not None:
            parts.append(_("at most %(count)s of each") % {"count": self.at_most_each})
        if self.every:
            parts.append(_("every one of %(values)s") % {"values": ", ".join(self.every)})
        return f"{self.dimension}: {'; '.join(parts)}"


@dataclass(frozen=True, slots=True)
class Selection:
    """A set of needs, best score first, and the sum of their scores."""

    chosen: tuple[str, ...]
    score: Fraction


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen, what breadth cost, and the next best set that keeps the rules as well."""

    scores: Mapping[str, Fraction]
    excluded: tuple[str, ...]
    best: Selection
    without_breadth: Selection
    runner_up: Selection | None

    @property
    def price_of_breadth(self) -> Fraction:
        """How much score the rules of breadth cost."""
        return self.without_breadth.score - self.best.score


def passes_gate(need: NeedFacts) -> bool:
    """Whether a solution on the market has a certificate of class IIa or higher."""
    return need.best_class in PASSING_CLASSES


def scores_of(
    needs: Iterable[NeedFacts], *, weight_gain: Fraction, weight_competence: Fraction
) -> dict[str, Fraction]:
    """The score of each need that passes the gate, by code."""
    passing = [need for need in needs if passes_gate(need)]
    most = max((need.potential for need in passing), default=Fraction(0))
    return {
        need.code: weight_gain * (need.potential / most if most else Fraction(0))
        + weight_competence * Fraction(need.competence, BEST_COMPETENCE)
        for need in passing
    }


def choose(
    needs: Iterable[NeedFacts],
    *,
    pick: int,
    weight_gain: Fraction,
    weight_competence: Fraction,
    breadth: Sequence[Breadth] = (),
) -> Choice:
    """The best set of ``pick`` needs; NothingToChooseFrom where no set keeps the rules.

    The same needs in any order give the same answer.
    """
    known = sorted(needs, key=lambda need: need.code)
    scores = scores_of(known, weight_gain=weight_gain, weight_competence=weight_competence)
    passing = [need for need in known if need.code in scores]
    if len(passing) < pick:
        text = _("expected at most %(most)s, as many needs pass the gate on the CE class, found "
                 "%(found)s")  # fmt: skip
        raise NothingToChooseFrom(f"pick: {text % {'most': len(passing), 'found': pick}}")
    best = _best(passing, scores, pick, breadth)
    if best is None:
        raise NothingToChooseFrom(_why_none(passing, scores, pick, breadth))
    free = _best(passing, scores, pick, ())
    assert free is not None
    return Choice(
        scores=scores,
        excluded=tuple(need.code for need in known if need.code not in scores),
        best=best,
        without_breadth=free,
        runner_up=_best(passing, scores, pick, breadth, other_than=best),
    )


def _why_none(
    passing: list[NeedFacts], scores: Mapping[str, Fraction], pick: int, breadth: Sequence[Breadth]
) -> str:
    """Which one rule, left out, would leave a set."""
    loose = [
        str(rule)
        for rule in breadth
        if _best(passing, scores, pick, [one for one in breadth if one is not rule])
    ]
    text = _("no set of %(count)s needs keeps all rules") % {"count": pick}
    if loose:
        hint = _("there is one without the rule %(rules)s")
        text = f"{text}; {hint % {'rules': _(' or ').join(loose)}}"
    return f"breadth: {text}"


def _best(
    needs: list[NeedFacts],
    scores: Mapping[str, Fraction],
    pick: int,
    breadth: Sequence[Breadth],
    *,
    other_than: Selection | None = None,
) -> Selection | None:
    """The best set by integer programming, judged again in exact fractions."""
    # here, because most processes of the hub never choose
    import numpy as np
    from scipy.optimize import Bounds, LinearConstraint, milp

    limits = _Limits(len(needs))
    limits.hold(dict.fromkeys(range(len(needs)), 1.0), low=pick, high=pick)
    for rule in breadth:
        _hold_to(limits, needs, rule)
    if other_than is not None:
        there = [n for n, need in enumerate(needs) if need.code in other_than.chosen]
        limits.hold(dict.fromkeys(there, 1.0), high=pick - 1)
    gains = [-float(scores[need.code] * _SCALE) for need in needs]
    found = milp(
        np.array(gains + [0.0] * (limits.columns - len(needs))),
        integrality=np.ones(limits.columns),
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(limits.matrix(), limits.low, limits.high),
        options={"mip_rel_gap": 0.0},
    )
    if found.x is None:
        return None
    chosen = [need for need, taken in zip(needs, found.x, strict=False) if taken > 0.5]
    assert len(chosen) == pick
    assert all(rule.is_kept_by(chosen) for rule in breadth)
    codes = sorted((need.code for need in chosen), key=lambda code: (-scores[code], code))
    return Selection(tuple(codes), sum((scores[code] for code in codes), Fraction(0)))


class _Limits:
    """Rows of an integer program: a column for each need, and one for each value of a rule."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.rows: list[dict[int, float]] = []
        self.low: list[float] = []
        self.high: list[float] = []

    def column(self) -> int:
        """One more column."""
        self.columns += 1
        return self.columns - 1

    def hold(
        self, row: dict[int, float], *, low: float = float("-inf"), high: float = float("inf")
    ) -> None:
        """The sum of the columns, each by its factor, lies between low and high."""
        self.rows.append(row)
        self.low.append(low)
        self.high.append(high)

    def matrix(self) -> list[list[float]]:
        """All rows, with every column."""
        return [[row.get(n, 0.0) for n in range(self.columns)] for row in self.rows]


def _hold_to(limits: _Limits, needs: list[NeedFacts], rule: Breadth) -> None:
    """Make one rule of breadth rows; a value that nobody has is one that nobody meets."""
    of: dict[str, list[int]] = {value: [] for value in rule.every}
    for n, need in enumerate(needs):
        of.setdefault(getattr(need, rule.dimension), []).append(n)
    there = []
    for value, columns in of.items():
        is_there = limits.column()
        limits.hold({is_there: 1.0, **dict.fromkeys(columns, -1.0)}, high=0)
        if value in rule.every:
            limits.hold({is_there: 1.0}, low=1)
        if rule.at_most_each is not None:
            limits.hold(dict.fromkeys(columns, 1.0), high=rule.at_most_each)
        there.append(is_there)
    limits.hold(dict.fromkeys(there, 1.0), low=rule.at_least)

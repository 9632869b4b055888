"""Which needs to buy algorithms for: scores, the gate on the CE class, and the best set. Pure.

The score of a need is ``w_g * G / max(G) + w_c * competence / 5``, with ``G`` the examinations of a
year times the gain of one. The best set is found exactly, by integer programming; what breadth
costs is told beside it: the score of the best set without any rule of breadth, less its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import highspy

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
        parts = [f"at least {self.at_least}"] if self.at_least else []
        parts += [f"at most {self.at_most_each} of each"] if self.at_most_each is not None else []
        parts += [f"every one of {', '.join(self.every)}"] if self.every else []
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
        raise NothingToChooseFrom(
            f"pick: expected at most {len(passing)}, as many needs pass the gate on the CE class, "
            f"found {pick}"
        )
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
    hint = f"; there is one without the rule {' or '.join(loose)}" if loose else ""
    return f"breadth: no set of {pick} needs keeps all rules{hint}"


def _best(
    needs: list[NeedFacts],
    scores: Mapping[str, Fraction],
    pick: int,
    breadth: Sequence[Breadth],
    *,
    other_than: Selection | None = None,
) -> Selection | None:
    """The best set by integer programming (HiGHS), judged again in exact fractions."""
    import highspy  # here, because most processes of the hub never choose

    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    solver.silent()
    for name, value in (
        ("random_seed", 0), ("threads", 1), ("mip_rel_gap", 0.0), ("mip_abs_gap", 0.0),
    ):  # fmt: skip
        solver.setOptionValue(name, value)
    taken = {need.code: solver.addBinary() for need in needs}
    solver.addConstr(solver.qsum(taken.values()) == pick)
    for rule in breadth:
        _hold_to(solver, taken, needs, rule)
    if other_than is not None:
        solver.addConstr(solver.qsum(taken[code] for code in other_than.chosen) <= pick - 1)
    solver.maximize(
        solver.qsum(float(scores[code] * _SCALE) * column for code, column in taken.items())
    )
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    chosen = [need for need in needs if solver.val(taken[need.code]) > 0.5]
    assert len(chosen) == pick
    assert all(rule.is_kept_by(chosen) for rule in breadth)
    codes = sorted((need.code for need in chosen), key=lambda code: (-scores[code], code))
    return Selection(tuple(codes), sum((scores[code] for code in codes), Fraction(0)))


def _hold_to(
    solver: highspy.Highs,
    taken: Mapping[str, highspy.highs.highs_var],
    needs: list[NeedFacts],
    rule: Breadth,
) -> None:
    """Make one rule of breadth a constraint; a value that nobody has is one that nobody meets."""
    of: dict[str, list[highspy.highs.highs_var]] = {value: [] for value in rule.every}
    for need in needs:
        of.setdefault(getattr(need, rule.dimension), []).append(taken[need.code])
    there = []
    for value, columns in of.items():
        is_there = solver.addBinary()
        solver.addConstr(is_there - solver.qsum(columns) <= 0)
        if value in rule.every:
            solver.addConstr(is_there >= 1)
        if rule.at_most_each is not None and columns:
            solver.addConstr(solver.qsum(columns) <= rule.at_most_each)
        there.append(is_there)
    if rule.at_least:
        solver.addConstr(solver.qsum(there) >= rule.at_least)

"""How well an algorithm did in a local validation, and whether it was tried on enough studies.

Pure rules: exact (Clopper-Pearson) intervals of the two rates, and the sample-size rule.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Interval:
    """A rate with its bounds, from 0 to 1; the rate is None where nothing was tried."""

    rate: float | None
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Sample:
    """How many are needed: ``positives`` with the finding, ``total`` in all."""

    positives: int
    total: int


@dataclass(frozen=True, slots=True)
class Counts:
    """A validation against the ground truth, study by study."""

    true_positive: int
    false_negative: int
    true_negative: int
    false_positive: int

    @property
    def positives(self) -> int:
        """Studies in which the finding is there."""
        return self.true_positive + self.false_negative

    @property
    def negatives(self) -> int:
        """Studies in which it is not."""
        return self.true_negative + self.false_positive

    @property
    def total(self) -> int:
        """All studies."""
        return self.positives + self.negatives

    def sensitivity(self, confidence: float = 0.95) -> Interval:
        """Of those with the finding, how many were found."""
        return clopper_pearson(self.true_positive, self.positives, confidence=confidence)

    def specificity(self, confidence: float = 0.95) -> Interval:
        """Of those without the finding, how many were left alone."""
        return clopper_pearson(self.true_negative, self.negatives, confidence=confidence)


def clopper_pearson(successes: int, tried: int, *, confidence: float = 0.95) -> Interval:
    """The exact interval of a rate (Clopper and Pearson 1934); raises ValueError for no counts."""
    # Slow to import, and most processes of the hub never look at a validation.
    from scipy.special import betaincinv

    if not 0 <= successes <= tried:
        raise ValueError(f"expected from 0 to {tried} successes, got {successes}")
    if not tried:
        return Interval(None, 0.0, 1.0)
    tail = (1 - confidence) / 2
    failures = tried - successes
    low = float(betaincinv(successes, failures + 1, tail)) if successes else 0.0
    high = float(betaincinv(successes + 1, failures, 1 - tail)) if failures else 1.0
    return Interval(successes / tried, low, high)


def sample_size(
    expected: float, *, margin: float, prevalence: float, confidence: float = 0.95
) -> Sample:
    """Studies needed to know a sensitivity of about ``expected`` to within ``margin``.

    ``ceil(z^2 Se (1 - Se) / d^2)`` with the finding, and so many more as it is rare.
    """
    from scipy.special import ndtri

    z = float(ndtri(1 - (1 - confidence) / 2))
    positives = max(1, math.ceil(z * z * expected * (1 - expected) / (margin * margin)))
    # as decimals: 315 / 0.3 is a little more than 1,050 in binary
    return Sample(positives, math.ceil(positives / Fraction(str(prevalence))))

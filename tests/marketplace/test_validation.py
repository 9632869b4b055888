"""The intervals of a validation, and how many studies it needs."""

from __future__ import annotations

import pytest

from marketplace.validation import Counts, Sample, clopper_pearson, sample_size


def percent(interval: object) -> tuple[float, float, float]:
    return tuple(round(100 * getattr(interval, name), 2) for name in ("rate", "low", "high"))  # type: ignore[return-value]


def test_the_intervals_of_a_published_model_card_are_reproduced() -> None:
    """100 of 104 and 110 of 116: Clopper-Pearson; Wilson would give 90.53 to 98.49."""
    counts = Counts(true_positive=100, false_negative=4, true_negative=110, false_positive=6)
    assert percent(counts.sensitivity()) == (96.15, 90.44, 98.94)
    assert percent(counts.specificity()) == (94.83, 89.08, 98.08)


def test_the_ends_of_the_scale_are_exact() -> None:
    assert clopper_pearson(0, 10).low == 0
    assert clopper_pearson(10, 10).high == 1
    assert round(clopper_pearson(0, 10).high, 4) == 0.3085
    assert clopper_pearson(0, 0).rate is None
    with pytest.raises(ValueError, match="from 0 to 3 successes, got 4"):
        clopper_pearson(4, 3)


def test_the_sample_size_is_that_of_the_worked_example() -> None:
    assert sample_size(0.92, margin=0.03, prevalence=0.30) == Sample(315, 1050)


def test_a_rarer_finding_needs_more_studies_but_not_more_positives() -> None:
    assert sample_size(0.92, margin=0.03, prevalence=0.03) == Sample(315, 10_500)
    assert sample_size(1.0, margin=0.03, prevalence=0.5).positives == 1

"""What rules are held against: the facts of a study, a series and its order."""

from __future__ import annotations

import pytest

from routing.facts import patient_age_years


@pytest.mark.parametrize(
    ("header", "years"),
    [
        ({"patient_age": "017Y"}, 17),
        ({"patient_age": "023M"}, 1),
        ({"patient_age": "060W"}, 1),
        ({"patient_age": "010D"}, 0),
        ({"patient_birth_date": "19720913", "study_date": "20260912"}, 53),
        ({"patient_birth_date": "19720913", "study_date": "20260913"}, 54),
        ({"patient_age": "17", "patient_birth_date": "20080101", "study_date": "20260101"}, 18),
        # rounded up by the modality: seventeen is seventeen
        ({"patient_age": "018Y", "patient_birth_date": "20080102", "study_date": "20260101"}, 17),
        ({"patient_birth_date": "20270101", "study_date": "20260101"}, None),
        ({"patient_birth_date": "19721399", "study_date": "20260101"}, None),
        ({}, None),
        # digits to Unicode, and to isdigit(), but not to int()
        ({"patient_age": "²²²Y"}, None),
    ],
)
def test_the_age_is_that_at_the_study_in_whole_years(
    header: dict[str, str], years: int | None
) -> None:
    assert patient_age_years(header) == years

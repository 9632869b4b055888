"""A date in English is not read as another day by who is used to Europe."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from django.core.exceptions import ValidationError
from django.forms import DateField
from django.utils import formats, translation

DAY = date(2026, 3, 2)


@pytest.mark.parametrize(
    ("language", "short", "long"),
    [
        ("en", "2026-03-02", "2 March 2026"),
        ("nb", "02.03.2026", "2. mars 2026"),
        ("da", "02.03.2026", "2. marts 2026"),
    ],
)
def test_a_day_in_each_language(language: str, short: str, long: str) -> None:
    with translation.override(language):
        assert formats.date_format(DAY, "SHORT_DATE_FORMAT") == short
        assert formats.date_format(DAY, "DATE_FORMAT") == long


def test_the_time_has_24_hours() -> None:
    with translation.override("en"):
        told = formats.date_format(datetime(2026, 3, 2, 13, 5, tzinfo=UTC), "SHORT_DATETIME_FORMAT")
    assert told == "2026-03-02 13:05"


def test_a_day_that_could_be_two_is_refused() -> None:
    with translation.override("en"):
        assert DateField().clean("2026-03-02") == DAY
        with pytest.raises(ValidationError):
            DateField().clean("03/02/2026")

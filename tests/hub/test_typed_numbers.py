"""Numbers are typed as the language of the page writes them, and shown so again."""

from __future__ import annotations

import pytest
from django.utils import translation

from hub.typed_numbers import plain_number, shown_number

NARROW = "\N{NARROW NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("language", "typed", "plain"),
    [
        ("nb", "33 000 000,00", "33000000.00"),
        ("nb", f"33{NARROW}000{NARROW}000,00", "33000000.00"),
        ("nb", "40.000.000,50", "40000000.50"),
        ("nb", "24,50", "24.50"),
        ("nb", "24.50", "24.50"),
        ("da", "1.350.000", "1350000"),
        ("nb", "\N{MINUS SIGN}5,5", "-5.5"),
        ("en", "33,000,000.00", "33000000.00"),
        ("en", "33 000 000.00", "33000000.00"),
        ("en", "4,5", "4.5"),
    ],
)
def test_a_number_is_read_as_its_language_writes_it(language: str, typed: str, plain: str) -> None:
    with translation.override(language):
        assert plain_number(typed) == plain
        assert plain_number(f" {typed} ") == plain


@pytest.mark.parametrize("typed", ["tolv", "", "12 34", "1,2,3", "24,50 kr", "1e5", "10000: 24"])
def test_what_is_no_number_stays_as_it_was_typed(typed: str) -> None:
    with translation.override("nb"):
        assert plain_number(typed) == typed


def test_what_may_mean_two_numbers_is_not_guessed() -> None:
    with translation.override("en"):
        assert plain_number("1,350") == "1,350"


def test_a_number_is_shown_as_its_language_writes_it() -> None:
    for language, shown in (("nb", "24,50"), ("da", "24,50"), ("en", "24.50")):
        with translation.override(language):
            assert shown_number("24.50") == shown
            assert plain_number(shown) == "24.50"
            assert shown_number("1.0.2") == "1.0.2"

"""A sentence has its amounts and days as people of its language write them; quotes stay."""

from __future__ import annotations

import gettext
import json
from pathlib import Path
from typing import Any

import pytest
from django.utils import translation

import hub
from hub.spelling import spelt
from tests.builders import parties
from tests.builders.parties import FirstSite

THERE = 'forventet minst 500000.00 NOK fra 2032-12-31, fant "500000.00"'


@pytest.mark.parametrize(
    ("language", "sentence", "expected"),
    [
        ("en", THERE, THERE),
        ("nb", THERE, 'forventet minst 500\xa0000,00 NOK fra 31.12.2032, fant "500000.00"'),
        ("da", THERE, 'forventet minst 500.000,00 NOK fra 31.12.2032, fant "500000.00"'),
        ("da", "40\xa0000\xa0000.00 er tilbage", "40.000.000,00 er tilbage"),
        ("nb", "versjon 1.10, 3.2.1 og 10.20.30", "versjon 1.10, 3.2.1 og 10.20.30"),
        ("nb", "9.75 NOK, 99.50 %, -12.50", "9,75 NOK, 99,50 %, -12,50"),
        ("nb", "2032-13-45, F-2032-12-31, 2032-12-31T10", "2032-13-45, F-2032-12-31, "
                                                        "2032-12-31T10"),
        ("nb", 'en dag som "2026-01-31"', 'en dag som "2026-01-31"'),
        ("nb", "samme dag som 2026-01-31", "samme dag som 31.01.2026"),
        ("nb", "127.0.0.1:104", "127.0.0.1:104"),
        ("da", 'et beløb skrives "123.45"', 'et beløb skrives "123.45"'),
    ],
)  # fmt: skip
def test_amounts_and_days_are_written_as_people_write_them(
    language: str, sentence: str, expected: str
) -> None:
    with translation.override(language):
        assert spelt(sentence) == expected


@pytest.mark.parametrize("language", ["nb", "da"])
def test_every_translation_quotes_its_examples(language: str) -> None:
    """What is not in quotes would be written as people write it, and be no example any more."""
    path = Path(hub.__file__).parent / "locale" / language / "LC_MESSAGES" / "django.mo"
    with path.open("rb") as file:
        held = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    told = [text for key, text in held.items() if key]  # the first says how it is written
    with translation.override(language):
        assert [text for text in told if spelt(text) != text] == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("language", "day"), [("en", "2026-10-05"), ("nb", "05.10.2026"), ("da", "05.10.2026")]
)
def test_a_refusal_of_the_api_and_of_a_page_has_them_so(language: str, day: str) -> None:
    here: FirstSite = parties.first_site()
    keeper = parties.client_of(parties.member("keeper", role="administrator"))
    body: dict[str, Any] = {
        "code": "o", "name": "O", "kind": "hospital_trust", "country": "NO",
        "roles": [{"role": "supplier", "valid": {"from": "2026-10-05", "to": "2026-10-04"}}],
    }  # fmt: skip
    answer = keeper.post(
        "/api/v1/organisations/", json.dumps(body), "application/json",
        headers={"accept-language": language},
    )  # fmt: skip
    assert answer.status_code == 400
    assert day in answer.content.decode(), answer.content.decode()
    assert here.organisation
    form = {
        "code": "o", "name": "O", "kind": "hospital_trust", "country": "NO",
        "roles-TOTAL_FORMS": "1", "roles-INITIAL_FORMS": "0", "roles-0-role": "supplier",
        "roles-0-valid_from": "2026-10-05", "roles-0-valid_to": "2026-10-04",
    }  # fmt: skip
    page = keeper.post("/organisations/new/", form, headers={"accept-language": language})
    assert day in page.content.decode()

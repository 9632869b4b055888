"""Which CE marks allow clinical use, and the sentence for each that does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from marketplace.clearance import ClearanceFacts, facts_of, judge
from tests.builders.parties import algorithm_version

TODAY = date(2026, 6, 1)
FIT = ClearanceFacts(
    version="ICH Triage 1.0.0",
    regime="MDR",
    risk_class="IIa",
    certificate_number="CE-700001",
    notified_body="2460",
    issued=date(2025, 1, 15),
    expires=date(2030, 1, 14),
)


@pytest.mark.parametrize("risk_class", ["IIa", "IIb", "III"])
def test_a_certified_device_of_class_iia_or_higher_is_fit(risk_class: str) -> None:
    assert judge(replace(FIT, risk_class=risk_class), on=TODAY) is None


@pytest.mark.parametrize("day", [date(2025, 1, 15), date(2030, 1, 14)])
def test_a_certificate_is_valid_on_its_first_and_on_its_last_day(day: date) -> None:
    assert judge(FIT, on=day) is None


@pytest.mark.parametrize(
    ("change", "clause", "sentence"),
    [
        (
            {"is_recorded": False},
            "clearance_missing",
            "ICH Triage 1.0.0 has no CE mark on record",
        ),
        (
            {"regime": "RESEARCH"},
            "clearance_regime",
            "ICH Triage 1.0.0 is recorded under RESEARCH, under which no notified body "
            "certifies it for clinical use",
        ),
        (
            {"regime": ""},
            "clearance_regime",
            "ICH Triage 1.0.0 has no regulatory regime on record",
        ),
        (
            {"risk_class": "I"},
            "clearance_class",
            "ICH Triage 1.0.0 is of risk class I; clinical use needs IIa or higher",
        ),
        (
            {"certificate_number": " "},
            "certificate_missing",
            "ICH Triage 1.0.0 has no certificate number on record",
        ),
        (
            {"issued": None},
            "certificate_dates",
            "The certificate CE-700001 of ICH Triage 1.0.0 lacks its date of issue or of expiry",
        ),
    ],
)
def test_a_clearance_that_lacks_something_is_refused_with_the_reason(
    change: dict[str, Any], clause: str, sentence: str
) -> None:
    refusal = judge(replace(FIT, **change), on=TODAY)

    assert refusal is not None
    assert (refusal.clause, str(refusal.why)) == (clause, sentence)


@pytest.mark.parametrize("number", ["", "246", "24600", "246O", "2460 ", "２４６０"])
def test_a_notified_body_is_a_number_of_four_digits(number: str) -> None:
    refusal = judge(replace(FIT, notified_body=number), on=TODAY)

    assert refusal is not None
    assert refusal.clause == "notified_body"


def test_a_certificate_expires_with_its_last_day() -> None:
    refusal = judge(FIT, on=date(2030, 1, 15))

    assert refusal is not None
    assert refusal.clause == "certificate_expired"
    assert str(refusal.why) == (
        "The certificate CE-700001 of ICH Triage 1.0.0 expired on 2030-01-14"
    )


def test_a_certificate_is_worth_nothing_before_it_is_issued() -> None:
    refusal = judge(FIT, on=date(2025, 1, 14))

    assert refusal is not None
    assert refusal.clause == "certificate_not_yet_issued"


@pytest.mark.django_db
def test_the_facts_are_those_of_the_row() -> None:
    version = algorithm_version()
    assert facts_of(version) == FIT

    version.clearance.delete()
    assert facts_of(version) == ClearanceFacts(version="ICH Triage 1.0.0", is_recorded=False)


def test_a_notified_body_that_is_not_there_is_not_quoted() -> None:
    refusal = judge(replace(FIT, notified_body=""), on=TODAY)

    assert refusal is not None
    assert str(refusal.why) == (
        "The certificate CE-700001 of ICH Triage 1.0.0 names no notified body"
    )

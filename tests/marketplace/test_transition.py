"""How long a device of the old directive stands, by dates that are data."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from marketplace.clearance import facts_of, judge
from marketplace.models import Clearance
from marketplace.transition import Dates, LegacyFacts, transition_of
from marketplace.transition import judge as judge_transition
from tests.builders.parties import algorithm_version
from vendors import legal
from vendors.models import LegalFact

DATES = Dates(
    date(2017, 5, 25), date(2021, 5, 26), date(2024, 5, 26), date(2024, 9, 26), date(2028, 12, 31)
)
KEPT = LegacyFacts(
    "IIa", date(2019, 1, 15), date(2024, 1, 14), date(2024, 5, 26), date(2024, 9, 26), True
)
LEGACY: dict[str, Any] = {
    "regime": "MDD_LEGACY", "issued": KEPT.issued, "expires": KEPT.expires,
    "application_lodged": KEPT.application_lodged, "agreement_signed": KEPT.agreement_signed,
    "is_unchanged": True,
}  # fmt: skip


def test_a_device_that_meets_every_condition_is_kept_to_the_date_of_its_class() -> None:
    found = judge_transition(KEPT, dates=DATES)
    assert (found.is_extended, found.until) == (True, date(2028, 12, 31))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"issued": date(2017, 5, 24)}, "its certificate was not issued on 2017-05-25 or later"),
        ({"expires": date(2021, 5, 25)}, "its certificate was not valid on 2021-05-26"),
        (
            {"application_lodged": date(2024, 5, 27)},
            "no application under MDR is recorded by 2024-05-26",
        ),
        (
            {"agreement_signed": None},
            "no agreement with a notified body is recorded by 2024-09-26",
        ),
        ({"is_unchanged": False}, "nobody recorded that design and purpose are unchanged"),
    ],
)
def test_each_condition_that_is_not_met_is_told(change: dict[str, Any], said: str) -> None:
    found = judge_transition(replace(KEPT, **change), dates=DATES)
    assert not found.is_extended
    assert [str(why) for why in found.lacking] == [said]


@pytest.mark.django_db
def test_a_legacy_certificate_holds_beyond_its_last_day_and_an_mdr_one_does_not() -> None:
    legacy = algorithm_version(**LEGACY)
    under_mdr = algorithm_version(version="2.0.0", **(LEGACY | {"regime": "MDR"}))
    today = date(2026, 6, 1)
    assert judge(facts_of(legacy), on=today) is None
    refusal = judge(facts_of(under_mdr), on=today)
    assert refusal is not None
    assert refusal.clause == "certificate_expired"
    Clearance.objects.update(is_unchanged=False)
    refusal = judge(facts_of(legacy), on=today)
    assert refusal is not None
    assert refusal.clause == "certificate_expired"


@pytest.mark.django_db
def test_the_dates_of_the_law_are_data_that_a_row_replaces_from_its_day_on() -> None:
    code = "mdr-legacy-until-IIa"
    LegalFact.objects.create(
        code=code, since=date(2027, 1, 1), value="2030-12-31", source="made up for this test"
    )
    legacy = algorithm_version(**LEGACY)
    before = transition_of(legacy.clearance, on=date(2026, 12, 31))
    after = transition_of(legacy.clearance, on=date(2027, 1, 1))
    assert before is not None
    assert after is not None
    assert (before.until, after.until) == (date(2028, 12, 31), date(2030, 12, 31))
    with pytest.raises(legal.FactUnknown):
        legal.day(code, on=date(2023, 3, 19))

"""A model card is told to people in full: every field that it has, in the words of the standard."""

from __future__ import annotations

import pytest

from marketplace import card_text
from tests.builders import parties
from tests.marketplace.test_api import VERSION, card, of_vendor, sent


def test_every_field_of_a_card_is_told_with_its_name() -> None:
    told = card_text.sections(card())
    assert [one.name for one in told] == [
        "Basic info", "Release info", "Model summary", "Uses and directions", "Warnings",
        "Trust ingredients", "Key metrics", "Resources", "Bibliography",
    ]  # fmt: skip
    fields = {name: text for one in told for name, text in one.fields}
    assert fields["Known risks and limitations"] == "KnownRisksAndLimitations"
    assert fields["EHR compatibility"] == "EHRCompatibility"
    assert fields["Model type"] == "ModelType"
    assert fields["Fairness equity: results"] == "Sensitivity: 96.15"


@pytest.mark.parametrize(
    ("kept", "told"),
    [
        ('{"kind": "range", "low": 0.91, "high": 0.97}', "low 0.91, high 0.97"),
        ("about nine of ten", "about nine of ten"), ("[1, 2]", "[1, 2]"), ("3", "3"),
    ],
)  # fmt: skip
def test_a_result_is_told_as_it_was_measured(kept: str, told: str) -> None:
    made = card()
    made["KeyMetrics"]["SafetyReliability"]["Results"] = [{"Label": "x", "ValueJson": kept}]
    fields = {name: text for one in card_text.sections(made) for name, text in one.fields}
    assert fields["Safety reliability: results"] == f"x: {told}"


def test_what_a_card_does_not_say_is_left_out() -> None:
    made = card() | {"Bibliography": " "}
    del made["ReleaseInfo"]["RegulatoryApproval"]
    told = card_text.sections(made)
    assert "Bibliography" not in [one.name for one in told]
    fields = {name for one in told for name, _text in one.fields}
    assert "Regulatory approval" not in fields


@pytest.mark.django_db
def test_the_page_of_an_algorithm_has_the_card_to_read() -> None:
    here = parties.first_site()
    made = card()
    made["Warnings"]["KnownRisksAndLimitations"] = "Misses <thin> bleeds"
    kept = sent(of_vendor(here.vendor, "anna"), "PUT", f"{VERSION}/model-card/", made)
    assert kept.status_code == 200
    page = parties.client_of(here.officer).get("/catalogue/ich-triage/").content.decode()
    assert "Misses &lt;thin&gt; bleeds" in page
    assert "Cautioned out of scope settings" in page

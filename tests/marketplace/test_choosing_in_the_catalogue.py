"""The catalogue as who buys uses it: narrowed in words, chosen from, and held side by side."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import translation

from hub.models import User
from marketplace.models import Algorithm, AlgorithmVersion
from marketplace.safety_notices import Told, record
from tests.builders import parties
from tests.builders.parties import FirstSite, client_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def here() -> FirstSite:
    found = parties.first_site()
    row = AlgorithmVersion.objects.get()
    row.manifest["needs"]["body_part_examined"] = ["HEAD"]
    row.save()
    parties.algorithm_version("nodule", name="Nodule", risk_class="IIb")
    return found


def page(client: Client, where: str) -> str:
    return client.get(where).content.decode()


def in_norwegian(user: User) -> Client:
    client = client_of(user)
    client.cookies["django_language"] = "nb"
    return client


def test_a_part_of_the_body_is_found_by_the_word_of_the_reader(here: FirstSite) -> None:
    with translation.override("nb"):
        client = in_norwegian(here.officer)
        told = [one["code"] for one in client.get(
            "/api/v1/algorithms/?body_part=hode", headers={"accept-language": "nb"}
        ).json()["results"]]  # fmt: skip
        assert told == ["ich-triage"]
        assert client.get(
            "/api/v1/algorithms/?body_part=head", headers={"accept-language": "nb"}
        ).json()["count"] == 1
    assert client_of(here.officer).get("/api/v1/algorithms/?body_part=hode").json()["count"] == 0
    told = client_of(here.officer).get("/api/v1/algorithms/ich-triage/").json()
    assert told["body_parts"] == ["HEAD"]


def test_what_was_chosen_stays_chosen_while_the_list_is_narrowed(here: FirstSite) -> None:
    text = page(client_of(here.officer), "/catalogue/?q=triage&code=nodule&code=ich-triage")
    assert text.count('name="code" value="nodule" checked') == 1
    assert text.count('name="code" value="ich-triage" checked') == 1
    assert '<option value="2020-1968"' in text
    stranger = client_of(parties.member("stranger", role="radiologist", site=here.other_site))
    assert '<option value="2020-1968"' not in page(stranger, "/catalogue/")


def test_a_version_under_a_notice_is_marked(here: FirstSite) -> None:
    assert "FSN-1" not in page(client_of(here.officer), "/catalogue/")
    told = Told("FSN-1", here.vendor, "Wrong volumes", "stop", here.framework.valid_from)
    version = AlgorithmVersion.objects.get(algorithm__code="ich-triage")
    record(told, versions=[version], by=here.administrator)
    text = page(client_of(here.officer), "/catalogue/?modality=CT")
    assert text.count("Field safety notice FSN-1</a>") == 1


def compared(client: Client) -> dict[str, dict[str, Any]]:
    told = client.get("/api/v1/comparisons/?codes=ich-triage,nodule").json()
    return {row["what"]: row for row in told["rows"]}


def test_a_comparison_says_what_differs_and_tells_prices_to_who_may_see_them(
    here: FirstSite,
) -> None:
    rows = compared(client_of(here.officer))
    assert rows["CE class and year"]["differs"]
    assert not rows["Regime"]["differs"]
    assert rows["Agreement"]["values"] == ["2020-1968", "–"]
    assert rows["Price of one examination"]["values"][0].startswith("24.00 – ")
    assert rows["In clinical use at your sites"]["values"] == ["1", "0"]
    theirs = parties.member(
        "stranger", role="procurement_officer", organisation=here.other_organisation
    )
    rows = compared(client_of(theirs))
    assert rows["Agreement"]["values"] == ["–", "–"]
    assert rows["Price of one examination"]["values"] == ["–", "–"]
    assert rows["In clinical use at your sites"]["values"] == ["0", "0"]
    text = page(client_of(here.officer), "/catalogue/compare/?code=ich-triage&code=nodule")
    assert 'class="differs"' in text
    assert "?code=nodule" in text
    for number in range(4):
        parties.algorithm_version(f"other-{number}", name=f"Other {number}")
    codes = "&".join(f"code={one.code}" for one in Algorithm.objects.all())
    assert "more than 4" in page(client_of(here.officer), f"/catalogue/compare/?{codes}")

"""What a set-up file warns of is told over the API and on pages too."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from contracts.models import CallOff, FrameworkAgreement
from hub.configuration.doubts import doubts_of
from tests.builders import parties

pytestmark = pytest.mark.django_db
CVR = {"code": "region-h", "name": "Region H", "kind": "region", "country": "DK",
       "organisation_number": "10111111"}  # fmt: skip


@pytest.fixture
def keeper() -> Client:
    parties.first_site()
    return parties.client_of(parties.member("keeper", role="procurement_officer"))


def told(client: Client, where: str, body: Any = None) -> list[dict[str, str]]:
    path = f"/api/v1/{where}"
    answer = client.get(path) if body is None else client.post(
        path, json.dumps(body), "application/json"
    )
    assert answer.status_code in (200, 201), answer.content
    warnings: list[dict[str, str]] = answer.json()["warnings"]
    return warnings


def test_a_cvr_number_that_fails_mod_11_is_taken_and_told(keeper: Client) -> None:
    (made,) = told(keeper, "organisations/", CVR)
    assert made["field"] == "organisation_number"
    assert "mod 11" in made["text"]
    assert told(keeper, "organisations/region-h/") == [made]
    assert told(keeper, "organisations/vestre-viken/") == []
    company = {"code": "dk", "name": "DK", "country": "DK", "organisation_number": "10111111"}
    assert told(keeper, "vendors/", company)[0]["text"] == made["text"]
    assert made["text"][1:] in keeper.get("/vendors/dk/").content.decode()


def test_an_agreement_and_a_call_off_tell_what_is_worth_a_look(keeper: Client) -> None:
    row = FrameworkAgreement.objects.get()
    row.maximum_value = Decimal("1.00")
    row.save()
    CallOff.objects.update(valid_to=date(2099, 1, 1))
    below = f"1.00 is below the estimated value of {row.estimated_value}"
    whole, ordered = f"frameworks/{row.pk}/", f"call-offs/{CallOff.objects.get().pk}/"
    assert {"field": "maximum_value", "text": below} in told(keeper, whole)
    text = f"2099-01-01 is after the last day of {row.code}, {row.valid_to}"
    outlives = {"field": "valid.to", "text": text}
    assert outlives in told(keeper, ordered)
    assert below in keeper.get(f"/{whole}").content.decode()
    assert outlives["text"] in keeper.get(f"/{ordered}").content.decode()


def test_a_doubt_reads_no_more_than_it_asks_for(
    keeper: Client, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(40):
        doubts_of("framework", FrameworkAgreement.objects.get())

"""Price simulations over the API: who may ask, under which agreements, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from hub.models import Organisation, User
from tests.builders import parties
from tests.builders.parties import FirstSite
from tests.contracts.test_price_command import SETUP, row

pytestmark = pytest.mark.django_db
WHERE = {"call_off": "CO-0001", "algorithm": "ich-triage", "site": "drammen"}
USED = [
    WHERE | {"date": "2026-06-15", "quantity": 520},
    WHERE | {"date": "2026-06-16", "quantity": 610},
]
LONE = {"version": 1, "frameworks": [{"code": "\ud800"}]}


@pytest.fixture
def places() -> FirstSite:
    return parties.first_site()


def asked(user: User, body: Any) -> Any:
    client = APIClient(raise_request_exception=True)
    client.force_authenticate(user)
    text = json.dumps(body)
    return client.post("/api/v1/price-simulations", text, content_type="application/json")


def test_a_usage_is_priced_under_the_agreements_in_force(places: FirstSite) -> None:
    answer = asked(places.officer, {"usage": USED})

    (invoice,) = answer.json()["invoices"]
    assert (invoice["organisation"], invoice["month"]) == ("vestre-viken", "2026-06")
    assert (invoice["net"], invoice["vat"], invoice["gross"]) == ("7320.00", "1830.00", "9150.00")


def test_the_call_offs_of_another_organisation_are_not_there(places: FirstSite) -> None:
    stranger = parties.member(
        "officer.ahus", role="procurement_officer", organisation=places.other_organisation
    )

    answer = asked(stranger, {"usage": USED})

    assert answer.status_code == 400
    assert answer.json() == {
        "usage[0].call_off": ["expected a call-off with lines, found CO-0001"],
        "usage[1].call_off": ["expected a call-off with lines, found CO-0001"],
    }
    assert asked(places.administrator, {"usage": USED}).status_code == 200


def test_only_those_who_buy_may_ask(places: FirstSite) -> None:
    assert asked(places.radiologist, {"usage": USED}).status_code == 403
    assert asked(places.radiologist, {"setup": SETUP, "usage": []}).status_code == 403


def test_a_set_up_in_the_request_is_read_and_not_kept(places: FirstSite) -> None:
    before = set(Organisation.objects.values_list("code", flat=True))

    answer = asked(places.officer, {"setup": SETUP, "usage": [row("2026-06-16", 39_000)]})

    assert answer.json()["invoices"][0]["net"] == "721500.00"
    assert set(Organisation.objects.values_list("code", flat=True)) == before


def test_a_set_up_may_be_an_object(places: FirstSite) -> None:
    setup: dict[str, Any] = {
        "version": 1,
        "organisations": [{"code": "vv", "name": "VV", "kind": "hospital_trust", "country": "NO"}],
        "sites": [{"code": "drammen", "organisation": "vv", "name": "Drammen"}],
        "vendors": [{"code": "acme", "name": "Acme AS", "country": "NO"}],
        "algorithms": [{"code": "bleed", "vendor": "acme", "name": "Bleed"}],
        "frameworks": [
            {
                "code": "F", "title": "F", "holder": "vv", "supplier": "acme",
                "valid": {"from": "2026-01-01", "to": "2029-12-31"},
                "estimated_value": "1.00", "maximum_value": "2.00",
                "authorities": [{"organisation": "vv"}],
                "price_book": [{"algorithm": "bleed", "model": "flat", "unit_price": "24.00"}],
            }
        ],
        "call_offs": [
            {
                "code": "CO-1", "framework": "F", "organisation": "vv",
                "valid": {"from": "2026-01-01"},
                "lines": [{"algorithm": "bleed", "site": "drammen", "activated": "2026-01-01"}],
            }
        ],
    }  # fmt: skip

    answer = asked(places.officer, {"setup": setup, "usage": [row("2026-06-16", 2)]})

    assert answer.json()["invoices"][0]["net"] == "48.00"


@pytest.mark.parametrize(
    ("body", "field", "rule"),
    [
        ([], "usage", "expected an object"),
        ({}, "usage.usage", "expected a value, found nothing"),
        ({"usage": {}}, "usage", "expected a list"),
        ({"usage": [], "prices": 1}, "prices", "unknown field"),
        ({"usage": [], "until": "soon"}, "until", "expected a day"),
        ({"usage": [], "setup": 7}, "setup", "expected an object, or YAML"),
        ({"usage": [], "setup": "version: 2"}, "setup", "version: expected 1, found"),
        ({"usage": [], "setup": LONE}, "setup", "code"),
        ({"usage": [WHERE | {"date": "2026-06-15", "quantity": 1, "\ud800": 1}]},
         "usage[0].\\ud800", "expected one of"),
    ],
)  # fmt: skip
def test_what_is_asked_wrongly_is_refused_with_field_and_rule(
    places: FirstSite, body: Any, field: str, rule: str
) -> None:
    answer = asked(places.officer, body)

    assert answer.status_code == 400
    assert rule in " ".join(answer.json()[field])


def test_no_file_of_the_hub_is_read_for_a_set_up(places: FirstSite) -> None:
    setup = SETUP.replace("not-there.json", "/etc/hostname")

    answer = asked(places.officer, {"setup": setup, "usage": [row("2026-06-16", 1)]})

    assert answer.status_code == 200

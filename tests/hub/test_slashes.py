"""An address of the API is the same with and without a slash at its end; nothing is redirected."""

from __future__ import annotations

import pytest
from django.test import Client

from contracts.models import Procedure
from tests.builders import parties

pytestmark = pytest.mark.django_db


@pytest.fixture
def officer() -> Client:
    client = Client()
    trust = parties.organisation()
    client.force_login(parties.member("o", role="procurement_officer", organisation=trust))
    return client


@pytest.mark.parametrize(
    "where", ["/api/v1/frameworks", "/api/v1/billing-runs", "/api/v1/invoices", "/api/v1/usage"]
)
def test_both_spellings_answer_alike(officer: Client, where: str) -> None:
    answers = [officer.get(spelt) for spelt in (where, f"{where}/")]
    assert [one.status_code for one in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()


def test_a_post_without_the_slash_keeps_its_body(officer: Client) -> None:
    said = {"code": "p-1", "organisation": "vestre-viken", "title": "x", "kind": "comp-dial"}
    made = officer.post("/api/v1/procedures", said, "application/json")
    assert (made.status_code, Procedure.objects.get().code) == (201, "p-1")
    refused = officer.post("/api/v1/price-simulations/", {}, "application/json")
    assert refused.status_code == 400
    assert refused.json() == {"usage.usage": ["expected a value, found nothing"]}


def test_what_is_not_there_is_not_there_either_way(officer: Client) -> None:
    assert officer.get("/api/v1/nothing").status_code == 404
    assert officer.get("/api/v1/nothing/").status_code == 404

"""What the REST API says to a word, a digest or a field that it does not know: what it expected."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.models import BillingRun, CallOff
from tests.builders import parties
from vendors.models import Vendor

pytestmark = pytest.mark.django_db
PERIOD, DIGEST = "expected a month such as 2026-06", "expected a SHA-256 of 64 hexadecimal digits"


@pytest.mark.parametrize(
    ("where", "body", "field", "expected"),
    [
        ("frameworks/{framework}/amendments/", {"reason": "nope"}, "reason",
         "expected one of mod-rev, add-wss, mod-cir, mod-repl, mod-nons, mod-minv; got nope"),
        ("frameworks/{framework}/amendments/", {"reason": "\ud800"}, "reason", "; got \\ud800"),
        ("algorithms/ich-triage/evidence/", {"level": "7"}, "level", "expected one of 1t, 1c, 2"),
        ("call-offs/{call_off}/approve/", {"seen": "abc"}, "seen", DIGEST),
        ("billing-runs", {"period": "2026-13"}, "period", PERIOD),
    ],
)  # fmt: skip
def test_a_refusal_says_what_was_expected(
    where: str, body: dict[str, Any], field: str, expected: str
) -> None:
    here = parties.first_site()
    officer = parties.member("buyer.of.all", role="procurement_officer")
    path = where.format(framework=here.framework.pk, call_off=here.call_off.pk)
    answer = parties.client_of(officer).post(
        f"/api/v1/{path}", body, "application/json", headers={"If-Match": "*"}
    )
    assert answer.status_code == 400, answer.content
    (told,) = answer.json()[field]
    assert expected in told


@pytest.mark.parametrize(
    ("where", "body", "field"),
    [
        ("billing-runs", {"period": "2026-06", "framework": ["2020-1968"]}, "framework"),
        ("vendors/", {"code": "n", "name": "N", "orgnr": "987654325"}, "orgnr"),
        ("algorithms/ich-triage/evidence/", {"levle": "2"}, "levle"),
    ],
)
def test_a_field_that_is_not_known_is_refused_and_nothing_done(
    where: str, body: dict[str, Any], field: str
) -> None:
    parties.first_site()
    officer = parties.member("buyer.of.all", role="procurement_officer")
    answer = parties.client_of(officer).post(f"/api/v1/{where}", body, "application/json")
    assert answer.status_code == 400, answer.content
    assert answer.json()[field][0].startswith("unknown field; expected one of ")
    assert not BillingRun.objects.exists()
    assert not Vendor.objects.filter(code="n").exists()


def test_a_field_that_is_not_known_is_found_in_lists_too_and_the_schema_has_none() -> None:
    here = parties.first_site()
    officer = parties.client_of(here.officer)
    line = {"algorithm": "ich-triage", "site": "drammen", "activated": "2026-11-01", "volume": 3}
    body = {
        "code": "CO-2", "framework": here.framework.code, "valid_from": "2026-11-01",
        "organisation": here.organisation.code, "committed_value": "1.00", "lines": [line],
    }  # fmt: skip
    answer = officer.post("/api/v1/call-offs/", body, "application/json")
    assert answer.status_code == 400
    assert "unknown field" in answer.json()["lines"]["0"]["volume"][0]
    assert CallOff.objects.count() == 1

    as_json = {"HTTP_ACCEPT": "application/vnd.oai.openapi+json"}
    shapes = officer.get("/api/schema/", **as_json).json()["components"]["schemas"]
    assert shapes["AskedBillingRun"]["additionalProperties"] is False
    assert shapes["CreditedLine"]["additionalProperties"] is False
    assert "additionalProperties" not in shapes["Problem"]


def test_whatever_is_named_in_a_path_may_be_absent_and_the_schema_says_so() -> None:
    officer = parties.client_of(parties.member("buyer.of.all", role="procurement_officer"))
    as_json = {"headers": {"accept": "application/vnd.oai.openapi+json"}}
    paths = officer.get("/api/schema/", **as_json).json()["paths"]
    named = {
        f"{method} {path}": operation["responses"]
        for path, operations in paths.items() if "{" in path
        for method, operation in operations.items()
    }  # fmt: skip
    assert len(named) > 50
    assert [name for name, answers in named.items() if "404" not in answers] == []

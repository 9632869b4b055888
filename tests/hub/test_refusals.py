"""What the REST API says to a word, a month or a digest that it does not know: what it expected."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders import parties

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
    answer = parties.client_of(officer).post(f"/api/v1/{path}", body, "application/json")
    assert answer.status_code == 400, answer.content
    (told,) = answer.json()[field]
    assert expected in told

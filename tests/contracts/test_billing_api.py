"""Billing over the API: dry run first, invoices in their forms, credit notes, whose they are."""

from __future__ import annotations

from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from contracts.billing import crediting
from contracts.models import Invoice
from hub.models import AuditEvent, User
from tests.builders import parties
from tests.contracts.billed import Buyer, billed, buyer

pytestmark = pytest.mark.django_db
RUNS = "/api/v1/billing-runs"


def as_(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def post(user: User, where: str, body: Any) -> Any:
    return as_(user).post(where, body, content_type="application/json")


@pytest.fixture
def trust() -> Buyer:
    found = buyer()
    found.uses(10, on="2026-04-10")
    return found


def officer_of_the_other(trust: Buyer) -> User:
    return parties.member(
        "their.officer", role="procurement_officer",
        organisation=trust.here.other_organisation,
    )  # fmt: skip


def test_a_dry_run_comes_first_and_the_run_issues_what_it_showed(trust: Buyer) -> None:
    officer = trust.here.officer
    shown = post(officer, RUNS, {"period": "2026-04"})
    assert (shown.status_code, shown.json()["dry_run"]) == (200, True)
    (draft,) = shown.json()["invoices"]
    assert (draft["net"], draft["vat"], draft["number"]) == ("240.00", "60.00", None)

    body = {"period": "2026-04", "dry_run": False, "fingerprint": shown.json()["fingerprint"]}
    made = post(officer, RUNS, body)
    assert made.status_code == 201
    assert made.json()["invoices"][0]["number"] == "examplemed-000001"
    assert post(officer, RUNS, body).status_code == 409  # nothing is left of what was shown
    assert [one["period"] for one in as_(officer).get(RUNS).json()["results"]] == ["2026-04"]
    assert AuditEvent.objects.filter(action="billing.run", actor="officer").count() == 1


def test_an_invoice_is_told_with_its_lines_and_given_as_a_file(trust: Buyer) -> None:
    billed(4)
    uid = Invoice.objects.get().uid
    client = as_(trust.here.officer)

    told = client.get(f"/api/v1/invoices/{uid}").json()
    assert (told["type"], told["gross"], told["month"]) == ("380", "300.00", "2026-04")
    (line,) = told["lines"]
    assert (line["site"], line["quantity"], line["unit_price"]) == ("drammen", 10, "24.0000")
    assert len(line["snapshot"]) == 64
    assert [one["id"] for one in client.get("/api/v1/invoices").json()["results"]] == [str(uid)]
    for form, start in (("ubl.xml", b"<?xml"), ("csv", b"invoice,"), ("pdf", b"%PDF-")):
        answer = client.get(f"/api/v1/invoices/{uid}.{form}")
        assert answer.content.startswith(start)
        assert answer["Content-Disposition"].endswith(f'000001.{form}"')


def test_a_line_is_traced_to_its_events_and_to_what_it_was_rated_on(trust: Buyer) -> None:
    billed(4)
    trust.uses(5, on="2026-04-11")
    trust.adjusts(-1, of=trust.sent[0])
    billed(5)
    one = Invoice.objects.latest("pk")
    client = as_(trust.here.officer)
    told = client.get(f"/api/v1/invoices/{one.uid}/lines/1/events").json()["results"]
    assert [row["id"] for row in told] == [trust.sent[0]["id"], trust.sent[1]["id"]]
    assert [row["units"] for row in told] == [10, 5]
    assert told[1]["run"] == str(one.run.uid) != told[0]["run"]
    (corrected,) = told[0]["adjustments"]
    assert (corrected["delta_units"], corrected["run"]) == (-1, str(one.run.uid))
    assert trust.sent[0]["data"]["study_ref"] not in str(told)
    assert client.get(f"/api/v1/invoices/{one.uid}/lines/9/events").status_code == 404

    rated = client.get(f"/api/v1/invoices/{one.uid}/rating").json()
    assert rated["sha256"] == one.lines.get(position=1).snapshot.sha256
    assert [row["amount"] for row in rated["charges"]] == ["336.00"]
    note = crediting.credit(one, by="test", reason="goodwill")
    assert client.get(f"/api/v1/invoices/{note.uid}/rating").status_code == 404


def test_another_trust_sees_and_credits_nothing(trust: Buyer) -> None:
    billed(4)
    uid = Invoice.objects.get().uid
    for user in (officer_of_the_other(trust), trust.here.radiologist):
        client = as_(user)
        for form in ("", ".ubl.xml", ".csv", ".pdf", "/lines/1/events", "/rating"):
            assert client.get(f"/api/v1/invoices/{uid}{form}").status_code in (403, 404)
        answer = post(user, f"/api/v1/invoices/{uid}/credit-notes", {"reason": "mine"})
        assert answer.status_code in (403, 404)
        assert client.get("/api/v1/invoices").json().get("results", []) == []
        assert post(user, RUNS, {"period": "2026-04"}).status_code in (403, 409)
    assert Invoice.objects.count() == 1


def test_an_invoice_is_credited_once_and_never_beyond_what_it_was(trust: Buyer) -> None:
    billed(4)
    invoice = Invoice.objects.get()
    where = f"/api/v1/invoices/{invoice.uid}/credit-notes"

    def credited(body: dict[str, Any]) -> Any:
        return post(trust.here.officer, where, {"reason": "goodwill"} | body)

    part = credited({"lines": [{"position": 1, "amount": "100.00"}]})
    assert (part.status_code, part.json()["type"], part.json()["net"]) == (201, "381", "-100.00")
    assert part.json()["credits"] == str(invoice.uid)
    refused = credited({"lines": [{"position": 1, "amount": "140.01"}]})
    assert (refused.status_code, "up to 140.00" in refused.json()["detail"]) == (409, True)
    assert credited({"lines": [{"position": 9, "amount": "1.00"}]}).status_code == 409
    assert credited({}).json()["net"] == "-140.00"
    assert credited({}).status_code == 409
    assert billed(5).invoices == []  # given up for good


def test_what_is_credited_to_be_billed_again_is_billed_again(trust: Buyer) -> None:
    billed(4)
    where = f"/api/v1/invoices/{Invoice.objects.get().uid}/credit-notes"
    body = {"reason": "wrong reference", "bill_again": True}
    assert post(trust.here.officer, where, body).status_code == 201
    ((again, _lines),) = billed(5).invoices
    assert again.net == 240
    assert sum(one.net for one in Invoice.objects.all()) == Decimal("240.00")


@pytest.mark.parametrize(
    "body", [{}, {"period": "2026-13"}, {"period": "June"}, {"period": "2026-04", "dry_run": "?"}]
)
def test_a_run_that_is_asked_for_wrongly_is_refused(trust: Buyer, body: Any) -> None:
    assert post(trust.here.officer, RUNS, body).status_code == 400


def test_the_command_bills_a_month(trust: Buyer) -> None:
    out = StringIO()
    call_command("bill", "--period", "2026-04", "--dry-run", stdout=out)
    assert "1 would be issued for 2026-04, 1 events" in out.getvalue()
    assert not Invoice.objects.exists()
    call_command("bill", "--period", "2026-04", stdout=out)
    assert "380  examplemed-000001  CO-0001  vestre-viken  1 lines  net 240.00" in out.getvalue()
    with pytest.raises(CommandError, match="--period"):
        call_command("bill", "--period", "June")

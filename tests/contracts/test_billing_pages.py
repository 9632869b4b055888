"""The pages of usage and billing: a month is shown, issued, traced to its events, and credited."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from contracts.models import Invoice
from hub.models import User
from tests.builders import parties
from tests.contracts.billed import Buyer, buyer

pytestmark = pytest.mark.django_db


def as_(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def trust() -> Buyer:
    found = buyer()
    found.uses(10, on="2026-04-10")
    return found


def text(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def test_a_month_goes_from_dry_run_to_invoice_to_events_to_credit_note(trust: Buyer) -> None:
    client = as_(trust.here.officer)
    shown = client.post("/billing/dry-run/", {"period": "2026-04"}).content.decode()
    assert "300.00" in shown
    assert "1 usage event taken" in shown
    assert "none of these documents has a number" in shown
    assert not Invoice.objects.exists()
    fingerprint = re.search(r'name="fingerprint" value="(\w{64})"', shown)
    assert fingerprint

    said = {"period": "2026-04", "fingerprint": fingerprint[1]}
    assert client.post("/billing/issue/", said).status_code == 302
    invoice = Invoice.objects.get()
    assert invoice.number in text(client, "/billing/")
    page = text(client, f"/invoices/{invoice.uid}/")
    assert "ICH Triage, Drammen sykehus" in page
    events = text(client, f"/invoices/{invoice.uid}/lines/1/")
    assert trust.sent[0]["id"] in events
    assert "in this run" in events

    client.post(f"/invoices/{invoice.uid}/credit/", {"reason": "ordered in error"})
    note = Invoice.objects.get(kind="381")
    assert note.number in text(client, f"/invoices/{invoice.uid}/")
    assert client.get(f"/invoices/{invoice.uid}/lines/9/").status_code == 404


def test_nothing_is_issued_that_was_not_shown(trust: Buyer) -> None:
    client = as_(trust.here.officer)
    for fingerprint in ("", "0" * 64):
        client.post("/billing/issue/", {"period": "2026-04", "fingerprint": fingerprint})
    client.post("/billing/issue/", {"period": "June"})
    assert not Invoice.objects.exists()


def test_usage_stands_beside_what_is_left_of_the_agreement(trust: Buyer) -> None:
    page = text(as_(trust.here.officer), "/usage/?from=2026-04-01&to=2026-04-30")
    assert "40 000 000.00" in page
    assert "CO-0001 ICH Triage Drammen sykehus 10 1 0" in page


def test_another_trust_and_those_who_do_not_buy_see_none_of_it(trust: Buyer) -> None:
    client = as_(trust.here.officer)
    client.post("/billing/dry-run/", {"period": "2026-04"})
    theirs = parties.member(
        "their.officer", role="procurement_officer",
        organisation=trust.here.other_organisation,
    )  # fmt: skip
    assert "ich-triage" not in text(as_(theirs), "/usage/?from=2026-04-01&to=2026-04-30")
    assert "examplemed-" not in text(as_(theirs), "/billing/")
    for path in ("/usage/", "/billing/"):
        assert as_(trust.here.radiologist).get(path).status_code == 403

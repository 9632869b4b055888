"""Corrections before the month is billed: what was taken back is neither late nor rejected."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from contracts.models import Invoice, InvoiceLine
from tests.contracts.billed import TARIFF, billed, buyer
from tests.contracts.usage_reports import completed

pytestmark = pytest.mark.django_db
APRIL = "2026-04-10T09:00:00Z"


def nets(outcome: Any) -> list[Decimal]:
    return [one.net for one, _lines in outcome.invoices]


def test_a_late_result_that_was_taken_back_gives_no_credit() -> None:
    sla = {"late": "50%", "late_after_seconds": 100, "cap": "50%"}
    trust = buyer(model="flat", terms={"tiers": [{"unit_price": "18.00"}], "sla": sla})
    trust.report(*(completed(n, time=APRIL, latency_s=99) for n in range(6)))
    trust.report(*(completed(n, time=APRIL, latency_s=101) for n in "abcd"))
    trust.adjusts(-1, of=trust.sent[-1])

    assert nets(billed(4)) == [9 * 18 - 3 * 9]


def test_a_rejection_that_was_one_by_mistake_is_paid_once() -> None:
    trust = buyer(terms=TARIFF | {"customer_fault": "50%"})
    trust.report(
        *(completed(n, time=APRIL, outcome="rejected", fault="customer") for n in "ab")
    )
    trust.adjusts(1, of=trust.sent[0])

    assert nets(billed(4)) == [24 + 12]
    assert list(InvoiceLine.objects.values_list("kind", flat=True)) == ["usage", "rejected"]


def test_a_correction_of_a_closed_month_is_in_the_next_document_of_its_call_off() -> None:
    trust = buyer()
    trust.uses(10, on="2026-04-10")
    assert nets(billed(4)) == [240]
    first = Invoice.objects.get()
    trust.adjusts(-4, of=trust.sent[0])

    assert nets(billed(5)) == [-96]

    first.refresh_from_db()
    note = Invoice.objects.get(kind="381")
    assert (first.net, note.net, note.document["corrects"][0]["number"]) == (
        240, -96, first.number,
    )  # fmt: skip

"""What the customer spoilt, from the event to the invoice: charged as agreed, and once."""

from __future__ import annotations

from decimal import Decimal

import pytest

from contracts.billing import facts, kept
from contracts.billing.checking import check
from contracts.models import Invoice, InvoiceLine, RatingSnapshot
from tests.contracts.billed import TARIFF, billed, buyer
from tests.contracts.usage_reports import completed

pytestmark = pytest.mark.django_db


def test_what_the_customer_spoilt_is_billed_as_agreed_and_can_be_rated_again() -> None:
    """Once for a study; what the supplier spoilt, or was run again, costs nothing."""
    trust = buyer(terms=TARIFF | {"customer_fault": "50%"})
    trust.uses(100, on="2026-04-10")
    spoilt = {"time": "2026-04-11T09:00:00Z", "outcome": "rejected", "fault": "customer"}
    study = completed("s")["data"]["study_ref"]
    trust.report(
        completed("a", **spoilt, study_ref=study), completed("b", **spoilt, study_ref=study),
        completed("c", **spoilt), completed("d", **spoilt | {"fault": "supplier"}),
        completed("e", **spoilt, rerun_of="a"), completed("f", **spoilt, purpose="shadow"),
    )  # fmt: skip
    outcome = billed(4)  # 100, and twice a half, at 24.00
    assert [one.net for one, _lines in outcome.invoices] == [Decimal("2424.00")]
    line = InvoiceLine.objects.get(kind="rejected")
    assert (line.quantity, line.amount) == (1, Decimal("24.00"))
    snapshot = RatingSnapshot.objects.get()
    assert sum(one.amount for one in facts.rated_again(snapshot)) == Decimal("2424.00")
    (invoice,) = Invoice.objects.all()
    assert check(bytes(kept.file_of(invoice, "ubl.xml").content)) == []

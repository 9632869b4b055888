"""Runs: annual tiers by difference, what comes late, what is credited, and nothing twice."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from contracts.billing import booking, facts
from contracts.billing.running import ChangedMeanwhileError, NotBilledError, is_over, run
from contracts.models import (
    BilledIsFinal,
    BillingRun,
    CallOff,
    EventBooking,
    Invoice,
    InvoiceLine,
    PriceBookEntry,
    RatingSnapshot,
    UsageEvent,
)
from contracts.pricing import amount, price_of
from tests.builders import parties
from tests.contracts.billed import TARIFF, billed, buyer
from tests.contracts.usage_reports import completed
from vendors.models import Vendor

pytestmark = pytest.mark.django_db


def nets(outcome: Any) -> list[Decimal]:
    return [one.net for one, _lines in outcome.invoices]


def test_annual_tiers_are_invoiced_month_by_month_by_their_difference() -> None:
    trust = buyer()
    found = []
    for month, units in ((4, 9_500), (5, 3_200), (6, 17_800), (7, 8_500)):
        trust.uses(units, on=f"2026-{month:02}-10")
        found += nets(billed(month))

    assert found == [228_000, 60_600, 318_150, 114_750]
    assert sum(found) == Decimal("721500.00")
    july = Invoice.objects.get(period_from=date(2026, 7, 1))
    assert (july.kind, july.vat, july.gross) == ("380", Decimal("28687.50"), Decimal("143437.50"))


def test_each_line_is_of_one_tier_and_its_quantity_times_its_price() -> None:
    trust = buyer()
    trust.uses(12_000, on="2026-04-10")
    billed(4)
    lines = InvoiceLine.objects.order_by("position").values_list("quantity", "unit_price", "amount")
    assert list(lines) == [(10_000, 24, 240_000), (2_000, 18, 36_000)]


def test_a_month_in_which_all_units_grow_cheaper_is_a_credit_note() -> None:
    trust = buyer(model="all_units")
    trust.uses(30_000, on="2026-04-10")
    trust.uses(1, on="2026-05-10")

    assert nets(billed(4)) == [540_000]
    assert nets(billed(5)) == [Decimal("-134986.50")]
    note = Invoice.objects.get(kind="381")
    assert (note.period_from, note.sequence) == (date(2026, 5, 1), 2)
    taken_back, charged = note.lines.order_by("position")
    assert (taken_back.quantity, taken_back.amount) == (-30_000, -540_000)
    assert (charged.quantity, charged.amount) == (30_001, Decimal("405013.50"))


def test_no_fee_goes_on_after_a_call_off_is_closed() -> None:
    terms = TARIFF | {"fee": {"amount": "310.00", "period": "month"}, "minimum": "36500.00"}
    trust = buyer(terms=terms)
    trust.uses(1, on="2026-03-20")
    assert nets(billed(3)) == [184]  # 24.00, and 16 of 31 days of the fee
    CallOff.objects.update(  # at half past midnight in Oslo
        state="closed", closed_at=datetime(2026, 4, 14, 22, 30, tzinfo=UTC)
    )

    # 15 of 30 days, and the minimum for the 31 days from 16 March to 15 April
    assert nets(billed(4)) == [155 + 3100 - 24 - 160 - 155]
    assert nets(billed(5)) == nets(billed(12, is_dry=True)) == []


def test_a_fee_that_was_paid_in_advance_is_given_back_from_the_day_it_is_closed() -> None:
    trust = buyer(terms={"tiers": [{"unit_price": "0.00"}], "fee": {"amount": "29100.00"}})
    trust.uses(1, on="2026-03-20")
    first = nets(billed(3))
    CallOff.objects.update(state="closed", closed_at=datetime(2026, 5, 14, 9, tzinfo=UTC))

    second = nets(billed(5))

    # of 365 days: 291 from 16 March on, and the 60 to 14 May
    assert (first, second) == ([Decimal("23200.27")], [Decimal("4783.56") - Decimal("23200.27")])


def test_what_comes_late_is_in_the_next_run_and_no_invoice_changes() -> None:
    trust = buyer()
    trust.uses(100, on="2026-04-10")
    billed(4)
    before = list(Invoice.objects.values()) + list(InvoiceLine.objects.values())
    trust.uses(10, on="2026-04-30")
    trust.uses(1, on="2026-05-02")

    late = billed(5)

    assert nets(late) == [11 * 24]
    (_invoice, lines) = late.invoices[0]
    assert [(one.month, one.amount) for one in lines] == [
        (date(2026, 4, 1), 240), (date(2026, 5, 1), 24),
    ]  # fmt: skip
    first = Invoice.objects.order_by("pk")[:1].values()
    assert [*first, InvoiceLine.objects.order_by("pk").values()[0]] == before


def test_a_correction_of_a_billed_month_is_credited_in_the_next() -> None:
    trust = buyer()
    trust.uses(10, on="2026-04-10")
    billed(4)
    trust.adjusts(-4, of=trust.sent[0])
    assert nets(billed(5)) == [-4 * 24]
    assert Invoice.objects.order_by("-pk")[0].kind == "381"
    assert nets(billed(6)) == []


def test_the_same_month_is_billed_again_for_nothing_but_what_is_new() -> None:
    trust = buyer()
    trust.uses(10, on="2026-04-10")
    assert nets(billed(4)) == [240]
    assert nets(billed(4)) == []
    trust.uses(1, on="2026-04-11")
    assert nets(billed(4)) == [24]
    with pytest.raises(NotBilledError, match="2026-04 was billed already"):
        billed(3)


def test_a_dry_run_shows_what_a_run_makes_and_leaves_nothing() -> None:
    trust = buyer()
    trust.uses(10, on="2026-04-10")

    shown = billed(4, is_dry=True)

    assert (nets(shown), shown.events, shown.run) == ([240], 1, None)
    assert not BillingRun.objects.exists()
    assert not Invoice.objects.exists()
    assert not EventBooking.objects.exists()
    made = billed(4, fingerprint=shown.fingerprint)
    assert made.fingerprint == shown.fingerprint


def test_a_run_is_not_made_if_it_is_not_what_the_dry_run_showed() -> None:
    trust = buyer()
    trust.uses(10, on="2026-04-10")
    shown = billed(4, is_dry=True)
    trust.uses(1, on="2026-04-11")
    with pytest.raises(ChangedMeanwhileError, match="fingerprint"):
        billed(4, fingerprint=shown.fingerprint)
    assert not Invoice.objects.exists()


def test_a_month_that_is_not_over_is_only_shown() -> None:
    buyer()
    with pytest.raises(NotBilledError, match="is not over"):
        billed(12, year=2099)
    assert billed(12, year=2028, is_dry=True).invoices == []


def test_a_month_is_over_once_its_last_day_is() -> None:
    february = date(2028, 2, 1)
    assert not is_over(february, today=date(2028, 2, 29))
    assert is_over(february, today=date(2028, 3, 1))


def test_who_cannot_be_sent_an_invoice_is_told_before_it_is_made() -> None:
    trust = buyer()
    trust.here.organisation.organisation_number = ""
    trust.here.organisation.save()
    trust.uses(10, on="2026-04-10")
    (problem,) = billed(4, is_dry=True).problems
    assert problem.startswith("vestre-viken: organisation_number: ")
    with pytest.raises(NotBilledError, match="vestre-viken: organisation_number"):
        billed(4)


def test_a_run_that_breaks_off_leaves_nothing_half() -> None:
    """The first agreement was booked and issued before the second could not be rated."""
    trust = buyer()
    here = trust.here
    follows = {
        "series": "none", "base_month": "2025-11", "ref_month": "2026-01", "effective": "2026-02-01"
    }  # fmt: skip
    other = parties.framework_for(
        here.algorithm, authorities=[here.organisation], code="Z", model="flat",
        terms={"unit_price": "18.00"},
    )  # fmt: skip
    theirs = parties.call_off_under(other, organisation=here.organisation, code="CO-Z")
    parties.line_of(theirs, algorithm=here.algorithm, site=here.site)
    other.price_book.update(terms={"unit_price": "18.00", "indexation": follows})
    trust.uses(10, on="2026-04-10")
    usage = UsageEvent.objects.get()
    UsageEvent.objects.bulk_create([
        UsageEvent(
            tenant=usage.tenant, source="x", event_id="y", at=usage.at, study_ref="z",
            call_off=theirs, line=theirs.lines.get(), algorithm=usage.algorithm,
            version=usage.version, site=usage.site,
        )
    ])  # fmt: skip

    with pytest.raises(NotBilledError, match="the index none is not known"):
        billed(4)

    kept = [one.objects.count() for one in (BillingRun, EventBooking, Invoice, RatingSnapshot)]
    assert kept == [0, 0, 0, 0]
    assert CallOff.objects.get(code="CO-0001").invoiced_to_date == 0
    assert nets(billed(4, frameworks=["2020-1968"])) == [240]


def test_free_examinations_stand_on_the_invoice_of_their_month_and_on_no_later_one() -> None:
    fee = {"amount": "50.00", "period": "month", "prorate": False}
    trust = buyer(terms=TARIFF | {"included_units": 1_000, "fee": fee})
    trust.uses(10, on="2026-04-10")
    ((_invoice, lines),) = billed(4).invoices
    assert [(one.kind, one.quantity, one.amount) for one in lines if one.month.month == 4] == [
        ("usage", 10, 0), ("fee", 1, 50),
    ]  # fmt: skip

    trust.uses(5, on="2026-04-11")
    ((_invoice, lines),) = billed(5).invoices
    assert [(one.kind, one.month.month) for one in lines] == [("fee", 5)]


def test_a_month_is_booked_to_midnight_in_oslo_and_not_a_second_beyond() -> None:
    trust = buyer()
    trust.report(
        completed("last", time="2026-04-30T21:59:59Z"),
        completed("first", time="2026-04-30T22:00:00Z"),
    )
    for month in (4, 5):
        outcome = billed(month)
        assert (outcome.events, nets(outcome)) == (1, [24])


def test_who_sees_all_buyers_bills_and_nobody_else() -> None:
    trust = buyer()
    here = trust.here
    trust.uses(10, on="2026-04-10")
    april = date(2026, 4, 1)
    assert nets(run(april, by=here.officer)) == [240]  # the only one who buys
    theirs = parties.call_off_under(
        here.framework, organisation=here.other_organisation, code="CO-0002"
    )
    parties.line_of(theirs, algorithm=here.algorithm, site=here.other_site)
    holder = parties.member(
        "holder", role="procurement_officer", organisation=here.framework.holder
    )
    for stranger in (here.officer, here.radiologist, here.other_radiologist):
        with pytest.raises(NotBilledError, match="You bill no framework agreement"):
            run(april, by=stranger)
    assert nets(run(april, by=holder)) == nets(run(april, by=here.administrator)) == [240]


def test_a_pool_is_shared_to_the_last_ore() -> None:
    trust = buyer()
    here = trust.here
    theirs = parties.call_off_under(
        here.framework, organisation=here.other_organisation, code="CO-0002"
    )
    parties.line_of(theirs, algorithm=here.algorithm, site=here.other_site)
    trust.uses(39_001, on="2026-04-10")
    trust.uses(25_002, on="2026-04-11", subject="call_off:CO-0002", site="nordbyhagen")

    found = nets(billed(4))

    assert len(found) == 2
    assert sum(found) == amount(price_of("graduated", TARIFF), 64_003) == Decimal("1044029.25")


def test_every_line_leads_to_its_events_and_can_be_rated_again() -> None:
    trust = buyer()
    trust.uses(10, on="2026-04-10")
    first = billed(4)
    trust.uses(5, on="2026-04-20")
    trust.uses(7, on="2026-05-20")
    second = billed(5)
    assert first.run is not None
    assert second.run is not None

    line = Invoice.objects.get(run=first.run).lines.get()
    assert line.line is not None
    events = booking.events_of(line=line.line.pk, month=line.month, until=first.run)
    assert [one.units for one in events] == [10]
    events = booking.events_of(line=line.line.pk, month=line.month, until=second.run)
    assert [one.units for one in events] == [10, 5]
    for snapshot, total in zip(RatingSnapshot.objects.order_by("pk"), (240, 528), strict=True):
        assert sum(one.amount for one in facts.rated_again(snapshot)) == total


def test_what_is_late_is_told_by_the_version_and_agreement_it_was_used_under() -> None:
    """A later version, or another agreement over the same algorithm, has a clause of its own."""

    def terms(seconds: int) -> dict[str, Any]:
        sla = {"late": "50%", "late_after_seconds": seconds}
        return {"unit_price": "18.00", "sla": sla}

    trust = buyer(model="flat", terms=terms(100))
    here = trust.here
    PriceBookEntry.objects.create(
        framework=here.framework, algorithm=here.algorithm, model="flat", terms=terms(10),
        valid_from=date(2026, 5, 1),
    )  # fmt: skip
    other = parties.framework_for(
        here.algorithm, authorities=[here.organisation], code="Z", model="flat", terms=terms(10)
    )
    theirs = parties.call_off_under(other, organisation=here.organisation, code="CO-Z")
    parties.line_of(theirs, algorithm=here.algorithm, site=here.site)
    trust.report(
        completed("a", time="2026-04-10T09:00:00Z", latency_s=50),
        completed("b", time="2026-05-10T09:00:00Z", latency_s=50),
        completed("c", time="2026-04-10T09:00:00Z", latency_s=50, subject="call_off:CO-Z"),
    )

    assert nets(billed(4)) == [18, 9]
    assert nets(billed(5)) == [9]


def test_the_invoice_is_that_of_the_supplier_of_the_call_off() -> None:
    """An agreement may have several suppliers; each numbers its own documents."""
    trust = buyer()
    other = Vendor.objects.create(
        code="second", name="Second AS", country="NO", organisation_number="999999999"
    )
    CallOff.objects.update(supplier=other)
    trust.uses(10, on="2026-04-10")

    ((invoice, _lines),) = billed(4).invoices

    assert (invoice.supplier, invoice.number) == (other, "second-000001")
    assert invoice.document["supplier"]["name"] == "Second AS"


def test_late_results_and_failures_are_credited_by_the_clause() -> None:
    terms = {
        "tiers": [{"unit_price": "18.00"}],
        "sla": {
            "late": "50%", "late_after_seconds": 100, "cap": "15%",
            "failed": [{"above": "10%", "credit": "5%"}],
        },
    }  # fmt: skip
    trust = buyer(model="flat", terms=terms)
    trust.report(*(completed(n, time="2026-04-10T09:00:00Z", latency_s=99) for n in range(95)))
    trust.report(*(completed(n, time="2026-04-11T09:00:00Z", latency_s=101) for n in "abcde"))
    failed = {"outcome": "failed", "fault": "supplier", "latency_s": 101}  # no result, so not late
    trust.report(completed("failed", time="2026-04-12T09:00:00Z", **failed))
    assert nets(billed(4)) == [100 * 18 - 5 * 9]


@pytest.mark.parametrize("model", [BillingRun, EventBooking, RatingSnapshot, Invoice, InvoiceLine])
def test_what_was_issued_can_be_changed_by_nobody(
    model: Any, database_as_in_production: None
) -> None:
    trust = buyer()
    trust.uses(10, on="2026-04-10")
    billed(4)
    row = model.objects.first()
    for act in (row.save, row.delete):
        with pytest.raises(BilledIsFinal):
            act()
    table = model._meta.db_table
    for statement in (f"UPDATE {table} SET id = 99", f"DELETE FROM {table}"):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            connection.cursor().execute(statement)


@pytest.mark.django_db(transaction=True)
def test_runs_at_once_bill_everything_once() -> None:
    trust = buyer()
    trust.uses(10, on="2026-04-10")
    start = threading.Barrier(5)

    def one(_number: int) -> list[Decimal]:
        try:
            start.wait(timeout=30)
            return nets(billed(4))
        finally:
            connection.close()

    with ThreadPoolExecutor(5) as pool:
        found = [net for made in pool.map(one, range(5)) for net in made]
    assert found == [240]
    assert EventBooking.objects.count() == UsageEvent.objects.count() == 1

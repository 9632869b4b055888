"""A call-off moves only where it may, two people approve it, and the trail says who did what."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.utils import timezone

from contracts import call_offs
from contracts.call_offs import CallOffMoveError, MaximumValueReached
from contracts.models import CallOff, FrameworkAgreement, Lot
from hub.models import AuditEvent
from tests.builders.parties import FirstSite, draft_under, first_site, member

pytestmark = pytest.mark.django_db


@pytest.fixture
def here() -> FirstSite:
    return first_site()


def second_officer(here: FirstSite) -> Any:
    return member("second", role="procurement_officer", organisation=here.organisation)


def draft(here: FirstSite, code: str = "CO-0100", value: str = "1000000.00") -> CallOff:
    return draft_under(
        here.framework, organisation=here.organisation, site=here.site, code=code, value=value
    )


def approved(call_off: CallOff, here: FirstSite) -> call_offs.Approval:
    call_offs.approve(call_off, by=here.officer)
    return call_offs.approve(call_off, by=second_officer(here))


def test_a_call_off_goes_from_draft_to_closed_and_each_move_is_on_record(here: FirstSite) -> None:
    ordered = draft(here)

    assert approved(ordered, here).approved_by == ("officer", "second")
    for state in ("ordered", "active", "closed"):
        call_offs.move(ordered, to=state, by=here.officer)

    ordered.refresh_from_db()
    assert ordered.state == "closed"
    trail = AuditEvent.objects.filter(subject="CO-0100", action="call_off_moved").order_by("pk")
    assert [event.details["to_state"] for event in trail] == [
        "approved", "ordered", "active", "closed",
    ]  # fmt: skip
    assert [event.actor for event in trail] == ["second", "officer", "officer", "officer"]
    assert trail[0].details["approved_by"] == ["officer", "second"]


@pytest.mark.parametrize(
    ("seen", "to"),
    [("closed", "active"), ("draft", "active"), ("active", "draft"), ("cancelled", "draft")],
)
def test_a_move_that_is_not_in_the_table_is_refused(here: FirstSite, seen: str, to: str) -> None:
    CallOff.objects.update(state=seen)
    here.call_off.refresh_from_db()

    with pytest.raises(CallOffMoveError, match=f"CO-0001 cannot go from {seen} to {to}"):
        call_offs.move(here.call_off, to=to, by=here.officer)
    assert not AuditEvent.objects.exists()


def test_what_is_closed_has_the_moment_and_the_trail_tells_it_of_those_of_before(
    here: FirstSite,
) -> None:
    before = timezone.now()
    call_offs.move(here.call_off, to="closed", by=here.officer)
    closed_at = CallOff.objects.get(code="CO-0001").closed_at
    assert before <= closed_at <= timezone.now()
    assert here.call_off.closed_at == closed_at

    # as a release left it that did not know the column
    CallOff.objects.update(closed_at=None)
    import_module("contracts.migrations.0026_call_offs_end_when_closed").remember(apps, None)
    found = CallOff.objects.get(code="CO-0001").closed_at
    assert found == AuditEvent.objects.get(action="call_off_moved").at


def test_of_two_who_move_a_call_off_the_second_is_told(here: FirstSite) -> None:
    as_seen_by_another = CallOff.objects.get(pk=here.call_off.pk)
    call_offs.move(here.call_off, to="closed", by=here.officer)

    with pytest.raises(CallOffMoveError, match="no longer active"):
        call_offs.move(as_seen_by_another, to="closed", by=here.administrator)
    assert AuditEvent.objects.count() == 1


# -- two people ----------------------------------------------------------------------------------
def test_one_person_alone_approves_nothing_and_not_twice(here: FirstSite) -> None:
    ordered = draft(here)

    assert not call_offs.approve(ordered, by=here.officer).is_approved
    with pytest.raises(CallOffMoveError, match="a second person must"):
        call_offs.approve(ordered, by=here.officer)
    with pytest.raises(CallOffMoveError, match="two people approve it"):
        call_offs.move(ordered, to="approved", by=here.officer)

    ordered.refresh_from_db()
    assert (ordered.state, ordered.approvals.count()) == ("draft", 1)


def test_a_draft_that_was_changed_since_is_not_what_the_first_approved(here: FirstSite) -> None:
    ordered = draft(here)
    call_offs.approve(ordered, by=here.officer)
    CallOff.objects.filter(pk=ordered.pk).update(committed_value="2000000.00")

    assert not call_offs.approve(ordered, by=second_officer(here)).is_approved
    assert call_offs.approve(ordered, by=here.officer).is_approved


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda draft, here: CallOff.objects.update(committed_value=0), "committed_value: "),
        (lambda draft, here: draft.lines.all().delete(), "lines: expected at least one"),
        (lambda draft, here: here.framework.price_book.all().delete(), "ich-triage has no price"),
        (lambda draft, here: here.framework.authorities.all().delete(), "may not call off"),
        (
            lambda draft, here: FrameworkAgreement.objects.update(valid_to=date(2026, 1, 31)),
            "in force from 2026-01-01 to 2026-01-31",
        ),
    ],
)
def test_what_an_order_lacks_is_told_with_its_field(
    here: FirstSite, change: Any, problem: str
) -> None:
    ordered = draft(here)
    change(ordered, here)

    with pytest.raises(CallOffMoveError, match=problem):
        call_offs.approve(ordered, by=here.officer)
    assert not ordered.approvals.exists()


# -- the maximum value ---------------------------------------------------------------------------
def test_what_would_pass_the_maximum_is_refused_with_the_headroom(here: FirstSite) -> None:
    """Golden E2: 40.0 M at most, 31.2 M bound, 9.0 M more."""
    CallOff.objects.filter(pk=here.call_off.pk).update(committed_value="31200000.00")
    ordered = draft(here, value="9000000.00")

    with pytest.raises(MaximumValueReached) as refused:
        call_offs.approve(ordered, by=here.officer)

    assert refused.value.headroom == Decimal("8800000.00")
    assert "8\N{NO-BREAK SPACE}800\N{NO-BREAK SPACE}000.00 are left" in str(refused.value)
    assert not AuditEvent.objects.exists()


def test_what_meets_the_maximum_is_approved_and_the_threshold_is_on_record(
    here: FirstSite,
) -> None:
    CallOff.objects.filter(pk=here.call_off.pk).update(
        committed_value="1000000.00", invoiced_to_date="31200000.00"
    )

    came = approved(draft(here, value="8800000.00"), here)

    assert (came.is_approved, came.utilisation.headroom, came.utilisation.warning) == (True, 0, 95)
    told = AuditEvent.objects.get(action="framework_utilisation")
    assert (told.subject, told.details["threshold"]) == ("2020-1968", 95)


def test_what_is_invoiced_counts_where_it_is_more_than_was_committed(here: FirstSite) -> None:
    CallOff.objects.filter(pk=here.call_off.pk).update(committed_value="20000000.00")

    def bound_after(net: int) -> int:
        return int(call_offs.add_invoiced(here.call_off, net=Decimal(net), by="run").used)

    assert bound_after(15_000_000) == 20_000_000
    assert not AuditEvent.objects.exists()
    assert bound_after(13_000_000) == 28_000_000
    assert AuditEvent.objects.get().details["threshold"] == 70
    assert bound_after(-9_000_000) == 20_000_000


def test_a_lot_has_a_maximum_of_its_own(here: FirstSite) -> None:
    Lot.objects.create(
        framework=here.framework, code="chest", title="Chest", maximum_value="1500000.00"
    )
    CallOff.objects.filter(pk=here.call_off.pk).update(committed_value="900000.00", lot="chest")
    ordered = draft(here)
    CallOff.objects.filter(pk=ordered.pk).update(lot="chest")

    with pytest.raises(MaximumValueReached, match="2020-1968, chest"):
        call_offs.approve(ordered, by=here.officer)


def test_a_cancelled_call_off_gives_back_what_was_not_invoiced(here: FirstSite) -> None:
    taken = draft(here, value="40000000.00")
    approved(taken, here)
    call_offs.move(taken, to="cancelled", by=here.officer)

    assert not call_offs.approve(draft(here, code="CO-0101"), by=here.officer).is_approved

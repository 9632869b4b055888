"""A call-off moves only where it may, and the audit trail says who moved it."""

from __future__ import annotations

import pytest

from contracts import call_offs
from contracts.call_offs import CallOffMoveError
from contracts.models import CallOff
from hub.models import AuditEvent
from tests.builders.parties import first_site

pytestmark = pytest.mark.django_db


def test_a_call_off_goes_from_draft_to_closed_and_each_move_is_on_record() -> None:
    here = first_site()
    CallOff.objects.update(state="draft")
    here.call_off.refresh_from_db()

    for state in ("approved", "ordered", "active", "closed"):
        call_offs.move(here.call_off, to=state, by=here.officer)

    here.call_off.refresh_from_db()
    assert here.call_off.state == "closed"
    trail = AuditEvent.objects.filter(subject="CO-0001").order_by("pk")
    assert [event.details["to_state"] for event in trail] == [
        "approved", "ordered", "active", "closed",
    ]  # fmt: skip
    assert {event.actor for event in trail} == {"officer"}


@pytest.mark.parametrize(
    ("seen", "to"), [("closed", "active"), ("draft", "active"), ("active", "draft")]
)
def test_a_move_that_is_not_in_the_table_is_refused(seen: str, to: str) -> None:
    here = first_site()
    CallOff.objects.update(state=seen)
    here.call_off.refresh_from_db()

    with pytest.raises(CallOffMoveError, match=f"CO-0001 cannot go from {seen} to {to}"):
        call_offs.move(here.call_off, to=to, by=here.officer)
    assert not AuditEvent.objects.exists()


def test_of_two_who_move_a_call_off_the_second_is_told() -> None:
    here = first_site()
    as_seen_by_another = CallOff.objects.get(pk=here.call_off.pk)
    call_offs.move(here.call_off, to="closed", by=here.officer)

    with pytest.raises(CallOffMoveError, match="no longer active"):
        call_offs.move(as_seen_by_another, to="closed", by=here.administrator)
    assert AuditEvent.objects.count() == 1

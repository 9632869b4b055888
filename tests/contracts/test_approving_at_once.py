"""Fifty people press approve around the maximum at the same moment: one right answer."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import connection

from contracts import call_offs, utilisation
from contracts.call_offs import MaximumValueReached
from contracts.models import CallOff, FrameworkAgreement
from hub.models import AuditEvent, User
from tests.builders.parties import draft_under, first_site, member

pytestmark = pytest.mark.django_db(transaction=True)
PEOPLE, FITTING = 50, 10


def pressed(drafts: list[CallOff], *, by: User) -> list[bool]:
    """Whether each was approved; all press at once."""
    start = threading.Barrier(len(drafts))

    def press(draft: CallOff) -> bool:
        try:
            start.wait()
            return call_offs.approve(draft, by=by).is_approved
        except MaximumValueReached:
            return False
        finally:
            connection.close()

    with ThreadPoolExecutor(len(drafts)) as people:
        return list(people.map(press, drafts))


def test_fifty_approvals_at_once_stop_at_the_maximum() -> None:
    here = first_site()
    second = member("second", role="procurement_officer", organisation=here.organisation)
    FrameworkAgreement.objects.update(maximum_value=FITTING * 1_000_000 + 500_000)
    drafts = [
        draft_under(here.framework, organisation=here.organisation, site=here.site, code=f"C-{n}")
        for n in range(PEOPLE)
    ]
    for draft in drafts:
        call_offs.approve(draft, by=here.officer)

    assert sum(pressed(drafts, by=second)) == FITTING

    held = utilisation.of_framework(FrameworkAgreement.objects.get())
    assert (held.used, held.headroom) == (Decimal(10_000_000), Decimal(500_000))
    assert CallOff.objects.filter(state="approved").count() == FITTING
    assert AuditEvent.objects.filter(action="call_off_moved").count() == FITTING

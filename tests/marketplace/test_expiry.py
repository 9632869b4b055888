"""A certificate that ends is told of three times, and then takes its version out of use."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from hub.models import AuditEvent
from marketplace import expiry
from marketplace.models import Deployment
from tests.builders import parties

pytestmark = pytest.mark.django_db
NOON = datetime(2030, 1, 14, 12, tzinfo=UTC)  # the last day of the certificate


def told() -> list[tuple[str, int]]:
    events = AuditEvent.objects.filter(action__startswith="certificate.").order_by("pk")
    return [(one.action, one.details["days"]) for one in events]


@pytest.mark.parametrize(
    ("days", "mark"),
    [(181, None), (180, 180), (91, 180), (90, 90), (31, 90), (30, 30), (0, 30), (-1, 0)],
)
def test_the_marks_are_180_90_and_30_days(days: int, mark: int | None) -> None:
    assert expiry.threshold_of(days) == mark


def test_each_mark_is_told_once_and_the_end_suspends_at_every_site() -> None:
    here = parties.first_site()
    there = parties.deployment_of(here.version, site=here.other_site, state="shadow")
    for moment in (
        datetime(2029, 7, 1, tzinfo=UTC), datetime(2029, 7, 20, tzinfo=UTC),
        datetime(2029, 7, 21, tzinfo=UTC), datetime(2029, 10, 20, tzinfo=UTC), NOON,
    ):  # fmt: skip
        expiry.watch(now=moment)
    assert told() == [
        ("certificate.ends_soon", 178), ("certificate.ends_soon", 86),
        ("certificate.ends_soon", 0),
    ]  # fmt: skip
    assert set(Deployment.objects.values_list("state", flat=True)) == {"clinical", "shadow"}

    expiry.watch(now=datetime(2030, 1, 14, 23, 30, tzinfo=UTC))  # 00:30 of the day after in Oslo
    assert told()[-1] == ("certificate.ended", -1)
    for row in (here.deployment, there):
        row.refresh_from_db()
        assert (row.state, row.suspended_by) == ("suspended", "certificate watch")
    expiry.watch(now=datetime(2030, 2, 1, tzinfo=UTC))
    assert len(told()) == 4


def test_a_renewed_certificate_is_watched_anew_and_one_out_of_use_is_not() -> None:
    here = parties.first_site()
    expiry.watch(now=NOON)
    here.clearance.expires = date(2035, 1, 14)
    here.clearance.save()
    expiry.watch(now=NOON)
    assert len(told()) == 1
    expiry.watch(now=datetime(2034, 12, 20, tzinfo=UTC))
    assert len(told()) == 2
    Deployment.objects.update(state="retired")
    expiry.watch(now=datetime(2036, 1, 1, tzinfo=UTC))
    assert len(told()) == 2


def test_the_end_of_the_legacy_period_asks_for_a_decision_and_suspends_nothing() -> None:
    here = parties.first_site()
    legacy: dict[str, Any] = {
        "regime": "MDD_LEGACY", "issued": date(2019, 1, 15), "expires": date(2024, 1, 14),
        "application_lodged": date(2024, 5, 1), "agreement_signed": date(2024, 9, 1),
        "is_unchanged": True,
    }  # fmt: skip
    type(here.clearance).objects.update(**legacy)
    expiry.watch(now=datetime(2029, 1, 2, tzinfo=UTC))
    (event,) = AuditEvent.objects.filter(action="certificate.ended")
    assert event.details["why"] == (
        "the period of MDR Art. 120 ends on 2028-12-31: decide what comes after it"
    )
    here.deployment.refresh_from_db()
    assert here.deployment.state == "clinical"

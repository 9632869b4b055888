"""Options are exercised in time or not at all, and an extension moves the last day."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.utils import timezone

from contracts import options
from contracts.models import Authority, AuthorityOption, FrameworkAgreement, TermOption
from contracts.options import OptionMoveError
from hub.models import AuditEvent
from tests.builders.parties import FirstSite, first_site

pytestmark = pytest.mark.django_db


@pytest.fixture
def here() -> FirstSite:
    return first_site()


def extension(here: FirstSite, **fields: object) -> TermOption:
    return TermOption.objects.create(
        framework=here.framework, code="more", **({"months": 12} | fields)
    )


@pytest.mark.parametrize(
    ("last", "months", "new"),
    [
        ("2029-12-31", 12, "2030-12-31"),
        ("2030-02-28", 24, "2032-02-29"),
        ("2029-06-30", 1, "2029-07-31"),
    ],
)
def test_an_extension_moves_the_last_day_by_whole_months(
    here: FirstSite, last: str, months: int, new: str
) -> None:
    FrameworkAgreement.objects.update(valid_to=last)

    options.move(option := extension(here, months=months), to="exercised", by=here.officer)

    assert FrameworkAgreement.objects.get().valid_to == date.fromisoformat(new)
    assert (option.state, option.exercised_by) == ("exercised", "officer")
    trail = AuditEvent.objects.order_by("pk").values_list("action", "subject")
    assert list(trail) == [
        ("option_moved", "2020-1968/more"), ("framework_extended", "2020-1968"),
    ]  # fmt: skip


def test_more_volume_moves_no_day(here: FirstSite) -> None:
    options.move(extension(here, kind="volume"), to="exercised", by=here.officer)
    assert FrameworkAgreement.objects.get().valid_to == date(2029, 12, 31)


def test_an_option_that_nobody_exercised_in_time_has_lapsed_by_itself(here: FirstSite) -> None:
    yesterday = timezone.localdate() - timedelta(days=2)
    option = AuthorityOption.objects.create(
        authority=Authority.objects.get(), exercise_by=yesterday
    )
    assert option.state_on(yesterday) == "declared"

    with pytest.raises(OptionMoveError, match="2020-1968/vestre-viken cannot go from Lapsed"):
        options.move(option, to="exercised", by=here.officer)
    assert not AuditEvent.objects.exists()


def test_an_option_is_exercised_once(here: FirstSite) -> None:
    as_seen_by_another = TermOption.objects.get(pk=extension(here).pk)
    options.move(TermOption.objects.get(), to="exercised", by=here.officer)

    with pytest.raises(OptionMoveError, match="cannot go from Exercised"):
        options.move(as_seen_by_another, to="exercised", by=here.officer)
    assert FrameworkAgreement.objects.get().valid_to == date(2030, 12, 31)


def test_an_agreement_that_is_over_is_no_longer_extended(here: FirstSite) -> None:
    option = extension(here)
    FrameworkAgreement.objects.update(valid_to=timezone.localdate() - timedelta(days=2))

    with pytest.raises(OptionMoveError, match="2020-1968/more cannot go from Lapsed"):
        options.move(option, to="exercised", by=here.officer)
    FrameworkAgreement.objects.update(valid_to=timezone.localdate() + timedelta(days=2))
    options.move(option, to="exercised", by=here.officer)

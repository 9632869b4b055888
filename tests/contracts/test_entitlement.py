"""Entitlement over real rows: read at that very moment, and only those of its own trust."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from contracts import call_offs, options
from contracts.clauses import Refused
from contracts.entitlement import Entitlement, Granted, entitle
from contracts.models import Authority, AuthorityOption, PriceBookEntry, VolumeCounter
from marketplace.models import Deployment
from tests.builders.parties import (
    FirstSite,
    algorithm_version,
    call_off_under,
    deployment_of,
    first_site,
    framework_for,
    line_of,
    site,
)

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 6, 1, 10, 0, tzinfo=UTC)


def judged(here: FirstSite, at: datetime = NOON) -> Entitlement:
    return entitle(site=here.site, version=here.version, at=at)


def clause(decided: Entitlement) -> str:
    assert isinstance(decided, Refused)
    return decided.clause


def use(here: FirstSite, quantity: int) -> None:
    VolumeCounter.objects.create(
        framework=here.framework,
        algorithm=here.algorithm,
        contract_year=date(2026, 1, 1),
        quantity=quantity,
    )


def test_the_first_site_is_granted() -> None:
    here = first_site()

    assert judged(here) == Granted(here.line.pk, "CO-0001", "clinical", "automatic")


def test_a_call_off_closed_at_noon_stops_the_next_study_at_noon() -> None:
    here = first_site()
    assert isinstance(judged(here), Granted)

    call_offs.move(here.call_off, to="closed", by=here.officer)

    assert clause(judged(here)) == "call_off_state"


def test_a_trust_named_nowhere_is_refused_though_the_version_is_deployed_there() -> None:
    here = first_site()
    deployment_of(here.version, site=here.other_site)

    decided = entitle(site=here.other_site, version=here.version, at=NOON)

    assert isinstance(decided, Refused)
    assert str(decided.why) == "Akershus universitetssykehus HF has no call-off"


def test_a_call_off_of_a_trust_that_the_framework_does_not_name_does_not_count() -> None:
    here = first_site()
    deployment_of(here.version, site=here.other_site)
    foreign = call_off_under(here.framework, organisation=here.other_organisation, code="CO-0002")
    line_of(foreign, algorithm=here.algorithm, site=here.other_site)

    assert clause(entitle(site=here.other_site, version=here.version, at=NOON)) == "authority"


@pytest.mark.parametrize("role", ["purchasing_agent", "contract_holder"])
def test_to_hold_a_contract_or_to_buy_for_others_is_not_to_be_a_buyer(role: str) -> None:
    here = first_site()
    Authority.objects.update(role=role)

    decided = judged(here)

    assert clause(decided) == "authority"
    words = role.replace("_", " ")
    assert f"is named in framework agreement 2020-1968 as {words}" in str(decided.why)


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("declared", "has not exercised its option in framework agreement 2020-1968"),
        ("lapsed", "The option of Vestre Viken HF in framework agreement 2020-1968 has lapsed"),
        ("declined", "declined its option in framework agreement 2020-1968"),
    ],
)
def test_an_option_that_is_not_taken_up_opens_nothing(state: str, sentence: str) -> None:
    here = first_site()
    Authority.objects.update(role="option_authority")
    option = AuthorityOption.objects.create(authority=Authority.objects.get(), state=state)

    decided = judged(here)

    assert isinstance(decided, Refused)
    assert (decided.clause, sentence in str(decided.why)) == ("option", True)
    if state == "declared":
        options.move(option, to="exercised", by=here.officer)
        assert isinstance(judged(here), Granted)


def test_who_is_named_until_a_day_may_not_call_off_after_it() -> None:
    here = first_site()
    Authority.objects.update(valid_to=date(2026, 6, 1))

    assert isinstance(judged(here), Granted)
    decided = judged(here, NOON + timedelta(days=1))

    assert isinstance(decided, Refused)
    assert "is named in framework agreement 2020-1968, but not on 2026-06-02" in str(decided.why)


def test_of_two_agreements_over_the_same_algorithm_one_that_is_used_up_leaves_the_other() -> None:
    here = first_site()
    second = framework_for(here.algorithm, authorities=[here.organisation], code="2025-7")
    ordered = call_off_under(second, organisation=here.organisation, code="CO-0002")
    line_of(ordered, algorithm=here.algorithm, site=here.site)
    assert isinstance(first := judged(here), Granted)

    here.framework.maximum_value = 0
    here.framework.save()

    assert isinstance(other := judged(here), Granted)
    assert (first.call_off_code, other.call_off_code) == ("CO-0001", "CO-0002")


def test_an_authority_named_with_an_option_may_call_off() -> None:
    here = first_site()
    Authority.objects.update(role="option_authority")

    assert isinstance(judged(here), Granted)


def test_a_line_at_one_site_covers_no_other_site_and_no_other_algorithm() -> None:
    here = first_site()
    other_algorithm = algorithm_version("fracture", name="Fracture")
    second_site = site("baerum", of=here.organisation, name="Bærum sykehus")

    assert clause(entitle(site=here.site, version=other_algorithm, at=NOON)) == "line"
    assert clause(entitle(site=second_site, version=here.version, at=NOON)) == "line"


def test_a_version_is_judged_by_its_own_deployment() -> None:
    here = first_site()
    newer = algorithm_version(version="2.0.0")

    assert clause(entitle(site=here.site, version=newer, at=NOON)) == "deployment"

    deployment_of(newer, site=here.site, state="shadow", write_back="after_acceptance")
    decided = entitle(site=here.site, version=newer, at=NOON)
    assert decided == Granted(here.line.pk, "CO-0001", "shadow", "after_acceptance")


def test_a_suspended_deployment_is_refused() -> None:
    here = first_site()
    Deployment.objects.update(state="suspended")

    assert clause(judged(here)) == "deployment"


def test_the_date_is_that_of_the_site() -> None:
    here = first_site()
    last_minute = datetime(2026, 3, 15, 22, 59, tzinfo=UTC)
    assert clause(judged(here, at=last_minute)) == "line_activated"

    midnight_at_drammen = datetime(2026, 3, 15, 23, 0, tzinfo=UTC)
    assert isinstance(judged(here, at=midnight_at_drammen), Granted)


def test_the_maximum_value_of_the_framework_is_a_hard_stop() -> None:
    here = first_site()
    here.framework.maximum_value = 240_018
    here.framework.save()

    use(here, 10_000)
    assert isinstance(judged(here), Granted)

    VolumeCounter.objects.update(quantity=10_001)
    decided = judged(here)
    assert clause(decided) == "maximum_value"
    assert "240\N{NO-BREAK SPACE}018.00 NOK is used" in str(decided.why)  # type: ignore[union-attr]


def test_the_value_of_earlier_years_counts_and_each_year_starts_at_the_first_tier() -> None:
    here = first_site()
    here.framework.maximum_value = 240_000 + 24
    here.framework.save()
    use(here, 10_000)
    next_year = datetime(2027, 6, 1, 10, 0, tzinfo=UTC)
    assert isinstance(judged(here, at=next_year), Granted)

    VolumeCounter.objects.update(quantity=10_001)

    assert clause(judged(here, at=next_year)) == "maximum_value"


def test_an_algorithm_without_a_price_is_refused() -> None:
    here = first_site()
    PriceBookEntry.objects.all().delete()

    assert clause(judged(here)) == "price"


def test_a_price_that_cannot_be_read_is_refused_and_not_guessed() -> None:
    here = first_site()
    PriceBookEntry.objects.update(terms={"tiers": [{"unit_price": "24,00"}]})

    decided = judged(here)

    assert clause(decided) == "price"
    assert "tiers[0].unit_price: expected a number" in str(decided.why)  # type: ignore[union-attr]


def test_a_second_framework_serves_when_the_first_is_used_up() -> None:
    here = first_site()
    here.framework.maximum_value = 0
    here.framework.save()
    second = framework_for(here.algorithm, authorities=[here.organisation], code="2026-0001")
    ordered = call_off_under(
        second, organisation=here.organisation, code="CO-0002", valid_from=date(2026, 5, 1)
    )
    line_of(ordered, algorithm=here.algorithm, site=here.site)

    decided = judged(here)

    assert isinstance(decided, Granted)
    assert decided.call_off_code == "CO-0002"


def test_a_naive_moment_is_not_judged() -> None:
    here = first_site()

    with pytest.raises(ValueError, match="naive"):
        judged(here, at=NOON.replace(tzinfo=None))

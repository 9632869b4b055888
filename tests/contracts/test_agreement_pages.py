"""The pages of agreements: what they show, and the buttons on them."""

from __future__ import annotations

import pytest
from django.test import Client

from contracts.models import Authority, AuthorityOption, CallOff, Lot, TermOption
from hub.models import User
from tests.builders.parties import FirstSite, draft_under, first_site, member

pytestmark = pytest.mark.django_db


@pytest.fixture
def here() -> FirstSite:
    made = first_site()
    member("second", role="procurement_officer", organisation=made.organisation)
    return made


def as_(username: str, language: str = "en") -> Client:
    client = Client(headers={"accept-language": language})
    client.force_login(User.objects.get(username=username))
    return client


def test_the_list_shows_how_much_of_an_agreement_is_bound(here: FirstSite) -> None:
    CallOff.objects.update(committed_value="31200000.00")

    page = as_("officer").get("/frameworks/").content.decode()

    assert 'value="78.00"' in page
    assert "31\N{NARROW NO-BREAK SPACE}200\N{NARROW NO-BREAK SPACE}000.00 of" in page
    assert 'value="78.00"' in as_("officer", "nb").get("/frameworks/").content.decode()
    assert "2020-1968" not in as_("officer").get("/frameworks/?q=other").content.decode()
    assert as_("officer").get("/frameworks/?in_force_on=never").status_code == 200
    assert "2020-1968" not in as_("radiologist.drammen").get("/frameworks/").content.decode()


def test_one_agreement_shows_its_parts_and_lets_the_holder_of_an_option_exercise_it(
    here: FirstSite,
) -> None:
    Lot.objects.create(
        framework=here.framework, code="chest", title="Chest", maximum_value="9000000.00"
    )
    TermOption.objects.create(framework=here.framework, code="year-5", months=12)
    Authority.objects.update(role="option_authority")
    AuthorityOption.objects.create(authority=Authority.objects.get())
    where = f"/frameworks/{here.framework.pk}/"

    page = as_("officer").get(where).content.decode()
    assert all(word in page for word in ("chest", "year-5", "24.00", "CO-0001", "ICH Triage"))
    assert page.count('value="exercised"') == 1

    button = f"{where}options/vestre-viken/"
    after = as_("officer").post(button, {"state": "exercised"}, follow=True)

    assert "The option is noted." in after.content.decode()
    assert AuthorityOption.objects.get().exercised_by == "officer"


def test_two_people_press_approve_and_then_order(here: FirstSite) -> None:
    ordered = draft_under(here.framework, organisation=here.organisation, site=here.site)
    where = f"/call-offs/{ordered.pk}/"

    first = as_("officer").post(f"{where}approve/", follow=True).content.decode()
    assert "a second person must approve it too" in first
    assert f"{where}approve/" not in first
    second = as_("second").post(f"{where}approve/", follow=True).content.decode()
    assert "Approved by two people." in second
    last = as_("second").post(f"{where}move/", {"state": "ordered"}, follow=True).content.decode()

    assert "CO-0100 is now: Ordered" in last
    assert 'value="active"' in last
    assert CallOff.objects.get(code="CO-0100").state == "ordered"


@pytest.mark.parametrize("state", ["approved", "closed", "", "nonsense"])
def test_a_button_that_was_not_there_does_nothing(here: FirstSite, state: str) -> None:
    ordered = draft_under(here.framework, organisation=here.organisation, site=here.site)

    page = as_("officer").post(f"/call-offs/{ordered.pk}/move/", {"state": state}, follow=True)

    assert 'class="message error"' in page.content.decode()
    assert CallOff.objects.get(code="CO-0100").state == "draft"


def test_an_administrator_sees_a_call_off_and_has_no_buttons(here: FirstSite) -> None:
    ordered = draft_under(here.framework, organisation=here.organisation, site=here.site)
    page = as_("admin").get(f"/call-offs/{ordered.pk}/").content.decode()
    assert "CO-0100" in page
    assert "/approve/" not in page
    assert as_("admin").post(f"/call-offs/{ordered.pk}/approve/").status_code == 403
    other = member("theirs", role="procurement_officer", organisation=here.other_organisation)
    assert as_(other.username).get(f"/call-offs/{ordered.pk}/").status_code == 404

"""Who comes in for a vendor, who handles data for it, and its tokens, on pages."""

from __future__ import annotations

import pytest
from django.test import Client
from knox.models import AuthToken

from hub.models import AuditEvent, User
from tests.builders import parties
from tests.builders.parties import FirstSite, client_of
from vendors.models import Invitation, Vendor, VendorMember

pytestmark = pytest.mark.django_db


@pytest.fixture
def here() -> FirstSite:
    return parties.first_site()


@pytest.fixture
def seller(here: FirstSite) -> Client:
    user = User.objects.create(username="seller")
    VendorMember.objects.create(user=user, vendor=here.vendor)
    return client_of(user)


def rows(*given: dict[str, str]) -> dict[str, str]:
    form = {"processors-TOTAL_FORMS": str(len(given)), "processors-INITIAL_FORMS": "0"}
    for index, row in enumerate(given):
        form |= {f"processors-{index}-{name}": value for name, value in row.items()}
    return form


def test_sub_processors_are_named_and_a_transfer_needs_its_basis(
    here: FirstSite, seller: Client
) -> None:
    where = "/vendors/examplemed/sub-processors/"
    cloud = {"name": "Cloud Inc", "country": "US", "purpose": "Hosting"}
    refused = seller.post(where, rows(cloud))
    assert refused.status_code == 400
    assert "US lies outside of the EEA" in refused.content.decode()
    wrong = seller.post(where, rows(cloud | {"country": "Norway"})).content.decode()
    assert "processors-0-country_error" in wrong
    assert not here.vendor.sub_processors.exists()
    given = rows(cloud | {"transfer_basis": "standard_clauses"}, {"name": ""})
    assert seller.post(where, given).status_code == 302
    shown = seller.get("/vendors/examplemed/").content.decode()
    assert "Standard contractual clauses" in shown
    rival = User.objects.create(username="rival")
    VendorMember.objects.create(user=rival, vendor=Vendor.objects.create(code="rival"))
    assert client_of(rival).post(where, rows()).status_code == 404
    assert here.vendor.sub_processors.count() == 1


def test_an_invitation_is_withdrawn_and_an_access_ended(here: FirstSite, seller: Client) -> None:
    keeper = client_of(here.administrator)
    keeper.post("/vendors/examplemed/invite/", {"name": "Ann", "email": "ann@example.org"})
    invited, member = Invitation.objects.get(), VendorMember.objects.get()
    away, out = (f"/vendors/examplemed/invitations/{invited.pk}/withdraw/",
                 f"/vendors/examplemed/people/{member.pk}/dismiss/")  # fmt: skip
    for path in (away, out):
        assert seller.post(path).status_code == 403
    assert keeper.post(away).status_code == 302
    invited.refresh_from_db()
    assert invited.withdrawn_at
    assert keeper.post(out).status_code == 302
    assert not User.objects.get(username="seller").is_active
    assert keeper.post(out).status_code == 404


def test_a_person_of_a_vendor_makes_and_ends_tokens_and_nobody_elses(
    here: FirstSite, seller: Client
) -> None:
    assert "shown this once" in seller.post("/vendor-tokens/", {"days": "30"}).content.decode()
    assert seller.post("/vendor-tokens/", {"days": "99999"}).status_code == 400
    token = AuthToken.objects.get()
    assert "shown this once" not in seller.get("/vendor-tokens/").content.decode()
    other = User.objects.create(username="colleague")
    VendorMember.objects.create(user=other, vendor=here.vendor)
    ending = f"/vendor-tokens/{token.token_key}/end/"
    assert not AuditEvent.objects.filter(action="token_ended").exists()
    assert client_of(other).post(ending).status_code == 404
    assert client_of(here.administrator).get("/vendor-tokens/").status_code == 403
    assert AuthToken.objects.exists()
    assert seller.post(ending).status_code == 302
    assert not AuthToken.objects.exists()
    assert AuditEvent.objects.get(action="token_ended").actor == "seller"

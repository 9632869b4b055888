"""Amendments, lots, suppliers and drafts, from pages and API; refusals stand at their field."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from contracts.models import Amendment, CallOff, FrameworkAgreement, FrameworkSupplier, Lot
from hub.models import AuditEvent, User
from tests.builders.parties import FirstSite, first_site, member
from vendors.models import Vendor

pytestmark = pytest.mark.django_db


@pytest.fixture
def here() -> FirstSite:
    made = first_site()
    member("second", role="procurement_officer", organisation=made.organisation)
    member("holder", role="procurement_officer", organisation=made.framework.holder)
    Vendor.objects.create(code="other", name="Other AS")
    return made


def as_(username: str) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.get(username=username))
    return client


def send(username: str, where: str, body: Any, *, method: str = "POST") -> Any:
    return as_(username).generic(
        method, where, json.dumps(body), content_type="application/json",
        headers={"If-Match": "*"},
    )  # fmt: skip


AMENDMENT = {"agreed": "2026-05-01", "reason": "add-wss", "value_after": "36000000.00"}


def test_the_holder_notes_amendments_that_follow_each_other(here: FirstSite) -> None:
    where = f"/api/v1/frameworks/{here.framework.pk}/amendments/"
    assert send("officer", where, AMENDMENT).status_code == 403
    told = send("holder", where, AMENDMENT).json()
    assert (told["amendments"][0]["value_before"], told["amendments"][0]["percent"]) == (
        "33000000.00", "9.09",
    )  # fmt: skip
    early = AMENDMENT | {"agreed": "2026-04-30"}
    assert "2026-05-01" in send("holder", where, early).json()["agreed"][0]
    page = f"/frameworks/{here.framework.pk}/"
    form = AMENDMENT | {"value_after": "-1", "description": "More sites"}
    refused = as_("holder").post(f"{page}amendments/", form)
    assert refused.status_code == 400
    assert 'id="amend-value_after_error"' in refused.content.decode()
    assert "More sites" in refused.content.decode()  # nothing that was typed is lost
    form["value_after"] = "40000000.00"
    assert as_("holder").post(f"{page}amendments/", form).status_code == 302
    assert list(Amendment.objects.values_list("number", "value_before")) == [
        (1, Decimal("33000000.00")), (2, Decimal("36000000.00")),
    ]  # fmt: skip
    assert AuditEvent.objects.filter(action="framework_amended").count() == 2
    assert as_("officer").post(f"{page}amendments/", form).status_code == 403


def test_lots_and_suppliers_are_kept_while_something_hangs_on_them(here: FirstSite) -> None:
    page, api = (f"{base}frameworks/{here.framework.pk}/" for base in ("/", "/api/v1/"))
    lot = {"code": "chest", "title": "Chest", "maximum_value": "9000000.00"}
    assert as_("holder").post(f"{page}lots/", lot).status_code == 302
    CallOff.objects.update(lot="chest", committed_value=Decimal(5_000_000))
    low = send("holder", f"{api}lots/", lot | {"maximum_value": "4999999.99"})
    assert "which call-offs have bound" in low.json()["maximum_value"][0]
    assert Lot.objects.get().maximum_value == Decimal(9_000_000)
    refused = as_("holder").post(f"{page}lots/remove/", {"code": "chest"}, follow=True)
    assert "has call-offs" in refused.content.decode()
    other = {"vendor": "other", "lot": "brain"}
    assert "lot" in send("holder", f"{api}suppliers/", other).json()
    assert send("holder", f"{api}suppliers/", other | {"lot": "chest"}).status_code == 201
    assert "Other AS" in as_("officer").get(page).content.decode()
    gone = send("holder", f"{api}suppliers/other/?lot=chest", None, method="DELETE")
    assert (gone.status_code, FrameworkSupplier.objects.count()) == (200, 0)
    assert send("officer", f"{api}lots/chest/", None, method="DELETE").status_code == 403
    CallOff.objects.update(lot="")
    assert send("holder", f"{api}lots/chest/", None, method="DELETE").status_code == 200
    assert Lot.objects.count() == 0


def draft(**fields: str) -> dict[str, str]:
    return {
        "code": "CO-7", "organisation": "vestre-viken", "mode": "direct",
        "valid_from": "2026-03-01", "committed_value": "100000.00",
        "lines-TOTAL_FORMS": "2", "lines-INITIAL_FORMS": "0",
        "lines-0-algorithm": "ich-triage", "lines-0-site": "drammen",
        "lines-0-activated": "2026-03-16", "lines-0-volume_estimate": "8000",
    } | fields  # fmt: skip


def test_a_call_off_is_drafted_on_a_page_and_approved_by_two(here: FirstSite) -> None:
    FrameworkAgreement.objects.update(valid_from="2020-01-01", valid_to="2099-12-31")
    where = f"/frameworks/{here.framework.pk}/call-offs/new/"
    shown = as_("officer").get(where).content.decode()
    assert "Drammen sykehus" in shown
    assert "Nordbyhagen" not in shown
    for change, told in (
        ({"code": "CO-0001"}, "is there already"),
        ({"mode": "mini_competition"}, "there is one supplier alone"),
        ({"lines-0-activated": ""}, "This field is required"),
        ({"lines-0-algorithm": "", "lines-0-site": "", "lines-0-activated": "",
          "lines-0-volume_estimate": ""}, "Expected at least one line"),
        ({"organisation": "ahus"}, "Select a valid choice"),
    ):  # fmt: skip
        refused = as_("officer").post(where, draft(**change))
        assert (refused.status_code, told in refused.content.decode()) == (400, True), told
    assert CallOff.objects.count() == 1
    made = as_("officer").post(where, draft(), follow=True)
    assert "two people approve it" in made.content.decode()
    row = CallOff.objects.get(code="CO-7")
    assert (row.state, row.lines.get().volume_estimate) == ("draft", 8000)
    for who in ("officer", "second"):
        as_(who).post(f"/call-offs/{row.pk}/approve/")
    for state in ("ordered", "active", "closed"):
        as_("officer").post(f"/call-offs/{row.pk}/move/", {"state": state})
        row.refresh_from_db()
        assert row.state == state


def test_nobody_else_drafts_or_changes(here: FirstSite) -> None:
    stranger = member("stranger", role="procurement_officer", organisation=here.other_organisation)
    where = f"/frameworks/{here.framework.pk}/"
    for path in ("call-offs/new/", "amendments/", "lots/", "suppliers/"):
        assert as_(stranger.username).post(where + path, draft()).status_code == 404
        assert as_("admin").post(where + path, draft()).status_code == 403
    assert (CallOff.objects.count(), Amendment.objects.count(), Lot.objects.count()) == (1, 0, 0)

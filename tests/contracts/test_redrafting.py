"""A draft of a call-off is changed until it is approved; approvals of what it said are void."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from contracts import call_offs, drafting, seen
from contracts.models import Authority, CallOff, CallOffApproval, FrameworkAgreement
from hub.models import AuditEvent, Site, User
from tests.builders.parties import FirstSite, draft_under, first_site, member

pytestmark = pytest.mark.django_db


@pytest.fixture
def here() -> FirstSite:
    """Both trusts under one agreement, with two officers here, one there, and one of the holder."""
    made = first_site()
    Authority.objects.create(
        framework=made.framework, organisation=made.other_organisation, role="contracting_authority"
    )
    FrameworkAgreement.objects.update(valid_from="2020-01-01", valid_to="2099-12-31")
    Site.objects.create(code="kongsberg", name="Kongsberg", organisation=made.organisation)
    member("second", role="procurement_officer", organisation=made.organisation)
    member("theirs", role="procurement_officer", organisation=made.other_organisation)
    member("holder", role="procurement_officer", organisation=made.framework.holder)
    return made


@pytest.fixture
def draft(here: FirstSite) -> CallOff:
    return draft_under(here.framework, organisation=here.organisation, site=here.site)


def as_(username: str) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.get(username=username))
    return client


def put(username: str, row: CallOff, body: Any) -> Any:
    """Of the draft as it is now; how it is held against what was seen: test_two_at_one_draft."""
    return as_(username).put(
        f"/api/v1/call-offs/{row.pk}/", json.dumps(body), content_type="application/json",
        headers={"if-match": f'"{seen.revision(CallOff.objects.get(pk=row.pk))}"'},
    )


LINE = {"algorithm": "ich-triage", "site": "drammen", "activated": "2026-03-16"}


def said(row: CallOff, **fields: Any) -> dict[str, Any]:
    """What the draft says, as the API takes it."""
    return {
        "mode": row.mode, "valid_from": str(row.valid_from), "valid_to": None,
        "committed_value": "1000000.00", "lines": [LINE],
    } | fields  # fmt: skip


def form(row: CallOff, **fields: str) -> dict[str, str]:
    """What the draft says, as its page sends it."""
    return {
        "mode": row.mode, "valid_from": str(row.valid_from), "committed_value": "1000000.00",
        "revision": seen.revision(CallOff.objects.get(pk=row.pk)),
        "lines-TOTAL_FORMS": "4", "lines-INITIAL_FORMS": "1",
        **{f"lines-0-{name}": value for name, value in LINE.items()},
    } | fields  # fmt: skip


def on_record() -> list[dict[str, Any]]:
    events = AuditEvent.objects.filter(action="call_off_redrafted").order_by("pk")
    return [event.details for event in events]


def current(row: CallOff) -> list[tuple[str, bool]]:
    told = as_("officer").get(f"/api/v1/call-offs/{row.pk}/").json()["approvals"]
    return [(one["user"], one["is_current"]) for one in told]


# -- the verb --------------------------------------------------------------------------------------
def test_the_record_tells_what_changed_and_whose_approval_is_void(
    here: FirstSite, draft: CallOff
) -> None:
    call_offs.approve(draft, by=here.officer)
    more = {"algorithm": here.algorithm, "site": Site.objects.get(code="kongsberg"),
            "activated": date(2026, 9, 1), "volume_estimate": 500}  # fmt: skip
    line = draft.lines.get()
    kept = {"algorithm": here.algorithm, "site": here.site, "activated": line.activated}
    done = drafting.redraft(
        draft, by=here.officer, committed_value=Decimal("2000000.00"),
        lines=[kept | {"volume_estimate": 0}, more],
    )  # fmt: skip
    assert (done.changed, done.voided) == (("committed_value", "lines"), ("officer",))
    changes = on_record()[0]["changes"]
    assert changes["committed_value"] == {"was": "1000000.00", "is": "2000000.00"}
    assert changes["lines"]["is"] == [
        "ich-triage drammen 2026-03-16 0", "ich-triage kongsberg 2026-09-01 500",
    ]  # fmt: skip
    assert draft.lines.filter(pk=line.pk).exists()


def test_what_changes_nothing_leaves_no_record(here: FirstSite, draft: CallOff) -> None:
    line = draft.lines.get()
    same = said(draft, lines=[LINE | {"volume_estimate": line.volume_estimate}])
    assert put("officer", draft, same).status_code == 200
    where = f"/call-offs/{draft.pk}/change/"
    sent = form(draft) | {"lines-0-volume_estimate": str(line.volume_estimate)}
    assert "Nothing was changed." in as_("officer").post(where, sent, follow=True).content.decode()
    assert (on_record(), draft.lines.get()) == ([], line)


def test_day_of_activation_and_estimate_leave_approvals_as_they_are(draft: CallOff) -> None:
    as_("officer").post(f"/call-offs/{draft.pk}/approve/")
    line = LINE | {"activated": "2026-05-01", "volume_estimate": 9}
    assert put("second", draft, said(draft, lines=[line], cost_centre="77")).status_code == 200
    assert current(draft) == [("officer", True)]
    assert on_record()[0]["voided"] == []
    assert set(on_record()[0]["changes"]) == {"cost_centre", "lines"}


def test_a_void_approval_stays_void_and_counts_for_nothing(draft: CallOff) -> None:
    as_("officer").post(f"/call-offs/{draft.pk}/approve/")
    assert put("second", draft, said(draft, committed_value="5.00")).status_code == 200
    assert current(draft) == [("officer", False)]
    back = put("second", draft, said(draft))
    assert (back.status_code, list(back.json())) == (400, ["non_field_errors"])
    assert "what officer approved before" in back.json()["non_field_errors"][0]
    page = as_("second").post(f"/call-offs/{draft.pk}/change/", form(draft))
    assert (page.status_code, "what officer approved" in page.content.decode()) == (400, True)
    draft.refresh_from_db()
    assert draft.committed_value == Decimal("5.00")
    for who, state in (("second", "draft"), ("officer", "approved")):
        as_(who).post(f"/call-offs/{draft.pk}/approve/")
        draft.refresh_from_db()
        assert draft.state == state


def test_what_is_approved_or_cancelled_stands(here: FirstSite, draft: CallOff) -> None:
    CallOff.objects.filter(pk=draft.pk).update(state=CallOff.State.CANCELLED)
    for row in (draft, here.call_off):
        refused = put("officer", row, said(row, committed_value="5.00"))
        assert refused.status_code == 409
        assert "is not a draft any more" in refused.json()["detail"]
        page = as_("officer").post(f"/call-offs/{row.pk}/change/", form(row), follow=True)
        assert "Only a draft can be changed." in page.content.decode()
        assert f"/call-offs/{row.pk}/change/" not in page.content.decode()
        row.refresh_from_db()
        assert row.committed_value != Decimal("5.00")
    with pytest.raises(drafting.NoDraftAnyMore):  # moved between the look at it and the verb
        drafting.redraft(draft, by=here.officer, lines=[], mode="direct")
    assert on_record() == []


def test_who_opened_the_page_before_the_change_does_not_approve_what_it_says_now(
    here: FirstSite, draft: CallOff
) -> None:
    page = as_("second").get(f"/call-offs/{draft.pk}/").content.decode()
    shown = page.split('name="seen" value="')[1][:64]
    put("officer", draft, said(draft, committed_value="9000000.00"))
    where = f"/call-offs/{draft.pk}/approve/"
    told = as_("second").post(where, {"seen": shown}, follow=True).content.decode()
    assert "is not what you have seen any more (officer changed: Committed value" in told
    assert CallOffApproval.objects.count() == 0
    with pytest.raises(seen.ChangedMeanwhile):
        call_offs.approve(draft, by=here.officer, of=shown)


# -- API and page ----------------------------------------------------------------------------------
def test_a_change_that_cannot_be_is_refused_with_its_field(draft: CallOff) -> None:
    for fields, field in (
        ({"code": "CO-2"}, "code"),
        ({"organisation": "ahus"}, "organisation"),
        ({"framework": "F-9"}, "framework"),
        ({"lines": []}, "lines"),
        ({"lines": [LINE | {"site": "nordbyhagen"}]}, "lines"),
        ({"lines": [LINE, LINE]}, "lines"),
        ({"mode": "mini_competition"}, "mode"),
        ({"valid_to": "2019-01-01"}, "valid_to"),
        ({"committed_value": "-1"}, "committed_value"),
    ):
        answer = put("officer", draft, said(draft, **fields))
        assert (answer.status_code, list(answer.json())) == (400, [field])
    assert on_record() == []


def test_a_draft_is_changed_on_its_page(draft: CallOff) -> None:
    as_("second").post(f"/call-offs/{draft.pk}/approve/")
    where = f"/call-offs/{draft.pk}/change/"
    assert where in as_("officer").get(f"/call-offs/{draft.pk}/").content.decode()
    shown = as_("officer").get(where).content.decode()
    assert 'value="2026-03-16"' in shown
    assert "Nordbyhagen" not in shown
    emptied = {f"lines-0-{name}": "" for name in LINE}
    refused = as_("officer").post(where, form(draft, **emptied))
    assert (refused.status_code, on_record()) == (400, [])
    assert "Expected at least one line" in refused.content.decode()
    moved = emptied | {f"lines-1-{name}": value for name, value in LINE.items()}
    moved |= {"lines-1-site": "kongsberg", "code": "CO-666", "organisation": "ahus"}
    done = as_("officer").post(where, form(draft, **moved), follow=True).content.decode()
    assert "what second approved is void" in done
    assert "those approvals are void" in done
    draft.refresh_from_db()
    assert (draft.code, draft.organisation.code) == ("CO-0100", "vestre-viken")
    assert draft.lines.get().site.code == "kongsberg"


def test_nobody_changes_the_draft_of_another_trust(here: FirstSite, draft: CallOff) -> None:
    other = draft_under(
        here.framework, organisation=here.other_organisation, site=here.other_site, code="CO-0200"
    )
    line = LINE | {"site": here.other_site.code}
    changed = {"committed_value": "5.00"}
    for row, who, status in (
        (other, "officer", 404), (draft, "theirs", 404), (draft, "holder", 403),
        (draft, "admin", 403), (draft, here.radiologist.username, 404),
    ):  # fmt: skip
        asked = said(row, lines=[line if row == other else LINE], **changed)
        assert put(who, row, asked).status_code == status, who
        where = f"/call-offs/{row.pk}/change/"
        assert as_(who).get(where).status_code == status, who
        assert as_(who).post(where, form(row, **changed)).status_code == status, who
    assert on_record() == []
    assert set(CallOff.objects.filter(state="draft").values_list("committed_value", flat=True)) == {
        Decimal("1000000.00")
    }
    assert put("theirs", other, said(other, lines=[line], **changed)).status_code == 200

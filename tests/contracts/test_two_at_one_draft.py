"""Two people at one draft: the second is told what the first did, and overwrites nothing unseen."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from contracts import call_offs, seen
from contracts.models import CallOff, CallOffApproval, FrameworkAgreement
from hub.models import AuditEvent, User
from tests.builders.parties import FirstSite, draft_under, first_site, member

pytestmark = pytest.mark.django_db
LINE = {"algorithm": "ich-triage", "site": "drammen", "activated": "2026-03-16"}


@pytest.fixture
def draft() -> CallOff:
    here: FirstSite = first_site()
    FrameworkAgreement.objects.update(valid_from="2020-01-01", valid_to="2099-12-31")
    member("second", role="procurement_officer", organisation=here.organisation)
    row = draft_under(here.framework, organisation=here.organisation, site=here.site)
    row.lines.update(volume_estimate=0)
    return row


def as_(username: str) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.get(username=username))
    return client


def where(row: CallOff) -> str:
    return f"/api/v1/call-offs/{row.pk}/"


def etag(row: CallOff) -> str:
    return str(as_("officer").get(where(row))["ETag"])


def put(who: str, row: CallOff, *, match: str | None, **fields: Any) -> Any:
    said = {
        "mode": "direct", "valid_from": "2026-03-01", "committed_value": "1000000.00",
        "lines": [LINE],
    } | fields  # fmt: skip
    headers = {} if match is None else {"if-match": match}
    return as_(who).put(where(row), json.dumps(said), content_type="application/json",
                        headers=headers)  # fmt: skip


def sent(page: str, **fields: str) -> dict[str, str]:
    """What the form on the page sends, with what somebody typed."""
    return {
        "mode": "direct", "valid_from": "2026-03-01", "committed_value": "1000000.00",
        "revision": page.split('name="revision" value="')[1].partition('"')[0],
        "lines-TOTAL_FORMS": "1", "lines-INITIAL_FORMS": "1",
        **{f"lines-0-{name}": value for name, value in LINE.items()},
    } | fields  # fmt: skip


def test_the_second_of_two_is_told_who_changed_what_and_changes_nothing(draft: CallOff) -> None:
    read = etag(draft)
    first = put("officer", draft, match=read, committed_value="5.00", cost_centre="77")
    assert (first.status_code, first["ETag"]) == (200, etag(draft))
    second = put("second", draft, match=read, buyer_reference="mine")
    assert second.status_code == 412
    assert second.json()["detail"] == (
        "CO-0100 is not what you have seen any more (officer changed: Committed value, Cost "
        "centre): look at it as it is now."
    )
    draft.refresh_from_db()
    assert (draft.cost_centre, draft.buyer_reference) == ("77", "")
    assert AuditEvent.objects.filter(action="call_off_redrafted").count() == 1
    assert put("second", draft, match=etag(draft), buyer_reference="mine").status_code == 200


def test_a_change_says_what_it_is_of(draft: CallOff) -> None:
    for match, status in (
        (None, 428), ("", 412), ('W/"' + etag(draft)[1:], 412), ('"other"', 412), ("nonsense", 412),
        (etag(draft).strip('"'), 412),
    ):  # fmt: skip
        answer = put("officer", draft, match=match, cost_centre="1")
        assert answer.status_code == status, match
        assert answer.json()["detail"]
    draft.refresh_from_db()
    assert draft.cost_centre == ""
    assert put("officer", draft, match=f'"x", {etag(draft)}', cost_centre="2").status_code == 200
    assert put("officer", draft, match="*", cost_centre="3").status_code == 200


def test_an_approval_and_a_move_make_another_revision(draft: CallOff) -> None:
    tags = [etag(draft)]
    as_("second").post(f"{where(draft)}approve/")
    tags.append(etag(draft))
    late = put("officer", draft, match=tags[0], cost_centre="1")
    assert (late.status_code, "(second approved it)" in late.json()["detail"]) == (412, True)
    as_("officer").post(f"{where(draft)}approve/")
    tags.append(etag(draft))
    assert len(set(tags)) == 3
    moved = as_("officer").post(
        f"{where(draft)}move/", {"state": "ordered"}, content_type="application/json",
        headers={"if-match": tags[1]},
    )  # fmt: skip
    assert (moved.status_code, "(officer approved it" in moved.json()["detail"]) == (412, True)
    draft.refresh_from_db()
    assert draft.state == "approved"


def test_over_the_api_too_nobody_approves_what_they_did_not_see(draft: CallOff) -> None:
    told = as_("second").get(where(draft)).json()["fingerprint"]
    read = etag(draft)
    put("officer", draft, match=read, committed_value="9.00")
    body = {"content_type": "application/json"}
    late = as_("second").post(f"{where(draft)}approve/", {"seen": told}, **body)
    assert (late.status_code, "officer changed: Committed value" in late.json()["detail"]) == (
        409, True,
    )  # fmt: skip
    late = as_("second").post(f"{where(draft)}approve/", headers={"if-match": read}, **body)
    assert late.status_code == 412
    unfit = as_("second").post(f"{where(draft)}approve/", {"seen": "mine"}, **body)
    assert (unfit.status_code, list(unfit.json())) == (400, ["seen"])
    assert not CallOffApproval.objects.exists()
    now = as_("second").get(where(draft)).json()["fingerprint"]
    # no approval is about the cost centre
    put("officer", draft, match="*", committed_value="9.00", cost_centre="7")
    done = as_("second").post(f"{where(draft)}approve/", {"seen": now}, **body)
    assert (done.status_code, CallOffApproval.objects.get().user.username) == (200, "second")


def test_on_the_page_what_another_changed_stands_at_its_field(draft: CallOff) -> None:
    address = f"/call-offs/{draft.pk}/change/"
    shown = as_("second").get(address).content.decode()
    put("officer", draft, match="*", committed_value="5.00")
    answer = as_("second").post(address, sent(shown, cost_centre="mine"))
    page = answer.content.decode()
    assert answer.status_code == 400
    assert "(officer changed: Committed value)" in page
    field = page.split('id="draft-committed_value_error"')[1].partition("</p>")[0]
    assert "it was 1000000.00 and is 5.00" in field
    assert 'value="mine"' in page
    draft.refresh_from_db()
    assert draft.cost_centre == ""
    # who was shown it and saves again means it
    done = as_("second").post(address, sent(page, cost_centre="mine", committed_value="7.00"))
    assert done.status_code == 302
    draft.refresh_from_db()
    assert (draft.cost_centre, str(draft.committed_value)) == ("mine", "7.00")
    without = sent(page) | {"revision": "", "cost_centre": "other"}
    assert as_("second").post(address, without).status_code == 400


def test_where_no_record_tells_what_happened_it_is_refused_all_the_same(draft: CallOff) -> None:
    read = seen.revision(draft)
    CallOff.objects.filter(pk=draft.pk).update(cost_centre="by file")
    row = CallOff.objects.get(pk=draft.pk)
    with pytest.raises(seen.ChangedMeanwhile, match="it was changed, or"):
        seen.demand(row, [read])
    with pytest.raises(seen.ChangedMeanwhile):
        call_offs.approve(row, by=User.objects.get(username="officer"), of=f"{read} x")
    seen.demand(row, [seen.revision(row)])

"""Two people at one agreement, list or company over the API: nobody's change is lost unseen."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.utils import translation
from django.utils.translation import gettext

from contracts.models import (
    Amendment,
    Authority,
    AuthorityOption,
    FrameworkSupplier,
    Lot,
    NeedList,
    TermOption,
)
from hub import conditional
from hub.models import AuditEvent
from marketplace.models import Clearance
from tests.builders import parties
from tests.builders.parties import FirstSite, first_site, member
from tests.contracts.test_choosing_api import NEEDS
from vendors.models import SubProcessor, Vendor

pytestmark = pytest.mark.django_db
LOT = {"code": "chest", "title": "Chest"}
AMENDMENT = {"agreed": "2026-05-01", "reason": "add-wss", "value_after": "36000000.00"}
CLEARED = {"regime": "MDR", "risk_class": "IIb", "udi_di": "09506000134352"}


@pytest.fixture
def here() -> FirstSite:
    made = first_site()
    Vendor.objects.create(code="other", name="Other AS")
    TermOption.objects.create(framework=made.framework, code="+1", months=12)
    named = Authority.objects.create(
        framework=made.framework, organisation=made.other_organisation, role="option_authority"
    )
    AuthorityOption.objects.create(authority=named)
    return made


@pytest.fixture
def both(here: FirstSite) -> Client:
    """Who buys for all: what two people do, one does with two sights of it."""
    return parties.client_of(member("both", role="procurement_officer"))


def sent(who: Client, method: str, where: str, body: Any, *, seen: str | None) -> Any:
    headers = {} if seen is None else {"If-Match": seen}
    return who.generic(
        method, f"/api/v1/{where}", json.dumps(body), "application/json", headers=headers
    )


def etag(who: Client, where: str) -> str:
    return str(who.get(f"/api/v1/{where}")["ETag"])


CHANGES: list[tuple[str, str, Any, int]] = [
    ("POST", "amendments/", AMENDMENT, 201),
    ("POST", "lots/", LOT | {"title": "Thorax"}, 201),
    ("DELETE", "lots/chest/", None, 200),
    ("POST", "suppliers/", {"vendor": "other"}, 201),
    ("DELETE", "suppliers/other/", None, 200),
    ("POST", "term-options/+1/", {"state": "exercised"}, 200),
    ("POST", "options/ahus/", {"state": "declined"}, 200),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), CHANGES)
def test_a_change_of_an_agreement_is_of_what_was_seen(
    here: FirstSite, both: Client, method: str, path: str, body: Any, status: int
) -> None:
    whole = f"frameworks/{here.framework.pk}/"
    Lot.objects.create(framework=here.framework, **LOT)
    if method == "DELETE" and "suppliers" in path:
        other = Vendor.objects.get(code="other")
        FrameworkSupplier.objects.create(framework=here.framework, vendor=other)
    read = etag(both, whole)
    meanwhile = LOT | {"title": "Meanwhile"}
    assert sent(both, "POST", f"{whole}lots/", meanwhile, seen=read).status_code == 201
    kept = state_of(here)
    for seen, refused in ((None, 428), (read, 412), ("nonsense", 412)):
        answer = sent(both, method, whole + path, body, seen=seen)
        assert answer.status_code == refused, answer.content
        assert ("both changed 2020-1968" in answer.json()["detail"]) == (refused == 412)
    assert state_of(here) == kept
    done = sent(both, method, whole + path, body, seen=etag(both, whole))
    assert (done.status_code, done["ETag"]) == (status, etag(both, whole))
    assert state_of(here) != kept


def state_of(here: FirstSite) -> list[Any]:
    """All that the changes would change, and what the audit trail has of them."""
    tables = (Amendment, Lot, FrameworkSupplier, TermOption, AuthorityOption)
    return [list(table.objects.order_by("pk").values()) for table in tables]


def test_the_entry_and_the_agreement_have_the_same_revision(here: FirstSite, both: Client) -> None:
    whole = f"frameworks/{here.framework.pk}/"
    assert etag(both, whole) == etag(both, f"{whole}entry/")


def test_a_page_tells_the_second_of_two_and_keeps_what_was_typed(
    here: FirstSite, both: Client
) -> None:
    page = f"/frameworks/{here.framework.pk}/"
    seen = both.get(page).context["revision"]
    assert both.post(f"{page}lots/", LOT | {"revision": seen}).status_code == 302
    late = both.post(f"{page}lots/", LOT | {"title": "Mine", "revision": seen})
    assert (late.status_code, Lot.objects.get().title) == (400, "Chest")
    assert "both changed 2020-1968 meanwhile" in late.content.decode()
    assert 'value="Mine"' in late.content.decode()
    gone = both.post(f"{page}lots/remove/", {"code": "chest", "revision": seen}, follow=True)
    assert "changed 2020-1968 meanwhile" in gone.content.decode()
    moved = both.post(f"{page}options/ahus/", {"state": "exercised", "revision": seen}, follow=True)
    assert "changed 2020-1968 meanwhile" in moved.content.decode()
    assert (Lot.objects.count(), AuthorityOption.objects.get().state) == (1, "declared")


def test_a_list_of_needs_is_written_over_as_it_was_seen(here: FirstSite, both: Client) -> None:
    assert sent(both, "POST", "need-lists/", NEEDS, seen=None).status_code == 201
    where = "need-lists/needs/"
    read = etag(both, where)
    first = sent(both, "PUT", where, NEEDS | {"title": "First"}, seen=read)
    assert (first.status_code, first["ETag"]) == (200, etag(both, where))
    for seen, status in ((read, 412), (None, 428)):
        late = sent(both, "PUT", where, NEEDS | {"title": "Late"}, seen=seen)
        assert late.status_code == status
    assert NeedList.objects.get().title == "First"
    assert AuditEvent.objects.filter(action="need_list_written").count() == 2


def test_sub_processors_are_written_over_as_they_were_seen(here: FirstSite, both: Client) -> None:
    where = f"vendors/{here.vendor.code}/sub-processors/"
    said = [{"name": "Cloud", "country": "NO", "purpose": "Hosting"}]
    read = etag(both, where)
    assert sent(both, "PUT", where, said, seen=read).status_code == 200
    assert sent(both, "PUT", where, [], seen=read).status_code == 412
    assert [one.name for one in SubProcessor.objects.all()] == ["Cloud"]
    assert sent(both, "PUT", where, [], seen=etag(both, where)).status_code == 200


def test_a_ce_mark_is_written_over_as_it_was_seen(here: FirstSite, both: Client) -> None:
    version = here.clearance.version
    where = f"algorithms/{version.algorithm.code}/versions/{version.version}/clearance/"
    read = etag(both, where)
    assert sent(both, "PUT", where, CLEARED, seen=read).status_code == 200
    assert sent(both, "PUT", where, CLEARED | {"risk_class": "III"}, seen=read).status_code == 412
    assert Clearance.objects.get(version=version).risk_class == "IIb"
    Clearance.objects.all().delete()
    assert both.get(f"/api/v1/{where}").status_code == 404
    assert sent(both, "PUT", where, CLEARED, seen=None).status_code == 200
    wrong = CLEARED | {"basic_udi_di": "1987654Ad4X4bL5ttr2310c2L"}
    refused = sent(both, "PUT", where, wrong, seen="*")
    assert "(GS1, mod 1021)" in refused.json()["basic_udi_di"][0]


def test_a_revision_is_the_same_in_every_language() -> None:
    said = []
    for language in ("en", "nb"):
        with translation.override(language):
            said.append(conditional.revision(lambda: {"problem": gettext("a list")}))
            assert gettext("a list") == ("en liste" if language == "nb" else "a list")
    assert said[0] == said[1]

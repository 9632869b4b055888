"""Every address x every method x everybody who has no business there: nobody gets anything.

The table of addresses is walked. An address that is new has no case here, and fails the first test.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from contracts.models import AuthorityOption, Invoice, TermOption, VendorInvoice
from hub.models import AuditEvent, Organisation
from hub.phrases import phrase
from routing.models import Delivery, SetAside, Study, Workitem
from tests.builders import choosing_doors, invoices, parties, worklists
from tests.builders.parties import FirstSite
from tests.builders.tenders import Dialogue
from tests.hub.doors import (
    ADMINISTERED,
    AGREED,
    AT_A_SITE,
    CONTRACTS,
    DOORS,
    FILES,
    OFFICER,
    ON_OFFER,
    PROCUREMENT,
    PUBLIC,
    STREAMS,
)
from tests.hub.strangers import OWN_TOKEN, STRANGERS, with_session

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_rate")]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
OF_NO_DOOR = ("TRACE", "CONNECT", "LOCK")
PATIENT, NUMBER, LOG = "HEMMELIG^NAVN", "13097248022", "what the algorithm wrote"
AGREEMENT = "2020-1968"


@dataclass(frozen=True, slots=True)
class Scene:
    """Drammen with one of everything, and the people of both trusts."""

    places: FirstSite
    study: Study
    workitem: Workitem
    delivery: Delivery
    invoice: Invoice
    claim: VendorInvoice
    tender: Dialogue

    def secrets(self) -> list[str]:
        """What stands in answers to those who may, and in no other."""
        return [
            PATIENT, "HEMMELIG", NUMBER, LOG, self.study.study_instance_uid,
            self.study.accession_number, str(self.study.uid), str(self.workitem.uid), "ICH Triage",
            AGREEMENT, "CO-0001", "HEMMELIG-3000000", self.claim.number,
            choosing_doors.HIDDEN,
        ]  # fmt: skip


@pytest.fixture
def no_rate(settings: Any) -> None:
    """All doors by all methods are more requests than one caller has in a minute."""
    settings.HUB_API_RATE_PER_MINUTE = 100_000


@pytest.fixture
def scene() -> Scene:
    places = parties.first_site()
    study = worklists.study_at(
        places.site, patient=PATIENT, patient_id=NUMBER, accession_number="HEMMELIG-1"
    )
    item = worklists.workitem_on(
        study, places.version, state="held", write_back_mode="after_acceptance", log_tail=LOG
    )
    worklists.finding_of(item, probability=0.9)
    letter = worklists.dead_letter(item, node=places.ris)
    named = places.framework.authorities.get()
    AuthorityOption.objects.create(authority=named, state="exercised")
    TermOption.objects.create(framework=places.framework, code="more")
    Organisation.objects.filter(pk=places.organisation.pk).update(vat_number="HEMMELIG-3000000")
    SetAside.objects.create(
        site=places.site, at=timezone.now(), protocol="dicom", key="a", field="pixel_data",
        reason=phrase("cut off").stored(),
    )  # fmt: skip
    tender = choosing_doors.made(places.organisation)
    claim = invoices.claim_of(places, number="HEMMELIG-4000")
    return Scene(places, study, item, letter, invoices.invoice_of(places), claim, tender)


def walked(patterns: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """Name and form of every address there is, wherever it is included."""
    for one in patterns:
        if isinstance(one, URLResolver):
            yield from walked(one.url_patterns, before + str(one.pattern))
        else:
            assert isinstance(one, URLPattern)
            yield one.name or str(one.pattern), f"/{before}{one.pattern}"


ADDRESSES = dict(walked(get_resolver().url_patterns))


def address(name: str, scene: Scene) -> str:
    given = DOORS[name](scene)
    return re.sub(r"<\w+:(\w+)>", lambda part: str(given[part[1]]), ADDRESSES[name])


def test_every_address_there_is_has_its_case_here() -> None:
    assert set(ADDRESSES) == set(DOORS)
    assert len(list(walked(get_resolver().url_patterns))) == len(ADDRESSES) >= 26


# -- those who have no business there ----------------------------------------------------------
# no pages, and not under /api/
OF_TOKENS = {"metrics", "run-input", "run-output", "server-door"}


def state_of_the_hub() -> dict[str, list[Any]]:
    """Every row of every table, but what seeing, refusing and signing out leave by themselves."""
    spared = {"AuditEvent", "Session", "AuthToken"}
    return {
        model._meta.label: sorted(map(repr, model._base_manager.values_list()))
        for model in apps.get_models()
        if model.__name__ not in spared and model._meta.managed
    }


def text_of(answer: Any) -> str:
    told = " ".join(f"{name}: {value}" for name, value in answer.headers.items())
    return told if answer.streaming else told + answer.content.decode()


def is_their_business(who: str, name: str) -> bool:
    """A stranger to patients may still have to do with contracts, or with its own company."""
    if who == "a person of the vendor itself" and name.startswith("api-vendor-token"):
        return True
    brings = {"submit-item", "api-onboarding-item", "api-sub-processors", "api-evidence",
              "api-reference", "api-sbom", "api-model-card", "api-manifest-draft",
              "sub-processors", "version-sbom", "version-card", "evidence-new", "paper-new",
              "api-papers", "onboarding-file", "api-onboarding-file",
              "api-onboarding-files"}  # fmt: skip
    if who == "a person of the vendor itself" and name in brings:
        return True
    if " vendor" in who and who != "a vendor's account" and name.endswith("vendor-tokens"):
        return True
    if name == "api-manifest-draft" or name == "api-deployments":
        return who not in ("nobody", "a vendor's account")  # nothing of anybody is in them
    return who == OFFICER and name in AT_A_SITE


def is_known_to(who: str, name: str, secret: str) -> bool:
    """What is on offer is known to who holds a role, and its own to the vendor."""
    holds_role = "trust" in who or "administrator" in who or who.endswith("vendor itself")
    if who == OFFICER and name in AGREED and secret == AGREEMENT:
        return True
    return secret in ("ICH Triage", choosing_doors.HIDDEN) and name in ON_OFFER and holds_role


# that nobody gets past a door is a matter of the code, whatever the database
ON_BOTH = (OFFICER,)
EVERYBODY = [
    pytest.param(who, id=who, marks=() if who in ON_BOTH else pytest.mark.once) for who in STRANGERS
]


def knock(client: Client, method: str, where: str) -> Any:
    """Ask at a door with what any form has; one that knows no such field is asked with less.

    The API says that of a body before it looks for a row, whoever asks.
    """
    for said in ("reason=mine&next=//evil.example.org/", "reason=mine", ""):
        answer = client.generic(method, where, data=said,
                                content_type="application/x-www-form-urlencoded")  # fmt: skip
        if answer.status_code != 400 or "unknown field" not in text_of(answer):
            break
    return answer


def in_order(names: Iterable[str]) -> list[str]:
    """Streams at the end: they ask the database by another connection, which knows no session."""
    return sorted(names, key=lambda one: (one in STREAMS, one))


def doors_for(who: str) -> set[str]:
    """All; but no page looks at a token, which is shown by one that opens all that a token can.

    A vendor's is tried everywhere all the same.
    """
    pages = {
        name for name in DOORS
        if not ADDRESSES[name].startswith("/api/") and name not in STREAMS | OF_TOKENS
    }  # fmt: skip
    if who == OWN_TOKEN:
        return pages
    is_tried_everywhere = "token" not in who or "vendor" in who
    return set(DOORS) if is_tried_everywhere else set(DOORS) - pages


@pytest.mark.parametrize("who", EVERYBODY)
def test_who_has_no_business_there_gets_nothing_and_changes_nothing(scene: Scene, who: str) -> None:
    client = STRANGERS[who](scene.places)
    before = state_of_the_hub()
    # an officer of the own trust has business at the doors of contracts and of choosing
    theirs = {*CONTRACTS, *PROCUREMENT, *choosing_doors.NAMES} if who == OFFICER else set()
    for name in in_order(doors_for(who) - theirs):
        where = address(name, scene)
        for method in METHODS:
            if (name == "logout" and method == "POST") or is_their_business(who, name):
                continue
            answer = knock(client, method, where)
            told = text_of(answer).replace(where, "")
            assert answer.status_code < 500, (name, method)
            secrets = [one for one in scene.secrets() if not is_known_to(who, name, one)]
            assert [one for one in secrets if one in told] == [], (name, method)
            assert "evil.example.org" not in answer.headers.get("Location", ""), (name, method)
            if name not in PUBLIC | STREAMS and method in UNSAFE:
                unfit = (400, 415) if name in {*PROCUREMENT, *ADMINISTERED} else ()
                assert answer.status_code in (*refused_with(name, who), *unfit), (name, method)
    assert state_of_the_hub() == before


@pytest.mark.once
@pytest.mark.parametrize("who", ["nobody", "a token of nobody", "a token that has expired"])
def test_who_is_nobody_is_told_so_at_every_door_that_is_not_public(scene: Scene, who: str) -> None:
    client = STRANGERS[who](scene.places)
    for name in set(DOORS) - PUBLIC:
        answer = client.get(address(name, scene))
        if ADDRESSES[name].startswith("/api/") or name in ("metrics", "live-worklist"):
            assert answer.status_code in (401, 405), name
        else:
            assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/login/"), name


def refused_with(name: str, who: str) -> tuple[int, ...]:
    """Who buys for the other trust may make something of its own there, and says it wrongly."""
    may_make = "administrator" in who and name in choosing_doors.COLLECTIONS
    may_make |= "trust" in who and name == "deployment-new"
    return (302, 400, 401, 403, 404, 405) if may_make else (302, 401, 403, 404, 405)


# nothing lies there in this scene: the tests of the doors themselves look at them
ROWLESS = {
    "api-person", "api-invitation", "api-vendor-token", "api-reference", "api-lift",
    "invitation-withdraw", "person-dismiss", "vendor-token-end", "evidence-withdraw", "notice",
    "notice-lift", "gate-file", "api-gate-file", "onboarding-file", "api-onboarding-file", "paper",
    "api-paper", "index-series-edit", "api-index-series-one", "vat-rate-edit", "api-vat-rate",
}  # fmt: skip
SHOWN = {"worklist", "study", "operations", "api-worklist", "api-study", "api-dead-letters"} | {
    "frameworks", "framework", "call-off", "api-organisations", "api-frameworks", "api-framework",
    "api-call-offs", "api-call-off",
}  # fmt: skip


def test_those_who_may_do_get_it_at_the_same_addresses(scene: Scene) -> None:
    """Without this the walk above could look at doors that are nowhere."""
    people = scene.places
    parties.member("admin", role="radiologist", site=people.site)
    client = with_session(people.administrator)
    doors = set(DOORS) - choosing_doors.NAMES  # those: tests/contracts/test_choosing_doors.py
    for name in sorted(doors, key=lambda one: one not in SHOWN):
        where, is_shown = address(name, scene), name in SHOWN
        answer = client.get(where) if is_shown else client.post(where, {"reason": "an artefact"})
        assert answer.status_code != 404 or name in ROWLESS, name
        if is_shown:
            assert [one for one in scene.secrets() if one in answer.content.decode()], name
        if name == "logout":
            client.force_login(people.administrator)


def test_a_method_that_no_door_has_gets_nothing_whoever_asks(scene: Scene) -> None:
    """So that those who have less to do here need not ask by these as well."""
    parties.member("admin", role="radiologist", site=scene.places.site)
    client = with_session(scene.places.administrator)
    before = state_of_the_hub()
    for name, method in itertools.product(in_order(DOORS), OF_NO_DOOR):
        answer = client.generic(method, address(name, scene))
        asks_first = name in STREAMS | {"login", "run-input", "run-output", "server-door"}
        refused = (302, 401, 403, 404, 405) if asks_first else (404, 405)
        assert answer.status_code in refused, (name, method)
    assert state_of_the_hub() == before


# -- forms of other sites ----------------------------------------------------------------------
@pytest.mark.once
def test_no_form_of_another_site_changes_anything_for_who_is_signed_in(scene: Scene) -> None:
    """CSRF: a browser sends the session along wherever the form came from."""
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(scene.places.radiologist)
    parties.member(scene.places.radiologist.username, role="administrator", site=scene.places.site)
    before, last = state_of_the_hub(), AuditEvent.objects.latest("pk").pk
    for name in DOORS:
        # These look at no session: a code or a token opens them, or nothing.
        if name in ("api-accept-invitation", "server-door"):
            continue
        for method in UNSAFE:
            where = address(name, scene)
            answer = client.generic(method, where, data="reason=x&language=nb&theme=light",
                                    content_type="application/x-www-form-urlencoded")  # fmt: skip
            # found out before who is asking
            unfit = (415,) if name in PROCUREMENT or "-document" in name or name in FILES else ()
            assert answer.status_code in (401, 403, 405, *unfit), (name, method)
    assert state_of_the_hub() == before
    acts = AuditEvent.objects.exclude(action__in=("study.viewed", "worklist.viewed")).filter(
        pk__gt=last
    )
    assert list(acts) == []
    assert client.get("/").status_code == 200  # and is still signed in


def test_where_to_go_on_is_never_elsewhere(scene: Scene) -> None:
    client = with_session(scene.places.radiologist)
    for elsewhere in ("//evil.example.org", "https://evil.example.org/", "/\\evil.example.org",
                      "javascript:alert(1)", "http:///evil.example.org"):  # fmt: skip
        for where in (address("mark-read", scene), "/preferences/"):
            answer = client.post(where, {"next": elsewhere, "theme": "dark"})
            assert answer["Location"] == "/", (where, elsewhere)

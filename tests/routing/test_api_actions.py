"""What may be done through the API, by whom, and what the refused are told."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from hub.models import AuditEvent
from routing.models import Delivery, Study, Workitem
from tests.builders import parties, worklists
from tests.builders.parties import FirstSite
from tests.routing.test_api import as_, detail

pytestmark = pytest.mark.django_db


@pytest.fixture
def places() -> FirstSite:
    return parties.first_site()


@pytest.fixture
def study(places: FirstSite) -> Study:
    return worklists.study_at(places.site)


def held(places: FirstSite, study: Study) -> Workitem:
    return worklists.workitem_on(
        study, places.version, state="held", write_back_mode="after_acceptance"
    )


def act(workitem: Workitem, verb: str) -> str:
    return f"/api/v1/workitems/{workitem.uid}/{verb}/"


def test_a_radiologist_accepts_a_held_result(places: FirstSite, study: Study) -> None:
    item = held(places, study)
    answer = as_(places.radiologist).post(act(item, "accept"))
    assert answer.status_code == 200
    assert answer.json()["review"] == "accepted"
    item.refresh_from_db()
    assert item.reviewed_by == places.radiologist
    assert item.state != "held"


def test_a_radiologist_rejects_with_a_reason_and_not_without(
    places: FirstSite, study: Study
) -> None:
    item, client = held(places, study), as_(places.radiologist)
    for body in ({}, {"reason": "  "}, {"reason": "x" * 501}):
        refused = client.post(act(item, "reject"), body, format="json")
        assert refused.status_code == 400
        assert "500 characters" in refused.json()["reason"][0]
    item.refresh_from_db()
    assert item.state == "held"
    taken = client.post(act(item, "reject"), {"reason": "artefact"}, format="json")
    assert taken.json()["state"] == "rejected"
    assert "artefact" in taken.json()["why"] + str(client.get(detail(study)).json()["transitions"])


def acts() -> int:
    return AuditEvent.objects.exclude(action="token_used").count()


@pytest.mark.parametrize("verb", ["accept", "reject", "replay"])
@pytest.mark.parametrize("who", ["other_radiologist", "officer"])
def test_a_workitem_of_another_trust_does_not_exist(
    places: FirstSite, study: Study, verb: str, who: str
) -> None:
    item = held(places, study)
    events = acts()
    answer = as_(getattr(places, who)).post(act(item, verb), {"reason": "mine"}, format="json")
    assert answer.status_code == 404
    item.refresh_from_db()
    assert (item.state, item.review, acts()) == ("held", "", events)


@pytest.mark.parametrize("who", ["other_radiologist", "officer"])
def test_a_study_or_a_delivery_of_another_trust_does_not_exist(
    places: FirstSite, study: Study, who: str
) -> None:
    letter = worklists.dead_letter(worklists.workitem_on(study, places.version), node=places.ris)
    client = as_(getattr(places, who))
    assert client.post(f"{detail(study)}read/").status_code == 404
    assert client.post(f"{detail(study)}unread/").status_code == 404
    assert client.post(f"/api/v1/deliveries/{letter.pk}/replay/").status_code == 404
    study.refresh_from_db()
    letter.refresh_from_db()
    assert (study.is_read, letter.state) == (False, Delivery.State.DEAD)


@pytest.mark.parametrize("verb", ["accept", "reject"])
def test_an_administrator_decides_nothing_medical(
    places: FirstSite, study: Study, verb: str
) -> None:
    client = as_(places.administrator)
    answer = client.post(act(held(places, study), verb), {"reason": "no"}, format="json")
    assert answer.status_code == 403
    assert answer.json()["detail"] == "Only a radiologist of Drammen sykehus may do this."
    assert client.post(f"{detail(study)}read/").status_code == 403
    assert client.post(f"{detail(study)}unread/").status_code == 403


def test_what_the_state_does_not_allow_is_a_conflict_in_a_sentence(
    places: FirstSite, study: Study
) -> None:
    item = worklists.workitem_on(study, places.version, state="withheld", purpose="shadow")
    answer = as_(places.radiologist).post(act(item, "accept"))
    assert answer.status_code == 409
    assert "Kept inside (shadow)" in answer.json()["detail"]


def test_a_radiologist_replays_only_what_failed(places: FirstSite, study: Study) -> None:
    client = as_(places.radiologist)
    failed = worklists.workitem_on(study, places.version, state="failed")
    assert client.post(act(failed, "replay")).json()["state"] != "failed"
    refused = worklists.workitem_on(study, places.version, state="refused")
    assert client.post(act(refused, "replay")).status_code == 403
    assert as_(places.administrator).post(act(refused, "replay")).status_code == 200


def test_a_dead_letter_is_replayed_by_an_administrator_alone(
    places: FirstSite, study: Study
) -> None:
    letter = worklists.dead_letter(worklists.workitem_on(study, places.version), node=places.ris)
    path = f"/api/v1/deliveries/{letter.pk}/replay/"
    assert as_(places.radiologist).post(path).status_code == 403
    letter.refresh_from_db()
    assert letter.state == "dead"
    assert as_(places.administrator).post(path).json()["state"] == "pending"


def test_reading_takes_a_study_off_the_list_and_unreading_back(
    places: FirstSite, study: Study
) -> None:
    client = as_(places.radiologist)
    assert client.post(f"{detail(study)}read/").json()["is_read"] is True
    assert client.get("/api/v1/worklist/").json()["count"] == 0
    assert client.post(f"{detail(study)}unread/").json()["is_read"] is False
    assert client.get("/api/v1/worklist/").json()["count"] == 1
    assert client.get("/api/v1/worklist/", {"state": "all"}).json()["count"] == 1


def test_dead_letters_are_for_administrators_of_the_site(places: FirstSite, study: Study) -> None:
    letter = worklists.dead_letter(worklists.workitem_on(study, places.version), node=places.ris)
    elsewhere = parties.member("it", role="administrator", site=places.other_site)
    path = "/api/v1/dead-letters/"
    assert as_(places.radiologist).get(path).status_code == 403
    assert as_(elsewhere).get(path).json()["results"] == []
    (row,) = as_(places.administrator).get(path).json()["results"]
    assert (row["id"], row["node"], row["site"]) == (letter.pk, "drammen-ris", "drammen")


def test_a_stranger_changes_nothing(places: FirstSite, study: Study) -> None:
    assert APIClient().post(act(held(places, study), "accept")).status_code == 401
    assert APIClient().post(f"{detail(study)}read/").status_code == 401


def test_a_browser_session_needs_its_csrf_token(places: FirstSite, study: Study) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(places.radiologist)
    assert client.get(detail(study)).status_code == 200
    assert client.post(f"{detail(study)}read/").status_code == 403
    assert client.post(f"{detail(study)}unread/").status_code == 403

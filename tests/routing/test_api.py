"""The REST API: what it tells, to whom, and what may be done through it."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from knox.models import AuthToken
from rest_framework.test import APIClient

from hub.models import AuditEvent, User
from hub.phrases import phrase
from routing.models import Priority, Study
from routing.serializers import StudySerializer
from tests.builders import parties, worklists
from tests.builders.parties import FirstSite

pytestmark = pytest.mark.django_db

WORKLIST = "/api/v1/worklist/"


@pytest.fixture
def places() -> FirstSite:
    return parties.first_site()


def as_(user: User) -> APIClient:
    """A client that speaks with an API token of the user."""
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {AuthToken.objects.create(user=user)[1]}")
    return client


def uids(response: Any) -> list[str]:
    return [row["study_instance_uid"] for row in response.json()["results"]]


def detail(study: Study) -> str:
    return f"/api/v1/studies/{study.study_instance_uid}/"


# -- the worklist ------------------------------------------------------------------------------
def test_each_radiologist_gets_the_studies_of_their_own_trust_alone(places: FirstSite) -> None:
    ours, theirs = worklists.study_at(places.site), worklists.study_at(places.other_site)
    assert uids(as_(places.radiologist).get(WORKLIST)) == [ours.study_instance_uid]
    assert uids(as_(places.other_radiologist).get(WORKLIST)) == [theirs.study_instance_uid]


def test_a_filter_for_another_trusts_site_shows_none_of_it(places: FirstSite) -> None:
    worklists.study_at(places.other_site)
    assert uids(as_(places.radiologist).get(WORKLIST, {"site": places.other_site.code})) == []


def test_a_procurement_officer_gets_no_patient(places: FirstSite) -> None:
    study = worklists.study_at(places.site)
    assert uids(as_(places.officer).get(WORKLIST)) == []
    assert as_(places.officer).get(detail(study)).status_code == 404


@pytest.mark.parametrize("path", [WORKLIST, "/api/v1/studies/1.2.3/", "/api/v1/dead-letters/"])
def test_a_stranger_is_refused(path: str) -> None:
    assert APIClient().get(path).status_code == 401


def test_the_sickest_patient_is_first_and_the_row_says_why(places: FirstSite) -> None:
    worklists.study_at(places.site, minutes=300, priority=Priority.HIGH)
    worklists.study_at(places.site, minutes=5, priority=Priority.STAT)
    sick = worklists.study_at(places.site, minutes=1, priority=Priority.ROUTINE)
    item = worklists.workitem_on(sick, places.version)
    worklists.finding_of(item, probability=0.97, urgency="stat")
    rows = as_(places.radiologist).get(WORKLIST).json()["results"]
    assert [row["priority"] for row in rows] == ["STAT", "STAT", "HIGH"]
    assert rows[0]["study_instance_uid"] == sick.study_instance_uid
    assert rows[0]["reason"] == "Intracranial hemorrhage suspected by ICH Triage 1.0.0, 97 %"
    assert rows[0]["findings"] == [
        {
            "code": worklists.ICH,
            "status": "present",
            "probability": 0.97,
            "algorithm": "ich-triage",
            "version": "1.0.0",
            "is_critical": True,
        }
    ]
    assert rows[0]["url"] == f"http://testserver/studies/{sick.uid}/"
    assert {"site", "accession_number", "patient_id", "modality", "ai_state", "waiting_since"} <= (
        rows[0].keys()
    )


def test_a_row_tells_what_the_study_itself_tells_in_every_field(places: FirstSite) -> None:
    study = worklists.study_at(places.site, minutes=5, priority=Priority.HIGH)
    item = worklists.workitem_on(study, places.version)
    worklists.finding_of(item, probability=0.97, urgency="stat")
    client = as_(places.radiologist)
    (row,) = client.get(WORKLIST).json()["results"]
    told = client.get(detail(study)).json()
    assert row["findings"] == told["workitems"][0]["findings"]
    assert list(row) == list(StudySerializer().fields)
    assert row == {name: told[name] for name in row}


@pytest.mark.parametrize(
    "kept",
    [
        {"state": "withheld", "purpose": "shadow"},
        {"state": "written_back", "purpose": "shadow"},
        {"state": "superseded"},
        {"state": "rejected"},
        {"state": "failed"},
        {"state": "collected", "write_back_mode": "after_acceptance"},
    ],
)
def test_a_result_that_is_not_for_readers_is_not_on_the_worklist(
    places: FirstSite, kept: dict[str, str]
) -> None:
    study = worklists.study_at(places.site)
    worklists.finding_of(worklists.workitem_on(study, places.version, **kept), probability=0.9)
    (row,) = as_(places.radiologist).get(WORKLIST).json()["results"]
    told = as_(places.radiologist).get(detail(study)).json()
    assert row["findings"] == told["findings"] == told["workitems"][0]["findings"] == []


def test_a_held_result_is_told_where_it_is_to_be_accepted_and_not_on_the_worklist(
    places: FirstSite,
) -> None:
    study = worklists.study_at(places.site)
    held = {"state": "held", "write_back_mode": "after_acceptance"}
    worklists.finding_of(worklists.workitem_on(study, places.version, **held), probability=0.9)
    (row,) = as_(places.radiologist).get(WORKLIST).json()["results"]
    told = as_(places.radiologist).get(detail(study)).json()
    assert row["findings"] == told["findings"] == []
    assert told["workitems"][0]["findings"][0]["probability"] == 0.9


def test_more_rows_take_no_more_questions_to_the_database(places: FirstSite) -> None:
    client = as_(places.radiologist)

    def questions() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert client.get(WORKLIST).status_code == 200
        return len(asked)

    def add(number: int) -> None:
        for _ in range(number):
            study = worklists.study_at(places.site)
            worklists.finding_of(worklists.workitem_on(study, places.version), probability=0.5)

    add(2)
    client.get(WORKLIST)  # the audit event of this visit
    few = questions()
    add(8)
    assert questions() == few <= 10


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"modality": "MR"}, {"mr"}),
        ({"modality": "ct"}, {"ct", "both"}),
        ({"modality": "T"}, set()),
        ({"priority": "HIGH"}, {"mr"}),
        ({"ai_state": "none"}, {"ct", "mr", "both"}),
        ({"ai_state": "failed"}, set()),
        ({"accession_number": "A-1"}, {"ct"}),
        ({"patient_id": "P-2"}, {"mr"}),
        ({"q": "ola nord"}, {"mr"}),
        ({"q": "%"}, set()),
        ({"state": "unread"}, {"ct", "mr", "both"}),
        ({"state": "all"}, {"ct", "mr", "both", "read"}),
        ({"limit": "1"}, {"mr"}),
    ],
)
def test_the_worklist_can_be_narrowed(
    places: FirstSite, asked: dict[str, str], found: set[str]
) -> None:
    make = worklists.study_at
    names = {
        "ct": make(places.site, accession_number="A-1"),
        "mr": make(
            places.site, modality="MR", priority=Priority.HIGH, patient="NORDMANN^OLA",
            patient_id="P-2",
        ),
        "both": make(places.site, modality="CT\\PT"),
        "read": make(places.site, is_read=True),
    }  # fmt: skip
    got = uids(as_(places.radiologist).get(WORKLIST, asked))
    assert set(got) == {names[name].study_instance_uid for name in found}


@pytest.mark.parametrize("written", ["Ærø^Åse", "ÆRØ^ÅSE"])
@pytest.mark.parametrize("asked", ["ærø åse", "ÆRØ", "Åse"])
def test_a_name_is_found_in_whichever_case_it_is_written(
    places: FirstSite, written: str, asked: str
) -> None:
    study = worklists.study_at(places.site, patient=written)
    got = uids(as_(places.radiologist).get(WORKLIST, {"q": asked}))
    assert got == [study.study_instance_uid]


def test_a_wrong_question_is_answered_with_the_field_and_what_was_expected(
    places: FirstSite,
) -> None:
    client = as_(places.radiologist)
    wrong = client.get(WORKLIST, {"priority": "URGENT"})
    assert wrong.status_code == 400
    assert wrong.json() == {
        "priority": ["expected one of STAT, HIGH, MEDIUM, ROUTINE, LOW; got URGENT"]
    }
    misspelt = client.get(WORKLIST, {"acession_number": "A-1"})
    assert misspelt.status_code == 400
    assert "accession_number" in misspelt.json()["acession_number"][0]


# -- one study ---------------------------------------------------------------------------------
def test_a_study_tells_every_step_it_went(places: FirstSite) -> None:
    study = worklists.study_at(places.site)
    item = worklists.workitem_on(study, places.version, log_tail="one patient in here")
    worklists.dead_letter(item, node=places.ris)
    worklists.moved(study, "complete", after=3, why=phrase("all 28 images are here"))
    young = phrase("age %(age)s < %(least)s", age=17, least=18)
    worklists.judged(study, places.version, is_match=False, clause=young)
    told = as_(places.radiologist).get(detail(study)).json()
    assert told["transitions"][0]["why"] == "all 28 images are here"
    assert told["verdicts"][0]["clause"] == "age 17 < 18"
    assert told["deliveries"][0]["last_error"] == "AE: accession number unknown"
    assert told["set_aside"] == []
    assert "log_tail" not in told["workitems"][0]
    told = as_(places.administrator).get(detail(study)).json()
    assert told["workitems"][0]["log_tail"] == "one patient in here"


def test_a_study_of_another_trust_is_as_unknown_as_one_that_is_not_there(
    places: FirstSite,
) -> None:
    theirs = worklists.study_at(places.other_site)
    client = as_(places.radiologist)
    not_theirs, not_there = client.get(detail(theirs)), client.get("/api/v1/studies/1.2.3/")
    assert not_theirs.status_code == not_there.status_code == 404
    assert not_theirs.json() == not_there.json()


def test_a_study_at_two_visible_sites_asks_for_the_site(places: FirstSite) -> None:
    ours = worklists.study_at(places.site, study_instance_uid="1.2.3")
    worklists.study_at(places.other_site, study_instance_uid="1.2.3")
    both = as_(places.administrator)
    asked = both.get(detail(ours))
    assert asked.status_code == 409
    assert "?site=" in asked.json()["detail"]
    assert "drammen, nordbyhagen" in asked.json()["detail"]
    assert both.get(detail(ours), {"site": "drammen"}).json()["site"] == "drammen"
    alone = as_(places.radiologist).get(detail(ours))
    assert alone.status_code == 200
    assert alone.json()["site"] == "drammen"


def test_seeing_leaves_a_trace_without_a_name(places: FirstSite) -> None:
    study = worklists.study_at(places.site, patient="HEMMELIG^NAVN")
    client = as_(places.radiologist)
    for _ in range(3):
        client.get(WORKLIST)
    client.get(detail(study))
    seen = AuditEvent.objects.exclude(action="token_used").order_by("pk")
    trace = list(seen.values_list("action", "site", "subject"))
    assert trace == [
        ("worklist.viewed", places.site.pk, ""),
        ("study.viewed", places.site.pk, str(study.uid)),
    ]
    assert "HEMMELIG" not in str(list(AuditEvent.objects.values()))


def test_the_api_describes_itself_without_a_warning(tmp_path: Any) -> None:
    written = tmp_path / "schema.yaml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(written))
    assert "/api/v1/worklist/" in written.read_text()
    assert APIClient().get("/api/schema/").status_code == 200


def test_the_worklist_is_paged_by_the_last_study_seen(places: FirstSite) -> None:
    made = [worklists.study_at(places.site, minutes=90 - n, is_read=True) for n in range(5)]
    client = as_(places.radiologist)
    first = client.get(WORKLIST, {"state": "all", "limit": 2}).json()
    second = client.get(first["next"]).json()
    last = client.get(second["next"]).json()
    told = [row["study_instance_uid"] for one in (first, second, last) for row in one["results"]]
    assert told == [study.study_instance_uid for study in made]
    assert (first["count"], first["previous"], last["next"]) == (None, None, None)
    assert client.get(last["previous"]).json()["results"] == second["results"]
    assert client.get(second["previous"]).json()["results"] == first["results"]
    Study.objects.update(is_read=False)
    assert client.get(WORKLIST, {"limit": 2}).json()["count"] == 5


@pytest.mark.parametrize(("q", "is_found"), [("LI", True), ("I", False), ("ming", True)])
def test_among_all_studies_a_short_word_begins_a_name(
    places: FirstSite, q: str, is_found: bool
) -> None:
    worklists.study_at(places.site, patient="ZHANG^LI=张^明", is_read=True, patient_id="4",
                       accession_number="X7", study_description="Ming")  # fmt: skip
    found = as_(places.radiologist).get(WORKLIST, {"state": "all", "q": q}).json()
    assert bool(found["results"]) == is_found


# -- what is asked wrongly ---------------------------------------------------------------------
@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ("limit=all", "limit"),
        ("limit=0", "limit"),
        ("limit=-1", "limit"),
        ("offset=100", "offset"),
        ("after=100", "after"),
        ("before=1-2-3-nowhere", "before"),
        ("priority=STAT&priority=HIGH", "priority"),
        ("prioritty=STAT", "prioritty"),
    ],
)
def test_what_is_asked_wrongly_is_refused_by_the_name_of_the_parameter(
    places: FirstSite, asked: str, field: str
) -> None:
    worklists.study_at(places.site)
    response = as_(places.radiologist).get(f"{WORKLIST}?{asked}")
    assert response.status_code == 400
    assert list(response.json()) == [field]
    assert "expected" in response.json()[field][0]


@pytest.mark.parametrize("asked", ["site=drammen", "limit=many"])
def test_dead_letters_are_not_shown_to_a_question_that_they_do_not_know(
    places: FirstSite, asked: str
) -> None:
    response = as_(places.administrator).get(f"/api/v1/dead-letters/?{asked}")
    assert response.status_code == 400


def test_no_answer_with_a_patient_may_be_kept_by_a_cache(places: FirstSite) -> None:
    study = worklists.study_at(places.site)
    client = as_(places.radiologist)
    for path in (WORKLIST, detail(study), f"{WORKLIST}?limit=x", "/api/v1/studies/1.2/"):
        assert client.get(path)["Cache-Control"] == "no-store"


def test_a_program_that_asks_at_no_door_is_told_so_in_json(places: FirstSite) -> None:
    response = as_(places.radiologist).get("/api/v1/worklists/")
    assert (response.status_code, response.json()) == (404, {"detail": "Not found"})


@pytest.mark.parametrize("name", ["q", "patient_id", "accession_number"])
def test_who_looks_for_a_patient_leaves_each_study_shown_once_in_the_audit_trail(
    places: FirstSite, name: str
) -> None:
    study = worklists.study_at(places.site)
    worklists.study_at(places.site)
    number = "study_description" if name == "q" else name
    Study.objects.filter(pk=study.pk).update(**{number: "SOUGHT-1"})
    client = as_(places.radiologist)
    client.get(WORKLIST)
    assert not AuditEvent.objects.filter(action="worklist.searched").exists()
    for _ in range(2):
        assert len(uids(client.get(WORKLIST, {name: "SOUGHT-1"}))) == 1
    event = AuditEvent.objects.get(action="worklist.searched")
    assert (event.actor, event.site) == (places.radiologist.username, places.site)
    assert event.details == {"studies": [str(study.uid)]}

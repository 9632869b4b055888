"""The pages: who sees what, what the buttons do, and that nothing foreign may run in them."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from hub.csp import POLICY
from hub.models import AuditEvent, User
from hub.phrases import phrase
from routing.models import Priority, Study
from tests.builders import mornings, parties, worklists
from tests.builders.parties import FirstSite

pytestmark = pytest.mark.django_db

OURS, THEIRS = "BERG^INGRID", "LUND^SARA"


@pytest.fixture
def places() -> FirstSite:
    return parties.first_site()


def as_(user: User, **headers: str) -> Client:
    client = Client(headers=headers)
    client.force_login(user)
    return client


def page(client: Client, path: str = "/") -> str:
    response = client.get(path)
    assert response.status_code == 200, path
    return str(response.content, "utf-8")


def address(study: Study) -> str:
    return f"/studies/{study.uid}/"


# -- who sees what -----------------------------------------------------------------------------
@pytest.mark.parametrize("path", ["/", "/operations/", f"/studies/{UUID(int=1)}/"])
def test_a_stranger_is_sent_to_sign_in(path: str) -> None:
    response = Client().get(path)
    assert response.status_code == 302
    assert response["Location"] == f"/login/?next={path}"


def test_two_trusts_never_meet_on_a_page(places: FirstSite) -> None:
    worklists.study_at(places.site, patient=OURS)
    theirs = worklists.study_at(places.other_site, patient=THEIRS)
    client = as_(places.radiologist)
    seen = page(client) + page(client, "/?state=all") + page(client, "/?site=nordbyhagen&q=lund")
    assert "BERG, INGRID" in seen
    assert "LUND" not in seen
    assert "Nordbyhagen" not in seen
    assert client.get(address(theirs)).status_code == 404
    assert "BERG" not in page(as_(places.other_radiologist))


def test_a_procurement_officer_sees_no_patient(places: FirstSite) -> None:
    study = worklists.study_at(places.site, patient=OURS)
    client = as_(places.officer)
    shown = page(client)
    assert "BERG" not in shown
    assert "No patients for you here" in shown
    assert client.get(address(study)).status_code == 404
    assert client.get("/operations/").status_code == 403


def test_operations_are_for_administrators_and_their_own_sites(places: FirstSite) -> None:
    study = worklists.study_at(places.site)
    item = worklists.workitem_on(
        study, places.version, state="failed", why=phrase("it ended with code 137").stored()
    )
    worklists.dead_letter(item, node=places.ris)
    assert as_(places.radiologist).get("/operations/").status_code == 403
    shown = page(as_(places.administrator), "/operations/")
    assert "accession number unknown" in shown
    assert "it ended with code 137" in shown
    elsewhere = parties.member("it", role="administrator", site=places.other_site)
    assert "drammen" not in page(as_(elsewhere), "/operations/")


# -- the worklist ------------------------------------------------------------------------------
def test_the_worklist_shows_the_sickest_first_with_reason_and_algorithm() -> None:
    morning = mornings.a_morning()
    shown = page(as_(parties.member("kari", role="radiologist")))
    names = re.findall(r'class="open"[^>]*>([^<]+)<', shown)
    assert names[:2] == ["BERG, INGRID MARIE", "SOLHEIM, LARS ERIK"]
    assert len(names) == 14
    first = shown.split("<tr", 3)[2]
    for told in ("STAT", "97\N{NO-BREAK SPACE}%", "ICH Triage 1.0.0", "22 min", "Drammen"):
        assert told in first, told
    assert "AI failed" in shown
    assert str(morning.held.uid) not in shown


def test_for_htmx_only_the_rows_are_sent(places: FirstSite) -> None:
    worklists.study_at(places.site, patient=OURS)
    part = page(as_(places.radiologist, hx_request="true"))
    assert part.lstrip().startswith('<section id="list"')
    assert "BERG" in part


def test_a_page_of_more_rows_takes_no_more_questions(places: FirstSite) -> None:
    client = as_(places.radiologist)

    def questions() -> int:
        with CaptureQueriesContext(connection) as asked:
            page(client)
        return len(asked)

    worklists.study_at(places.site)
    page(client)
    few = questions()
    for _ in range(6):
        study = worklists.study_at(places.site)
        worklists.finding_of(worklists.workitem_on(study, places.version), probability=0.5)
    assert questions() <= few + 1  # findings are asked for once, if there is any


def links(shown: str) -> dict[str, str]:
    found = re.findall(r'rel="(prev|next)" href="([^"]+)"', shown)
    return {name: "/" + html.unescape(address) for name, address in found}


def uids(shown: str) -> list[str]:
    return re.findall(r'data-study="([^"]+)"', shown)


def test_pages_are_turned_from_the_last_study_seen_whatever_is_read_meanwhile(
    places: FirstSite,
) -> None:
    made = [worklists.study_at(places.site, minutes=300 - n) for n in range(120)]
    in_order = [str(study.uid) for study in made]
    client = as_(places.radiologist)
    first = page(client, "/?modality=CT")
    assert (uids(first), list(links(first))) == (in_order[:50], ["next"])
    Study.objects.filter(pk__in=[study.pk for study in made[10:20]]).update(is_read=True)
    second = page(client, links(first)["next"])
    assert uids(second) == in_order[50:100]
    assert "51–100 of 110" in second
    third = page(client, links(second)["next"])
    assert (uids(third), list(links(third))) == (in_order[100:], ["prev"])
    assert uids(page(client, links(third)["prev"])) == in_order[50:100]
    back = page(client, links(second)["prev"])
    assert (uids(back), list(links(back))) == (in_order[:10] + in_order[20:50], ["next"])


def test_studies_that_were_read_are_paged_and_not_counted(places: FirstSite) -> None:
    for number in range(51):
        worklists.study_at(places.site, minutes=100 - number, is_read=True)
    client = as_(places.radiologist)
    assert uids(page(client)) == []
    first = page(client, "/?state=all")
    assert len(uids(first)) == 50
    assert "1–50</span>" in first
    assert len(uids(page(client, links(first)["next"]))) == 1


@pytest.mark.parametrize("place", ["nowhere", "1-2-3", "1-2-99999999999999999-4", "-1-2-3-4"])
def test_what_is_no_place_in_the_list_shows_a_page_all_the_same(
    places: FirstSite, place: str
) -> None:
    worklists.study_at(places.site, patient=OURS)
    assert as_(places.radiologist).get("/", {"after": place}).status_code == 200
    assert as_(places.radiologist).get("/", {"before": place}).status_code == 200


def test_a_wrong_filter_says_what_was_expected_and_shows_nobody(places: FirstSite) -> None:
    worklists.study_at(places.site, patient=OURS)
    shown = page(as_(places.radiologist), "/?priority=URGENT")
    assert "expected one of STAT, HIGH" in shown
    assert "BERG" not in shown


# -- one study ---------------------------------------------------------------------------------
def test_the_study_page_tells_each_step_in_the_time_of_the_site(places: FirstSite) -> None:
    places.site.timezone = "America/New_York"
    places.site.save()
    at = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    study = worklists.study_at(places.site, first_instance_at=at)
    young = phrase("age %(age)s < %(least)s", age=17, least=18)
    worklists.judged(study, places.version, is_match=False, clause=young)
    worklists.moved(study, "complete", after=5, why=phrase("all 28 images are here"))
    shown = page(as_(places.radiologist), address(study))
    assert "04:30:05" in shown
    assert "09:30:05" not in shown
    assert "all 28 images are here" in shown
    assert "age 17 &lt; 18" in shown


def test_the_log_of_an_algorithm_is_for_administrators(places: FirstSite) -> None:
    study = worklists.study_at(places.site)
    worklists.workitem_on(study, places.version, state="failed", log_tail="secret of the box")
    assert "secret of the box" not in page(as_(places.radiologist), address(study))
    assert "secret of the box" in page(as_(places.administrator), address(study))


def test_a_page_that_refreshes_itself_is_one_look_and_opening_it_again_another(
    places: FirstSite,
) -> None:
    study = worklists.study_at(places.site)
    refresh, client = as_(places.radiologist, hx_request="true"), as_(places.radiologist)
    looks = AuditEvent.objects.filter(action="study.viewed", subject=str(study.uid))
    for client_, after in ((refresh, 1), (refresh, 1), (client, 2), (client, 3), (refresh, 3)):
        page(client_, address(study))
        assert looks.count() == after


# -- the buttons -------------------------------------------------------------------------------
def test_a_radiologist_marks_as_read_and_gets_the_next_patient(places: FirstSite) -> None:
    first = worklists.study_at(places.site, priority=Priority.STAT)
    second = worklists.study_at(places.site)
    client = as_(places.radiologist)
    moved_on = client.post(f"{address(first)}read/", {"and_next": "1"})
    assert moved_on["Location"] == address(second)
    first.refresh_from_db()
    assert first.is_read
    assert client.post(f"{address(second)}read/", {"and_next": "1"})["Location"] == "/"


def test_a_held_result_is_accepted_on_the_study_page(places: FirstSite) -> None:
    study = worklists.study_at(places.site)
    item = worklists.workitem_on(
        study, places.version, state="held", write_back_mode="after_acceptance"
    )
    client, path = as_(places.radiologist), f"/workitems/{item.uid}/accept/"
    assert path in page(client, address(study))
    assert path not in page(as_(places.administrator), address(study))
    assert as_(places.other_radiologist).post(path).status_code == 404
    assert client.post(path, {"next": address(study)})["Location"] == address(study)
    item.refresh_from_db()
    assert item.review == "accepted"
    client.post(path.replace("accept", "reject"), {"reason": " ", "next": address(study)})
    assert "Say why the result is rejected" in page(client, address(study))


def test_a_study_that_was_read_can_be_put_back_from_its_page(places: FirstSite) -> None:
    study = worklists.study_at(places.site, patient=OURS)
    client, path = as_(places.radiologist), f"{address(study)}unread/"
    assert path not in page(client, address(study))
    client.post(f"{address(study)}read/")
    assert "BERG" not in page(client)
    assert path in page(client, address(study))
    assert path not in page(as_(places.administrator), address(study))
    assert as_(places.administrator).post(path).status_code == 403
    assert as_(places.other_radiologist).post(path).status_code == 404
    client.post(path)
    assert "BERG" in page(client)


def test_a_result_that_waits_for_acceptance_is_not_called_no_finding(places: FirstSite) -> None:
    study = worklists.study_at(places.site, ai_state="held")
    worklists.workitem_on(study, places.version, state="held", write_back_mode="after_acceptance")
    shown = page(as_(places.radiologist), address(study))
    assert "A result waits for acceptance" in shown
    assert "No finding of an algorithm" not in shown


def test_a_refused_move_is_told_in_a_sentence(places: FirstSite) -> None:
    study = worklists.study_at(places.site)
    item = worklists.workitem_on(study, places.version, state="superseded")
    client = as_(places.radiologist)
    client.post(f"/workitems/{item.uid}/reject/", {"reason": "x", "next": address(study)})
    assert "This cannot be done now" in page(client, address(study))


def test_a_button_leads_to_no_other_house(places: FirstSite) -> None:
    study = worklists.study_at(places.site)
    away = as_(places.radiologist).post(f"{address(study)}read/", {"next": "//evil.example/"})
    assert away["Location"] == "/"


def test_a_get_changes_nothing(places: FirstSite) -> None:
    study = worklists.study_at(places.site)
    assert as_(places.radiologist).get(f"{address(study)}read/").status_code == 405


# -- the frame ---------------------------------------------------------------------------------
def test_no_page_lets_anything_foreign_run(places: FirstSite) -> None:
    study = worklists.study_at(places.site)
    client = as_(places.administrator)
    assert "script-src 'self'" in POLICY
    assert "unsafe" not in POLICY
    for path in ("/", address(study), "/operations/", "/nowhere/"):
        response = client.get(path)
        assert response["Content-Security-Policy"] == POLICY, path
        shown = str(response.content, "utf-8")
        assert not re.search(r"<script(?![^>]+src=)|\son\w+=|style=|https?://", shown), path
    assert Client().get("/login/")["Content-Security-Policy"] == POLICY


def test_a_name_full_of_markup_stays_a_name(places: FirstSite) -> None:
    study = worklists.study_at(places.site, patient="<script>alert(1)</script>")
    fields = ("patient_id", "accession_number", "study_description", "modality")
    item = worklists.workitem_on(study, places.version)
    finding = worklists.finding_of(item, probability=0.97, urgency="stat")
    finding.code = finding.code | {"meaning": "\"><script>alert(4)"}
    finding.save()
    Study.objects.filter(pk=study.pk).update(
        **{field: "<script>alert('2')" for field in fields},
        reason={"text": "%(one)s", "args": {"one": "<script>alert(3)"}},
    )
    shown = page(as_(places.radiologist))
    assert "<script>alert" not in shown
    assert shown.count("&lt;script&gt;alert(") == 7
    assert "&quot;&gt;&lt;script&gt;alert(4)" in shown


def test_no_patient_stays_in_the_browsers_cache(places: FirstSite) -> None:
    study = worklists.study_at(places.site)
    for path in ("/", address(study)):
        assert as_(places.radiologist).get(path)["Cache-Control"] == "no-store"


def test_signing_in_brings_the_persons_own_language(places: FirstSite) -> None:
    worklists.study_at(places.site, priority=Priority.STAT)
    user = places.radiologist
    user.set_password("correct horse")
    user.save()
    client = Client()
    form = {"username": user.username, "password": "correct horse"}
    assert client.post("/login/", {**form, "password": "wrong"}).status_code == 200
    assert client.post("/login/", form)["Location"] == "/"
    assert 'lang="en"' in page(client)
    client.post("/preferences/", {"language": "nb", "next": "/"})
    assert "Arbeidsliste" in page(client)
    later = Client()
    later.post("/login/", form)
    assert "Arbeidsliste" in page(later)
    assert later.post("/logout/").status_code == 302
    assert later.get("/").status_code == 302

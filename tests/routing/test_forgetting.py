"""What was kept for long enough goes, with its files; what is under way or wanted never does."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from contracts.models import UsageEvent
from hub.dicom.received import ReceivedInstance
from hub.models import AuditEvent, Site
from routing import forgetting, healing, retention
from routing.exclusion import alone
from routing.models import (
    Arrived,
    Delivery,
    Discarded,
    Instance,
    Message,
    Order,
    SetAside,
    Study,
    Transition,
    Workitem,
)
from routing.places import spool
from routing.steps.receive import Receiver
from tests.builders import worker, worklists
from tests.builders.ageing import age, ago, keep, the_study
from tests.builders.parties import FirstSite, first_site
from tests.builders.studies import PATIENT, head_ct, received
from tests.routing.conftest import Place


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgetting, "_PAUSE_SECONDS", 0.0)


@pytest.fixture
def places(transactional_db: None, settings: Any, tmp_path: Any) -> FirstSite:
    settings.HUB_STATE_DIR = tmp_path
    settings.HUB_STORAGE_URL = f"file://{tmp_path}/spool"
    return first_site()


def gone(place: Place) -> Study:
    """A study that went the whole way, was read, and then deleted after 30 days."""
    place.send(head_ct())
    worker.drain(seconds=60)
    Study.objects.update(is_read=True)
    study = place.study
    keep(place.rows.site, studies=30)
    age(31)
    assert forgetting.forget() == 1
    return study


# -- a study goes ------------------------------------------------------------------------------
def test_a_study_goes_with_all_that_hangs_on_it_and_what_an_invoice_stands_on_stays(
    place: Place,
) -> None:
    study = gone(place)
    for model in (Study, Instance, Workitem, Delivery, Transition, Discarded):
        assert not model._default_manager.exists(), model
    assert list(spool().everything()) == []
    assert UsageEvent.objects.count() == 1
    event = AuditEvent.objects.get(action="study.deleted")
    assert (event.subject, event.site) == (str(study.uid), place.rows.site)
    assert event.details["instances"] == 12
    (work,) = event.details["workitems"]
    assert work["state"] == "written_back"
    for secret in (PATIENT.patient_id, "snes", "A1", study.study_instance_uid):
        assert secret not in str(event.details), secret


def test_a_study_that_comes_again_is_told_under_its_old_names_and_billed_no_second_time(
    place: Place,
) -> None:
    study = gone(place)
    place.send(head_ct())
    place.work()
    assert place.study.uid == study.uid
    reports = place.pacs.of_study(study.study_instance_uid)
    assert len(reports) == 2
    assert len({one.SOPInstanceUID for one in reports}) == 1
    assert UsageEvent.objects.count() == 1


@pytest.mark.parametrize(
    "days", [{}, {"unread": 30}, {"unresolved": 30}, {"studies": 32}, {"messages": 1, "audit": 184}]
)
def test_a_study_that_was_read_stays_for_as_long_as_its_site_says(
    places: FirstSite, days: dict[str, int]
) -> None:
    worklists.study_at(places.site, is_read=True, state="matched")
    keep(places.site, **days)
    age(31)
    assert forgetting.forget() == 0
    assert Study.objects.count() == 1


def test_two_sites_keep_for_as_long_as_each_says(places: FirstSite) -> None:
    for site in (places.site, places.other_site):
        worklists.study_at(site, is_read=True, state="matched")
    keep(places.site, studies=30)
    keep(places.other_site, studies=60)
    age(31)
    assert forgetting.forget() == 1
    assert Study.objects.get().site == places.other_site
    age(30)
    assert forgetting.forget() == 1
    sites = AuditEvent.objects.filter(action="study.deleted").order_by("pk")
    assert [event.site for event in sites] == [places.site, places.other_site]


# -- what does not go --------------------------------------------------------------------------
def assert_stays() -> None:
    age(31)
    assert forgetting.forget() == 0
    assert Study.objects.count() == 1


def test_an_unread_study_goes_only_where_the_site_says_so_of_unread_ones(
    places: FirstSite,
) -> None:
    the_study(places, is_read=False)
    assert_stays()
    keep(places.site, studies=30, unread=40)
    assert forgetting.forget() == 0
    keep(places.site, unread=30)
    assert forgetting.forget() == 1


@pytest.mark.parametrize("state", ["held", "failed"])
def test_a_study_whose_result_waits_for_somebody_goes_only_where_the_site_says_so(
    places: FirstSite, state: str
) -> None:
    worklists.workitem_on(the_study(places), places.version, state=state)
    assert_stays()
    keep(places.site, studies=30, unresolved=30)
    assert forgetting.forget() == 1


def test_a_dead_letter_is_something_that_waits_for_somebody(places: FirstSite) -> None:
    item = worklists.workitem_on(the_study(places), places.version, state="written_back")
    worklists.delivery_to(places.pacs, item, state="dead")
    assert_stays()
    keep(places.site, unresolved=30)
    assert forgetting.forget() == 1


@pytest.mark.parametrize("state", ["matched", "entitled", "dispatched", "writing_back"])
def test_a_study_with_work_under_way_stays(places: FirstSite, state: str) -> None:
    worklists.workitem_on(the_study(places), places.version, state=state)
    keep(places.site, studies=30, unread=30, unresolved=30)
    assert_stays()


def test_a_study_with_something_still_to_be_told_stays(places: FirstSite) -> None:
    item = worklists.workitem_on(the_study(places), places.version, state="written_back")
    worklists.delivery_to(places.pacs, item, state="pending")
    keep(places.site, studies=30, unread=30, unresolved=30)
    assert_stays()


@pytest.mark.parametrize("state", ["receiving", "complete"])
def test_a_study_that_is_not_matched_yet_stays(places: FirstSite, state: str) -> None:
    the_study(places, state=state)
    assert_stays()


def test_a_study_stays_for_its_days_after_the_last_that_happened_to_it(places: FirstSite) -> None:
    study = the_study(places)
    age(31)
    Transition.objects.create(
        study=study, revision=1, at=ago(29), from_state="dead", to_state="delivered", why={}
    )
    assert forgetting.forget() == 0
    Transition.objects.update(at=ago(31))
    assert forgetting.forget() == 1


def test_a_study_on_legal_hold_stays_until_that_is_lifted(places: FirstSite) -> None:
    study = the_study(places)
    call_command("hold", study.study_instance_uid, why="case 12", verbosity=0)
    SetAside.objects.create(at=ago(99), site=places.site, study=study, protocol="dicom", key="")
    keep(places.site, studies=30, set_aside=30)
    assert_stays()
    (prospect, *_rest) = retention.prospects(Site.objects.all())
    assert (prospect.now, prospect.on_hold) == (0, 1)
    call_command("hold", study.study_instance_uid, why="over", lift=True, verbosity=0)
    assert forgetting.forget() == 2
    told = AuditEvent.objects.filter(subject=str(study.uid)).order_by("pk")
    assert [one.action for one in told] == ["study.held", "study.hold_lifted", "study.deleted"]


def test_a_study_that_is_still_arriving_stays(places: FirstSite) -> None:
    study = the_study(places)
    Arrived.objects.create(
        site=places.site, study=study, node=places.pacs, sop_instance_uid="1.2", key="k",
        digest="", size=1, sender="X", header="{}", received_at=timezone.now(),
    )  # fmt: skip
    assert_stays()


# -- files -------------------------------------------------------------------------------------
def test_while_a_backup_is_made_nothing_goes(places: FirstSite) -> None:
    the_study(places)
    age(31)
    with alone():
        assert forgetting.forget() == 0
    assert forgetting.forget() == 1


def test_a_file_whose_deletion_was_interrupted_goes_later_and_is_not_taken_in_again(
    place: Place,
) -> None:
    place.send(head_ct(slices=1))
    place.work()
    (key,) = Instance.objects.values_list("key", flat=True)
    Study.objects.all().delete()
    Discarded.objects.create(key=key)
    age(31)
    receiver = Receiver()
    try:
        assert healing.heal(receiver, newest=time.time(), look_at_all=True) == 0
    finally:
        receiver.close()
    forgetting.forget()
    assert not spool().path(key).exists()
    assert not Discarded.objects.exists()


def test_a_file_that_has_come_again_is_not_deleted_from_under_its_new_row(place: Place) -> None:
    study = head_ct(slices=1)
    place.send(study)
    place.work()
    (key,) = Instance.objects.values_list("key", flat=True)
    Discarded.objects.create(key=key)
    age(31)
    forgetting.forget()
    assert spool().path(key).exists()
    assert not Discarded.objects.exists()


def put(instance: ReceivedInstance) -> str:
    return spool().put(site="drammen", received=instance).key


def test_a_file_that_is_put_again_but_has_no_row_yet_is_left_for_later(places: FirstSite) -> None:
    instance = received(head_ct(slices=1)[0])
    key = put(instance)
    age(31)
    assert put(instance) == key
    Discarded.objects.create(key=key)
    forgetting.forget()
    assert spool().path(key).exists()
    assert Discarded.objects.exists()
    age(1)
    forgetting.forget()
    assert not spool().path(key).exists()


def test_a_clock_that_jumps_ahead_deletes_nothing(
    places: FirstSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    the_study(places)
    forgetting.forget()
    age(31)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 40 * 86400)
    assert forgetting.forget() == 0
    monkeypatch.undo()
    assert forgetting.forget() == 1


# -- the other kinds ---------------------------------------------------------------------------
def aside(site: Site | None, days: int) -> str:
    key = spool().set_aside(b"bytes", reason="no", suffix=".dcm")
    SetAside.objects.create(at=ago(days), site=site, protocol="dicom", sender="X", key=key)
    return key


def test_what_was_set_aside_goes_with_its_note(places: FirstSite) -> None:
    keep(places.site, set_aside=30)
    old, young = aside(places.site, 31), aside(places.site, 29)
    age(31)
    assert forgetting.forget() == 1
    assert {key for key, _path in spool().everything()} == {young, young[:-3] + "json"}
    assert SetAside.objects.get().key == young != old
    told = AuditEvent.objects.get(action="retention.deleted")
    assert told.details == {"kind": "set_aside", "rows": 1}


def test_what_belongs_to_no_site_is_kept_as_long_as_by_the_site_that_keeps_longest(
    places: FirstSite,
) -> None:
    aside(None, 50)
    keep(places.site, set_aside=30)
    assert forgetting.forget() == 0
    for site in Site.objects.all():
        keep(site, set_aside=60 if site == places.other_site else 30)
    assert forgetting.forget() == 0
    keep(places.other_site, set_aside=40)
    assert forgetting.forget() == 1


def test_orders_without_a_study_and_messages_go(places: FirstSite) -> None:
    study = the_study(places)
    for key in ("with", "old", "young"):
        Order.objects.create(site=places.site, key=key)
    Order.objects.exclude(key="young").update(updated_at=ago(31))
    Study.objects.filter(pk=study.pk).update(order=Order.objects.get(key="with"))
    for days in (29, 31):
        Message.objects.create(
            node=places.ris, control_id=str(days), message_type="OMI", raw=b"",
            received_at=ago(days),
        )  # fmt: skip
    keep(places.site, orders=30, messages=30)
    assert forgetting.forget() == 2
    assert set(Order.objects.values_list("key", flat=True)) == {"with", "young"}
    assert Message.objects.get().control_id == "29"


def test_the_audit_trail_goes_after_its_days_and_says_how_much(places: FirstSite) -> None:
    AuditEvent.objects.all().delete()
    for days in (190, 200, 210):
        AuditEvent.objects.create(at=ago(days), actor="x", action="seen", site=places.site)
    keep(places.site, audit=195)
    assert forgetting.forget() == 2
    told = AuditEvent.objects.get(action="retention.deleted")
    assert told.details == {"kind": "audit", "rows": 2}
    assert AuditEvent.objects.filter(action="seen").count() == 1

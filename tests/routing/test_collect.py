"""What an algorithm left is taken back, and what is not fit to be shown is refused."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from hub.phrases import render
from routing import lease, staging, tasks
from routing.models import Finding, Priority, Result, Study, Workitem
from routing.places import spool, work_folder
from routing.steps import collect as step
from tests.builders import worker
from tests.builders.orders import order_message
from tests.builders.studies import PATIENT, head_ct
from tests.routing.conftest import Place
from vendors.performers.base import Progress, Run, SubmitFailed

ODD = "tests.fakes.odd_algorithm"


def run(place: Place, *behaviour: str, module: str = ODD) -> Workitem:
    """The Workitem after the algorithm did what ``behaviour`` says."""
    place.algorithm_does(*behaviour, module=module)
    place.order(order_message())
    place.send(head_ct())
    place.work()
    return place.workitem


def promises(place: Place, **returns: Any) -> None:
    place.rows.version.manifest["returns"] |= returns
    place.rows.version.save()


def assert_failed(place: Place, why: str) -> None:
    """Failed with this reason; nothing is kept, shown or told, and reading goes on as ordered."""
    item = place.workitem
    assert item.state == "failed"
    assert why in render(item.why)
    assert (Finding.objects.count(), Result.objects.count()) == (0, 0)
    assert place.study.ai_state == "failed"
    assert render(place.study.reason).startswith("AI failed; ")
    assert not work_folder(item).exists()
    assert place.nothing_was_sent()


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        ("crash", "ended with exit code 3"),
        ("silent", "the algorithm left no findings.json"),
        ("outside", "a region does not lie inside the image it names"),
        ("stranger", "a region names an image that is not in the input"),
        ("other", "findings.json says nothing about Intracranial hemorrhage"),
    ],
)
def test_what_is_not_fit_to_be_shown_fails_with_the_reason(
    place: Place, behaviour: str, why: str
) -> None:
    run(place, behaviour, module="tests.fakes.algorithm")
    place.time_passes()
    place.time_passes()
    assert_failed(place, why)


@pytest.mark.once  # files tell, and what is written is what the test before wrote
@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        ("not_analysed", "not analysed: motion artefacts"),
        ("garbage", "findings.json is not as agreed"),
        ("huge", "expected at most 4194304 bytes"),
        ("link", "the algorithm left no findings.json"),
        ("same_uid_twice", "SOP Instance UID"),
        ("other_patient", "the returned object one.dcm is refused"),
        ("other_study", "the returned object one.dcm is refused"),
        ("final", "ended with exit code 65"),
    ],
)
def test_what_is_not_as_agreed_fails_with_the_reason(
    place: Place, behaviour: str, why: str
) -> None:
    run(place, behaviour)
    assert_failed(place, why)


@pytest.mark.parametrize("behaviour", ["other_name", "other_birth_date"])
def test_an_object_of_another_person_under_the_same_id_is_refused(
    place: Place, behaviour: str
) -> None:
    place.algorithm_does(behaviour, module=ODD)
    place.rows.version.manifest["needs"]["identity"] = "as_is"
    place.rows.version.save()
    place.send(head_ct())
    place.work()
    assert_failed(place, "is that of another patient")


def other_study(place: Place) -> Study:
    """Of another patient, received, and of no interest to any algorithm."""
    made = head_ct(
        slices=1, PatientID="01010112345", PatientName="Other^Patient", Modality="MR",
        StudyInstanceUID="1.2.826.0.1.3680043.10.9", SeriesInstanceUID="1.2.826.0.1.3680043.10.9.1",
    )  # fmt: skip
    made[0].SOPInstanceUID = "1.2.826.0.1.3680043.10.9.1.1"
    place.send(made)
    return Study.objects.get(study_instance_uid="1.2.826.0.1.3680043.10.9")


@pytest.mark.parametrize(
    ("keyword", "uid", "why"),
    [
        ("SOPInstanceUID", "1.2.826.0.1.3680043.10.9.1.1", "SOP Instance UID that is already used"),
        ("SeriesInstanceUID", "1.2.826.0.1.3680043.10.9.1", "Series Instance UID of another study"),
    ],
)
def test_an_object_that_would_stand_in_another_patients_study_is_refused(
    place: Place, keyword: str, uid: str, why: str
) -> None:
    other = other_study(place)
    place.algorithm_does("own_uid", keyword, uid, module=ODD)
    place.send(head_ct())
    place.work()
    item = Workitem.objects.get()
    assert item.study != other
    assert item.state == "failed"
    assert why in render(item.why)
    assert place.nothing_was_sent()


def test_a_series_uid_that_an_algorithm_uses_for_every_study_is_refused(place: Place) -> None:
    place.algorithm_does("own_uid", "SeriesInstanceUID", "1.2.3.4.5", module=ODD)
    place.send(head_ct())
    place.work()
    assert place.workitem.state == "written_back"
    again = head_ct(StudyInstanceUID="1.2.826.0.1.3680043.10.9")
    for number, one in enumerate(again):
        one.SeriesInstanceUID = "1.2.826.0.1.3680043.10.9.1"
        one.SOPInstanceUID = f"1.2.826.0.1.3680043.10.9.1.{number}"
    place.send(again)
    place.work()
    second = Workitem.objects.latest("pk")
    assert second.state == "failed"
    assert "Series Instance UID of another study" in render(second.why)


def test_objects_full_of_holes_are_refused_by_the_room_a_copy_takes(place: Place) -> None:
    run(place, "holes", str(2**29 + 2**26 + 1))
    assert_failed(place, "1207959554 bytes of objects returned, at most 1073741824 expected")


def test_what_is_refused_leaves_nothing_in_the_spool(place: Place) -> None:
    run(place, "capture_and_rubbish")
    assert_failed(place, "the returned object two.dcm is refused")
    kept = spool().path("objects/x").parent
    assert [path for path in kept.rglob("*") if path.is_file()] == []


def test_an_object_that_the_manifest_promises_must_be_there(place: Place) -> None:
    place.algorithm_does("more_urgent", module=ODD)
    promises(place, dicom=["SEG"])
    place.send(head_ct())
    place.work()
    assert_failed(place, "no SEG object was returned, which the manifest promises")


def test_a_returned_object_reaches_the_pacs_as_the_patients_own(place: Place) -> None:
    run(place, "capture")
    assert sorted(one.Modality for one in place.objects()) == ["OT", "SR"]
    (capture,) = (one for one in place.objects() if one.Modality == "OT")
    assert capture.PatientID == PATIENT.patient_id
    assert str(capture.PatientName) == PATIENT.name
    assert capture.StudyInstanceUID == place.study.study_instance_uid


def test_no_finding_is_more_urgent_than_what_the_algorithm_was_cleared_for(place: Place) -> None:
    place.algorithm_does("more_urgent", module=ODD)
    (promised,) = place.rows.version.manifest["returns"]["findings"]
    promised["urgency_when_present"] = "medium"
    place.rows.version.save()
    place.order(order_message())
    place.send(head_ct())
    place.work()
    finding = Finding.objects.get()
    assert (finding.urgency, finding.is_critical) == ("medium", False)
    assert place.study.priority == Priority.ROUTINE
    assert place.ris.of_type("OMI^O23") == []


def test_a_run_that_failed_for_the_moment_is_tried_again(place: Place, tmp_path: Path) -> None:
    item = run(place, "flaky", str(tmp_path / "seen"))
    assert (item.state, item.attempts) == ("entitled", 1)
    assert place.nothing_was_sent()
    place.time_passes()
    assert place.workitem.state == "written_back"
    assert len(place.objects()) == 1


def test_a_run_that_fails_every_time_is_given_up(place: Place) -> None:
    run(place, "temporary")
    for _ in range(3):
        place.time_passes()
    assert_failed(place, "ended with exit code 75")


def test_the_last_lines_of_the_log_are_kept_for_the_administrator(place: Place) -> None:
    assert run(place, "final").log_tail.splitlines()[-1] == "bad input"


def test_a_finding_keeps_what_was_said_about_it(place: Place) -> None:
    run(place, "present", module="tests.fakes.algorithm")
    finding = Finding.objects.get()
    assert (finding.status, finding.probability, finding.urgency) == ("present", 0.97, "stat")
    assert (finding.is_critical, finding.tracking_id) == (True, "ICH-1")
    (region,) = finding.regions
    # turned back: the algorithm saw a pseudonym
    assert place.study.instances.filter(sop_instance_uid=region["sop_instance_uid"]).exists()


def test_a_performer_that_is_no_longer_allowed_fails_what_it_runs(
    place: Place, settings: Any
) -> None:
    place.algorithm_does("slow", "30")
    place.send(head_ct())
    place.work(until=lambda: Workitem.objects.filter(state="dispatched").exists())
    settings.HUB_ALLOW_PROCESS_PERFORMER = False
    Workitem.objects.update(due_at=None)
    step.collect(place.workitem)
    item = place.workitem
    assert item.state == "failed"
    assert "HUB_ALLOW_PROCESS_PERFORMER is off" in render(item.why)
    assert place.nothing_was_sent()


class Busy:
    """A performer whose engine does not answer, over one that does."""

    def __init__(self, within: Any) -> None:
        self.within = within

    def poll(self, _run: Run) -> Progress:
        return Progress("silent", why="the engine does not answer")

    def cleanup(self, _run: Run) -> None:
        raise SubmitFailed("the engine does not answer")


@pytest.fixture
def running(place: Place) -> Place:
    place.algorithm_does("slow", "3")
    place.send(head_ct())
    place.work(until=lambda: Workitem.objects.filter(state="dispatched").exists())
    worker.lose_everything()
    return place


def busy(monkeypatch: pytest.MonkeyPatch) -> None:
    within = staging.performer_of
    monkeypatch.setattr(staging, "performer_of", lambda manifest: Busy(within(manifest)))


def test_a_run_is_not_given_up_because_its_engine_was_busy(
    running: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    Workitem.objects.update(due_at=None)
    with monkeypatch.context() as patched:
        busy(patched)
        step.collect(running.workitem)
        assert (running.workitem.state, running.workitem.attempts) == ("dispatched", 0)
        assert work_folder(running.workitem).exists()
    running.time_passes()
    assert running.workitem.state == "written_back"
    assert running.workitem.runs == 0


def test_a_run_that_nobody_answers_for_is_given_up_past_its_time(
    running: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    Workitem.objects.update(dispatched_at=timezone.now() - timedelta(hours=1), due_at=None)
    with monkeypatch.context() as patched:
        busy(patched)
        step.collect(running.workitem)
    assert (running.workitem.state, running.workitem.attempts) == ("entitled", 1)
    assert running.nothing_was_sent()


def test_a_run_of_minutes_is_looked_after_twice_a_second(place: Place) -> None:
    place.algorithm_does("slow", "30")
    place.send(head_ct())
    place.work(until=lambda: Workitem.objects.filter(state="dispatched").exists())
    started = timezone.now() - timedelta(minutes=5)
    Workitem.objects.update(dispatched_at=started, lease_until=None, due_at=None)
    step.collect(place.workitem)
    item = place.workitem
    assert item.state == "dispatched"
    assert item.due_at is not None
    assert item.due_at <= timezone.now() + timedelta(seconds=0.5)
    assert place.nothing_was_sent()


def test_collecting_what_somebody_else_holds_does_nothing(place: Place) -> None:
    place.send(head_ct())
    place.work(until=lambda: Workitem.objects.filter(state="dispatched").exists())
    Workitem.objects.update(due_at=None)
    held = lease.take(place.workitem, states=("dispatched",))
    assert held is not None
    step.collect(place.workitem)
    assert place.workitem.state == "dispatched"
    assert place.nothing_was_sent()


def test_looking_twice_does_not_look_twice_from_then_on(place: Place) -> None:
    """The timer and the sweep nudged at the same moment."""
    place.algorithm_does("slow", "30")
    place.send(head_ct())
    place.work(until=lambda: Workitem.objects.filter(state="dispatched").exists())
    worker.lose_everything()
    now = timezone.now()
    # The longer it has run, the later the next look: later than three looks take.
    Workitem.objects.update(due_at=now, dispatched_at=now - timedelta(seconds=100))
    for _ in range(3):
        tasks.collect(place.workitem.pk)
    assert [name for name, _args in worker.take_nudges()] == ["routing.tasks.collect"]
    staging.stop(place.workitem)

"""What an algorithm is given, when it is started, and what happens where it cannot be."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from hub.models import AuditEvent
from hub.phrases import render
from routing import lease, replay, slots, staging, tasks
from routing.models import Priority, Study, Workitem
from routing.pathway import Overtaken
from routing.places import prepared_root, spool, work_folder
from routing.steps import collect as collect_step
from routing.steps import complete as complete_step
from routing.steps import dispatch as step
from routing.steps import entitle as entitle_step
from routing.steps import match as match_step
from tests.builders import worker
from tests.builders.orders import order_message
from tests.builders.studies import PATIENT, head_ct, send
from tests.routing.conftest import Place
from tests.vendors.signing import IMAGE, new_key, pem_of, signed
from vendors.models import Vendor

ODD = "tests.fakes.odd_algorithm"
# what tells who the patient is, in name, number, date and the numbers of study and order
TELLING = ("snes", "jærsti", "kj\xe6rsti", PATIENT.patient_id, "19720913", "1972-09-13")


def version_of(place: Place) -> int:
    return int(place.rows.version.pk)


def entitled(place: Place) -> bool:
    return Workitem.objects.filter(state="entitled").exists()


def given(folder: Path) -> dict[str, Any]:
    """study.json as the algorithm got it."""
    found: dict[str, Any] = json.loads((folder / "input" / "study.json").read_text())
    return found


# -- identity ------------------------------------------------------------------------------------
def test_nothing_that_an_algorithm_is_given_tells_who_the_patient_is(
    place: Place, tmp_path: Path
) -> None:
    place.algorithm_does("copy_input", str(tmp_path), module=ODD)
    place.order(order_message())
    place.send(head_ct(
        PatientComments="Åsnes, Kjærsti", ImageComments=f"id {PATIENT.patient_id}",
        StudyDescription="CT caput Åsnes",
    ))  # fmt: skip
    place.work()
    study = place.study
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 12 + 2
    uids = study.instances.values_list("sop_instance_uid", flat=True)
    secrets = [*TELLING, study.study_instance_uid, study.accession_number + "^", *uids]
    for path in files:
        raw = path.read_bytes()
        for encoding in ("utf-8", "latin-1"):
            said = raw.decode(encoding, "ignore").casefold()
            told = [secret for secret in secrets if secret.casefold() in said]
            assert told == [], f"{path.name} tells {told}"
    assert given(tmp_path)["patient"] == {"age_years": 53, "sex": "F"}
    # and yet what came back is the patient's
    (report,) = place.objects()
    assert report.PatientID == PATIENT.patient_id


def test_study_json_tells_no_more_than_the_de_identified_files(
    place: Place, tmp_path: Path
) -> None:
    place.algorithm_does("copy_input", str(tmp_path), module=ODD)
    place.rows.version.manifest["needs"].pop("body_part_examined", None)
    place.rows.version.save()
    rule = place.rows.rule
    rule.when = {"series.modality": {"equals": "CT"}}
    rule.save()
    place.send(head_ct(
        BodyPartExamined="ASNES", PatientSex="KJAERSTI", PatientBirthDate="19260913",
        StudyDate="20260920", PatientAge="100Y",
    ))  # fmt: skip
    place.work()
    told = given(tmp_path)
    # who is older than 90 is of so few as to be known by it
    assert told["patient"] == {"age_years": 90, "sex": None}
    assert told["series"][0]["body_part_examined"] is None


def test_an_algorithm_that_was_granted_more_gets_the_study_as_it_came(
    place: Place, tmp_path: Path
) -> None:
    place.algorithm_does("copy_input", str(tmp_path), module=ODD)
    place.rows.version.manifest["needs"]["identity"] = "as_is"
    place.rows.version.save()
    place.send(head_ct())
    place.work()
    assert given(tmp_path)["study_instance_uid"] == place.study.study_instance_uid
    assert len(place.objects()) == 1


def test_no_secret_of_the_hub_is_in_an_algorithms_environment(
    place: Place, tmp_path: Path, settings: Any
) -> None:
    place.algorithm_does("copy_input", str(tmp_path), module=ODD)
    place.send(head_ct())
    place.work()
    environment = (tmp_path / "environment").read_text()
    assert settings.SECRET_KEY not in environment
    assert "HUB_SECRET_KEY" not in environment


def test_the_input_is_gone_once_the_result_is_there(place: Place) -> None:
    place.send(head_ct())
    place.work()
    assert not work_folder(place.workitem).exists()


def test_the_input_is_what_was_matched_and_not_what_came_since(place: Place) -> None:
    made = head_ct(slices=13)
    place.send(made[:12])
    place.work(until=lambda: entitled(place))
    worker.lose_everything()
    place.send(made[12:])
    step.dispatch(version_of(place))
    (series,) = given(work_folder(place.workitem))["series"]
    assert len(series["instances"]) == 12


# -- starting ------------------------------------------------------------------------------------
def test_a_performer_that_is_not_allowed_fails_the_workitem_and_says_why(
    place: Place, settings: Any
) -> None:
    settings.HUB_ALLOW_PROCESS_PERFORMER = False
    place.send(head_ct())
    place.work()
    item = place.workitem
    assert item.state == "failed"
    assert "HUB_ALLOW_PROCESS_PERFORMER is off" in render(item.why)
    assert render(place.study.reason).startswith("AI failed; ")
    assert place.nothing_was_sent()


def test_an_instance_lost_from_the_spool_is_told_and_can_be_replayed(place: Place) -> None:
    place.send(head_ct())
    place.work(until=lambda: entitled(place))
    key = place.study.instances.order_by("pk").values_list("key", flat=True)[0]
    path = spool().path(key)
    raw = path.read_bytes()
    path.unlink()
    # On a machine that took its time a copy was made while the study arrived, and would do.
    shutil.rmtree(prepared_root(), ignore_errors=True)
    step.dispatch(version_of(place))
    assert place.workitem.state == "failed"
    assert render(place.workitem.why)
    assert place.nothing_was_sent()
    path.write_bytes(raw)
    replay.replay_workitem(place.workitem, by=place.rows.administrator)
    place.work()
    assert place.workitem.state == "written_back"


def test_starting_twice_starts_once(place: Place) -> None:
    """A worker died between submit and the row: the next takes the run over."""
    place.algorithm_does("slow", "30")
    place.send(head_ct())
    place.work(until=lambda: entitled(place))
    step.dispatch(version_of(place))
    control = work_folder(place.workitem) / "work" / "process" / "job.json"
    started_at = control.stat().st_mtime_ns
    Workitem.objects.update(state="entitled", dispatched_at=None, due_at=None)
    step.dispatch(version_of(place))
    assert place.workitem.state == "dispatched"
    assert control.stat().st_mtime_ns == started_at
    _stop(place)


def _stop(place: Place) -> None:
    for item in Workitem.objects.select_related("study__site", "version__algorithm"):
        staging.stop(item)


def test_a_worker_that_was_paused_too_long_does_not_stop_the_run_of_who_took_over(
    place: Place,
) -> None:
    place.algorithm_does("slow", "30")
    place.send(head_ct())
    place.work(until=lambda: entitled(place))
    with slots.next_up(version_of(place)) as paused:
        assert paused is not None
        Workitem.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        step.dispatch(version_of(place))
        assert place.workitem.state == "dispatched"
        with pytest.raises(Overtaken):
            lease.require(paused)
        with pytest.raises(Overtaken):
            step._start(paused)
    tasks.abandon(paused.pk)
    item = Workitem.objects.select_related("study__site", "version__algorithm").get()
    manifest = item.version.declared
    assert staging.performer_of(manifest).poll(staging.run_of(item, manifest)).state == "running"
    assert len(list((work_folder(item) / "input").rglob("*.dcm"))) == 12
    _stop(place)


@pytest.fixture
def two_studies(place: Place) -> tuple[Study, Study]:
    """A routine study and, after it, a STAT one; both wait for the algorithm."""
    place.algorithm_does("slow", "30")
    place.send(head_ct(NumberOfStudyRelatedInstances=12))
    place.order(order_message(placer="P2", filler="F2", accession="A2", priority="S"))
    later = head_ct(
        AccessionNumber="A2", StudyInstanceUID="1.2.826.0.1.3680043.10.9",
        NumberOfStudyRelatedInstances=12,
    )  # fmt: skip
    for number, one in enumerate(later):
        one.SeriesInstanceUID = "1.2.826.0.1.3680043.10.9.1"
        one.SOPInstanceUID = f"1.2.826.0.1.3680043.10.9.1.{number}"
    send(place.rows.pacs, later)
    for study in Study.objects.all():
        complete_step.complete(study)
        match_step.match(Study.objects.get(pk=study.pk))
    for item in Workitem.objects.all():
        entitle_step.entitle(item)
    worker.lose_everything()
    routine, stat = Study.objects.order_by("pk")
    assert (routine.priority, stat.priority) == (Priority.ROUTINE, Priority.STAT)
    return routine, stat


def test_of_two_that_wait_stat_starts_first_and_no_more_than_may_run_at_once(
    place: Place, two_studies: tuple[Study, Study]
) -> None:
    place.rows.version.manifest["performer"]["concurrency"] = 1
    place.rows.version.save()
    routine, stat = two_studies
    step.dispatch(version_of(place))
    assert [item.state for item in stat.workitems.all()] == ["dispatched"]
    assert [item.state for item in routine.workitems.all()] == ["entitled"]
    step.dispatch(version_of(place))
    assert [item.state for item in routine.workitems.all()] == ["entitled"]
    _stop(place)


def test_a_slot_that_falls_free_is_taken_at_once(
    place: Place, two_studies: tuple[Study, Study]
) -> None:
    place.algorithm_does("present")
    place.rows.version.manifest["performer"]["concurrency"] = 1
    place.rows.version.save()
    step.dispatch(version_of(place))
    place.work()
    assert set(Workitem.objects.values_list("state", flat=True)) == {"written_back"}
    assert len(place.pacs.received) == 2


def test_a_workitem_superseded_while_it_ran_is_stopped(place: Place) -> None:
    place.algorithm_does("slow", "30")
    made = head_ct(slices=13)
    place.send(made[:12])
    place.work(until=lambda: Workitem.objects.filter(state="dispatched").exists())
    folder = work_folder(place.workitem)
    place.algorithm_does("present")
    place.send(made[12:])
    place.work()
    assert not folder.exists()
    assert sorted(Workitem.objects.values_list("state", flat=True)) == [
        "superseded", "written_back",
    ]  # fmt: skip
    assert len(place.objects()) == 1
    first = Workitem.objects.get(state="superseded")
    collect_step.collect(first)
    first.refresh_from_db()
    assert first.state == "superseded"


# -- signatures ----------------------------------------------------------------------------------
@pytest.mark.parametrize("signer", ["nobody", "another", "vendor"])
def test_an_image_that_its_vendor_did_not_sign_is_not_run(
    place: Place, settings: Any, tmp_path: Path, signer: str
) -> None:
    """The key may have come after the set-up was applied; so it is looked at before each run."""
    engine = tmp_path / "podman"
    says = f"echo asked >> {tmp_path}/asked; echo no such container >&2; exit 1"
    engine.write_text(f"#!/bin/sh\n{says}\n")
    engine.chmod(0o755)
    settings.HUB_CONTAINER_COMMAND = str(engine)
    version, key = place.rows.version, new_key()
    version.manifest["performer"] = {"kind": "container", "image": IMAGE}
    if signer != "nobody":
        given = signed(key if signer == "vendor" else new_key())
        version.signature_payload = given["payload"]
        version.signature_value = given["signature"]
    version.save()
    Vendor.objects.update(signing_key=pem_of(key))
    place.send(head_ct())
    place.work(until=(tmp_path / "asked").exists)
    if signer == "vendor":
        assert (tmp_path / "asked").exists()
        return
    assert not (tmp_path / "asked").exists()
    assert place.workitem.state == Workitem.State.FAILED
    assert "sign" in render(place.workitem.why)
    event = AuditEvent.objects.get(action="image.refused")
    assert (event.site, event.subject) == (place.rows.site, str(place.workitem.uid))
    assert place.nothing_was_sent()

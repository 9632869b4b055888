"""A report that waits while its patient is merged is sent under the Patient ID that survives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from contracts.models import UsageEvent
from demo.stand_ins import Pacs
from hub.models import Node
from hub.phrases import render
from routing import outbox
from routing.models import Breaker, Delivery, Result, Workitem
from tests.builders.studies import PATIENT, head_ct
from tests.routing.conftest import Place
from tests.routing.test_merging import merge

pytestmark = pytest.mark.django_db(transaction=True)
PRIOR, SURVIVOR = PATIENT.patient_id, "04127112345"
ODD = "tests.fakes.odd_algorithm"


def reports(received: list[Dataset]) -> list[Dataset]:
    return [one for one in received if one.Modality == "SR"]


def waiting_for(place: Place, pacs: Pacs, number: int = 1) -> None:
    """A result that this PACS has no room for yet."""
    pacs.status = lambda _dataset: 0xA700
    place.send(head_ct())
    tried = Delivery.objects.filter(kind="dicom", state="pending", attempts__gte=1)
    place.work(until=lambda: tried.exists() and place.results() == ["P"] * number)


def test_one_that_nobody_has_is_written_anew_in_its_place(place: Place) -> None:
    waiting_for(place, place.pacs)
    (first,) = Result.objects.filter(kind="sr")
    assert merge(place, PRIOR, SURVIVOR).code == "AA"
    place.pacs.status = lambda _dataset: 0x0000
    place.time_passes()
    (report,) = reports(place.pacs.received)
    assert report.PatientID == SURVIVOR
    assert report.SOPInstanceUID != first.sop_instance_uid
    assert "PredecessorDocumentsSequence" not in report
    (row,) = Result.objects.filter(kind="sr")
    assert (row.sop_instance_uid, row.patient_id) == (report.SOPInstanceUID, SURVIVOR)
    assert place.workitem.state == "written_back"
    assert UsageEvent.objects.count() == 1


def test_one_that_another_pacs_has_is_followed_by_another_instance(place: Place) -> None:
    other = Pacs()
    Node.objects.create(
        code="second-pacs", site=place.rows.site, protocol="dicom", ae_title="SECOND",
        host="127.0.0.1", port=other.port, roles=["results"],
    )  # fmt: skip
    try:
        waiting_for(place, other)
        place.work(until=lambda: bool(reports(place.pacs.received)))
        merge(place, PRIOR, SURVIVOR)
        other.status = lambda _dataset: 0x0000
        place.time_passes()
        (first,), (second,) = reports(place.pacs.received), reports(other.received)
    finally:
        other.close()
    assert (first.PatientID, second.PatientID) == (PRIOR, SURVIVOR)
    assert first.SOPInstanceUID != second.SOPInstanceUID
    assert first.SeriesInstanceUID != second.SeriesInstanceUID
    (study,) = second.PredecessorDocumentsSequence
    (series,) = study.ReferencedSeriesSequence
    (earlier,) = series.ReferencedSOPSequence
    assert earlier.ReferencedSOPInstanceUID == first.SOPInstanceUID
    assert series.SeriesInstanceUID == first.SeriesInstanceUID
    assert UsageEvent.objects.count() == 1


def test_tried_again_after_a_merge_it_is_the_same_instance(place: Place) -> None:
    waiting_for(place, place.pacs)
    merge(place, PRIOR, SURVIVOR)
    seen: list[str] = []
    place.pacs.status = lambda one: 0xA700 if not seen.append(str(one.SOPInstanceUID)) else 0
    for _ in range(2):
        Delivery.objects.filter(kind="dicom").update(due_at=None)
        Breaker.objects.all().delete()
        outbox.deliver(place.rows.pacs)
    assert len(seen) == 2
    assert len(set(seen)) == 1
    place.pacs.status = lambda _dataset: 0x0000
    place.time_passes()
    assert [one.SOPInstanceUID for one in reports(place.pacs.received)] == seen[:1]


def test_without_a_merge_nothing_is_written_anew(place: Place) -> None:
    waiting_for(place, place.pacs)
    (first,) = Result.objects.filter(kind="sr")
    place.pacs.status = lambda _dataset: 0x0000
    place.time_passes()
    assert [one.SOPInstanceUID for one in place.pacs.received] == [first.sop_instance_uid]


# -- a study of which some instances bear the one number and some the other -----------------------
def bring_mixed(place: Place) -> None:
    made = head_ct()
    place.send(made[:6])
    merge(place, PRIOR, SURVIVOR)
    for number, one in enumerate(made[6:]):
        one.PatientID = SURVIVOR
        one.SeriesDescription = f"BRAIN {PRIOR if number % 2 else SURVIVOR}"
    assert place.send(made[6:]) == [0x0000] * 6
    place.work()


def test_an_algorithm_learns_neither_number_and_sees_one_patient(
    place: Place, tmp_path: Path
) -> None:
    place.algorithm_does("capture_and_leave", str(tmp_path), module=ODD)
    bring_mixed(place)
    assert place.workitem.state == "written_back", render(place.workitem.why)
    given = list((tmp_path / "input").rglob("*.dcm"))
    assert len(given) == 12
    for path in given:
        raw = path.read_bytes()
        assert PRIOR.encode() not in raw
        assert SURVIVOR.encode() not in raw
    assert {one.PatientID for one in reports(place.pacs.received)} == {SURVIVOR}
    assert {one.PatientID for one in place.objects()} <= {PRIOR, SURVIVOR}


def test_what_it_returns_for_any_of_them_is_taken(place: Place) -> None:
    place.algorithm_does("capture_for_each_patient_id", module=ODD)
    bring_mixed(place)
    assert place.workitem.state == "written_back", render(place.workitem.why)
    captures = [one for one in place.objects() if one.Modality == "OT"]
    assert len(captures) == 1


def test_a_merge_while_it_runs_changes_nothing_of_what_it_may_return(
    place: Place, settings: Any
) -> None:
    place.algorithm_does("capture_for_each_patient_id", module=ODD)
    place.send(head_ct())
    place.work(until=lambda: Workitem.objects.filter(state="dispatched").exists())
    merge(place, PRIOR, SURVIVOR)
    place.work()
    assert place.workitem.state == "written_back", render(place.workitem.why)
    assert {one.PatientID for one in reports(place.pacs.received)} == {SURVIVOR}

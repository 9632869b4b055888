"""Slices that come late: the study is looked at again, corrected, and paid for once."""

from __future__ import annotations

from tests.journeys.region import Region, Scan, field


def test_late_slices_correct_the_result_and_are_not_billed_again(region: Region) -> None:
    scan = region.scan(slices=14)
    early, late = scan.files[:10], scan.files[10:]
    region.order(scan.order())
    assert region.store(early).is_success
    region.settled(scan)
    assert region.store(late).is_success
    study = region.settled(scan, revision=2)

    states = {item["revision"]: item["state"] for item in study["workitems"]}
    assert states == {1: "superseded", 2: "written_back"}
    first, second = region.received(scan, site="drammen")
    (predecessor,) = second.PredecessorDocumentsSequence
    (series,) = predecessor.ReferencedSeriesSequence
    (instance,) = series.ReferencedSOPSequence
    assert instance.ReferencedSOPInstanceUID == first.SOPInstanceUID
    results = region.told(scan, "ORU^R01")
    assert [field(one, "OBR", 25) for one in results] == ["P", "C"]
    assert field(results[0], "OBR", 3) == field(results[1], "OBR", 3)
    assert len(region.told(scan, "OMI^O23")) == 1
    assert region.usage(scan) == 1


def test_a_late_series_that_no_algorithm_reads_corrects_nothing(
    region: Region, scan: Scan
) -> None:
    region.send(scan)
    region.settled(scan)
    extra = region.scan("localizer", slices=2, StudyInstanceUID=scan.uid,
                        PatientID=scan.patient_id, Modality="OT")  # fmt: skip
    region.send(extra)
    study = region.settled(scan, revision=2)
    assert [item["state"] for item in study["workitems"]] == ["written_back"]
    assert len(region.received(scan, site="drammen")) == 1
    assert len(region.told(scan, "ORU^R01")) == 1
    assert region.usage(scan) == 1

"""A head CT goes from the scanner to the PACS, the RIS and the top of the worklist."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from tests.fakes.running_hub import ROOT, Json
from tests.hub.dicom.peers import dciodvfy_errors
from tests.journeys.region import Region, Scan, field

REAL_HEAD = ROOT.parent / "shared/corpus/dicom/neurolabusc_dcm_qa_ct/In/GE"
COMPREHENSIVE_3D_SR = "1.2.840.10008.5.1.4.1.1.88.34"
WHOLE_HEAD = {"slices": 28, "size": 256}
PRESENT, ABSENT = "52101004", "2667000"


def real_head(folder: Path) -> Scan:
    """28 slices of a human head; the algorithm sees no blood in it."""
    sources = sorted(REAL_HEAD.glob("*.dcm"))
    if not sources:
        pytest.skip("the corpus is not here")
    files = []
    for path in sources:
        slice_ = pydicom.dcmread(path)
        slice_.NumberOfStudyRelatedInstances = len(sources)
        files.append(folder / path.name)
        slice_.save_as(files[-1])
    return Scan(slice_.StudyInstanceUID, slice_.PatientID, "A-REAL", tuple(files))


def real_head_with_blood(folder: Path) -> Scan:
    """The same head as another study, with a disc of 60 HU drawn into the brain of five slices."""
    source, study, series = real_head(folder), generate_uid(), generate_uid()
    rows, columns = np.ogrid[:512, :512]
    disc = (rows - 230) ** 2 + (columns - 200) ** 2 < 30**2
    for path in source.files:
        slice_ = pydicom.dcmread(path)
        pixels = slice_.pixel_array.copy()
        if 12 <= slice_.InstanceNumber <= 16:
            pixels[disc] = 60 - slice_.RescaleIntercept
        slice_.PixelData = pixels.tobytes()
        slice_.StudyInstanceUID, slice_.SeriesInstanceUID = study, series
        slice_.SOPInstanceUID = slice_.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        slice_.save_as(path)
    return Scan(study, source.patient_id, "A-BLOOD", source.files)


def codes_in(dataset: Dataset) -> set[str]:
    """Every Code Value anywhere in a data set."""
    return {str(one.value) for one in dataset.iterall() if one.keyword == "CodeValue"}


def assert_report(region: Region, scan: Scan, answer: str, folder: Path) -> None:
    """Orthanc has one report, of the right study and patient, with that answer and no error."""
    (report,) = region.received(scan, site="drammen")
    assert report.SOPClassUID == COMPREHENSIVE_3D_SR
    assert (report.StudyInstanceUID, report.PatientID) == (scan.uid, scan.patient_id)
    assert {PRESENT, ABSENT} & codes_in(report) == {answer}
    (written,) = region.pacs.files_of(scan.uid)
    (folder / "report.dcm").write_bytes(written)
    assert dciodvfy_errors(folder / "report.dcm") == []


def assert_result(region: Region, scan: Scan, flag: str) -> None:
    """The RIS got one preliminary result that names the study first and is flagged like this."""
    (result,) = region.told(scan, "ORU^R01")
    observations = list(result.segments("OBX"))
    assert str(observations[0][3]) == "113014^DICOM Study^DCM"
    assert str(observations[0][5]) == scan.uid
    order = scan.order()
    assert field(result, "OBR", 2) == f"P{order.number}^HIS"
    assert field(result, "OBR", 18) == scan.accession_number
    assert field(result, "OBR", 25) == "P"
    assert field(result, "PID", 3).startswith(scan.patient_id)
    assert flag in [str(one[8]) for one in observations if len(one) > 8]


def assert_priority_change(region: Region, scan: Scan) -> None:
    """The RIS got one request to raise the order to STAT, under the order's own numbers."""
    (change,) = region.told(scan, "OMI^O23")
    order = scan.order()
    assert field(change, "ORC", 1) == "XO"
    assert field(change, "ORC", 2) == f"P{order.number}^HIS"
    assert field(change, "ORC", 3) == f"F{order.number}^RIS"
    assert field(change, "TQ1", 9).startswith("S")
    assert field(change, "PID", 3).startswith(scan.patient_id)


def assert_stands_first(scan: Scan, rows: list[Json]) -> None:
    """Nothing stands before it that is not STAT with a finding as well, and it says why."""
    uids = [row["study_instance_uid"] for row in rows]
    place = uids.index(scan.uid)
    assert all(row["priority"] == "STAT" and row["findings"] for row in rows[: place + 1])
    assert rows[place]["reason"].startswith(
        "Intracranial hemorrhage suspected by Head-Ct-Bleed 1.0.0"
    )
    assert rows[place]["ai_state"] == "done"
    assert place < len(rows) - 1


@pytest.mark.parametrize("kind", ["human head", "phantom"])
def test_blood_in_a_head_reaches_pacs_ris_and_the_top_of_the_worklist(
    region: Region, kind: str, tmp_path: Path
) -> None:
    is_human = kind == "human head"
    head = real_head_with_blood(tmp_path) if is_human else region.scan("head", **WHOLE_HEAD)
    region.send(region.scan("no algorithm wants this"))
    region.order(head.order())
    region.send(head)
    region.settled(head)
    assert_report(region, head, PRESENT, tmp_path)
    assert_result(region, head, "AA")
    assert_priority_change(region, head)
    assert_stands_first(head, region.hub.worklist(user="radiologist.drammen"))
    assert region.usage(head) == 1


@pytest.mark.parametrize("kind", ["human head", "phantom"])
def test_a_head_without_blood_is_reported_as_such_and_raises_no_priority(
    region: Region, kind: str, tmp_path: Path
) -> None:
    is_human = kind == "human head"
    head = real_head(tmp_path) if is_human else region.scan("head, healthy", **WHOLE_HEAD)
    region.order(head.order())
    region.send(head)
    study = region.settled(head)
    assert_report(region, head, ABSENT, tmp_path)
    assert_result(region, head, "N")
    assert region.told(head, "OMI^O23") == []
    assert (study["priority"], study["ai_state"]) == ("ROUTINE", "done")
    assert study["reason"].startswith("Intracranial hemorrhage not found by Head-Ct-Bleed 1.0.0")
    assert region.usage(head) == 1


def test_what_the_hub_wrote_never_comes_round_again(
    region: Region, scan: Scan, tmp_path: Path
) -> None:
    region.send(scan)
    before = region.settled(scan)
    (written,) = region.pacs.files_of(scan.uid)
    (tmp_path / "report.dcm").write_bytes(written)
    sent = region.store([tmp_path / "report.dcm"], ae_title="DRAMMENPACS")
    assert sent.is_success, sent.text
    # A study sent after it has gone the whole way: whatever the report set off is over as well.
    later = region.scan()
    region.send(later)
    region.settled(later)
    assert region.settled(scan) == before
    assert before["revision"] == 1
    assert len(region.received(scan, site="drammen")) == 1
    assert len(region.told(scan, "ORU^R01")) == 1
    assert region.usage(scan) == 1


def test_no_name_of_a_patient_stands_in_the_log(region: Region, scan: Scan) -> None:
    region.order(scan.order())
    region.send(scan)
    region.settled(scan)
    assert pydicom.dcmread(scan.files[0]).PatientName == "Åsnes^Kjærsti"
    text = region.hub.log.read_text(errors="replace")
    assert "hub is open" in text
    for secret in ("snes", "rsti", scan.patient_id):
        assert secret not in text

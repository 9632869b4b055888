"""What should not be taken is refused or set aside with its reason, and never lost or mixed up."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from pydicom.uid import generate_uid

from demo.phantoms import write_study
from tests.fakes.modality import send_hl7, storescu
from tests.journeys.region import Region, Scan, field


def instances(region: Region, scan: Scan) -> int:
    """How many instances the hub holds as part of a study."""
    found = region.hub.rows(
        "SELECT count(*) FROM routing_instance i JOIN routing_study s ON s.id = i.study_id"
        " WHERE s.study_instance_uid = ?",
        scan.uid,
    )
    return int(found[0][0])


def changed(path: Path, folder: Path, **attributes: object) -> Path:
    """A copy of one file with other values."""
    dataset = pydicom.dcmread(path)
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    (written,) = write_study(folder, [dataset])
    return written


@pytest.mark.parametrize("ae_title", ["NOBODY", "DRAMMENFAR"])
def test_an_unknown_ae_title_or_a_known_one_from_elsewhere_is_refused(
    region: Region, scan: Scan, ae_title: str
) -> None:
    sent = region.store(scan.files, ae_title=ae_title)
    assert not sent.is_success
    assert "Calling AE Title Not Recognized" in sent.text
    assert instances(region, scan) == 0
    refused = region.hub.rows(
        "SELECT count(*) FROM hub_auditevent WHERE action = 'association.refused' AND actor = ?",
        f"{ae_title}@127.0.0.1",
    )
    assert refused == [(1,)]


def test_another_called_ae_title_is_refused(region: Region, scan: Scan) -> None:
    sent = storescu(
        scan.files, ae_title="DRAMMENCT", port=region.hub.dicom_port, called="ANOTHERHUB"
    )
    assert "Called AE Title Not Recognized" in sent.text
    assert instances(region, scan) == 0


def test_the_same_instances_again_change_nothing(region: Region, scan: Scan) -> None:
    region.send(scan)
    before = region.settled(scan)
    for ae_title in ("DRAMMENCT", "DRAMMENPACS"):
        assert region.store(scan.files, ae_title=ae_title).is_success
    assert region.study(scan) == before
    assert instances(region, scan) == len(scan.files)
    assert len(region.received(scan, site="drammen")) == 1
    assert region.usage(scan) == 1


def test_other_bytes_under_the_same_uid_are_set_aside(
    region: Region, scan: Scan, tmp_path: Path
) -> None:
    region.send(scan)
    forged = changed(scan.files[0], tmp_path, KVP=99)
    sent = region.store([forged])
    assert sent.answers
    assert sent.answers[0] != "Success"
    study = region.settled(scan)
    (aside,) = study["set_aside"]
    assert "already used by an instance with other content" in aside["reason"]
    assert aside["sender"] == "DRAMMENCT@127.0.0.1"
    assert (study["revision"], instances(region, scan)) == (1, len(scan.files))
    assert region.usage(scan) == 1


def test_another_patient_inside_a_study_is_set_aside(
    region: Region, scan: Scan, tmp_path: Path
) -> None:
    region.send(scan)
    stranger = changed(
        scan.files[0], tmp_path, PatientID="01010199999", SOPInstanceUID=generate_uid()
    )
    assert "Success" not in region.store([stranger]).answers
    study = region.settled(scan)
    (aside,) = study["set_aside"]
    assert "Patient ID differs" in aside["reason"]
    assert study["patient_id"] == scan.patient_id
    assert instances(region, scan) == len(scan.files)
    assert "Patient ID differs" in region.hub.manage("explain", scan.uid)
    (report,) = region.received(scan, site="drammen")
    assert report.PatientID == scan.patient_id


def test_a_disk_nearly_full_refuses_before_anything_is_lost(region: Region, scan: Scan) -> None:
    full = region.hub.beside("listen_dicom", "HUB_DICOM_PORT", HUB_MINIMUM_FREE_BYTES=str(10**18))
    with full as port:
        sent = storescu(scan.files, ae_title="DRAMMENCT", port=port)
    assert set(sent.answers) == {"Refused: OutOfResources"}
    assert instances(region, scan) == 0
    # room has been made, and the sender sends again
    region.send(scan)
    region.settled(scan)
    assert instances(region, scan) == len(scan.files)
    assert len(region.received(scan, site="drammen")) == 1
    assert region.usage(scan) == 1


def test_a_message_that_cannot_be_read_is_answered_and_set_aside(region: Region) -> None:
    question = "SELECT count(*) FROM routing_setaside WHERE protocol = 'hl7'"
    ((before,),) = region.hub.rows(question)
    message = b"MSH|^~\\&|RIS|DRAMMEN|AVROP|HUB|2026||OMI^O23|BROKEN-1|P|2.5.1\rORC|NW\r"
    answer = send_hl7(message, port=region.hub.hl7_port)
    assert (field(answer, "MSA", 1), field(answer, "MSA", 2)) == ("AE", "BROKEN-1")
    assert region.hub.rows(question) == [(before + 1,)]

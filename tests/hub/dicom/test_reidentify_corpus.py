"""Real headers of many makers, as what a result is turned back to."""

from pathlib import Path

import pydicom
import pytest
from pydicom.uid import generate_uid

from hub.dicom.deidentify import OPTIONS, DeidentificationFailed, deidentify_file
from hub.dicom.reidentify import Originals, reidentify_file
from tests.hub.dicom.pseudonym_cases import PATIENT, needs_corpus, pseudonymiser, real_files

pytestmark = pytest.mark.filterwarnings("ignore")


@needs_corpus
def test_every_real_header_serves_to_turn_a_result_back(tmp_path: Path) -> None:
    turned = 0
    for source in real_files():
        try:
            given = deidentify_file(
                source, tmp_path / "a.dcm", pseudonymiser=pseudonymiser(), options=OPTIONS
            )
        except DeidentificationFailed:
            continue
        header = pydicom.dcmread(source, stop_before_pixels=True)
        known = Originals.of(
            pseudonymiser(),
            study_instance_uid=given.original_study_instance_uid,
            series_instance_uids=[given.original_series_instance_uid],
            sop_instance_uids=[given.original_sop_instance_uid],
            header=header,
            other_uids=given.other_uids,
        )
        result = pydicom.dcmread(tmp_path / "a.dcm")
        if not result.file_meta.TransferSyntaxUID.is_transfer_syntax:
            continue  # newer than pydicom, which cannot write it; no result is let in with it
        result.SOPInstanceUID, result.SeriesInstanceUID = generate_uid(), generate_uid()
        result.save_as(tmp_path / "b.dcm")
        reidentify_file(tmp_path / "b.dcm", tmp_path / "c.dcm", originals=known)
        back = pydicom.dcmread(tmp_path / "c.dcm")
        header.decode()
        for keyword in PATIENT:
            expected, found = header.get(keyword) or "", back.get(keyword) or ""
            assert str(found) == str(expected), (source, keyword)
        turned += 1
    assert turned >= 180

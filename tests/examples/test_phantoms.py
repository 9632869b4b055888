"""Made-up studies are valid DICOM, the same each time, and of whomever they are said to be."""

import shutil
import subprocess
from datetime import UTC, date, datetime

import pytest
from pydicom import dcmread

from demo.phantoms import KINDS, Patient, Shape, make_study, write_study

PATIENT = Patient("13097248022", "Ærlig^Øystein Å=山田^太郎", date(1972, 9, 13), "M")


@pytest.mark.peer
@pytest.mark.parametrize("kind", KINDS)
def test_dciodvfy_finds_no_error_and_no_warning(tmp_path, kind):
    if not shutil.which("dciodvfy"):
        pytest.skip("dicom3tools are not here")
    study = make_study(kind, patient=PATIENT, accession_number="A1", shape=Shape(True, slices=2))
    for path in write_study(tmp_path, study):
        done = subprocess.run(["dciodvfy", "-new", str(path)], capture_output=True, text=True)
        lines = [line for line in done.stderr.splitlines() if line.startswith(("Error", "Warning"))]
        assert (done.returncode, lines) == (0, [])


def bytes_of(folder, **arguments):
    study = make_study("head_ct", patient=PATIENT, shape=Shape(slices=3), **arguments)
    return [path.read_bytes() for path in write_study(folder, study)]


def test_the_same_seed_gives_the_same_bytes_and_another_gives_others(tmp_path):
    first = bytes_of(tmp_path / "a", rng_seed=1)
    assert first == bytes_of(tmp_path / "b", rng_seed=1)
    assert first != bytes_of(tmp_path / "c", rng_seed=2)


def test_each_image_has_uids_of_its_own_and_shares_those_of_study_and_series():
    study = make_study("head_ct", patient=PATIENT, study_instance_uid="2.25.7")
    assert {dataset.StudyInstanceUID for dataset in study} == {"2.25.7"}
    assert len({dataset.SeriesInstanceUID for dataset in study}) == 1
    assert len({dataset.SOPInstanceUID for dataset in study}) == len(study) == 28
    assert [int(dataset.InstanceNumber) for dataset in study] == list(range(1, 29))
    assert len({tuple(dataset.ImagePositionPatient) for dataset in study}) == 28
    assert len({dataset.PixelData for dataset in study}) == 28


def test_changing_one_image_leaves_the_others_as_they_were():
    first, second = make_study("head_ct", patient=PATIENT, shape=Shape(slices=2))
    first.PatientName = "Other"
    assert second.PatientName == PATIENT.name


def test_names_in_any_script_and_all_identifiers_come_back_from_the_file(tmp_path):
    study = make_study(
        "chest_dx", patient=PATIENT, accession_number="A-1",
        started_at=datetime(2026, 3, 17, 8, 5, tzinfo=UTC), study_instance_uid="2.25.9",
    )  # fmt: skip
    (path,) = write_study(tmp_path, study)
    dataset = dcmread(path)
    assert str(dataset.PatientName) == PATIENT.name
    assert (dataset.PatientID, dataset.AccessionNumber) == ("13097248022", "A-1")
    assert (dataset.StudyDate, dataset.StudyTime) == ("20260317", "080500")
    assert dataset.PatientAge == "053Y"
    assert (dataset.StudyInstanceUID, dataset.Modality) == ("2.25.9", "DX")


def test_the_number_of_slices_and_pixels_can_be_asked_for():
    study = make_study("head_ct", patient=PATIENT, shape=Shape(slices=5, size=128))
    assert len(study) == 5
    assert study[0].pixel_array.shape == (128, 128)

"""Instances full of what must not leave, for the tests of de-identification and of the way back."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from hub.dicom.deidentify import PseudonymInstance, Pseudonymiser, deidentify_file

ROOT = "1.2.826.0.1.3680043.8.498"
STUDY, SERIES, FRAME = f"{ROOT}.7001", f"{ROOT}.7002", f"{ROOT}.7003"
KEY = b"a key that only the hub under test has"
CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "dicom"
# What stands in `ct` and may not stand in what leaves.
SECRETS = (
    *("Bjørnstad", "Åse", "Kari", "Sæther", "Wergeland", "13097248022", "PAS-778899"),
    *("RIS20260311", "19720913", "20260311", "Sørlandet", "Kirkeveien", "22334455", "SN-4471-X"),
    *("CT2-AKUTT", "HUBCT", "Thorvaldsen", ROOT, "Tilfeldig notat", "REQ-5512"),
)

# What a result must say of the patient and the study again.
PATIENT = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID"),
    *("AccessionNumber", "StudyID", "StudyDate", "StudyTime", "ReferringPhysicianName"),
)


def pseudonymiser(scope: str = f"SITE-A:{STUDY}") -> Pseudonymiser:
    return Pseudonymiser(KEY, scope=scope)


def ct(number: int = 1, **changes: object) -> Dataset:
    """A CT slice of Kari Åse Bjørnstad, with her name where names should and should not be."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.SourceApplicationEntityTitle = "HUBCT"
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = f"{ROOT}.8000.{number}"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = STUDY, SERIES
    _add_patient(dataset)
    _add_image(dataset, number)
    for keyword, value in changes.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", "")
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "")
    return dataset


def _add_patient(dataset: Dataset) -> None:
    dataset.PatientName, dataset.PatientID = "Bjørnstad^Kari Åse^^Mrs", "13097248022"
    dataset.PatientBirthDate, dataset.PatientSex, dataset.PatientAge = "19720913", "F", "053Y"
    dataset.PatientWeight, dataset.PatientSize = "71.5", "1.68"
    dataset.PatientAddress, dataset.PatientTelephoneNumbers = "Kirkeveien 166, Oslo", "22334455"
    other = Dataset()
    other.PatientID, other.IssuerOfPatientID = "PAS-778899", "Sørlandet"
    dataset.OtherPatientIDsSequence = Sequence([other])
    dataset.AccessionNumber, dataset.StudyID = "RIS20260311", "REQ-5512"
    dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = "20260311"
    dataset.ContentDate, dataset.StudyTime, dataset.SeriesTime = "20260312", "235912", "235950"
    dataset.ReferringPhysicianName = "Wergeland^Henrik"
    dataset.InstitutionName, dataset.InstitutionAddress = "Sørlandet sykehus", "Kirkeveien 166"
    dataset.StationName, dataset.DeviceSerialNumber = "CT2-AKUTT", "SN-4471-X"
    dataset.StudyDescription = "CT Caput akutt 13097248022 BJØRNSTAD"
    dataset.SeriesDescription = "Axial 1.0 H31s Bjoernstad 11.03.2026 dr. Thorvaldsen"
    dataset.PatientComments = "Tilfeldig notat om Sæther"
    block = dataset.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    block.add_new(0x10, "LO", "Bjørnstad^Kari")
    block.add_new(0x11, "OB", b"patient 13097248022 ")


def _add_image(dataset: Dataset, number: int) -> None:
    dataset.Modality, dataset.Manufacturer = "CT", "Siemens Healthineers"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.BodyPartExamined, dataset.PatientPosition = "HEAD", "HFS"
    dataset.SliceThickness, dataset.KVP, dataset.ConvolutionKernel = "1.0", "120", "H31s"
    dataset.SeriesNumber, dataset.InstanceNumber = 2, number
    dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = FRAME, ""
    dataset.ImagePositionPatient = [-120.0, -120.0, float(number)]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing, dataset.SpacingBetweenSlices = [0.5, 0.5], "1.0"
    dataset.Rows = dataset.Columns = 32
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    dataset.RescaleIntercept, dataset.RescaleSlope = "-1024", "1"
    pixels = np.random.default_rng(number).integers(0, 4096, (32, 32), dtype=np.uint16)
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OW"
    reference = Dataset()
    reference.ReferencedSOPClassUID = CTImageStorage
    reference.ReferencedSOPInstanceUID = f"{ROOT}.8000.1"
    dataset.SourceImageSequence = Sequence([reference])


def save(dataset: Dataset, path: Path) -> Path:
    dataset.save_as(path, enforce_file_format=True)
    return path


def sent(dataset: Dataset, folder: Path, **options: object) -> Dataset:
    """What an algorithm gets of a data set."""
    source = save(dataset, folder / f"{dataset.get('InstanceNumber', 0)}.dcm")
    target = folder / f"{source.stem}.out.dcm"
    names = {"pseudonymiser": pseudonymiser(), **options}
    deidentify_file(source, target, **names)
    return pydicom.dcmread(target)


def sent_series(folder: Path, count: int = 3) -> tuple[list[Dataset], list[PseudonymInstance]]:
    """The copies of a series of slices, and the names they were given."""
    names, copies = pseudonymiser(), []
    given = []
    for number in range(1, count + 1):
        source = save(ct(number), folder / f"{number}.dcm")
        target = folder / f"{number}.out.dcm"
        given.append(deidentify_file(source, target, pseudonymiser=names))
        copies.append(pydicom.dcmread(target))
    return copies, given


def real_files() -> Iterator[Path]:
    """Every file of the corpus and of pydicom's package, those in both once."""
    seen: set[bytes] = set()
    for root in (CORPUS, Path(pydicom.__file__).parent / "data"):
        for folder, _, names in os.walk(root):
            for name in sorted(names):
                path = Path(folder) / name
                digest = hashlib.sha256(path.read_bytes()).digest()
                if digest not in seen and path.suffix not in {".py", ".pyc", ".json", ".md"}:
                    seen.add(digest)
                    yield path


needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not here")

"""Makes synthetic but valid studies: the same arguments give the same bytes, nobody is in them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Protocol

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DigitalMammographyXRayImageStorageForPresentation,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    MRImageStorage,
    UltrasoundImageStorage,
    generate_uid,
)

from demo import phantom_headers as headers
from demo import phantom_pixels as pixels
from demo.phantom_pixels import Grid, Pixels

EQUIPMENT = ("Avrop", "Phantom")


class Draw(Protocol):
    """Draws the images of one series, in order."""

    def __call__(
        self, rng: np.random.Generator, grid: Grid, *, is_abnormal: bool
    ) -> Iterator[Pixels]:
        """One array (rows, columns) for each image, as stored."""


@dataclass(frozen=True, slots=True)
class Patient:
    """Who the study says it is of; any character of the world's scripts may stand in the name."""

    patient_id: str
    name: str
    birth_date: date
    sex: str = "O"
    issuer: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """One sort of study: what it says it is, how it is drawn and which modules it has."""

    sop_class: UID
    modality: str
    body_part: str
    description: str
    series_description: str
    grid: Grid
    draw: Draw
    add_modules: Callable[[Dataset, Grid, int], None]
    bits: int = 12


@dataclass(frozen=True, slots=True)
class Shape:
    """What is drawn: with or without the finding, and other numbers of slices or pixels."""

    is_abnormal: bool = False
    slices: int | None = None
    size: int | None = None

    def grid_of(self, kind: Kind) -> Grid:
        """The kind's own grid, with what this shape changes."""
        usual = kind.grid
        slices, size = self.slices or usual.slices, self.size or usual.size
        return Grid(slices, size, usual.field, usual.height)


_DX = DigitalXRayImageStorageForPresentation
_MG = DigitalMammographyXRayImageStorageForPresentation
KINDS = {
    "head_ct": Kind(
        CTImageStorage, "CT", "HEAD", "CT caput", "Head 5.0 H30s",
        Grid(28, 256, 250.0, 140.0), pixels.head_ct, headers.ct,
    ),
    "abdomen_ct": Kind(
        CTImageStorage, "CT", "ABDOMEN", "CT abdomen", "Abdomen 5.0 B30f",
        Grid(30, 256, 380.0, 150.0), pixels.abdomen_ct, headers.ct,
    ),
    "brain_mr": Kind(
        MRImageStorage, "MR", "BRAIN", "MR caput", "FLAIR tra",
        Grid(24, 256, 240.0, 120.0), pixels.brain_mr, headers.mr,
    ),
    "knee_mr": Kind(
        MRImageStorage, "MR", "KNEE", "MR kne", "PD sag",
        Grid(20, 256, 180.0, 80.0), pixels.knee_mr, headers.mr,
    ),
    "hand_dx": Kind(
        _DX, "DX", "HAND", "RG hand", "Hand PA",
        Grid(1, 768, 230.0), pixels.hand_xray, headers.dx,
    ),
    "chest_dx": Kind(
        _DX, "DX", "CHEST", "RG thorax", "Thorax PA",
        Grid(1, 512, 360.0), pixels.chest_xray, headers.dx,
    ),
    "chest_cr": Kind(
        ComputedRadiographyImageStorage, "CR", "CHEST", "RG thorax", "Thorax AP bed",
        Grid(1, 512, 360.0), pixels.chest_xray, headers.cr,
    ),
    "breast_mg": Kind(
        _MG, "MG", "BREAST", "Mammografi", "L MLO",
        Grid(1, 512, 200.0), pixels.breast_mg, headers.mg,
    ),
    "abdomen_us": Kind(
        UltrasoundImageStorage, "US", "ABDOMEN", "UL abdomen", "Gallbladder",
        Grid(4, 384, 150.0), pixels.abdomen_us, headers.us, bits=8,
    ),
}  # fmt: skip


def make_study(
    kind: str,
    *,
    patient: Patient,
    accession_number: str = "",
    study_instance_uid: str = "",
    started_at: datetime = datetime(2026, 3, 16, 7, 30),  # noqa: DTZ001 DICOM local time
    rng_seed: int = 0,
    shape: Shape = Shape(),  # noqa: B008 frozen
) -> list[Dataset]:
    """The images of one study of a kind in KINDS, in the order of Instance Number.

    Deterministic: all UIDs that are not given come of the arguments. Explicit VR Little Endian,
    ISO_IR 192.
    """
    what = KINDS[kind]
    grid = shape.grid_of(what)
    study = study_instance_uid or _uid(kind, patient.patient_id, accession_number, rng_seed)
    whole = Dataset()
    _add_patient_and_study(whole, patient, started_at)
    whole.AccessionNumber = accession_number
    whole.StudyInstanceUID = study
    _add_series(whole, what, study)
    rng = np.random.default_rng(rng_seed)
    images = what.draw(rng, grid, is_abnormal=shape.is_abnormal)
    return [_instance(whole, what, grid, index, image) for index, image in enumerate(images)]


def write_study(folder: Path, datasets: Sequence[Dataset]) -> list[Path]:
    """Write each image as ``<folder>/<instance number>.dcm``; returns the paths in order."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for dataset in datasets:
        paths.append(folder / f"{int(dataset.InstanceNumber):04d}.dcm")
        dataset.save_as(paths[-1], enforce_file_format=True)
    return paths


def _uid(*sources: object) -> UID:
    return generate_uid(entropy_srcs=[str(source) for source in sources])


def _add_patient_and_study(whole: Dataset, patient: Patient, started_at: datetime) -> None:
    """Patient, General Study, Patient Study (PS3.3 C.7.1.1, C.7.2.1, C.7.2.2)."""
    whole.SpecificCharacterSet = "ISO_IR 192"
    whole.PatientName = patient.name
    whole.PatientID = patient.patient_id
    if patient.issuer:
        whole.IssuerOfPatientID = patient.issuer
    whole.PatientBirthDate = f"{patient.birth_date:%Y%m%d}"
    whole.PatientSex = patient.sex
    day, born = started_at.date(), patient.birth_date
    age = day.year - born.year - ((day.month, day.day) < (born.month, born.day))
    whole.PatientAge = f"{max(0, age):03d}Y"
    whole.StudyID = "1"
    whole.ReferringPhysicianName = ""
    for level in ("Study", "Series", "Acquisition", "Content"):
        setattr(whole, f"{level}Date", f"{started_at:%Y%m%d}")
        setattr(whole, f"{level}Time", f"{started_at:%H%M%S}")


def _add_series(whole: Dataset, kind: Kind, study: str) -> None:
    """General Series, General Equipment (PS3.3 C.7.3.1, C.7.5.1)."""
    whole.SOPClassUID = kind.sop_class
    whole.Modality = kind.modality
    whole.BodyPartExamined = kind.body_part
    whole.StudyDescription = kind.description
    whole.SeriesDescription = kind.series_description
    whole.SeriesNumber = 1
    whole.SeriesInstanceUID = _uid(study, "series")
    whole.Manufacturer, whole.ManufacturerModelName = EQUIPMENT
    whole.DeviceSerialNumber, whole.SoftwareVersions = "1", "1"
    if kind.modality in ("CT", "MR"):
        whole.FrameOfReferenceUID = _uid(study, "frame of reference")
    if kind.body_part == "KNEE":
        whole.Laterality = "R"


def _instance(whole: Dataset, kind: Kind, grid: Grid, index: int, image: Pixels) -> Dataset:
    """One image, with its File Meta Information (PS3.10 7.1)."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = kind.sop_class
    meta.MediaStorageSOPInstanceUID = _uid(whole.StudyInstanceUID, "instance", index + 1)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    # a copy: a Dataset made of another shares its elements
    dataset = FileDataset("", copy.deepcopy(whole), file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.InstanceNumber = index + 1
    kind.add_modules(dataset, grid, index)
    headers.add_pixels(dataset, image, bits=kind.bits)
    return dataset

"""In charge of what a returned object must satisfy before it may enter a PACS."""

import math
import stat
import warnings
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pydicom
from pydicom import uid as uids
from pydicom.dataset import Dataset

from hub.dicom.encapsulated import reason_against_pdf
from hub.dicom.file_meta import FileMeta, read_file_meta
from hub.dicom.report_text import reason_against_text
from hub.dicom.sr import Region
from hub.dicom.structure import NotWhole, Shape, inspect
from hub.passing import is_of_the_system

MAXIMUM_BYTES = 2 << 30


@dataclass(frozen=True, slots=True)
class _Kind:
    """A class that may be returned: the Modality its IOD fixes, if any, and what it ends with.

    A file cut between two elements is whole by its lengths; the last element that its IOD demands
    (one of `ends_with`, or pixel data) gives it away.
    """

    modality: str | None = None
    ends_with: tuple[str, ...] = ()


_PIXELS = _Kind()
_SR = _Kind("SR", ("ContentSequence",))
# An image class of a modality is not here: nobody but a scanner adds slices to a study.
_ALLOWED: dict[str, _Kind] = {
    uids.SegmentationStorage: _Kind("SEG"),
    "1.2.840.10008.5.1.4.1.1.66.7": _Kind("SEG"),  # Label Map Segmentation
    uids.BasicTextSRStorage: _SR,
    uids.EnhancedSRStorage: _SR,
    uids.ComprehensiveSRStorage: _SR,
    uids.Comprehensive3DSRStorage: _SR,
    uids.GrayscaleSoftcopyPresentationStateStorage: _Kind(
        "PR", ("PresentationLUTShape", "PresentationLUTSequence")
    ),
    uids.KeyObjectSelectionDocumentStorage: _Kind("KO", ("ContentSequence",)),
    uids.ParametricMapStorage: _PIXELS,
    uids.SecondaryCaptureImageStorage: _PIXELS,
    uids.MultiFrameSingleBitSecondaryCaptureImageStorage: _PIXELS,
    uids.MultiFrameGrayscaleByteSecondaryCaptureImageStorage: _PIXELS,
    uids.MultiFrameGrayscaleWordSecondaryCaptureImageStorage: _PIXELS,
    uids.MultiFrameTrueColorSecondaryCaptureImageStorage: _PIXELS,
    uids.RTStructureSetStorage: _Kind("RTSTRUCT", ("ApprovalStatus",)),
    uids.EncapsulatedPDFStorage: _Kind(None, ("EncapsulatedDocument",)),
}
# Patient and Study Module may be copied from the source with these, which name no instance of it.
_NAMES_NO_INSTANCE = frozenset(
    {
        "ReferencedStudySequence",
        "ReferencedPatientSequence",
        "ReferencedVisitSequence",
        "ReferencedPerformedProcedureStepSequence",
        "RequestAttributesSequence",
        "ReferencedRequestSequence",
    }
)
_TIFF = (b"II*\x00", b"MM\x00*")


class ReturnedObjectRefused(Exception):  # noqa: N818 (named by what failed)
    """A returned object must not be stored; `field` is a DICOM keyword or empty for the file.

    The text holds no value of the object, so that it may be logged.
    """

    def __init__(self, reason: str, field: str = "") -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.reason = reason
        self.field = field


@dataclass(frozen=True, slots=True)
class Expected:
    """What the object must agree with: the study as the PACS knows it, after turning back.

    `known_*` are all instances and series of the source study; `sibling_sop_instance_uids` are
    those the same Workitem returned, to which a reference may point as well. `patient_name` and
    `patient_birth_date`, where given, hold for an object that states them.
    """

    study_instance_uid: str
    patient_id: str
    known_sop_instance_uids: Collection[str]
    known_series_instance_uids: Collection[str]
    issuer_of_patient_id: str = ""
    patient_name: str = ""
    patient_birth_date: str = ""
    sibling_sop_instance_uids: Collection[str] = ()
    # merged into patient_id since; what was made of images that bear one may bear it too
    prior_patient_ids: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class ReturnedObject:
    """An object that may be stored. `referenced_sop_instance_uids` are all it points to."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    modality: str
    series_description: str
    transfer_syntax_uid: str
    number_of_bytes: int
    referenced_sop_instance_uids: frozenset[str]


def validate_returned(
    path: Path, *, expected: Expected, maximum_bytes: int = MAXIMUM_BYTES
) -> ReturnedObject:
    """Give what an algorithm returned if it may be stored, or raise ReturnedObjectRefused.

    It must be a whole Part 10 file of a class that algorithms may return, of the same study and
    patient, new in instance and series, and point only at instances of the study. Raises
    OSError where it could not be looked at.
    """
    size = _size_of_regular_file(path, maximum_bytes)
    with path.open("rb") as file:
        meta = _file_meta(file.read(132), read_file_meta(file))
        try:
            shape = inspect(
                file,
                start=meta.data_offset,
                transfer_syntax_uid=meta.transfer_syntax_uid,
                maximum_bytes=maximum_bytes,
            )
        except NotWhole as broken:
            raise ReturnedObjectRefused(str(broken)) from broken
    dataset, references = _read_and_check(path, meta, shape, expected)
    return ReturnedObject(
        path=path,
        sop_class_uid=meta.sop_class_uid,
        sop_instance_uid=meta.sop_instance_uid,
        series_instance_uid=_text(dataset, "SeriesInstanceUID"),
        modality=_text(dataset, "Modality"),
        series_description=_text(dataset, "SeriesDescription"),
        transfer_syntax_uid=meta.transfer_syntax_uid,
        number_of_bytes=size,
        referenced_sop_instance_uids=references,
    )


def validate_all_returned(
    paths: Sequence[Path], *, expected: Expected, maximum_bytes: int = MAXIMUM_BYTES
) -> list[ReturnedObject]:
    """Validate all that one Workitem returned; its objects may point at each other.

    Raises ReturnedObjectRefused for the first that must not be stored, also when two share a SOP
    Instance UID.
    """
    own = []
    for path in paths:
        _size_of_regular_file(path, maximum_bytes)
        with path.open("rb") as file:
            own.append(read_file_meta(file).sop_instance_uid)
    if len(set(own)) < len(own):
        raise ReturnedObjectRefused("two returned objects share it", "SOPInstanceUID")
    siblings = {*expected.sibling_sop_instance_uids, *own}
    together = replace(expected, sibling_sop_instance_uids=siblings)
    return [
        validate_returned(path, expected=together, maximum_bytes=maximum_bytes) for path in paths
    ]


def region_fits(
    region: Region, *, rows: int, columns: int, number_of_frames: int = 1
) -> str | None:
    """Say why a region does not lie within its image, or None when it does (PS3.3 C.18.6.1.2)."""
    if not 1 <= region.frame <= number_of_frames:
        return f"frame {region.frame} is not one of {number_of_frames}"
    for x, y in region.polygon:
        if not (math.isfinite(x) and math.isfinite(y)):
            return "a point has no finite coordinates"
        if not (0 <= x <= columns and 0 <= y <= rows):
            return f"the point ({x:g}, {y:g}) is outside an image of {columns} x {rows} pixels"
    points = len(set(region.polygon))
    if points < 3 and len(region.polygon) != 1:
        return f"{points} points enclose nothing"
    return None


def _size_of_regular_file(path: Path, maximum_bytes: int) -> int:
    # An algorithm may leave a link to a file of the hub's own, or a pipe that never ends.
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise ReturnedObjectRefused("it is not a regular file")
    if status.st_size > maximum_bytes:
        raise ReturnedObjectRefused(
            f"it has {status.st_size} bytes, more than the {maximum_bytes} allowed"
        )
    return status.st_size


def _file_meta(head: bytes, meta: FileMeta) -> FileMeta:
    if head[128:] != b"DICM":
        raise ReturnedObjectRefused("it is not a DICOM Part 10 file")
    # The preamble may make the same file a program (CVE-2019-11687). Only TIFF has a use for it.
    if any(head[:128]) and not head.startswith(_TIFF):
        raise ReturnedObjectRefused("its preamble is neither empty nor that of a TIFF")
    if meta.sop_class_uid not in _ALLOWED:
        raise ReturnedObjectRefused("algorithms may not return this class", "SOPClassUID")
    syntax = uids.UID(meta.transfer_syntax_uid)
    if not syntax.is_transfer_syntax or syntax.is_private or not syntax.is_little_endian:
        raise ReturnedObjectRefused("unknown or retired", "TransferSyntaxUID")
    return meta


def _read_and_check(
    path: Path, meta: FileMeta, shape: Shape, expected: Expected
) -> tuple[Dataset, frozenset[str]]:
    with warnings.catch_warnings():
        # pydicom's warnings quote values, and those are a patient's.
        warnings.simplefilter("ignore")
        try:
            dataset = pydicom.dcmread(path, stop_before_pixels=True)
            _check_identity(dataset, meta, expected)
            _check_content(dataset, shape)
            return dataset, frozenset(_checked_references(dataset, expected))
        except ReturnedObjectRefused:
            raise
        except Exception as error:
            if is_of_the_system(error):
                raise
            # Values are decoded when asked for, and broken ones surface as anything at all.
            raise ReturnedObjectRefused(f"it cannot be read ({type(error).__name__})") from error


def _text(dataset: Dataset, keyword: str) -> str:
    value: Any = dataset.get(keyword)
    return "" if value is None else str(value).strip(" \0")


def _check_identity(dataset: Dataset, meta: FileMeta, expected: Expected) -> None:
    same = {
        "SOPClassUID": (meta.sop_class_uid, "differs from the file meta information"),
        "SOPInstanceUID": (meta.sop_instance_uid, "differs from the file meta information"),
        "StudyInstanceUID": (expected.study_instance_uid, "is that of another study"),
    }
    for keyword, (value, reason) in same.items():
        if _text(dataset, keyword) != value:
            raise ReturnedObjectRefused(reason, keyword)
    patients = {one.strip() for one in (expected.patient_id, *expected.prior_patient_ids)}
    if _text(dataset, "PatientID") not in patients:
        raise ReturnedObjectRefused("is that of another patient", "PatientID")
    issuer = _text(dataset, "IssuerOfPatientID")
    if issuer and expected.issuer_of_patient_id and issuer != expected.issuer_of_patient_id.strip():
        raise ReturnedObjectRefused("is another issuer than the study's", "IssuerOfPatientID")
    _check_person(dataset, expected)
    new = {
        "SOPInstanceUID": {*expected.known_sop_instance_uids},
        "SeriesInstanceUID": {*expected.known_series_instance_uids, expected.study_instance_uid},
    }
    for keyword, taken in new.items():
        if not uids.UID(_text(dataset, keyword)).is_valid:
            raise ReturnedObjectRefused("is not a valid UID", keyword)
        if _text(dataset, keyword) in taken:
            raise ReturnedObjectRefused("is one of the source study", keyword)


def _check_person(dataset: Dataset, expected: Expected) -> None:
    """Refuse another person under the same ID: a PACS may take the later name for the right one."""
    name = _person(_text(dataset, "PatientName"))
    if name and expected.patient_name and name != _person(expected.patient_name):
        raise ReturnedObjectRefused("is that of another patient", "PatientName")
    born = _text(dataset, "PatientBirthDate").replace(".", "")
    if born and expected.patient_birth_date and born != expected.patient_birth_date.strip():
        raise ReturnedObjectRefused("is that of another patient", "PatientBirthDate")


def _person(name: str) -> str:
    """A name as compared: its first group, without blanks and carets that say nothing."""
    parts = name.partition("=")[0].split("^")
    return "^".join(" ".join(part.split()).casefold() for part in parts).rstrip("^")


def _check_content(dataset: Dataset, shape: Shape) -> None:
    kind = _ALLOWED[_text(dataset, "SOPClassUID")]
    modality = _text(dataset, "Modality")
    if not modality or (kind.modality and modality != kind.modality):
        raise ReturnedObjectRefused(f"must be {kind.modality or 'given'}", "Modality")
    if not kind.ends_with:
        _check_pixels(dataset, shape)
    elif not any(keyword in dataset for keyword in kind.ends_with):
        raise ReturnedObjectRefused("is not there: the object is not whole", kind.ends_with[0])
    if reason := reason_against_text(dataset):
        raise ReturnedObjectRefused(reason, "ContentSequence")
    if "EncapsulatedDocument" in dataset:
        reason = reason_against_pdf(
            dataset.EncapsulatedDocument, mime_type=_text(dataset, "MIMETypeOfEncapsulatedDocument")
        )
        if reason:
            raise ReturnedObjectRefused(reason, "EncapsulatedDocument")


def _check_pixels(dataset: Dataset, shape: Shape) -> None:
    if shape.is_encapsulated:
        return
    bits = int(dataset.BitsAllocated) * int(dataset.get("SamplesPerPixel") or 1)
    if _text(dataset, "PhotometricInterpretation") == "YBR_FULL_422":
        # Two pixels share their colours (PS3.3 C.7.6.3.1.2).
        bits = 16
    frames = int(dataset.get("NumberOfFrames") or 1)
    needed = math.ceil(int(dataset.Rows) * int(dataset.Columns) * frames * bits / 8)
    if (shape.pixel_bytes or 0) < needed:
        raise ReturnedObjectRefused(f"has fewer than the {needed} bytes it says", "PixelData")


def _checked_references(dataset: Dataset, expected: Expected) -> Iterator[str]:
    own = {*expected.known_sop_instance_uids, *expected.sibling_sop_instance_uids}
    for keyword, item in _items(dataset):
        study = _text(item, "StudyInstanceUID") if "ReferencedSeriesSequence" in item else ""
        if study not in ("", expected.study_instance_uid):
            raise ReturnedObjectRefused("points at another study", keyword)
        if "ReferencedSOPInstanceUID" not in item:
            continue
        target = _text(item, "ReferencedSOPInstanceUID")
        if keyword == "RTReferencedStudySequence":
            if target != expected.study_instance_uid:
                raise ReturnedObjectRefused("points at another study", keyword)
        elif target not in own:
            raise ReturnedObjectRefused("points at an instance that is not of this study", keyword)
        else:
            yield target


def _items(dataset: Dataset) -> Iterator[tuple[str, Dataset]]:
    """Give every item of every sequence at any depth, with the keyword of its sequence."""
    for element in dataset:
        if element.VR != "SQ" or element.keyword in _NAMES_NO_INSTANCE:
            continue
        for item in element.value:
            yield element.keyword, item
            yield from _items(item)

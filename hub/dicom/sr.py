"""In charge of what the hub itself says about a result: Comprehensive 3D SR, TID 1500."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Language = Literal["nb-NO", "da-DK", "en-US"]


class ContentNotExpressible(ValueError):  # noqa: N818 (named by what failed)
    """What was found cannot be said in an SR as it stands; the text names the finding and why."""


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept (PS3.3 8.8): code value, coding scheme designator, code meaning."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Measurement:
    """A number with its UCUM unit, for example 12.3 `mL` (TID 300)."""

    code: Code
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class Region:
    """A closed outline, or one point, on one frame (from 1) of one instance.

    `polygon` holds (column, row) in pixels: (0, 0) is the outer corner of the top left pixel and
    (columns, rows) that of the bottom right one (PS3.3 C.18.6.1.2).
    """

    sop_instance_uid: str
    frame: int
    polygon: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class FindingContent:
    """One finding and its answer. `probability` (0 to 1) is that of the finding being there.

    `tracking_id` ties the finding to a segment of a returned SEG with the same Tracking ID.
    """

    code: Code
    status: Literal["present", "absent", "indeterminate"]
    probability: float | None = None
    urgency: Literal["stat", "high", "medium", "routine", "low"] | None = None
    site: Code | None = None
    laterality: Literal["left", "right", "bilateral", "unilateral"] | None = None
    tracking_id: str | None = None
    measurements: tuple[Measurement, ...] = ()
    regions: tuple[Region, ...] = ()


@dataclass(frozen=True, slots=True)
class AlgorithmContent:
    """Who found it (TID 4019). `code` is the Algorithm's code in the hub; parameters are `k=v`."""

    name: str
    version: str
    manufacturer: str
    code: str
    udi_di: str | None = None
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InstanceReference:
    """An instance that was analysed, or an earlier report that is replaced."""

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    number_of_frames: int = 1


@dataclass(frozen=True, slots=True)
class StudyContent:
    """Patient and study attributes as a real header of the study gives them, decoded to text.

    Empty where the source had none, and never repaired: what the PACS holds about patient and
    study must come back to it unchanged. `body_part_examined` is for objects that have a place
    for it (GSPS, SC); the SR IOD has none.
    """

    study_instance_uid: str
    patient_id: str = ""
    issuer_of_patient_id: str = ""
    patient_name: str = ""
    patient_birth_date: str = ""
    patient_sex: str = ""
    study_date: str = ""
    study_time: str = ""
    study_id: str = ""
    study_description: str = ""
    accession_number: str = ""
    referring_physician_name: str = ""
    body_part_examined: str = ""
    requested_procedure_id: str = ""
    requested_procedure_description: str = ""
    requested_procedure_code: Code | None = None
    placer_order_number: str = ""
    filler_order_number: str = ""


@dataclass(frozen=True, slots=True)
class DocumentContext:
    """In whose name, when and in which language; every UID is derived from `workitem_uid`.

    `edition` tells apart reports of one Workitem with other content: they are other instances, in
    a series of their own, while what they track keeps its UIDs.

    `created_at` must be aware; its own wall clock is written, so give it in the site's time zone.
    `predecessors` are the reports of the same study that this one replaces.
    """

    workitem_uid: str
    created_at: datetime
    language: Language = "en-US"
    predecessors: tuple[InstanceReference, ...] = ()
    institution_name: str = ""
    edition: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """One SR as a whole Part 10 file in memory, ready for C-STORE."""

    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str
    dataset_bytes: bytes
    title: str


def build_reports(
    study: StudyContent,
    *,
    instances: Sequence[InstanceReference],
    findings: Sequence[FindingContent],
    algorithm: AlgorithmContent,
    document: DocumentContext,
    referenced_objects: Sequence[Dataset] = (),
) -> list[Report]:
    """Say in DICOM what an algorithm found, also when that is nothing (IHE AIR, PS3.16 TID 1500).

    One report for each kind of measurement group that occurs: TID 1410 for findings with regions,
    TID 1411 for findings with a segment in one of `referenced_objects` (whole datasets that the
    algorithm returned), TID 1501 for findings about the whole study. Never empty. All are COMPLETE,
    UNVERIFIED and PRELIMINARY. The same arguments give the same bytes.

    Raises ContentNotExpressible.
    """
    # highdicom costs 0.1 s and 20 MB. Only the worker that writes a result should pay for it, not
    # every process that names these dataclasses.
    from hub.dicom.sr_document import write_reports

    return write_reports(
        study,
        instances=instances,
        findings=findings,
        algorithm=algorithm,
        document=document,
        referenced_objects=referenced_objects,
    )

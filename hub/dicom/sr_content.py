"""In charge of the content tree of a report: findings as measurement groups of TID 1500."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import highdicom.sr as hd
import numpy as np
import numpy.typing as npt
from highdicom.sr.value_types import ScoordContentItem
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import VLWholeSlideMicroscopyImageStorage

from hub.dicom.sr import (
    AlgorithmContent,
    Code,
    ContentNotExpressible,
    FindingContent,
    InstanceReference,
    Region,
)
from hub.dicom.sr import Measurement as MeasurementContent
from hub.dicom.uids import uid_for

Outline = npt.NDArray[np.float32]
Group = (
    hd.PlanarROIMeasurementsAndQualitativeEvaluations
    | hd.VolumetricROIMeasurementsAndQualitativeEvaluations
    | hd.MeasurementsAndQualitativeEvaluations
)

PLANAR, VOLUMETRIC, WHOLE_STUDY = "1410", "1411", "1501"

# Up to here a group about the whole study names its images one by one, as a mammogram's four views
# should be; beyond, the evidence sequence does, or a CT would be listed once for each finding.
_IMAGES_NAMED_IN_A_GROUP = 8

_QUESTION = Code("363713009", "SCT", "Has interpretation")
_ANSWERS = {
    "present": ("52101004", {"en-US": "Present", "nb-NO": "Til stede", "da-DK": "Til stede"}),
    "absent": (
        "2667000",
        {"en-US": "Absent", "nb-NO": "Ikke til stede", "da-DK": "Ikke til stede"},
    ),
    "indeterminate": (
        "82334004",
        {"en-US": "Indeterminate", "nb-NO": "Ubestemt", "da-DK": "Ubestemt"},
    ),
}
_PRIORITY = Code("260870009", "SCT", "Priority")
_URGENCIES = {
    "stat": Code("49499008", "SCT", "Stat"),
    "high": Code("394849002", "SCT", "High priority"),
    "medium": Code("394848005", "SCT", "Normal priority"),
    "routine": Code("50811001", "SCT", "Routine"),
    "low": Code("1251527002", "SCT", "Low priority"),
}
_LATERALITIES = {
    "left": Code("7771000", "SCT", "Left"),
    "right": Code("24028007", "SCT", "Right"),
    "bilateral": Code("51440002", "SCT", "Right and left"),
    "unilateral": Code("66459002", "SCT", "Unilateral"),
}
_LATERALITY = Code("272741003", "SCT", "Laterality")
_CERTAINTY = Code("111012", "DCM", "Certainty of Finding")
_NOTHING_FOUND = FindingContent(
    code=Code("404684003", "SCT", "Clinical finding"), status="absent", tracking_id="no-findings"
)
_UNIT_MEANINGS = {
    "1": "no units",
    "%": "Percent",
    "mm": "millimeter",
    "cm": "centimeter",
    "mm2": "square millimeter",
    "cm2": "square centimeter",
    "mm3": "cubic millimeter",
    "cm3": "cubic centimeter",
    "mL": "milliliter",
    "ml": "milliliter",
    "deg": "degree",
    "s": "second",
    "ms": "millisecond",
    "g": "gram",
    "[hnsf'U]": "Hounsfield unit",
    "{score}": "score",
}


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment of a returned SEG that carries the tracking identifier of a finding."""

    sop_class_uid: str
    sop_instance_uid: str
    segment_number: int
    tracking_uid: str
    source_series_instance_uid: str


class _RegionOnImage(hd.ImageRegion):
    """Image Region (111030 DCM) on an image of any class, also one highdicom has no table for."""

    def __init__(self, points: Outline, source: hd.SourceImageForRegion, *, is_tiled: bool):
        ScoordContentItem.__init__(
            self,
            name=hd.CodedConcept("111030", "DCM", "Image Region"),
            graphic_type="POINT" if len(points) == 1 else "POLYLINE",
            graphic_data=points,
            pixel_origin_interpretation="FRAME" if is_tiled else None,
            relationship_type=hd.RelationshipTypeValues.CONTAINS,
        )
        self.ContentSequence = [source]


class GroupBuilder:
    """Turns findings into measurement groups, sorted by the template that fits each."""

    def __init__(
        self,
        *,
        algorithm: AlgorithmContent,
        instances: Sequence[InstanceReference],
        segments: Mapping[str, Sequence[Segment]],
        workitem_uid: str,
        language: str,
    ) -> None:
        self._algorithm = algorithm
        self._instances = {instance.sop_instance_uid: instance for instance in instances}
        self._segments = segments
        self._workitem_uid = workitem_uid
        self._language = language

    def groups(self, findings: Sequence[FindingContent]) -> dict[str, list[Group]]:
        """Give the groups by template number; never empty, for a silent report says nothing."""
        by_template: dict[str, list[Group]] = {}
        for number, finding in enumerate(findings or (_NOTHING_FOUND,), start=1):
            for template, group in self._groups_of(_named(finding, number)):
                by_template.setdefault(template, []).append(group)
        return dict(sorted(by_template.items()))

    def _groups_of(self, finding: FindingContent) -> Iterator[tuple[str, Group]]:
        segments = self._segments.get(finding.tracking_id or "", ())
        places: list[tuple[str, object]] = [(VOLUMETRIC, segment) for segment in segments]
        places += [(PLANAR, region) for region in finding.regions]
        for position, (template, place) in enumerate(places or [(WHOLE_STUDY, None)]):
            # One lesion on nine slices is nine groups with one Tracking UID. Its volume is said
            # once, or a reader that adds up measurements would find nine.
            said = finding if position == 0 else replace(finding, probability=None, measurements=())
            yield template, self._group(said, place, segments)

    def _group(self, finding: FindingContent, place: object, segments: Sequence[Segment]) -> Group:
        shared: dict[str, Any] = {
            "tracking_identifier": self._tracking(finding, segments),
            "finding_type": coded(finding.code),
            "algorithm_id": algorithm_identification(self._algorithm),
            "finding_sites": _finding_sites(finding),
            "measurements": _measurements(finding) or None,
            "qualitative_evaluations": self._evaluations(finding),
        }
        if isinstance(place, Region):
            return hd.PlanarROIMeasurementsAndQualitativeEvaluations(
                referenced_region=self._region(place, finding), **shared
            )
        if isinstance(place, Segment):
            return hd.VolumetricROIMeasurementsAndQualitativeEvaluations(
                referenced_segment=_referenced_segment(place), **shared
            )
        return hd.MeasurementsAndQualitativeEvaluations(
            source_images=self._source_images(), **shared
        )

    def _tracking(
        self, finding: FindingContent, segments: Sequence[Segment]
    ) -> hd.TrackingIdentifier:
        # The same thing has the same Tracking UID in SEG and SR (IHE AIR), so a SEG's own one wins.
        stated = next((segment.tracking_uid for segment in segments if segment.tracking_uid), None)
        tracking_id = finding.tracking_id or ""
        uid = stated or uid_for(self._workitem_uid, "tracking", tracking_id)
        return hd.TrackingIdentifier(uid=uid, identifier=tracking_id)

    def _evaluations(self, finding: FindingContent) -> list[hd.QualitativeEvaluation]:
        value, meanings = _ANSWERS[finding.status]
        answers = [(_QUESTION, Code(value, "SCT", meanings[self._language]))]
        if finding.urgency is not None:
            answers.append((_PRIORITY, _URGENCIES[finding.urgency]))
        if finding.laterality and finding.site is None:
            # TID 1501 has a place for the side at a finding site alone, and the side must be said.
            answers.append((_LATERALITY, _LATERALITIES[finding.laterality]))
        return [hd.QualitativeEvaluation(coded(name), coded(answer)) for name, answer in answers]

    def _region(self, region: Region, finding: FindingContent) -> _RegionOnImage:
        source = self._instances.get(region.sop_instance_uid)
        if source is None:
            raise ContentNotExpressible(
                f"finding {finding.tracking_id}: a region lies on instance "
                f"{region.sop_instance_uid}, which was not analysed"
            )
        frames = [region.frame] if source.number_of_frames > 1 else None
        return _RegionOnImage(
            _outline(region, finding),
            hd.SourceImageForRegion(source.sop_class_uid, source.sop_instance_uid, frames),
            is_tiled=source.sop_class_uid == VLWholeSlideMicroscopyImageStorage,
        )

    def _source_images(self) -> list[hd.SourceImageForMeasurementGroup] | None:
        if len(self._instances) > _IMAGES_NAMED_IN_A_GROUP:
            return None
        return [
            hd.SourceImageForMeasurementGroup(instance.sop_class_uid, instance.sop_instance_uid)
            for instance in self._instances.values()
        ]


def coded(code: Code) -> hd.CodedConcept:
    """Give the highdicom form of a code; a meaning is cut at the 64 characters of LO."""
    return hd.CodedConcept(code.value, code.scheme, code.meaning[:64])


def algorithm_identification(algorithm: AlgorithmContent) -> hd.AlgorithmIdentification:
    """Give TID 4019."""
    return hd.AlgorithmIdentification(
        name=algorithm.name,
        version=algorithm.version,
        family=codes.DCM.ArtificialIntelligence,
        manufacturer=algorithm.manufacturer,
        parameters=list(algorithm.parameters) or None,
    )


def segments_by_tracking_id(objects: Sequence[Dataset]) -> dict[str, list[Segment]]:
    """Find the segments that name a finding, in the SEG datasets among `objects`."""
    found: dict[str, list[Segment]] = {}
    for dataset in objects:
        series = dataset.get("ReferencedSeriesSequence") or []
        source_series = str(series[0].SeriesInstanceUID) if series else ""
        for item in dataset.get("SegmentSequence") or []:
            segment = Segment(
                sop_class_uid=str(dataset.SOPClassUID),
                sop_instance_uid=str(dataset.SOPInstanceUID),
                segment_number=int(item.SegmentNumber),
                tracking_uid=str(item.get("TrackingUID") or ""),
                source_series_instance_uid=source_series,
            )
            # TID 1411 must name the source of the segment; without one there is nothing to say.
            if item.get("TrackingID") and source_series:
                found.setdefault(str(item.TrackingID), []).append(segment)
    return found


def _named(finding: FindingContent, number: int) -> FindingContent:
    if finding.tracking_id:
        return finding
    return replace(finding, tracking_id=f"{finding.code.value}-{number}")


def _referenced_segment(segment: Segment) -> hd.ReferencedSegment:
    return hd.ReferencedSegment(
        segment.sop_class_uid,
        segment.sop_instance_uid,
        segment.segment_number,
        source_series=hd.SourceSeriesForSegmentation(segment.source_series_instance_uid),
    )


def _finding_sites(finding: FindingContent) -> list[hd.FindingSite] | None:
    if finding.site is None:
        return None
    laterality = coded(_LATERALITIES[finding.laterality]) if finding.laterality else None
    return [hd.FindingSite(coded(finding.site), laterality=laterality)]


def _measurements(finding: FindingContent) -> list[hd.Measurement]:
    stated = list(finding.measurements)
    if finding.probability is not None:
        if not 0 <= finding.probability <= 1:
            raise ContentNotExpressible(
                f"finding {finding.tracking_id}: probability {finding.probability} is not in 0..1"
            )
        percent = round(finding.probability * 100, 4)
        stated.insert(0, MeasurementContent(_CERTAINTY, percent, "%"))
    return [_measurement(measurement, finding) for measurement in stated]


def _measurement(measurement: MeasurementContent, finding: FindingContent) -> hd.Measurement:
    if not math.isfinite(measurement.value):
        raise ContentNotExpressible(
            f"finding {finding.tracking_id}: {measurement.code.meaning} is {measurement.value}"
        )
    unit = Code(measurement.unit, "UCUM", _UNIT_MEANINGS.get(measurement.unit, measurement.unit))
    return hd.Measurement(coded(measurement.code), measurement.value, coded(unit))


def _outline(region: Region, finding: FindingContent) -> Outline:
    points = [tuple(point) for point in region.polygon]
    if len(points) > 1 and points[0] == points[-1]:
        points.pop()
    if len(points) in (0, 2):
        raise ContentNotExpressible(
            f"finding {finding.tracking_id}: a region of {len(points)} points encloses nothing"
        )
    if len(points) > 1:
        points.append(points[0])
    return np.array(points, dtype=np.float32)

"""What the hub says in DICOM: the structured reports of a Workitem, made from the rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hub.dicom import sr
from hub.dicom.objects import read_object
from routing.models import Finding, Result, Study, Workitem
from routing.places import spool

# Outlines of one finding that a report holds. A report names the images worth opening; what shows
# every pixel is a segmentation, and each outline costs a reader and this worker time.
MOST_REGIONS = 50
# And of all findings together: 5 ms each, and a file that a viewer opens at once.
MOST_REGIONS_IN_ALL = 500


def build(
    workitem: Workitem, *, edition: str = "", replaces: Sequence[Result] = ()
) -> list[sr.Report]:
    """The reports of one result, positive or negative; the same rows give the same bytes.

    ``replaces``: reports of this same Workitem that an ``edition`` takes the place of.
    """
    study = workitem.study
    earlier = workitem.replaces
    findings = list(workitem.findings.all())
    regions_each = _regions_each(findings)
    return sr.build_reports(
        _study(study),
        instances=_instances(workitem),
        findings=[_finding(row, regions_each) for row in findings],
        algorithm=_algorithm(workitem),
        document=sr.DocumentContext(
            workitem_uid=workitem.uid.hex,
            created_at=(workitem.finished_at or workitem.created_at).astimezone(study.site.zone),
            predecessors=_references(replaces or _reports_of(earlier)),
            institution_name=study.site.name,
            edition=edition,
        ),
        referenced_objects=[
            read_object(spool().fetched(row.key))
            for row in workitem.results.filter(kind="returned")
        ],
    )


def _study(study: Study) -> sr.StudyContent:
    header: dict[str, Any] = study.header
    order = study.order
    return sr.StudyContent(
        study_instance_uid=study.study_instance_uid,
        patient_id=study.patient_id,
        issuer_of_patient_id=study.issuer_of_patient_id,
        patient_name=study.patient_name,
        patient_birth_date=header.get("patient_birth_date", ""),
        patient_sex=header.get("patient_sex", ""),
        study_date=header.get("study_date", ""),
        study_time=header.get("study_time", ""),
        study_id=header.get("study_id", ""),
        study_description=study.study_description,
        accession_number=study.accession_number,
        referring_physician_name=header.get("referring_physician_name", ""),
        requested_procedure_id=order.requested_procedure_id if order else "",
        requested_procedure_description=(order.procedure.get("meaning", "") if order else "")[:64],
        requested_procedure_code=(
            sr.Code(**order.procedure) if order and all(order.procedure.values()) else None
        )
        if order and order.procedure
        else None,
        placer_order_number=order.placer_order_number if order else "",
        filler_order_number=order.filler_order_number if order else "",
    )


def _instances(workitem: Workitem) -> list[sr.InstanceReference]:
    return [
        sr.InstanceReference(*values)
        for values in workitem.input_instances().values_list(
            "sop_class_uid", "sop_instance_uid", "series__series_instance_uid", "number_of_frames"
        )
    ]


def _reports_of(earlier: Workitem | None) -> Sequence[Result]:
    if earlier is None:
        return ()
    return list(Result.objects.filter(workitem=earlier, kind="sr").order_by("pk"))


def _references(rows: Sequence[Result]) -> tuple[sr.InstanceReference, ...]:
    return tuple(
        sr.InstanceReference(row.sop_class_uid, row.sop_instance_uid, row.series_instance_uid)
        for row in rows
    )


def _algorithm(workitem: Workitem) -> sr.AlgorithmContent:
    version = workitem.version
    clearance = getattr(version, "clearance", None)
    return sr.AlgorithmContent(
        name=version.algorithm.name,
        version=version.version,
        manufacturer=version.algorithm.vendor.name,
        code=version.algorithm.code,
        udi_di=(clearance.udi_di or None) if clearance else None,
    )


def _regions_each(findings: Sequence[Finding]) -> int:
    """Outlines of each finding, so that none is without one and all together are bounded."""
    outlined = sum(bool(row.regions) for row in findings)
    return max(1, min(MOST_REGIONS, MOST_REGIONS_IN_ALL // max(1, outlined)))


def _finding(row: Finding, regions_each: int) -> sr.FindingContent:
    return sr.FindingContent(
        code=sr.Code(**row.code),
        status=row.status,  # type: ignore[arg-type]
        probability=row.probability,
        urgency=row.urgency or None,  # type: ignore[arg-type]
        site=sr.Code(**row.site_code) if row.site_code else None,
        laterality=row.laterality or None,  # type: ignore[arg-type]
        tracking_id=row.tracking_id or None,
        measurements=tuple(
            sr.Measurement(sr.Code(**one["code"]), one["value"], one["unit"])
            for one in row.measurements
        ),
        regions=tuple(
            sr.Region(
                one["sop_instance_uid"],
                one["frame"],
                tuple((float(x), float(y)) for x, y in one["polygon"]),
            )
            for one in row.regions[:regions_each]
        ),
    )

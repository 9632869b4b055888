"""What the hub says in HL7: a result or a priority change, made from the rows, as bytes."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from django.utils import timezone

from hub.hl7.build import build_priority_change, build_result
from hub.hl7.content import (
    AlgorithmContent,
    Code,
    Envelope,
    FindingContent,
    Identifier,
    MeasurementContent,
    OrderReference,
    PatientContent,
    PriorityChange,
    ResultMessage,
)
from hub.models import Node
from routing.models import Finding, Priority, Study, Workitem


def control_id(name: str) -> str:
    """MSH-10 (20 characters) from the delivery's name: telling it twice is the same message."""
    return base64.b32encode(hashlib.sha256(name.encode()).digest()).decode()[:20]


def result(workitem: Workitem, *, node: Node, name: str, status: str) -> bytes:
    """ORU^R01 about a Workitem; ``status`` is P, C (corrected) or X (cancelled)."""
    study = workitem.study
    return build_result(
        ResultMessage(
            envelope=_envelope(node, name),
            order=_order_reference(study),
            patient=_patient(study),
            # One number for all revisions: a correction takes the place of what it corrects.
            result_number=f"AI{study.pk}.{workitem.version.algorithm_id}",
            status=status,
            algorithm=_algorithm(workitem),
            findings=tuple(_finding(one) for one in _findings(workitem)),
            study_started_at=_study_moment(study),
            observed_at=workitem.finished_at and _local(workitem.finished_at, study),
            is_accepted=workitem.review == "accepted",
        )
    )


def priority_change(
    study: Study, *, node: Node, name: str, priority: int, reason: str
) -> bytes:
    """OMI^O23 or ORM^O01 with ORC-1 XO, as the set-up of the node asks for."""
    return build_priority_change(
        PriorityChange(
            envelope=_envelope(node, name),
            order=_order_reference(study),
            patient=_patient(study),
            priority=Priority(priority).label,
            reason=reason,
            message_type=node.hl7.get("priority_message", "OMI^O23"),
        )
    )


def _envelope(node: Node, name: str) -> Envelope:
    return Envelope(
        receiving_application=node.hl7.get("receiving_application") or "",
        receiving_facility=node.hl7.get("receiving_facility") or "",
        control_id=control_id(name),
        at=timezone.now().astimezone(node.site.zone),
        sending_facility=node.site.code.upper(),
        version=node.hl7.get("version", "2.5.1"),
        charset=node.hl7.get("charset", "UNICODE UTF-8"),
    )


def _order_reference(study: Study) -> OrderReference:
    order = study.order
    if order is None:
        return OrderReference(
            universal_service=_service_of(study),
            accession_number=study.accession_number,
            study_instance_uid=study.study_instance_uid,
            modality=study.modality.split("\\")[0],
        )
    details = order.details
    scheduled = details.get("scheduled_at")
    return OrderReference(
        universal_service=tuple(details.get("universal_service") or _service_of(study)),
        placer_order_number=order.placer_order_number,
        placer_issuer=details.get("placer_issuer", ""),
        filler_order_number=order.filler_order_number,
        filler_issuer=details.get("filler_issuer", ""),
        accession_number=order.accession_number or study.accession_number,
        requested_procedure_id=order.requested_procedure_id,
        scheduled_procedure_step_id=details.get("scheduled_procedure_step_id", ""),
        study_instance_uid=study.study_instance_uid,
        modality=order.modality or study.modality.split("\\")[0],
        order_status=order.order_status,
        scheduled_at=datetime.fromisoformat(scheduled) if scheduled else None,
        visit_number=details.get("visit_number", ""),
    )


def _service_of(study: Study) -> tuple[str, ...]:
    """OBR-4 where no order says it: the procedure as the study names it, in a local code."""
    modality = study.modality.split("\\")[0] or "OT"
    return (modality, study.study_description or modality, "L")


def _patient(study: Study) -> PatientContent:
    """The patient as the order has it; without one, as the study has it."""
    kept: dict[str, Any] = study.order.patient if study.order else {}
    if not kept.get("identifiers"):
        header = study.header
        born = str(header.get("patient_birth_date") or "")
        return PatientContent(
            identifiers=(Identifier(study.patient_id, study.issuer_of_patient_id),),
            name=study.patient_name,
            birth_date=_date(f"{born[:4]}-{born[4:6]}-{born[6:8]}"),
            sex=str(header.get("patient_sex") or ""),
        )
    return PatientContent(
        identifiers=tuple(Identifier(**one) for one in kept["identifiers"]),
        name=kept.get("name", ""),
        birth_date=_date(kept.get("birth_date", "")),
        sex=kept.get("sex", ""),
    )


def _algorithm(workitem: Workitem) -> AlgorithmContent:
    version = workitem.version
    clearance = getattr(version, "clearance", None)
    return AlgorithmContent(
        code=version.algorithm.code,
        name=version.algorithm.name,
        version=version.version,
        equipment_id=clearance.udi_di if clearance else "",
    )


def _findings(workitem: Workitem) -> Iterable[Finding]:
    return workitem.findings.all()


def _finding(row: Finding) -> FindingContent:
    return FindingContent(
        code=Code(**row.code),
        status=row.status,
        is_critical=row.is_critical,
        probability=row.probability,
        site=Code(**row.site_code) if row.site_code else None,
        laterality=row.laterality,
        tracking_id=row.tracking_id,
        measurements=tuple(
            MeasurementContent(Code(**one["code"]), one["value"], one["unit"])
            for one in row.measurements
        ),
    )


def _study_moment(study: Study) -> datetime | None:
    """Study Date and Time (0008,0020/0030) in the site's zone; None where either is odd."""
    day = str(study.header.get("study_date") or "")
    clock = (str(study.header.get("study_time") or "") + "000000")[:6]
    try:
        naive = datetime.strptime(day + clock, "%Y%m%d%H%M%S")  # noqa: DTZ007 (zone on next line)
    except ValueError:
        return None
    return naive.replace(tzinfo=study.site.zone)


def _local(moment: datetime, study: Study) -> datetime:
    return moment.astimezone(study.site.zone)


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None

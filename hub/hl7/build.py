"""What the hub sends to a RIS: results (ORU^R01) and priority changes (OMI^O23, ORM^O01).

Written by our own few lines (er7.write_*), because hl7apy leaves '&' and '^' in values unescaped
and needs tens of milliseconds for a message; the tests hold every message built here against
hl7apy's strict validation. Answers are built in hub.hl7.ack and offered here as well.
"""

from collections.abc import Iterator
from decimal import Decimal

from hub.hl7.ack import Ack, NotAnAcknowledgement, build_ack, read_ack
from hub.hl7.charsets import codec_of
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
from hub.hl7.datatypes import priority_code, write_person_name, write_timestamp
from hub.hl7.er7 import CannotEncode, escape, write_components, write_message, write_segment

__all__ = [
    "Ack",
    "AlgorithmContent",
    "CannotBuild",
    "CannotEncode",
    "Envelope",
    "FindingContent",
    "MeasurementContent",
    "NotAnAcknowledgement",
    "OrderReference",
    "PriorityChange",
    "ResultMessage",
    "build_ack",
    "build_priority_change",
    "build_result",
    "read_ack",
]

_VERSIONS = ("2.3.1", "2.5.1")
_STRUCTURES = {"ORU^R01": "ORU_R01", "OMI^O23": "OMI_O23", "ORM^O01": "ORM_O01"}
_STUDY = Code("113014", "DCM", "DICOM Study")
_CONCLUSION = Code("121077", "DCM", "Conclusion")
_SITE = Code("363698007", "SCT", "Finding site")
_LATERALITY = Code("272741003", "SCT", "Laterality")
_LATERALITIES = {
    "left": Code("7771000", "SCT", "Left"),
    "right": Code("24028007", "SCT", "Right"),
    "bilateral": Code("51440002", "SCT", "Right and left"),
    "unilateral": Code("66459002", "SCT", "Unilateral"),
}
_TRACKING = Code("112039", "DCM", "Tracking Identifier")
_VIEWER = Code("VIEWER", "L", "Link to the findings")
_ANSWERS = {
    "present": Code("52101004", "SCT", "Present"),
    "absent": Code("2667000", "SCT", "Absent"),
    "indeterminate": Code("82334004", "SCT", "Indeterminate"),
}


class CannotBuild(ValueError):  # noqa: N818
    """A value that the message cannot do without is missing or not allowed there."""


def build_result(result: ResultMessage) -> bytes:
    """ORU^R01 in 2.5.1 or 2.3.1, as IHE RAD-28 and dcm4che's samples have it.

    The first OBX is the Study Instance UID; then one text for the reader, then for each finding a
    group of OBX with one OBX-4: the finding as present or absent, its site, side and measurements.
    OBX-8 is AA for a critical finding, A for another (and for one that stays open), N for absent.
    Raises CannotBuild and CannotEncode.
    """
    if result.status not in ("P", "F", "C", "X"):
        raise CannotBuild(f"OBR-25: {result.status!r} is none of P, F, C, X")
    if not result.result_number:
        raise CannotBuild("OBR-3: the hub's own number of this result is missing")
    _require_order(result.order)
    order, issuer = result.order, result.envelope.sending_application
    placer = _entity(order.placer_order_number, order.placer_issuer)
    filler = write_components(result.result_number, issuer)
    segments = [
        _msh(result.envelope, "ORU^R01"),
        _pid(result.patient, order),
        *_pv1(order),
        write_segment("ORC", {1: "RE", 2: placer, 3: filler}),
        _result_obr(result, placer, filler),
    ]
    for number, fields in enumerate(_observations(result), start=1):
        segments.append(write_segment("OBX", {1: str(number), **fields}))
    return _write(segments, result.envelope)


def build_priority_change(change: PriorityChange) -> bytes:
    """OMI^O23 (2.5.1; TQ1-9, IPC) or ORM^O01 (ORC-7.6, OBR-27.6, ZDS) with ORC-1 XO.

    Numbers and OBR-4 go back as they came, ORC-16 says why. Raises CannotBuild and CannotEncode.
    """
    builders = {"OMI^O23": _omi_segments, "ORM^O01": _orm_segments}
    if change.message_type not in builders:
        raise CannotBuild(f"MSH-9: {change.message_type!r} is neither OMI^O23 nor ORM^O01")
    if change.message_type == "OMI^O23" and change.envelope.version != "2.5.1":
        raise CannotBuild(f"MSH-12: version {change.envelope.version} has no OMI^O23")
    order = change.order
    _require_order(order)
    if not (order.placer_order_number or order.filler_order_number):
        raise CannotBuild("ORC-2: an order without placer and filler number cannot be changed")
    try:
        priority_code(change.priority)
    except KeyError:
        raise CannotBuild(f"TQ1-9: {change.priority!r} is no requested priority") from None
    segments = [
        _msh(change.envelope, change.message_type),
        _pid(change.patient, order),
        *_pv1(order),
        *builders[change.message_type](change),
    ]
    return _write(segments, change.envelope)


def _require_order(order: OrderReference) -> None:
    if not any(order.universal_service):
        raise CannotBuild("OBR-4: the ordered procedure is missing")
    if not order.study_instance_uid:
        raise CannotBuild("the Study Instance UID is missing")


def _write(segments: list[str], envelope: Envelope) -> bytes:
    codec = codec_of(envelope.charset or envelope.undeclared_charset)
    return write_message(segments, codec=codec)


def _msh(envelope: Envelope, message_type: str) -> str:
    if envelope.version not in _VERSIONS:
        raise CannotBuild(f"MSH-12: version {envelope.version!r} is neither 2.3.1 nor 2.5.1")
    if not 0 < len(envelope.control_id) <= 20:
        raise CannotBuild("MSH-10: a control id of 1 to 20 characters was expected")
    structure = (_STRUCTURES[message_type],) if envelope.version == "2.5.1" else ()
    return write_segment(
        "MSH",
        {
            3: escape(envelope.sending_application),
            4: escape(envelope.sending_facility),
            5: escape(envelope.receiving_application),
            6: escape(envelope.receiving_facility),
            7: write_timestamp(envelope.at),
            9: write_components(*message_type.split("^"), *structure),
            10: escape(envelope.control_id),
            11: escape(envelope.processing_id),
            12: envelope.version,
            18: escape(envelope.charset),
        },
    )


def _pid(patient: PatientContent, order: OrderReference) -> str:
    if not patient.identifiers:
        raise CannotBuild("PID-3: a patient identifier is missing")
    return write_segment(
        "PID",
        {
            1: "1",
            3: "~".join(map(_identifier, patient.identifiers)),
            5: write_person_name(patient.name),
            7: patient.birth_date.strftime("%Y%m%d") if patient.birth_date else "",
            8: escape(patient.sex),
        },
    )


def _identifier(identifier: Identifier) -> str:
    namespace = identifier.assigning_authority
    if namespace == identifier.universal_id:
        namespace = ""  # CX-4 came with the universal id alone and goes back so
    authority = write_components(
        namespace, identifier.universal_id, identifier.universal_id_type, separator="&"
    )
    return "^".join((escape(identifier.value), "", "", authority, escape(identifier.type))).rstrip(
        "^"
    )


def _pv1(order: OrderReference) -> list[str]:
    # Patient class is required in PV1 and not ours to say; U is "unknown" of table 0004.
    if not order.visit_number:
        return []
    return [write_segment("PV1", {1: "1", 2: "U", 19: escape(order.visit_number)})]


def _entity(number: str, issuer: str) -> str:
    return write_components(number, *issuer.split("^")) if number else ""


def _coded(code: Code) -> str:
    return write_components(code.value, code.meaning, code.scheme)


def _result_obr(result: ResultMessage, placer: str, filler: str) -> str:
    order = result.order
    started = write_timestamp(result.study_started_at) if result.study_started_at else ""
    return write_segment(
        "OBR",
        {
            1: "1",
            2: placer,
            3: filler,
            4: write_components(*order.universal_service),
            7: started,
            18: escape(order.accession_number),
            19: escape(order.requested_procedure_id),
            20: escape(order.scheduled_procedure_step_id),
            22: write_timestamp(result.envelope.at),
            24: escape(order.modality),
            25: result.status,
            29: _parent(order),
        },
    )


def _parent(order: OrderReference) -> str:
    """The radiologist's order as EIP: the RIS's own filler number is found nowhere else."""
    placer = "&".join(_entity(order.placer_order_number, order.placer_issuer).split("^"))
    filler = "&".join(_entity(order.filler_order_number, order.filler_issuer).split("^"))
    return f"{placer}^{filler}".rstrip("^")


def _observations(result: ResultMessage) -> Iterator[dict[int, str]]:
    # 2.3.1 wants OBX-4 wherever one segment has several OBX; 0 is the study as a whole.
    whole = {4: "0"} if result.envelope.version == "2.3.1" else {}
    for fields in _bare_observations(result):
        yield {**whole, **fields, **_origin(result)}


def _bare_observations(result: ResultMessage) -> Iterator[dict[int, str]]:
    yield {2: "ST", 3: _coded(_STUDY), 5: escape(result.order.study_instance_uid)}
    yield {2: "TX", 3: _coded(_CONCLUSION), 5: escape(conclusion(result)), 8: _worst(result)}
    for group, finding in enumerate(result.findings, start=1):
        for fields in _finding(finding, result.envelope.version):
            yield {**fields, 4: str(group)}
    if result.viewer_url:
        yield {2: "RP", 3: _coded(_VIEWER), 5: write_components(result.viewer_url)}


def _origin(result: ResultMessage) -> dict[int, str]:
    algorithm = result.algorithm
    method = Code(algorithm.code, "L", f"{algorithm.name} {algorithm.version}")
    fields = {11: result.status, 17: _coded(method)}
    if result.observed_at:
        fields[14] = write_timestamp(result.observed_at)
    if algorithm.equipment_id and result.envelope.version != "2.3.1":  # OBX-18 came with 2.4
        fields[18] = escape(algorithm.equipment_id)
    return fields


def _finding(finding: FindingContent, version: str) -> Iterator[dict[int, str]]:
    if finding.status not in _ANSWERS:
        raise CannotBuild(f"OBX-5: a finding is no {finding.status!r}")
    coded = "CE" if version == "2.3.1" else "CWE"
    yield {
        2: coded,
        3: _coded(finding.code),
        5: _coded(_ANSWERS[finding.status]),
        8: _flag(finding),
        9: "" if finding.probability is None else _number(finding.probability),
    }
    if finding.site:
        yield {2: coded, 3: _coded(_SITE), 5: _coded(finding.site)}
    if finding.laterality:
        if finding.laterality not in _LATERALITIES:
            raise CannotBuild(f"OBX-5: {finding.laterality!r} is no side of a finding")
        yield {2: coded, 3: _coded(_LATERALITY), 5: _coded(_LATERALITIES[finding.laterality])}
    if finding.tracking_id:
        yield {2: "ST", 3: _coded(_TRACKING), 5: escape(finding.tracking_id)}
    for measurement in finding.measurements:
        unit = Code(measurement.unit, "UCUM", measurement.unit)
        yield {
            2: "NM",
            3: _coded(measurement.code),
            5: _number(measurement.value),
            6: _coded(unit) if measurement.unit else "",
        }


def _flag(finding: FindingContent) -> str:
    if finding.status == "absent":
        return "N"
    return "AA" if finding.is_critical and finding.status == "present" else "A"


def _worst(result: ResultMessage) -> str:
    if result.status == "X":
        return ""  # what is withdrawn is not normal
    flags = [_flag(finding) for finding in result.findings] or ["N"]
    return max(flags, key=("N", "A", "AA").index)


def _number(value: float) -> str:
    number = Decimal(str(value))
    if not number.is_finite():
        raise CannotBuild(f"OBX-5: {value} is no number that can be sent")
    return format(number, "f")


def conclusion(result: ResultMessage) -> str:
    """The result in one line for a RIS that shows text only."""
    origin = f"{result.algorithm.name} {result.algorithm.version}"
    if result.status == "X":
        return f"{origin}: withdrawn."
    said = [
        f"{finding.code.meaning or finding.code.value} {finding.status}"
        + (f", {finding.laterality}" if finding.laterality else "")
        + ("" if finding.probability is None else f" (probability {_number(finding.probability)})")
        for finding in result.findings
    ]
    is_verified = result.is_accepted or result.status == "F"
    verified = "" if is_verified else " Not verified by a radiologist."
    return f"{origin}: {', '.join(said) or 'nothing found'}.{verified}"


def _change_orc(change: PriorityChange, timing: str = "") -> str:
    order = change.order
    return write_segment(
        "ORC",
        {
            1: "XO",
            2: _entity(order.placer_order_number, order.placer_issuer),
            3: _entity(order.filler_order_number, order.filler_issuer),
            5: escape(order.order_status),
            7: timing,
            9: write_timestamp(change.envelope.at),
            16: write_components("", change.reason),
        },
    )


def _change_obr(change: PriorityChange, timing: str = "") -> str:
    order = change.order
    return write_segment(
        "OBR",
        {
            1: "1",
            2: _entity(order.placer_order_number, order.placer_issuer),
            3: _entity(order.filler_order_number, order.filler_issuer),
            4: write_components(*order.universal_service),
            18: escape(order.accession_number),
            19: escape(order.requested_procedure_id),
            20: escape(order.scheduled_procedure_step_id),
            24: escape(order.modality),
            27: timing,
        },
    )


def _omi_segments(change: PriorityChange) -> list[str]:
    order = change.order
    code, meaning = priority_code(change.priority)
    start = write_timestamp(order.scheduled_at) if order.scheduled_at else ""
    priority = write_components(code, meaning, "HL70485")
    return [
        _change_orc(change),
        write_segment("TQ1", {1: "1", 7: start, 9: priority}),
        _change_obr(change),
        write_segment(
            "IPC",
            {
                1: escape(order.accession_number),
                2: escape(order.requested_procedure_id),
                3: escape(order.study_instance_uid),
                4: escape(order.scheduled_procedure_step_id),
                5: escape(order.modality),
            },
        ),
    ]


def _orm_segments(change: PriorityChange) -> list[str]:
    order = change.order
    code, _ = priority_code(change.priority)
    start = write_timestamp(order.scheduled_at) if order.scheduled_at else ""
    timing = write_components("", "", "", start, "", code)
    study = write_components(order.study_instance_uid, "", "Application", "DICOM")
    return [_change_orc(change, timing), _change_obr(change, timing), f"ZDS|{study}"]

"""What the hub has to say about the order of `samples`, in every kind of message."""

from datetime import UTC, date, datetime, timedelta, timezone

from hub.hl7.build import (
    AlgorithmContent,
    Envelope,
    FindingContent,
    MeasurementContent,
    OrderReference,
    PriorityChange,
    ResultMessage,
)
from hub.hl7.parse import Code, Identifier, PatientContent
from tests.hub.hl7 import samples

AT = datetime(2026, 3, 16, 8, 20, 30, tzinfo=timezone(timedelta(hours=1)))
ICH = Code("1386000", "SCT", "Intracranial hemorrhage")
PATIENT = PatientContent(
    (
        Identifier("13097248022", "FNR", "NNNOR", "2.16.578.1.12.4.1.4.1", "ISO"),
        Identifier("123456", "HSO-PAS", "PI"),
    ),
    "Bærøy^Åse^Ø^Dr^Jr",
    date(1972, 9, 13),
    "F",
)
ORDER = OrderReference(
    placer_order_number="P100",
    placer_issuer="HIS",
    filler_order_number="F200",
    filler_issuer="RIS",
    accession_number="ACC-1",
    requested_procedure_id="RP-1",
    scheduled_procedure_step_id="SPS-1",
    study_instance_uid=samples.STUDY,
    modality="CT",
    universal_service=("RCT01", "CT caput", "99RIS", "SS0AA00", "CT hode", "NCRP"),
    order_status="SC",
    scheduled_at=datetime(2026, 3, 16, 8, 30, tzinfo=UTC),
    visit_number="V42",
)
ALGORITHM = AlgorithmContent(
    code="ich-triage", name="ICH Triage", version="1.0.0", equipment_id="09506000134352"
)
POSITIVE = (
    FindingContent(
        code=ICH,
        status="present",
        is_critical=True,
        probability=0.97,
        site=Code("12738006", "SCT", "Brain"),
        tracking_id="ICH-1",
        measurements=(MeasurementContent(Code("118565006", "SCT", "Volume"), 12.3, "mL"),),
    ),
    FindingContent(code=Code("263204007", "SCT", "Fracture & swelling"), status="present"),
)
SIDED = (
    FindingContent(
        code=Code("36118008", "SCT", "Pneumothorax"),
        status="present",
        probability=0.91,
        site=Code("39607008", "SCT", "Lung"),
        laterality="left",
    ),
)
NEGATIVE = (FindingContent(code=ICH, status="absent", probability=0.02),)


def envelope(**changes: str) -> Envelope:
    given = {
        "receiving_application": "RIS",
        "receiving_facility": "DRAMMEN",
        "control_id": "AVR-00000001",
    }
    return Envelope(at=AT, **{**given, **changes})  # type: ignore[arg-type]


def result(
    findings: tuple[FindingContent, ...] = POSITIVE, *, status: str = "P", **changes: str
) -> ResultMessage:
    return ResultMessage(
        envelope=envelope(**changes),
        order=ORDER,
        patient=PATIENT,
        result_number="W-77",
        status=status,
        algorithm=ALGORITHM,
        findings=findings,
        study_started_at=AT - timedelta(minutes=10),
        observed_at=AT - timedelta(seconds=30),
        viewer_url="https://hub.example.no/studies/1?a=1&b=2",
    )


def change(message_type: str = "OMI^O23", **changes: str) -> PriorityChange:
    return PriorityChange(
        envelope=envelope(**changes),
        order=ORDER,
        patient=PATIENT,
        priority="STAT",
        reason="AI triage: intracranial hemorrhage suspected",
        message_type=message_type,
    )

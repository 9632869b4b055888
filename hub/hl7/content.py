"""The values that messages are read into and written from; no rule and no wire format."""

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class MessageHeader:
    """MSH, as far as routing, duplicates and answers need it; what was not sent is "".

    Applications and facilities are the namespace (or, without one, the universal id); `parties`
    holds MSH-3 to MSH-6 with all their components, as an answer must give them back.
    """

    sending_application: str = ""
    sending_facility: str = ""
    receiving_application: str = ""
    receiving_facility: str = ""
    control_id: str = ""
    message_type: str = ""  # 'ORM^O01'
    trigger: str = ""  # 'O01'
    version: str = ""
    processing_id: str = ""
    charset: str = ""  # MSH-18 as sent
    character_set_used: str = "ascii"  # the Python codec the text was read with
    accept_ack_type: str = ""
    application_ack_type: str = ""
    parties: tuple[tuple[str, ...], ...] = ((), (), (), ())


@dataclass(frozen=True, slots=True)
class Code:
    """A coded value; `scheme` is HL7 table 0396 and for LN, SCT and DCM also DICOM's designator."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Identifier:
    """One patient identifier (CX): never to be compared without its assigning authority.

    `assigning_authority` is the namespace (CX-4.1), or the universal id where that is all there is.
    """

    value: str
    assigning_authority: str = ""
    type: str = ""
    universal_id: str = ""
    universal_id_type: str = ""


@dataclass(frozen=True, slots=True)
class PatientContent:
    """PID: identifiers in the order sent, the name as DICOM PN, sex M, F, O or ""."""

    identifiers: tuple[Identifier, ...]
    name: str = ""
    birth_date: date | None = None
    sex: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderContent:
    """One order for one study; what the message leaves out is "" or None.

    `said_at` is MSH-7. `*_issuer` are EI-2 to EI-4 joined by '^'; `universal_service` is OBR-4,
    component by component, so that a message about this order can repeat it unchanged.
    """

    said_at: datetime | None = None  # aware
    order_control: str  # NW, XO, CA, DC or SC
    order_status: str
    placer_order_number: str
    placer_issuer: str
    filler_order_number: str
    filler_issuer: str
    accession_number: str
    requested_procedure_id: str
    study_instance_uid: str
    scheduled_procedure_step_id: str
    modality: str
    procedure: Code | None
    universal_service: tuple[str, ...]
    priority: str | None  # STAT, HIGH, MEDIUM, ROUTINE, LOW
    priority_raw: str
    scheduled_at: datetime | None
    reason: str
    clinical_information: str
    ordering_provider: str
    referring_physician: str
    patient: PatientContent
    visit_number: str
    expected_instances: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What MSH says of a message of ours.

    `control_id` (MSH-10, at most 20 characters before 2.7) comes from the delivery, so that a
    repeated send is the same message. `charset` is written in MSH-18 and decides the bytes; where
    the receiver wants MSH-18 empty, `undeclared_charset` decides them.
    """

    receiving_application: str
    receiving_facility: str
    control_id: str
    at: datetime  # aware
    sending_application: str = "AVROP"
    sending_facility: str = ""
    version: str = "2.5.1"  # or 2.3.1
    charset: str = "UNICODE UTF-8"
    undeclared_charset: str = "ASCII"
    processing_id: str = "P"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReference:
    """The order that a message of ours speaks of, with the values its sender gave it.

    The names are those of OrderContent; `*_issuer` is EI-2 to EI-4 joined by '^'.
    """

    universal_service: tuple[str, ...]  # OBR-4, component by component
    placer_order_number: str = ""
    placer_issuer: str = ""
    filler_order_number: str = ""
    filler_issuer: str = ""
    accession_number: str = ""
    requested_procedure_id: str = ""
    scheduled_procedure_step_id: str = ""
    study_instance_uid: str = ""
    modality: str = ""
    order_status: str = ""
    scheduled_at: datetime | None = None
    visit_number: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlgorithmContent:
    """Which algorithm spoke: OBX-17 (code, name and version) and OBX-18 (its device identifier)."""

    code: str
    name: str
    version: str
    equipment_id: str = ""  # for one: the UDI-DI


@dataclass(frozen=True, slots=True)
class MeasurementContent:
    """A number with its UCUM unit."""

    code: Code
    value: float
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingContent:
    """One coded statement; `status` is present, absent or indeterminate, probability 0 to 1.

    `laterality` is left, right, bilateral, unilateral or "".
    """

    code: Code
    status: str
    is_critical: bool = False
    probability: float | None = None
    site: Code | None = None
    laterality: str = ""
    tracking_id: str = ""
    measurements: tuple[MeasurementContent, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultMessage:
    """An ORU^R01: what one algorithm says of one study.

    `result_number` is the hub's own filler number (OBR-3): under the order's number the result
    could overwrite a radiologist's report. No finding at all is a result too.
    """

    envelope: Envelope
    order: OrderReference
    patient: PatientContent
    result_number: str
    status: str  # P, F, C or X (OBR-25, OBX-11)
    algorithm: AlgorithmContent
    findings: tuple[FindingContent, ...]
    study_started_at: datetime | None = None
    observed_at: datetime | None = None  # when the algorithm ended
    viewer_url: str = ""
    is_accepted: bool = False  # a radiologist has seen and accepted it


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorityChange:
    """A wish to the RIS that an order be read sooner: OMI^O23 or ORM^O01 with ORC-1 XO."""

    envelope: Envelope
    order: OrderReference
    patient: PatientContent
    priority: str  # STAT, HIGH, MEDIUM, ROUTINE or LOW
    reason: str
    message_type: str = "OMI^O23"

"""What an order message says: ORM^O01 with ZDS, OMI^O23 and OMG^O19 to plain values.

IHE RAD-4 and RAD-13; the field map is the one of dcm4chee-arc's conformance statement. Nothing
here decides what an order is for; it reads, and names the field where it cannot.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo

from hub.hl7.content import Code, Identifier, MessageHeader, OrderContent, PatientContent
from hub.hl7.datatypes import (
    read_date,
    read_person_name,
    read_priority,
    read_provider_name,
    read_sex,
    read_timestamp,
)
from hub.hl7.er7 import Message, MessageError, Segment
from hub.hl7.fields import (
    read_code,
    read_coded_text,
    read_components,
    read_free_text,
    read_identifiers,
    read_value,
)

__all__ = [
    "VERSION",
    "Code",
    "FieldError",
    "Identifier",
    "MessageHeader",
    "OrderContent",
    "PatientContent",
    "UnsupportedMessage",
    "read_header",
    "read_orders",
    "require_envelope",
]

_EVENTS = {"ORM": "O01", "OMI": "O23", "OMG": "O19"}
_CONTROLS = ("NW", "XO", "CA", "DC", "SC")
VERSION = re.compile(r"2\.[1-9](?:\.\d)?")
_UID = re.compile(r"[0-9]+(?:\.[0-9]+)+")
# HL7 2.7 2.14.9.10; cut short, one message could be taken for a duplicate of another
_LONGEST_CONTROL_ID = 199
# of a number of instances: a million is more than any study has, and fits any database
_MOST_DIGITS = 6
_INSTANCE_COUNT = {"numberofstudyrelatedinstances", "00201208"}


class FieldError(MessageError):
    """A field that is required and missing (101), malformed (102) or out of its table (103)."""


class UnsupportedMessage(MessageError):  # noqa: N818
    """A kind of message that the hub does not take: 200 type, 201 event, 202 processing, 203."""

    acknowledgement = "AR"


@dataclass(slots=True)
class _Group:
    """The segments of one order, ORC to the next ORC or OBR."""

    orc: Segment
    obr: Segment
    timing: list[Segment] = field(default_factory=list)
    observations: list[Segment] = field(default_factory=list)
    procedures: list[Segment] = field(default_factory=list)
    zds: Segment | None = None


def read_header(message: Message) -> MessageHeader:
    """MSH as it stands; never fails on a message that could be read at all."""
    msh = message.header
    parties = tuple(read_components(msh, number) for number in (3, 4, 5, 6))
    names = [next((part for part in party if part), "") for party in parties]
    code, trigger = read_value(msh, 9), read_value(msh, 9, 2)
    return MessageHeader(
        sending_application=names[0],
        sending_facility=names[1],
        receiving_application=names[2],
        receiving_facility=names[3],
        control_id=msh.plain(msh.field(10)).strip(),
        message_type=f"{code}^{trigger}" if trigger else code,
        trigger=trigger,
        version=read_value(msh, 12),
        processing_id=read_value(msh, 11),
        charset=message.declared_charset,
        character_set_used=message.codec,
        accept_ack_type=read_value(msh, 15),
        application_ack_type=read_value(msh, 16),
        parties=parties,
    )


def read_orders(
    message: Message,
    *,
    zone: tzinfo = UTC,
    processing_ids: frozenset[str] = frozenset("P"),
    header: MessageHeader | None = None,
) -> tuple[OrderContent, ...]:
    """Every order of the message, one for each study named in it.

    `zone` is the sender's, for times without an offset; `processing_ids` (MSH-11) are those this
    hub takes, so that a training message (T) never becomes a patient's order by accident;
    `header` spares reading MSH again.
    Raises UnsupportedMessage and FieldError.
    """
    header = header or read_header(message)
    _require_supported(header, processing_ids)
    _refuse_prior_results(message, header)
    patient = _patient(message)
    groups = _groups(message)
    _share_study(groups)
    needs_ipc = header.message_type.startswith("OMI")
    return tuple(
        order
        for group in groups
        for order in _orders(group, message, patient, zone=zone, needs_ipc=needs_ipc)
    )


def _require_supported(header: MessageHeader, processing_ids: frozenset[str]) -> None:
    code = header.message_type.split("^")[0]
    if code not in _EVENTS:
        text = f"{code or 'nothing'} is not taken; ORM^O01, OMI^O23 and OMG^O19 are"
        raise UnsupportedMessage("MSH-9", 200, text)
    if header.trigger != _EVENTS[code]:
        text = f"{code} is taken with event {_EVENTS[code]} only"
        raise UnsupportedMessage("MSH-9", 201, text)
    require_envelope(header, processing_ids)


def require_envelope(
    header: MessageHeader, processing_ids: frozenset[str] = frozenset("P")
) -> None:
    """What MSH must say of any message; raises UnsupportedMessage and FieldError."""
    if not VERSION.fullmatch(header.version):
        raise UnsupportedMessage("MSH-12", 203, "a version from 2.1 to 2.9 was expected")
    if (header.processing_id or "P") not in processing_ids:
        text = f"processing id {', '.join(sorted(processing_ids))} was expected"
        raise UnsupportedMessage("MSH-11", 202, text)
    if not header.control_id:
        raise FieldError("MSH-10", 101, "a message control id was expected")
    if len(header.control_id) > _LONGEST_CONTROL_ID:
        raise FieldError("MSH-10", 102, f"at most {_LONGEST_CONTROL_ID} characters were expected")


def _refuse_prior_results(message: Message, header: MessageHeader) -> None:
    # OMG^O19 may carry earlier orders after an order, with ORC and OBR of their own (HL7 2.5.1
    # 4.4.6); read as new ones they would cancel or order what nobody asked for.
    if len(message.segments("PID")) > 1:
        raise FieldError("PID[2]", 100, "one patient for each message was expected")
    if not header.message_type.startswith("OMG"):
        return
    names = [segment.name for segment in message.all_segments]
    orders = [i for i, name in enumerate(names) if name in ("ORC", "OBR")]
    if orders and "PV1" in names[orders[0] : orders[-1]]:
        raise FieldError("PV1", 100, "prior results in an order message are not taken")


def _groups(message: Message) -> list[_Group]:
    groups: list[_Group] = []
    for segment in message.all_segments:
        if segment.name == "ORC":
            groups.append(_Group(segment, replace(segment, name="OBR", fields=())))
        elif segment.name in _PLACES:
            if not groups:
                raise FieldError("ORC", 100, f"ORC was expected before {segment.name}")
            _PLACES[segment.name](groups, segment)
    if not groups:
        raise FieldError("ORC", 100, "an ORC segment was expected")
    return groups


def _place_obr(groups: list[_Group], segment: Segment) -> None:
    current = groups[-1]
    if current.obr.fields:  # a second OBR under one ORC is one more order with the same control
        groups.append(_Group(current.orc, segment, timing=list(current.timing)))
    else:
        current.obr = segment


def _place_zds(groups: list[_Group], segment: Segment) -> None:
    groups[-1].zds = segment


_PLACES: dict[str, Callable[[list[_Group], Segment], None]] = {
    "OBR": _place_obr,
    "ZDS": _place_zds,
    "TQ1": lambda groups, segment: groups[-1].timing.append(segment),
    "OBX": lambda groups, segment: groups[-1].observations.append(segment),
    "IPC": lambda groups, segment: groups[-1].procedures.append(segment),
}


def _share_study(groups: list[_Group]) -> None:
    # IHE RAD-4: one ZDS at the end speaks for all steps of the same requested procedure. An order
    # with another accession number is another study, whatever stands at the end.
    if sum(group.zds is not None for group in groups) != 1:
        return
    zds, keys = next((g.zds, _procedure_key(g)) for g in groups if g.zds is not None)
    for group in groups:
        if _procedure_key(group) == keys:
            group.zds = zds


def _procedure_key(group: _Group) -> tuple[str, str]:
    return read_value(group.obr, 18), read_value(group.obr, 19)


def _orders(
    group: _Group, message: Message, patient: PatientContent, *, zone: tzinfo, needs_ipc: bool
) -> Iterator[OrderContent]:
    base = _base(group, message, patient, zone)
    if base.order_control == "NW" and needs_ipc and not group.procedures:
        raise FieldError("IPC", 100, "an IPC segment with the study was expected")
    orders = [_with_procedure(base, ipc) for ipc in group.procedures] or [base]
    if len({order.study_instance_uid for order in orders}) > 1:
        # One count for several studies says nothing about any of them.
        orders = [replace(order, expected_instances=None) for order in orders]
    for order in orders:
        _require_names(order, group)
        yield order


def _base(group: _Group, message: Message, patient: PatientContent, zone: tzinfo) -> OrderContent:
    orc, obr, pv1 = group.orc, group.obr, message.segment("PV1")
    priority_raw = _priority_raw(group)
    placer, placer_issuer = _entity(orc, obr, 2)
    filler, filler_issuer = _entity(orc, obr, 3)
    return OrderContent(
        said_at=_said_at(message, zone),
        order_control=_control(orc),
        order_status=read_value(orc, 5).upper(),
        placer_order_number=placer,
        placer_issuer=placer_issuer,
        filler_order_number=filler,
        filler_issuer=filler_issuer,
        accession_number=read_value(obr, 18),
        requested_procedure_id=read_value(obr, 19),
        study_instance_uid=_uid(group.zds, 1) if group.zds else "",
        scheduled_procedure_step_id=read_value(obr, 20),
        modality=read_value(obr, 24).upper(),
        procedure=read_code(obr, 44) or read_code(obr, 4),
        universal_service=read_components(obr, 4),
        priority=read_priority(priority_raw),
        priority_raw=priority_raw,
        scheduled_at=_scheduled_at(group, zone),
        reason=read_coded_text(obr, 31),
        clinical_information=read_free_text(obr, 13),
        ordering_provider=read_provider_name(obr, 16) or read_provider_name(orc, 12),
        referring_physician=read_provider_name(pv1, 8),
        patient=patient,
        visit_number=read_value(pv1, 19) or read_value(message.segment("PID"), 18),
        expected_instances=_expected_instances(group.observations),
    )


def _said_at(message: Message, zone: tzinfo) -> datetime | None:
    """MSH-7; nothing that an order rests on, and so one that cannot be read is as good as none."""
    try:
        return read_timestamp(read_value(message.header, 7), zone=zone)
    except ValueError:
        return None


def _with_procedure(base: OrderContent, ipc: Segment) -> OrderContent:
    uid = _uid(ipc, 3)
    if not uid:
        raise FieldError(ipc.location(3), 101, "a Study Instance UID was expected")
    return replace(
        base,
        accession_number=read_value(ipc, 1) or base.accession_number,
        requested_procedure_id=read_value(ipc, 2) or base.requested_procedure_id,
        study_instance_uid=uid,
        scheduled_procedure_step_id=read_value(ipc, 4) or base.scheduled_procedure_step_id,
        modality=read_value(ipc, 5).upper() or base.modality,
    )


def _require_names(order: OrderContent, group: _Group) -> None:
    if not (order.placer_order_number or order.filler_order_number):
        text = "a placer (ORC-2) or filler (ORC-3) order number was expected"
        raise FieldError(group.orc.location(2), 101, text)
    if order.order_control == "NW" and not (order.study_instance_uid or order.accession_number):
        text = "an accession number, or a Study Instance UID in ZDS-1, was expected"
        raise FieldError(group.obr.location(18), 101, text)


def _control(orc: Segment) -> str:
    control = read_value(orc, 1).upper()
    if not control:
        raise FieldError(orc.location(1), 101, "an order control code was expected")
    if control not in _CONTROLS:
        raise FieldError(orc.location(1), 103, f"one of {', '.join(_CONTROLS)} was expected")
    return control


def _entity(orc: Segment, obr: Segment, number: int) -> tuple[str, str]:
    segment = orc if read_value(orc, number) else obr
    issuer = (read_value(segment, number, component) for component in (2, 3, 4))
    return read_value(segment, number), "^".join(issuer).rstrip("^")


def _uid(segment: Segment, number: int) -> str:
    uid = read_value(segment, number)
    if uid and not (_UID.fullmatch(uid) and len(uid) <= 64):
        raise FieldError(segment.location(number), 102, "a UID of at most 64 digits and dots")
    return uid


def _priority_raw(group: _Group) -> str:
    candidates = [read_value(tq1, 9) for tq1 in group.timing]
    candidates += [read_value(group.orc, 7, 6), read_value(group.obr, 27, 6)]
    return next((code for code in candidates if code), "")


def _scheduled_at(group: _Group, zone: tzinfo) -> datetime | None:
    places = [(tq1, 7, 1) for tq1 in group.timing] + [(group.orc, 7, 4), (group.obr, 27, 4)]
    for segment, number, component in places:
        try:
            found = read_timestamp(read_value(segment, number, component), zone=zone)
        except ValueError as error:
            text = f"a start time was expected, {error}"
            raise FieldError(segment.location(number), 102, text) from error
        if found:
            return found
    return None


def _expected_instances(observations: list[Segment]) -> int | None:
    for obx in observations:
        names = (re.sub(r"[^a-z0-9]", "", read_value(obx, 3, part).lower()) for part in (1, 2, 4))
        if not _INSTANCE_COUNT.intersection(names):
            continue
        count = read_value(obx, 5)
        is_number = count.isascii() and count.isdigit() and len(count) <= _MOST_DIGITS
        if not (is_number and int(count) > 0):
            text = f"a number of instances from 1 to {'9' * _MOST_DIGITS} was expected"
            raise FieldError(obx.location(5), 102, text)
        return int(count)
    return None


def _patient(message: Message) -> PatientContent:
    pid = message.segment("PID")
    identifiers = read_identifiers(pid, 3)
    if not identifiers:
        raise FieldError("PID-3", 101, "a patient identifier was expected")
    try:
        birth_date = read_date(read_value(pid, 7))
    except ValueError as error:
        raise FieldError("PID-7", 102, f"a date was expected, {error}") from error
    return PatientContent(
        identifiers, read_person_name(pid, 5), birth_date, read_sex(read_value(pid, 8))
    )

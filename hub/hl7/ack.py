"""Answers: writes the acknowledgement of what came in, reads those of what went out."""

from dataclasses import dataclass
from datetime import datetime

from hub.hl7.charsets import UnknownCharacterSet, codec_of
from hub.hl7.content import MessageHeader
from hub.hl7.datatypes import write_timestamp
from hub.hl7.er7 import (
    Message,
    Segment,
    UnparsableMessage,
    escape,
    write_components,
    write_segment,
)
from hub.hl7.parse import VERSION, read_header

_CODES = ("AA", "AE", "AR", "CA", "CE", "CR")
_CONDITIONS = {  # HL7 table 0357
    0: "Message accepted",
    100: "Segment sequence error",
    101: "Required field missing",
    102: "Data type error",
    103: "Table value not found",
    200: "Unsupported message type",
    201: "Unsupported event code",
    202: "Unsupported processing id",
    203: "Unsupported version id",
    204: "Unknown key identifier",
    205: "Duplicate key identifier",
    206: "Application record locked",
    207: "Application internal error",
}
_ERR_BY_POSITION = ("2.1", "2.2", "2.3", "2.3.1", "2.4")  # ERR-1 alone, no ERR-2 to ERR-8


class NotAnAcknowledgement(ValueError):  # noqa: N818
    """What came back holds no MSA segment, or one without its code."""


@dataclass(frozen=True, slots=True)
class Ack:
    """The answer to a message of ours.

    `code` is MSA-1; `control_id` MSA-2, the MSH-10 that is answered; `error` is the ERR segment as
    one line for people; `order_control` is ORC-1 of ORI, ORR and ORG: XR changed, UX unable.
    """

    code: str
    control_id: str
    text: str
    error: str
    order_control: str

    @property
    def is_accepted(self) -> bool:
        """Taken, and not refused in the order's own words."""
        return self.code in ("AA", "CA") and self.order_control not in ("UX", "UA", "UC", "UD")


def build_ack(
    request: MessageHeader | Message | bytes,
    *,
    code: str,
    control_id: str,
    at: datetime,
    text: str = "",
    error: tuple[str, int] | None = None,
) -> bytes:
    """The acknowledgement of `request` (HL7 2.5.1 2.9.2), in its version and character set.

    `error` is (location, code of table 0357) as a MessageError gives them. Works on bytes whose
    MSH is half broken: what can be made out of it is given back, MSA-2 byte for byte.
    Raises ValueError for a code that is none of AA, AE, AR, CA, CE, CR.
    """
    if code not in _CODES:
        raise ValueError(f"{code!r} is no acknowledgement code")
    header = _header_of(request)
    segments = [
        _msh(header, control_id, at),
        write_segment("MSA", {1: code, 2: escape(header.control_id), 3: escape(text[:80])}),
    ]
    if error:
        segments.append(_err(header, error, text))
    # An answer must always leave: a character of our own text that the sender does not have is
    # worth less than the answer. What is the sender's own was read with this very codec.
    body = "".join(segment + "\r" for segment in segments)
    return body.encode(header.character_set_used, errors="replace")


def in_mode_of(request: MessageHeader | bytes, answer: bytes) -> tuple[bytes, ...]:
    """What goes back of ``answer``, which says AA, AE or AR (HL7 2.5.1 2.9.2, 2.9.3; table 0155).

    ``answer`` itself where MSH-15 and MSH-16 are empty. Otherwise, where MSH-15 asks for it, the
    accept acknowledgement, CA, CE or CR; what is refused ends there. Then, where MSH-16 asks for
    it, the answer. One field that is empty asks for nothing, one with anything else for all.
    """
    header = _header_of(request)
    accept, application = header.accept_ack_type.upper(), header.application_ack_type.upper()
    if not (accept or application):
        return (answer,)
    segments = answer.decode(header.character_set_used, errors="replace").split("\r")
    code = segments[1].split("|")[1]
    is_taken = code == "AA"
    sent = []
    if _is_asked(accept, is_taken=is_taken):
        sent.append(_accepting(segments, code, header))
        if not is_taken:
            return tuple(sent)
    if _is_asked(application, is_taken=is_taken):
        sent.append(answer)
    return tuple(sent)


def _is_asked(condition: str, *, is_taken: bool) -> bool:
    if condition in ("", "NE"):
        return False
    return is_taken if condition == "SU" else not (condition == "ER" and is_taken)


def _accepting(segments: list[str], code: str, header: MessageHeader) -> bytes:
    """The accept acknowledgement, a message of its own with its own MSH-10."""
    msh, msa = segments[0].split("|"), segments[1].split("|")
    msh[9] = f"C{msh[9][1:]}"
    msa[1] = f"C{code[1:]}"
    said = "\r".join(["|".join(msh), "|".join(msa), *segments[2:]])
    return said.encode(header.character_set_used, errors="replace")


def _header_of(request: MessageHeader | Message | bytes) -> MessageHeader:
    if isinstance(request, MessageHeader):
        return request
    if isinstance(request, Message):
        return read_header(request)
    try:
        return read_header(Message.from_bytes(request))
    except UnparsableMessage:
        return _salvaged(request)


def _salvaged(raw: bytes) -> MessageHeader:
    start = raw.find(b"MSH|")
    line = raw[start : start + 1000].replace(b"\n", b"\r").split(b"\r")[0] if start >= 0 else b""
    # Only the control id is worth guessing at; read as Latin-1 it goes back byte for byte.
    fields = line.decode("latin-1").split("|")
    trusted = len(fields) > 11 and len(fields[9]) <= 199
    control_id = fields[9].strip() if trusted else ""
    version = fields[11].split("^")[0].strip() if trusted else ""
    version = version if VERSION.fullmatch(version) else ""
    return MessageHeader(control_id=control_id, version=version, character_set_used="latin-1")


def _msh(header: MessageHeader, control_id: str, at: datetime) -> str:
    application, facility, our_application, our_facility = header.parties
    kind = write_components("ACK", header.trigger, "ACK" if header.trigger else "")
    return write_segment(
        "MSH",
        {
            3: write_components(*our_application),
            4: write_components(*our_facility),
            5: write_components(*application),
            6: write_components(*facility),
            7: write_timestamp(at),
            9: kind,
            10: escape(control_id),
            11: escape(header.processing_id or "P"),
            12: escape(header.version or "2.5.1"),
            18: escape(_charset_to_declare(header)),
        },
    )


def _charset_to_declare(header: MessageHeader) -> str:
    try:
        is_true = codec_of(header.charset) == header.character_set_used
    except UnknownCharacterSet:
        return ""
    # Bytes that contradicted their MSH-18 are answered as they were written, and not mislabelled.
    return header.charset if is_true or header.character_set_used == "cp1252" else ""


def _err(header: MessageHeader, error: tuple[str, int], text: str) -> str:
    location, code = error
    condition = (str(code), _CONDITIONS.get(code, "Error"), "HL70357")
    place = _place(location)
    if header.version in _ERR_BY_POSITION:
        first = "^".join(escape(part) for part in place)
        return write_segment("ERR", {1: f"{first}^{write_components(*condition, separator='&')}"})
    return write_segment(
        "ERR",
        {2: write_components(*place), 3: write_components(*condition), 4: "E", 8: escape(text)},
    )


def _place(location: str) -> list[str]:
    """'IPC[2]-3' as ERL components: segment, its occurrence, field."""
    segment, _, field = location.partition("-")
    name, _, occurrence = segment.partition("[")
    return [name, occurrence.rstrip("]") or "1", field]


def read_ack(raw: bytes, *, default_charset: str = "8859/1") -> Ack:
    """Read ACK, ORI^O24, ORR^O02, ORG^O20 or whatever else answers with an MSA.

    Raises UnparsableMessage and NotAnAcknowledgement.
    """
    message = Message.from_bytes(raw, default_charset=default_charset)
    msa = message.segment("MSA")
    if not msa.value(1):
        raise NotAnAcknowledgement("no MSA-1 in the answer")
    return Ack(
        code=msa.value(1).strip().upper(),
        control_id=msa.plain(msa.field(2)).strip(),
        text=msa.text(3),
        error="; ".join(filter(None, map(_error_line, message.segments("ERR")))),
        order_control=message.segment("ORC").value(1).strip().upper(),
    )


def _error_line(err: Segment) -> str:
    number = 2 if err.field(3) else 1
    place = "-".join(filter(None, (err.value(number), err.value(number, component=3))))
    if number == 2:
        said = [err.value(3), err.value(3, component=2), err.text(8)]
    else:
        said = [err.value(1, component=4, subcomponent=part) for part in (1, 2)]
    return " ".join(filter(None, (place, *said)))

"""In charge of DIMSE command sets, byte by byte: requests are read, responses are written."""

import struct
from dataclasses import dataclass

C_STORE_RQ, C_ECHO_RQ, C_CANCEL_RQ = 0x0001, 0x0030, 0x0FFF
# PS3.7 E.1-1: C-GET, C-FIND, C-MOVE, and the N services.
OTHER_REQUESTS = frozenset({0x0010, 0x0020, 0x0021, 0x0100, 0x0110, 0x0120, 0x0130, 0x0140, 0x0150})
RESPONSE = 0x8000

_NO_DATA_SET = 0x0101
_ELEMENT = struct.Struct("<HHL")
_US = struct.Struct("<H")
_ELEMENT_US = struct.Struct("<HHLH")
# PS3.7 E.1: the numbers in group 0000 of what is looked at.
_AFFECTED_SOP_CLASS, _REQUESTED_SOP_CLASS, _COMMAND_FIELD = 0x0002, 0x0003, 0x0100
_MESSAGE_ID, _DATA_SET_TYPE = 0x0110, 0x0800
_AFFECTED_SOP_INSTANCE, _REQUESTED_SOP_INSTANCE = 0x1000, 0x1001
_RESPONDED_TO, _PRIORITY, _STATUS, _ERROR_COMMENT = 0x0120, 0x0700, 0x0900, 0x0902
_LONGEST_UID = 64
_HAS_DATA_SET, _LOW = 0x0001, 0x0002


class BadCommand(Exception):  # noqa: N818 (named by what failed)
    """The bytes are not a command set, or one that says neither what it is nor its number."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command set (PS3.7 6.3.1) that was received; a UID it does not have is empty.

    The UIDs are as sent, without padding: of the affected SOP class and instance or, in the
    services that name those so, the requested ones.
    """

    field: int
    message_id: int
    has_data_set: bool
    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class Response:
    """A response that was received: to which message, its status, and what the peer says of it."""

    field: int
    responded_to: int
    status: int
    error_comment: str


def decode(encoded: bytes) -> Command:
    """Read a command set: implicit VR little endian, whatever its order (PS3.7 6.3.1, E.1).

    Its group length is not believed: all of it is read. Raises BadCommand.
    """
    try:
        values = _values(encoded)
        (field,) = _US.unpack(values[_COMMAND_FIELD])
        (data_set_type,) = _US.unpack(values[_DATA_SET_TYPE])
        # A response and C-CANCEL have the number of what they are about instead (PS3.7 9.3).
        (message_id,) = _US.unpack(values.get(_MESSAGE_ID, b"\0\0"))
        if _MESSAGE_ID not in values and field < RESPONSE and field != C_CANCEL_RQ:
            raise BadCommand
        return Command(
            field=field,
            message_id=message_id,
            has_data_set=data_set_type != _NO_DATA_SET,
            sop_class_uid=_uid(values, _AFFECTED_SOP_CLASS, _REQUESTED_SOP_CLASS),
            sop_instance_uid=_uid(values, _AFFECTED_SOP_INSTANCE, _REQUESTED_SOP_INSTANCE),
        )
    except (struct.error, KeyError, UnicodeDecodeError) as error:
        raise BadCommand from error


def decode_response(encoded: bytes) -> Response:
    """Read the command set of a response, as decode() does that of a request. Raises BadCommand."""
    try:
        values = _values(encoded)
        (field,) = _US.unpack(values[_COMMAND_FIELD])
        (responded_to,) = _US.unpack(values[_RESPONDED_TO])
        (status,) = _US.unpack(values[_STATUS])
    except (struct.error, KeyError) as error:
        raise BadCommand from error
    # ISO 8859-1 has a character for every byte, whatever the peer means by it.
    comment = values.get(_ERROR_COMMENT, b"").decode("latin-1").strip("\0 ")
    return Response(field, responded_to, status, comment)


def _values(encoded: bytes) -> dict[int, bytes]:
    """The values of group 0000 by element. Raises BadCommand, struct.error."""
    values: dict[int, bytes] = {}
    offset, end = 0, len(encoded)
    while offset < end:
        group, element, length = _ELEMENT.unpack_from(encoded, offset)
        offset += 8
        # A response needs the request's UIDs, and half a UID is another one.
        if group or offset + length > end:
            raise BadCommand
        values[element] = encoded[offset : offset + length]
        offset += length
    return values


def _uid(values: dict[int, bytes], affected: int, requested: int) -> str:
    value = values.get(affected) or values.get(requested) or b""
    uid = value.decode("ascii").strip("\0 ")
    if len(uid) > _LONGEST_UID:
        raise BadCommand
    return uid


def response(request: Command, status: int) -> bytes:
    """Write the command set of the response to a request, without a data set (PS3.7 9.3.1.2)."""
    elements = b"".join(
        (
            _encoded_uid(_AFFECTED_SOP_CLASS, request.sop_class_uid),
            _ELEMENT_US.pack(0, _COMMAND_FIELD, 2, request.field | RESPONSE),
            _ELEMENT_US.pack(0, _RESPONDED_TO, 2, request.message_id),
            _ELEMENT_US.pack(0, _DATA_SET_TYPE, 2, _NO_DATA_SET),
            _ELEMENT_US.pack(0, _STATUS, 2, status),
            _encoded_uid(_AFFECTED_SOP_INSTANCE, request.sop_instance_uid),
        )
    )
    return _with_length(elements)


def store_request(message_id: int, sop_class_uid: str, sop_instance_uid: str) -> bytes:
    """Write the command set of a C-STORE request of low priority (PS3.7 9.3.1.1)."""
    return _with_length(
        b"".join(
            (
                _encoded_uid(_AFFECTED_SOP_CLASS, sop_class_uid),
                _ELEMENT_US.pack(0, _COMMAND_FIELD, 2, C_STORE_RQ),
                _ELEMENT_US.pack(0, _MESSAGE_ID, 2, message_id),
                _ELEMENT_US.pack(0, _PRIORITY, 2, _LOW),
                _ELEMENT_US.pack(0, _DATA_SET_TYPE, 2, _HAS_DATA_SET),
                _encoded_uid(_AFFECTED_SOP_INSTANCE, sop_instance_uid),
            )
        )
    )


def _with_length(elements: bytes) -> bytes:
    return struct.pack("<HHLL", 0, 0, 4, len(elements)) + elements


def _encoded_uid(element: int, uid: str) -> bytes:
    if not uid:
        return b""
    value = uid.encode("ascii")
    value += b"\0" * (len(value) % 2)
    return _ELEMENT.pack(0, element, len(value)) + value


def fragments(context_id: int, command: bytes, maximum_pdu_length: int) -> list[bytes]:
    """Cut a command set into P-DATA-TF PDUs that a peer takes (PS3.8 9.3.5, E.2); 0 is any length.

    `maximum_pdu_length` is what the peer announced. One shorter than a PDV of one byte is passed
    over: nothing could be said to such a peer.
    """
    size = max(maximum_pdu_length - 6, 1) if maximum_pdu_length else len(command)
    pdus = []
    for start in range(0, len(command), size):
        piece = command[start : start + size]
        is_last = start + size >= len(command)
        length = len(piece) + 2
        pdus.append(
            struct.pack(">BBLLBB", 4, 0, length + 4, length, context_id, 3 if is_last else 1)
            + piece
        )
    return pdus

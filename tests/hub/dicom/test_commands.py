"""Command sets as pynetdicom reads and writes them, and as nobody should."""

import re
import struct
from contextlib import suppress
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom import dimse_messages, dimse_primitives
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.dsutils import encode
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.pdu_primitives import P_DATA

from hub.dicom import commands
from hub.dicom.commands import BadCommand, Command

uids = st.from_regex(r"[12](\.(0|[1-9][0-9]{0,8})){1,5}", fullmatch=True)
numbers = st.integers(0, 0xFFFF)


def request(**values):
    primitive = dimse_primitives.C_STORE()
    for keyword, value in values.items():
        setattr(primitive, keyword, value)
    primitive.DataSet = BytesIO(b"\0\0")
    message = dimse_messages.C_STORE_RQ()
    message.primitive_to_message(primitive)
    return encode(message.command_set, True, True)


@given(uids, uids, numbers, st.sampled_from([0, 1, 2]), st.booleans())
def test_a_c_store_request_is_read_as_pynetdicom_wrote_it(
    sop_class, sop_instance, number, priority, is_moved
):
    values = {"AffectedSOPClassUID": sop_class, "AffectedSOPInstanceUID": sop_instance}
    values |= {"MessageID": number, "Priority": priority}
    if is_moved:
        values |= {"MoveOriginatorApplicationEntityTitle": "PACS"}
        values |= {"MoveOriginatorMessageID": number}
    assert commands.decode(request(**values)) == Command(
        field=1,
        message_id=number,
        has_data_set=True,
        sop_class_uid=sop_class,
        sop_instance_uid=sop_instance,
    )


@given(uids, uids, numbers, numbers, st.sampled_from([0, 7, 20, 64, 16_384]))
def test_a_c_store_response_is_what_pynetdicom_would_send_byte_for_byte(
    sop_class, sop_instance, number, status, maximum
):
    primitive = dimse_primitives.C_STORE()
    primitive.MessageIDBeingRespondedTo = number
    primitive.AffectedSOPClassUID = sop_class
    primitive.AffectedSOPInstanceUID = sop_instance
    primitive.Status = status
    message = dimse_messages.C_STORE_RSP()
    message.primitive_to_message(primitive)
    theirs = [P_DATA_TF(pdata).encode() for pdata in message.encode_msg(5, maximum)]
    asked = Command(1, number, True, sop_class, sop_instance)
    ours = commands.fragments(5, commands.response(asked, status), maximum)
    assert ours == theirs
    assert all(len(pdu) - 6 <= maximum for pdu in ours if maximum)


def understood(encoded):
    """Say what pynetdicom takes bytes for, as far as both look; None where it gives up."""
    message, pdata = DIMSEMessage(), P_DATA()
    pdata.presentation_data_value_list = [[1, b"\x03" + encoded]]
    try:
        message.decode_msg(pdata)
        primitive = message.message_to_primitive()
        return (
            primitive.MessageID or 0,
            str(primitive.AffectedSOPClassUID or ""),
            str(primitive.AffectedSOPInstanceUID or ""),
        )
    except Exception:
        return None


GOOD = request(
    AffectedSOPClassUID="1.2.840.10008.5.1.4.1.1.2", AffectedSOPInstanceUID="1.2.3.4",
    MessageID=7, Priority=0,
)  # fmt: skip


@given(st.integers(0, len(GOOD) - 1), st.binary(min_size=0, max_size=3), st.integers(0, 3))
def test_a_damaged_request_is_refused_or_read_as_pynetdicom_reads_it(place, put, taken):
    damaged = GOOD[:place] + put + GOOD[place + taken :]
    try:
        command = commands.decode(damaged)
    except BadCommand:
        return
    if command.field != commands.C_STORE_RQ:
        return
    ours = (command.message_id, command.sop_class_uid, command.sop_instance_uid)
    # What is no UID equals no UID of a data set, however it is cut.
    if re.fullmatch(r"[0-9.]*", "".join(ours[1:])):
        assert understood(damaged) in (None, ours)


@given(st.binary(max_size=200))
def test_whatever_bytes_come_are_a_command_or_are_refused(encoded):
    with suppress(BadCommand):
        assert isinstance(commands.decode(encoded), Command)


@pytest.mark.parametrize("missing", [0x0100, 0x0110, 0x0800])
def test_a_request_that_cannot_be_answered_is_refused(missing):
    offset = 0
    while offset < len(GOOD):
        _, element, length = struct.unpack_from("<HHL", GOOD, offset)
        if element == missing:
            break
        offset += 8 + length
    with pytest.raises(BadCommand):
        commands.decode(GOOD[:offset] + GOOD[offset + 8 + length :])

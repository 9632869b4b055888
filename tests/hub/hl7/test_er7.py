"""The reader keeps what it was given and understands every sender's habits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.hl7.charsets import UnknownCharacterSet, codec_of
from hub.hl7.er7 import (
    CannotEncode,
    Message,
    UnparsableMessage,
    escape,
    unescape,
    write_components,
    write_message,
    write_segment,
)
from tests.hub.hl7 import samples

MSH = "MSH|^~\\&|RIS|DRAMMEN|AVROP|HUB|20260316||ORM^O01|1|P|2.3.1"


def read(text: str, encoding: str = "utf-8", **options: str) -> Message:
    return Message.from_bytes(text.encode(encoding), **options)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\r\0")))
def test_any_text_comes_back_through_a_written_message(text: str) -> None:
    raw = write_message(
        [MSH + "||||||UNICODE UTF-8", write_segment("OBX", {3: write_components("a", text, "b")})],
        codec="utf-8",
    )
    obx = Message.from_bytes(raw).segment("OBX")
    assert obx.value(3, component=2) == text
    assert obx.value(3, component=3) == "b"


@given(st.text(alphabet="FSTREXHN0123456789AF.br\\|^~&\n "))
def test_escape_sequences_written_in_a_text_stay_text(text: str) -> None:
    assert unescape(escape(text)) == text


@given(st.binary())
def test_any_bytes_are_read_or_refused_by_name(noise: bytes) -> None:
    for raw in (noise, MSH.encode() + b"\r" + noise, b"MSH" + noise):
        try:
            assert Message.from_bytes(raw).raw == raw
        except UnparsableMessage as error:
            assert error.reason  # noqa: PT017


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\r"])
def test_any_line_end_ends_a_segment(end: str) -> None:
    message = read(samples.orm().replace("\r", end))
    assert [s.name for s in message.all_segments] == ["MSH", "PID", "PV1", "ORC", "OBR", "ZDS"]


def test_a_byte_order_mark_is_passed_over_and_the_bytes_are_kept() -> None:
    raw = b"\xef\xbb\xbf" + samples.orm().encode()
    message = Message.from_bytes(raw)
    assert message.header.value(3) == "RIS"
    assert message.raw == raw


def test_z_segments_empty_segments_and_odd_values_are_kept() -> None:
    message = read(MSH + "\rEVN\rIN1|001|^^^^^^4042808|\rZDS|1.2.3^^Application^DICOM\r")
    assert [s.name for s in message.all_segments] == ["MSH", "EVN", "IN1", "ZDS"]
    assert message.segment("IN1").field(1) == "001"
    assert message.segment("IN1").value(2, component=7) == "4042808"
    assert message.segment("ZDS").value(1) == "1.2.3"


def test_the_senders_own_separators_are_used() -> None:
    message = read("MSH$%*!@$RIS$DRAMMEN\rPID$1$$4711%%%FNR@2.16@ISO%PI*4712$$A!S!B!F!C")
    pid = message.segment("PID")
    assert pid.value(3, component=4, subcomponent=2) == "2.16"
    assert pid.value(3, repetition=2) == "4712"
    assert pid.value(5) == "A%B$C"
    assert message.header.field(1) == "$"
    assert message.header.field(2) == "%*!@"
    assert message.header.value(3) == "RIS"


def test_a_five_character_msh_2_is_read_before_version_2_7() -> None:
    message = read(MSH.replace("^~\\&", "^~\\&#") + "\rNTE|1||cut\\P\\")
    assert message.separators.truncation == "#"
    assert message.segment("NTE").text(3) == "cut#"


def test_formatting_and_hexadecimal_escapes_become_plain_text() -> None:
    nte = read(MSH + "\rNTE|1||\\H\\Bl\\XC3B8\\dning\\N\\\\.br\\C:\\temp\\XE6\\").segment("NTE")
    assert nte.text(3) == "Blødning\nC:\\tempæ"


def test_a_line_that_is_no_segment_continues_the_field_before_it() -> None:
    message = read(MSH + "\rOBX|1|TX|||first line\nsecond line|x\rNTE|1")
    assert message.segment("OBX").text(5) == "first line\nsecond line"
    assert len(message.all_segments) == 3


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "not MSH"),
        (b"PID|1", "not MSH"),
        (b"FHS|^~\\&|x", "batch"),
        (b"MSHabc", "different|letter"),
        (b"MSH|^~\\^|RIS", "different"),
        (MSH.encode() + b"\r" + MSH.encode(), "second MSH"),
    ],
)
def test_what_is_no_message_says_why(raw: bytes, reason: str) -> None:
    with pytest.raises(UnparsableMessage, match=reason) as caught:
        Message.from_bytes(raw)
    assert caught.value.acknowledgement == "AR"


@pytest.mark.parametrize(
    ("declared", "encoding", "used"),
    [
        ("UNICODE UTF-8", "utf-8", "utf-8"),
        ("8859/1", "iso-8859-1", "iso-8859-1"),
        ("8859/15", "iso-8859-15", "iso-8859-15"),
        ("8859/1", "cp1252", "cp1252"),
        ("", "utf-8", "utf-8"),
        ("", "iso-8859-1", "iso-8859-1"),
        ("ASCII", "iso-8859-1", "iso-8859-1"),
        ("UNICODE UTF-8", "iso-8859-1", "iso-8859-1"),
        ("NOBODY KNOWS", "utf-8", "utf-8"),
    ],
)
def test_letters_are_read_by_msh_18_then_utf_8_then_the_default(
    declared: str, encoding: str, used: str
) -> None:
    name = "Blåbærsyltetøy \N{EN DASH}" if encoding == "cp1252" else "Blåbærsyltetøy"
    text = f"{MSH}||||||{declared}\rPID|1||4711||{name}"
    message = read(text, encoding, default_charset="8859/1")
    assert message.segment("PID").value(5) == name
    assert message.codec == used


def test_the_configured_default_is_the_senders_own() -> None:
    message = read(MSH + "\rPID|1||4711||Łódź", "iso-8859-2", default_charset="8859/2")
    assert message.segment("PID").value(5) == "Łódź"


def test_bytes_that_fit_no_character_set_are_refused() -> None:
    with pytest.raises(UnparsableMessage, match="UTF-8") as caught:
        Message.from_bytes(MSH.encode() + b"\rPID|\xff", default_charset="ASCII")
    assert (caught.value.location, caught.value.code) == ("MSH-18", 102)


def test_an_unknown_character_set_is_named() -> None:
    with pytest.raises(UnknownCharacterSet, match="8859/12"):
        codec_of("8859/12")


def test_a_letter_that_the_receiver_does_not_have_is_never_exchanged() -> None:
    with pytest.raises(CannotEncode, match=r"PID: iso-8859-1 has no U\+6F22"):
        write_message([MSH, "PID|漢"], codec="iso-8859-1")


@pytest.mark.parametrize("padding", ["\0", "\\X00\\", "\\X0000\\"])
def test_what_no_database_can_hold_is_left_out_of_a_value(padding: str) -> None:
    message = read(f"{MSH}\rPID|1||4711{padding}||Ås{padding}nes^Kari")
    pid = message.segment("PID")
    assert (pid.value(3), pid.value(5), pid.text(5)) == ("4711", "Åsnes", "Åsnes^Kari")
    assert message.raw.count(padding.encode()) == 2

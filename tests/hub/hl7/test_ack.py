"""Acknowledgements: everything gets one, and those of others are understood."""

import pytest

from hub.hl7.ack import Ack, NotAnAcknowledgement, build_ack, in_mode_of, read_ack
from hub.hl7.er7 import Message, UnparsableMessage
from hub.hl7.parse import read_header
from tests.hub.hl7 import samples
from tests.hub.hl7.outgoing import AT


def acknowledge(raw: bytes, code: str = "AA", **options: object) -> bytes:
    return build_ack(raw, code=code, control_id="AVR-1", at=AT, **options)  # type: ignore[arg-type]


def test_an_ack_goes_back_to_the_sender_in_its_version_and_character_set() -> None:
    raw = samples.omi().replace("|RIS|", "|RIS^1.2.3^ISO|", 1).encode()
    message = Message.from_bytes(acknowledge(raw))
    msh, msa = message.header, message.segment("MSA")
    assert msh.field(3) == "AVROP"
    assert msh.field(4) == "HUB"
    assert msh.field(5) == "RIS^1.2.3^ISO"
    assert msh.field(6) == "DRAMMEN"
    assert msh.field(9) == "ACK^O23^ACK"
    assert (msh.field(10), msh.field(11), msh.field(12)) == ("AVR-1", "P", "2.5.1")
    assert msh.field(18) == "UNICODE UTF-8"
    assert (msa.field(1), msa.field(2)) == ("AA", "RIS0002")


@pytest.mark.parametrize("form", ["header", "message", "bytes"])
def test_an_ack_can_be_made_from_whatever_is_at_hand(form: str) -> None:
    raw = samples.orm().encode()
    message = Message.from_bytes(raw)
    request = {"header": read_header(message), "message": message, "bytes": raw}[form]
    assert read_ack(build_ack(request, code="AA", control_id="1", at=AT)).control_id == "RIS0001"


def test_an_error_is_placed_by_segment_occurrence_and_field() -> None:
    raw = samples.omi().encode()
    answer = acknowledge(raw, "AE", text="a UID was expected", error=("IPC[2]-3", 102))
    err = Message.from_bytes(answer).segment("ERR")
    assert err.field(1) == ""
    assert err.field(2) == "IPC^2^3"
    assert err.field(3) == "102^Data type error^HL70357"
    assert err.field(4) == "E"
    assert err.field(8) == "a UID was expected"
    assert read_ack(answer).error == "IPC-3 102 Data type error a UID was expected"


def test_an_error_in_2_3_1_has_the_older_form() -> None:
    answer = acknowledge(samples.orm().encode(), "AR", text="no", error=("MSH-9", 200))
    err = Message.from_bytes(answer).segment("ERR")
    assert err.field(1) == "MSH^1^9^200&Unsupported message type&HL70357"
    assert err.field(3) == ""
    assert read_ack(answer).error == "MSH-9 200 Unsupported message type"


@pytest.mark.parametrize(
    ("raw", "control_id"),
    [
        (b"", ""),
        (b"GET / HTTP/1.1", ""),
        (b"junk MSH|^~\\&|RIS|D|A|H|2026||ORM^O01|K\xf8dd-7|P|2.5.1\rPID|1", "Kødd-7"),
        (b"MSH|^^^^|RIS|D|A|H|2026||ORM^O01|K7|P|2.5.1", "K7"),
    ],
)
def test_what_cannot_be_read_is_still_answered(raw: bytes, control_id: str) -> None:
    with pytest.raises(UnparsableMessage):
        Message.from_bytes(raw)
    answer = acknowledge(raw, "AR", text="unreadable", error=("MSH", 100))
    assert read_ack(answer).code == "AR"
    assert read_ack(answer).control_id == control_id


def test_an_answer_leaves_even_with_letters_that_the_sender_does_not_have() -> None:
    answer = acknowledge(samples.msh("ORM^O01").encode(), "AE", text="ikke på lager")
    assert read_ack(answer).text == "ikke p? lager"


def test_letters_that_contradict_their_msh_18_are_not_mislabelled() -> None:
    raw = samples.omi().replace("RIS0002", "Å1").encode("latin-1")
    answer = acknowledge(raw)
    assert "Å1".encode("latin-1") in answer
    assert Message.from_bytes(answer).header.field(18) == ""


def test_a_control_id_goes_back_as_it_came_with_separators_inside() -> None:
    raw = samples.orm(control_id="A~B\\T\\C").encode()
    answer = Message.from_bytes(acknowledge(raw))
    assert answer.segment("MSA").field(2) == "A\\R\\B\\T\\C"
    assert read_ack(acknowledge(raw)).control_id == "A~B&C"


def test_an_unknown_acknowledgement_code_is_refused() -> None:
    with pytest.raises(ValueError, match="XX"):
        acknowledge(b"", "XX")


def test_a_plain_ack_is_read() -> None:
    raw = samples.join(samples.msh("ACK^R01^ACK"), "MSA|AA|AVR-1|Takk").encode()
    assert read_ack(raw) == Ack("AA", "AVR-1", "Takk", "", "")
    assert read_ack(raw).is_accepted


@pytest.mark.parametrize("kind", ["ORI^O24", "ORR^O02", "ORG^O20"])
@pytest.mark.parametrize(("control", "is_accepted"), [("XR", True), ("UX", False)])
def test_an_order_response_says_whether_the_order_was_changed(
    kind: str, control: str, is_accepted: bool
) -> None:
    raw = samples.join(samples.msh(kind), "MSA|AA|AVR-1", f"ORC|{control}|P100|F200").encode()
    assert read_ack(raw).order_control == control
    assert read_ack(raw).is_accepted is is_accepted


@pytest.mark.parametrize("code", ["AE", "AR", "CE", "CR"])
def test_a_refusal_is_not_an_acceptance(code: str) -> None:
    raw = samples.join(samples.msh("ACK"), f"MSA|{code}|AVR-1|Ukjent ordre").encode()
    assert not read_ack(raw).is_accepted


def test_an_answer_without_msa_is_no_acknowledgement() -> None:
    with pytest.raises(NotAnAcknowledgement):
        read_ack(samples.orm().encode())


@pytest.mark.parametrize(
    ("accept", "application", "when_taken", "when_refused"),
    [
        ("", "", ["AA"], ["AE"]),
        ("AL", "", ["CA"], ["CE"]),
        ("AL", "NE", ["CA"], ["CE"]),
        ("NE", "AL", ["AA"], ["AE"]),
        ("", "al", ["AA"], ["AE"]),
        ("AL", "AL", ["CA", "AA"], ["CE"]),
        ("ER", "NE", [], ["CE"]),
        ("SU", "NE", ["CA"], []),
        ("NE", "ER", [], ["AE"]),
        ("SU", "ER", ["CA"], ["AE"]),
        ("ER", "SU", ["AA"], ["CE"]),
        ("NE", "NE", [], []),
        ("Y", "NE", ["CA"], ["CE"]),
    ],
)
def test_what_goes_back_is_what_msh_15_and_msh_16_ask_for(
    accept: str, application: str, when_taken: list[str], when_refused: list[str]
) -> None:
    declared = "|2.5.1||||||UNICODE UTF-8"
    raw = samples.omi()
    assert declared in raw
    raw = raw.replace(declared, f"|2.5.1|||{accept}|{application}||UNICODE UTF-8", 1)
    header = read_header(Message.from_bytes(raw.encode()))
    for code, codes in (("AA", when_taken), ("AE", when_refused)):
        error = ("ORC-1", 101) if code == "AE" else None
        answers = in_mode_of(header, acknowledge(raw.encode(), code, text="på", error=error))
        read = [read_ack(answer) for answer in answers]
        assert [one.code for one in read] == codes
        assert {one.control_id for one in read} <= {"RIS0002"}
        assert {one.text for one in read} <= {"på"}
        numbers = [Message.from_bytes(answer).header.field(10) for answer in answers]
        assert len(set(numbers)) == len(numbers)


def test_what_msh_cannot_be_read_of_is_answered_in_the_original_mode() -> None:
    answer = acknowledge(b"GET / HTTP/1.1", "AR")
    assert in_mode_of(b"GET / HTTP/1.1", answer) == (answer,)

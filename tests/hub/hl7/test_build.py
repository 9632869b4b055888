"""What leaves for the RIS: golden bytes, valid by hl7apy, readable by ourselves."""

import contextlib
import os
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.exceptions import ValidationError
from hl7apy.parser import parse_message

from hub.hl7.build import (
    CannotBuild,
    CannotEncode,
    build_ack,
    build_priority_change,
    build_result,
)
from hub.hl7.er7 import Message
from hub.hl7.parse import Identifier, PatientContent, read_orders
from tests.hub.hl7 import outgoing, samples
from tests.hub.hl7.outgoing import AT, change, result

GOLDEN = Path(__file__).parents[2] / "golden" / "hl7"
OLD = {"version": "2.3.1", "charset": "8859/1"}
MESSAGES = {
    "oru-positive-2.5.1": lambda: build_result(result()),
    "oru-positive-2.3.1": lambda: build_result(result(**OLD)),
    "oru-side-2.5.1": lambda: build_result(result(outgoing.SIDED)),
    "oru-negative-2.5.1": lambda: build_result(result(outgoing.NEGATIVE)),
    "oru-no-finding-2.5.1": lambda: build_result(result(())),
    "oru-corrected-2.5.1": lambda: build_result(result(outgoing.NEGATIVE, status="C")),
    "oru-cancelled-2.5.1": lambda: build_result(result((), status="X")),
    "omi-stat-2.5.1": lambda: build_priority_change(change()),
    "orm-stat-2.3.1": lambda: build_priority_change(change("ORM^O01", **OLD)),
    "ack-aa-2.5.1": lambda: build_ack(samples.omi().encode(), code="AA", control_id="A1", at=AT),
    "ack-ae-2.5.1": lambda: _refused(samples.omi()),
    "ack-ae-2.3.1": lambda: _refused(samples.orm()),
}


def _refused(request: str) -> bytes:
    return build_ack(
        request.encode(),
        code="AE",
        text="ORC-1: an order control code was expected",
        error=("ORC-1", 101),
        control_id="A2",
        at=AT,
    )


@pytest.mark.parametrize("name", MESSAGES)
def test_the_bytes_that_leave_are_the_golden_ones(name: str) -> None:
    """HUB_UPDATE_GOLDEN=1 writes them anew; the difference is reviewed."""
    path = GOLDEN / f"{name}.hl7"
    message = MESSAGES[name]()
    if os.environ.get("HUB_UPDATE_GOLDEN"):
        path.write_bytes(message.replace(b"\r", b"\n"))
    assert message == path.read_bytes().replace(b"\n", b"\r")


@pytest.mark.parametrize("name", MESSAGES)
def test_every_message_is_valid_by_hl7apy(name: str, tmp_path: Path) -> None:
    message = Message.from_bytes(MESSAGES[name]())
    lines = message.raw.decode(message.codec).split("\r")
    # ZDS is IHE's own segment, which hl7apy does not know.
    text = "\r".join(line for line in lines if not line.startswith("ZDS"))
    report = tmp_path / "report.txt"
    with contextlib.suppress(ValidationError):
        parsed = parse_message(text, validation_level=VALIDATION_LEVEL.STRICT)
        parsed.validate(report_file=str(report))
    errors = [line for line in report.read_text().splitlines() if line.startswith("Error")]
    # hl7apy #142: of the segments of which an ORM has one, it demands all.
    assert [e for e in errors if "Missing required child ORM_O01_CHOICE" not in e] == []


def observations(findings: object = outgoing.POSITIVE, **changes: str) -> list[tuple[str, ...]]:
    message = Message.from_bytes(build_result(result(findings, **changes)))  # type: ignore[arg-type]
    return [
        (obx.value(3), obx.field(4), obx.value(5), obx.field(8), obx.field(9), obx.field(11))
        for obx in message.segments("OBX")
    ]


def test_the_first_observation_is_the_study_and_each_finding_is_a_group() -> None:
    assert observations() == [
        ("113014", "", samples.STUDY, "", "", "P"),
        (
            "121077",
            "",
            "ICH Triage 1.0.0: Intracranial hemorrhage present (probability 0.97), "
            "Fracture & swelling present. Not verified by a radiologist.",
            "AA",
            "",
            "P",
        ),
        ("1386000", "1", "52101004", "AA", "0.97", "P"),
        ("363698007", "1", "12738006", "", "", "P"),
        ("112039", "1", "ICH-1", "", "", "P"),
        ("118565006", "1", "12.3", "", "", "P"),
        ("263204007", "2", "52101004", "A", "", "P"),
        ("VIEWER", "", "https://hub.example.no/studies/1?a=1&b=2", "", "", "P"),
    ]


def test_a_negative_result_says_absent_and_normal() -> None:
    assert observations(outgoing.NEGATIVE)[2] == ("1386000", "1", "2667000", "N", "0.02", "P")
    assert observations(())[1][2:4] == (
        "ICH Triage 1.0.0: nothing found. Not verified by a radiologist.",
        "N",
    )


def test_a_withdrawn_result_is_not_called_normal() -> None:
    assert observations((), status="X")[1][2:] == ("ICH Triage 1.0.0: withdrawn.", "", "", "X")


def test_an_open_finding_is_never_called_normal_nor_critical() -> None:
    finding = replace(outgoing.POSITIVE[0], status="indeterminate")
    assert observations((finding,))[2][2:4] == ("82334004", "A")


def test_an_accepted_result_does_not_call_itself_unverified() -> None:
    accepted = replace(result(), is_accepted=True)
    assert b"Not verified" in build_result(result())
    assert b"Not verified" not in build_result(accepted)


def test_the_result_has_a_number_of_its_own_and_names_the_order_as_its_parent() -> None:
    message = Message.from_bytes(build_result(result()))
    orc, obr = message.segment("ORC"), message.segment("OBR")
    assert orc.field(2) == obr.field(2) == "P100^HIS"
    assert orc.field(3) == obr.field(3) == "W-77^AVROP"
    assert obr.field(29) == "P100&HIS^F200&RIS"
    assert (obr.value(18), obr.value(19), obr.value(24), obr.value(25)) == (
        "ACC-1",
        "RP-1",
        "CT",
        "P",
    )


def test_observations_say_which_algorithm_spoke() -> None:
    new, old = (
        Message.from_bytes(build_result(result(**changes))).segments("OBX")[2]
        for changes in ({}, OLD)
    )
    assert new.field(2) == "CWE"
    assert old.field(2) == "CE"
    assert new.field(17) == old.field(17) == "ich-triage^ICH Triage 1.0.0^L"
    assert (new.field(18), old.field(18)) == ("09506000134352", "")


def test_a_priority_change_can_be_read_back_as_the_order_it_changes() -> None:
    omi, orm = (
        read_orders(Message.from_bytes(build_priority_change(message)))
        for message in (change(), change("ORM^O01", **OLD))
    )
    for (order,) in (omi, orm):
        assert (order.order_control, order.priority, order.order_status) == ("XO", "STAT", "SC")
        assert (order.placer_order_number, order.placer_issuer) == ("P100", "HIS")
        assert (order.filler_order_number, order.filler_issuer) == ("F200", "RIS")
        assert order.study_instance_uid == samples.STUDY
        assert order.accession_number == "ACC-1"
        assert order.scheduled_at == outgoing.ORDER.scheduled_at
        assert order.universal_service == outgoing.ORDER.universal_service
        assert order.patient == outgoing.PATIENT
        assert order.visit_number == "V42"


def test_a_priority_change_says_why_and_how_urgent() -> None:
    omi = Message.from_bytes(build_priority_change(change()))
    orm = Message.from_bytes(build_priority_change(change("ORM^O01", **OLD)))
    assert omi.segment("TQ1").field(9) == "S^STAT^HL70485"
    assert omi.segment("ORC").value(16, component=2).startswith("AI triage")
    assert orm.segment("ORC").value(7, component=6) == "S"
    assert orm.segment("OBR").value(27, component=6) == "S"
    asap = Message.from_bytes(build_priority_change(replace(change(), priority="HIGH")))
    assert asap.segment("TQ1").field(9) == "A^ASAP^HL70485"


def test_separators_in_any_value_are_escaped() -> None:
    patient = PatientContent((Identifier("1|2^3~4\\5&6"),), "O'Neil|&~")
    raw = build_result(replace(result(), patient=patient))
    pid = Message.from_bytes(raw).segment("PID")
    assert pid.field(3) == "1\\F\\2\\S\\3\\R\\4\\E\\5\\T\\6"
    assert pid.value(5) == "O'Neil|&~"


def test_a_name_in_three_scripts_goes_back_as_it_came() -> None:
    name = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    raw = build_priority_change(replace(change(), patient=replace(outgoing.PATIENT, name=name)))
    (order,) = read_orders(Message.from_bytes(raw))
    assert order.patient.name == name


@pytest.mark.parametrize("changes", [{"charset": "8859/1"}, {"charset": ""}])
def test_a_name_that_the_receiver_cannot_read_is_not_sent_mutilated(
    changes: dict[str, str],
) -> None:
    patient = replace(outgoing.PATIENT, name="山田^太郎")
    with pytest.raises(CannotEncode, match="PID"):
        build_result(replace(result(**changes), patient=patient))


def test_a_receiver_without_msh_18_gets_the_bytes_it_is_set_up_for() -> None:
    raw = build_result(result(charset="", undeclared_charset="8859/1"))
    assert "Bærøy".encode("latin-1") in raw
    assert Message.from_bytes(raw).header.field(18) == ""


@pytest.mark.parametrize(
    ("message", "what"),
    [
        (replace(result(), status="Z"), "OBR-25"),
        (replace(result(), result_number=""), "OBR-3"),
        (replace(result(), order=replace(outgoing.ORDER, universal_service=())), "OBR-4"),
        (replace(result(), order=replace(outgoing.ORDER, study_instance_uid="")), "Study"),
        (replace(result(), patient=PatientContent(())), "PID-3"),
        (replace(result(), envelope=outgoing.envelope(version="2.7")), "MSH-12"),
        (replace(result(), envelope=outgoing.envelope(control_id="")), "MSH-10"),
        (result((replace(outgoing.POSITIVE[0], status="maybe"),)), "OBX-5"),
        (result((replace(outgoing.POSITIVE[0], probability=float("nan")),)), "OBX-5"),
    ],
)
def test_a_result_that_lacks_what_it_needs_is_not_built(message: object, what: str) -> None:
    with pytest.raises(CannotBuild, match=what):
        build_result(message)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("message", "what"),
    [
        (change("ORU^R01"), "MSH-9"),
        (change(version="2.3.1"), "MSH-12"),
        (replace(change(), priority="SOON"), "TQ1-9"),
        (
            replace(
                change(),
                order=replace(outgoing.ORDER, placer_order_number="", filler_order_number=""),
            ),
            "ORC-2",
        ),
    ],
)
def test_a_priority_change_that_lacks_what_it_needs_is_not_built(
    message: object, what: str
) -> None:
    with pytest.raises(CannotBuild, match=what):
        build_priority_change(message)  # type: ignore[arg-type]


def test_numbers_are_written_without_exponents() -> None:
    measurement = replace(outgoing.POSITIVE[0].measurements[0], value=1e-7)
    finding = replace(outgoing.POSITIVE[0], measurements=(measurement,))
    value = observations((finding,))[5][2]
    assert value == "0.0000001"
    assert Decimal(value) == Decimal("1e-7")


@pytest.mark.parametrize("version", ["2.5.1", "2.3.1"])
def test_the_side_of_a_finding_is_told_beside_its_site_and_in_the_text(version: str) -> None:
    message = Message.from_bytes(build_result(result(outgoing.SIDED, version=version)))
    found = [obx for obx in message.segments("OBX") if obx.value(3) == "272741003"]
    assert [(obx.value(5), obx.value(5, component=2), obx.value(4)) for obx in found] == [
        ("7771000", "Left", "1")
    ]
    assert "Pneumothorax present, left (probability 0.91)" in message.segments("OBX")[1].text(5)


def test_a_side_that_is_none_is_not_sent() -> None:
    odd = replace(outgoing.SIDED[0], laterality="L")
    with pytest.raises(CannotBuild, match="no side"):
        build_result(result((odd,)))


def test_what_an_order_never_had_is_left_out_of_its_priority_change() -> None:
    bare = replace(
        outgoing.ORDER, requested_procedure_id="", scheduled_procedure_step_id="", modality="",
        accession_number="", scheduled_at=None, visit_number="", filler_order_number="",
    )  # fmt: skip
    raw = build_priority_change(replace(change(), order=bare))
    message = Message.from_bytes(raw)
    assert message.segment("IPC").fields == ("IPC", "", "", samples.STUDY)
    assert message.segment("OBR").fields[18:] == ()
    assert message.segment("TQ1").fields[1:] == ("1", "", "", "", "", "", "", "", "S^STAT^HL70485")
    assert message.segments("PV1") == ()
    (said,) = read_orders(message)
    assert (said.accession_number, said.requested_procedure_id) == ("", "")
    assert (said.study_instance_uid, said.placer_order_number) == (samples.STUDY, "P100")

"""Orders: every field of the map is found, and what is missing is named by its field."""

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from hub.hl7.er7 import Message, MessageError
from hub.hl7.parse import (
    Code,
    FieldError,
    Identifier,
    OrderContent,
    PatientContent,
    UnsupportedMessage,
    read_header,
    read_orders,
)
from tests.hub.hl7 import samples

OSLO = ZoneInfo("Europe/Oslo")
CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "hl7"


def orders(text: str, encoding: str = "utf-8") -> tuple[OrderContent, ...]:
    return read_orders(Message.from_bytes(text.encode(encoding)), zone=OSLO)


def with_field(text: str, segment: str, number: int, value: str) -> str:
    """The text with one field of the first such segment replaced."""
    lines = text.split("\r")
    place = next(i for i, line in enumerate(lines) if line.startswith(segment))
    fields = lines[place].split("|")
    fields += [""] * (number + 1 - len(fields))
    fields[number - (segment == "MSH")] = value
    lines[place] = "|".join(fields)
    return "\r".join(lines)


def without(text: str, segment: str) -> str:
    return "\r".join(line for line in text.split("\r") if not line.startswith(segment))


def test_the_header_names_sender_message_and_character_set() -> None:
    header = read_header(Message.from_bytes(samples.orm().encode("latin-1")))
    assert (header.sending_application, header.sending_facility) == ("RIS", "DRAMMEN")
    assert (header.receiving_application, header.receiving_facility) == ("AVROP", "HUB")
    assert (header.message_type, header.trigger) == ("ORM^O01", "O01")
    assert (header.control_id, header.version, header.processing_id) == ("RIS0001", "2.3.1", "P")
    assert (header.charset, header.character_set_used) == ("", "iso-8859-1")


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8", "cp1252"])
def test_an_orm_with_zds_and_no_declared_character_set_is_read_whole(encoding: str) -> None:
    (order,) = orders(samples.orm(), encoding)
    assert order == OrderContent(
        order_control="NW",
        order_status="SC",
        placer_order_number="P100",
        placer_issuer="HIS",
        filler_order_number="F200",
        filler_issuer="RIS",
        accession_number="ACC-1",
        requested_procedure_id="RP-1",
        study_instance_uid=samples.STUDY,
        scheduled_procedure_step_id="SPS-1",
        modality="CT",
        procedure=Code("RCT01", "99RIS", "CT caput"),
        universal_service=("RCT01", "CT caput", "99RIS", "SS0AA00", "CT hode", "NCRP"),
        priority="STAT",
        priority_raw="S",
        scheduled_at=datetime(2026, 3, 16, 9, 30, tzinfo=OSLO),
        reason="Blødning?",
        clinical_information="Fall i trapp, på Marevan",
        ordering_provider="Ødegård^Kåre",
        referring_physician="Lærøen^Pål^^Dr",
        patient=PatientContent(
            identifiers=(
                Identifier("13097248022", "FNR", "NNNOR", "2.16.578.1.12.4.1.4.1", "ISO"),
                Identifier("123456", "HSO-PAS", "PI"),
            ),
            name="Bærøy^Åse^Ø^Dr^Jr",
            birth_date=date(1972, 9, 13),
            sex="F",
        ),
        visit_number="V42",
        expected_instances=None,
        said_at=datetime.fromisoformat("2026-03-16T08:15:00+01:00"),
    )


def test_an_omi_is_read_from_ipc_and_tq1() -> None:
    (order,) = orders(samples.omi())
    assert order.order_control == "XO"
    assert order.study_instance_uid == samples.STUDY
    assert order.accession_number == "ACC-2"
    assert (order.requested_procedure_id, order.scheduled_procedure_step_id) == ("RP-2", "SPS-2")
    assert (order.modality, order.priority, order.priority_raw) == ("CT", "HIGH", "A")
    assert order.scheduled_at == datetime(2026, 3, 16, 9, 30, tzinfo=UTC)
    assert order.ordering_provider == "Foss^Siv"
    assert order.patient.name == "Bærøy^Åse^Ø^Dr^Jr"


def test_an_omg_takes_accession_from_obr_and_study_from_zds() -> None:
    (order,) = orders(samples.omg(), "latin-1")
    assert (order.accession_number, order.study_instance_uid) == ("ACC-3", samples.OTHER_STUDY)
    assert (order.modality, order.priority) == ("MR", "MEDIUM")
    assert order.scheduled_at == datetime(2026, 3, 16, tzinfo=OSLO)


def test_an_omi_with_two_studies_gives_an_order_for_each() -> None:
    ipcs = (f"IPC|A1|R1|{samples.STUDY}|S1|CT", f"IPC|A2|R1|{samples.OTHER_STUDY}|S2|MR")
    obx = "OBX|1|NM|NumberOfStudyRelatedInstances^^L||300"
    first, second = orders(samples.omi(ipcs=ipcs, obx=obx))
    assert (first.study_instance_uid, first.accession_number) == (samples.STUDY, "A1")
    assert (second.study_instance_uid, second.accession_number) == (samples.OTHER_STUDY, "A2")
    assert first.placer_order_number == second.placer_order_number == "P101"
    assert first.expected_instances is second.expected_instances is None


def test_a_zds_at_the_end_speaks_for_the_same_accession_only() -> None:
    more = samples.join(
        "ORC|NW|P110|F210",
        "OBR|1|P110|F210|X^x||||||||||||||ACC-1|RP-1",
        "ORC|NW|P111|F211",
        "OBR|2|P111|F211|Y^y||||||||||||||ACC-9|RP-9",
    )
    text = samples.orm().replace("ZDS|", more + "ZDS|")
    assert [order.study_instance_uid for order in orders(text)] == ["", "", samples.STUDY]
    same = text.replace("ACC-9|RP-9", "ACC-1|RP-1")
    assert {order.study_instance_uid for order in orders(same)} == {samples.STUDY}


@pytest.mark.parametrize(
    "identifier",
    [
        "NumberOfStudyRelatedInstances",
        "0020,1208^Number of Study Related Instances^DCM",
        "00201208^^99RIS",
        "X1^NumberOfStudyRelatedInstances^L",
    ],
)
def test_the_expected_number_of_instances_is_read_from_an_obx(identifier: str) -> None:
    (order,) = orders(samples.omi(obx=f"OBX|1|NM|{identifier}||312||||||F"))
    assert order.expected_instances == 312


@pytest.mark.parametrize(
    ("code", "priority"),
    [
        ("S", "STAT"),
        ("A", "HIGH"),
        ("P", "HIGH"),
        ("C", "HIGH"),
        ("T", "MEDIUM"),
        ("TM30", "MEDIUM"),
        ("R", "ROUTINE"),
        ("PRN", "LOW"),
        ("STAT", "STAT"),
        ("", "STAT"),  # falls back to ORC-7.6 of the sample
        ("AKUTT", None),
    ],
)
def test_priorities_follow_table_0485(code: str, priority: str | None) -> None:
    text = samples.orm().replace("OBR|", f"TQ1|1||||||||{code}\rOBR|", 1)
    (order,) = orders(text)
    assert order.priority == priority
    assert order.priority_raw == (code or "S")


def test_timing_is_taken_from_tq1_then_orc_7_then_obr_27() -> None:
    text = samples.orm()
    with_tq1 = text.replace("OBR|", "TQ1|1||||||202603161200||C\rOBR|", 1)
    without_orc_7 = with_field(text, "ORC", 7, "")
    found = [
        (o.scheduled_at.hour, o.priority)
        for t in (with_tq1, text, without_orc_7)
        for o in orders(t)
        if o.scheduled_at
    ]
    assert found == [(12, "HIGH"), (9, "STAT"), (10, "ROUTINE")]


def test_an_offset_in_a_time_is_kept_and_zeros_mean_none() -> None:
    (order,) = orders(with_field(samples.orm(), "ORC", 7, "^^^202603161000-0500^^S"))
    assert order.scheduled_at == datetime(2026, 3, 16, 10, tzinfo=timezone(timedelta(hours=-5)))
    text = with_field(with_field(samples.orm(), "ORC", 7, "^^^00000000"), "OBR", 27, "")
    assert orders(text)[0].scheduled_at is None


def test_a_name_in_three_scripts_becomes_one_person_name() -> None:
    name = "Yamada^Tarou^^^^^L^A~山田^太郎^^^^^L^I~やまだ^たろう^^^^^L^P"
    (order,) = orders(with_field(samples.orm(), "PID", 5, name))
    assert order.patient.name == "Yamada^Tarou=山田^太郎=やまだ^たろう"


def test_a_maiden_name_does_not_stand_in_for_the_legal_one() -> None:
    (order,) = orders(with_field(samples.orm(), "PID", 5, "Old^Ann^^^^^M~New^Ann^^^^^L"))
    assert order.patient.name == "New^Ann"


def test_a_deleted_value_reads_as_none_and_a_bare_year_is_no_birth_date() -> None:
    text = with_field(with_field(samples.orm(), "OBR", 31, '""'), "PID", 7, "1972")
    (order,) = orders(text)
    assert order.reason == ""
    assert order.patient.birth_date is None


@pytest.mark.parametrize("control", ["XO", "CA", "DC", "SC"])
def test_a_change_is_known_by_its_order_numbers_alone(control: str) -> None:
    text = without(without(samples.orm(control=control), "ZDS"), "OBR")
    (order,) = orders(text)
    assert (order.order_control, order.placer_order_number) == (control, "P100")
    assert order.study_instance_uid == order.accession_number == ""


@pytest.mark.parametrize(
    ("text", "location", "code"),
    [
        (with_field(samples.orm(), "ORC", 1, ""), "ORC-1", 101),
        (with_field(samples.orm(), "ORC", 1, "HD"), "ORC-1", 103),
        (with_field(samples.orm(), "PID", 3, ""), "PID-3", 101),
        (with_field(samples.orm(), "PID", 7, "19721399"), "PID-7", 102),
        (with_field(samples.orm(), "ORC", 7, "^^^soon"), "ORC-7", 102),
        (with_field(samples.orm(), "ZDS", 1, "not-a-uid"), "ZDS-1", 102),
        (with_field(samples.orm(), "MSH", 10, ""), "MSH-10", 101),
        (with_field(samples.orm(), "MSH", 10, "9" * 200), "MSH-10", 102),
        (with_field(without(samples.orm(), "ZDS"), "OBR", 18, ""), "OBR-18", 101),
        (without(samples.orm(), "ORC"), "ORC", 100),
        (samples.orm() + samples.PATIENT, "PID[2]", 100),
        (samples.omi(ipcs=("IPC|A|R||S|CT",)), "IPC-3", 101),
        (samples.omi(ipcs=(f"IPC|A|R|{samples.STUDY}", "IPC|B|R|")), "IPC[2]-3", 101),
        (samples.omi(obx="OBX|1|NM|0020,1208||many"), "OBX-5", 102),
        (samples.omi(obx="OBX|1|NM|0020,1208||3000000000"), "OBX-5", 102),
        (samples.omi(obx="OBX|1|NM|0020,1208||" + "9" * 5000), "OBX-5", 102),
        (samples.omg() + "PV1|1|O\rORC|CA|OLD\rOBR|1|OLD", "PV1", 100),
    ],
)
def test_a_wrong_field_is_named(text: str, location: str, code: int) -> None:
    with pytest.raises(FieldError) as caught:
        orders(text)
    assert (caught.value.location, caught.value.code) == (location, code)
    assert caught.value.acknowledgement == "AE"


def test_an_order_without_any_number_is_refused() -> None:
    text = samples.orm().replace("P100^HIS", "").replace("F200^RIS", "")
    with pytest.raises(FieldError, match="ORC-2"):
        orders(text)


@pytest.mark.parametrize(
    ("number", "value", "code"),
    [
        (9, "ADT^A01", 200),
        (9, "", 200),
        (9, "ORM^O02", 201),
        (9, "OMI", 201),
        (11, "T", 202),
        (12, "3.0", 203),
        (12, "", 203),
    ],
)
def test_a_message_of_another_kind_is_unsupported(number: int, value: str, code: int) -> None:
    with pytest.raises(UnsupportedMessage) as caught:
        orders(with_field(samples.orm(), "MSH", number, value))
    assert (caught.value.location, caught.value.code) == (f"MSH-{number}", code)
    assert caught.value.acknowledgement == "AR"


def test_a_training_message_is_taken_where_it_is_wanted() -> None:
    message = Message.from_bytes(with_field(samples.orm(), "MSH", 11, "T").encode())
    assert read_orders(message, processing_ids=frozenset("PT"))


@pytest.mark.skipif(not CORPUS.exists(), reason="no corpus beside the project")
def test_every_message_of_the_corpus_is_read_or_refused_by_name() -> None:
    outcomes = []
    for path in sorted(p for p in CORPUS.rglob("*") if p.suffix in (".hl7", ".txt")):
        try:
            message = Message.from_bytes(path.read_bytes())
            assert read_header(message).message_type, path
            outcomes.append(read_orders(message))
        except MessageError as error:
            assert error.code, path  # noqa: PT017
            outcomes.append(())
    assert len(outcomes) == 156


@pytest.mark.skipif(not CORPUS.exists(), reason="no corpus beside the project")
def test_a_foreign_radiology_order_is_read_once_it_names_its_study() -> None:
    (path,) = CORPUS.rglob("ORM-O01-02.hl7")
    raw = path.read_bytes().rstrip() + f"\r\nZDS|{samples.STUDY}^^Application^DICOM".encode()
    (order,) = read_orders(Message.from_bytes(raw))
    assert order.study_instance_uid == samples.STUDY
    assert (order.placer_order_number, order.placer_issuer) == ("1101", "GHHPlacer")
    assert order.procedure == Code("24725-4", "LN", "CT Head")
    assert order.patient.identifiers[0].value == "PATID1234"
    assert order.patient.name == "Josh^^stanley"  # the repetition marked L

import zlib

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
)

from hub.dicom.headers import Header, UnreadableDataset, read_file_header, read_header
from tests.hub.dicom.encoded import CORPUS, PACKAGED, element, encode, minimal, with_elements

LITTLE = ExplicitVRLittleEndian
STUDY_DESCRIPTION, CHARACTER_SET = 0x00081030, 0x00080005


def read(*elements: tuple[int, bytes, bytes]) -> Header:
    return read_header(with_elements(*elements), LITTLE)


NAMES = {
    "chrArab.dcm": "قباني^لنزار",
    "chrFren.dcm": "Buc^Jérôme",
    "chrFrenMulti.dcm": "Buc^Jérôme",
    "chrGerm.dcm": "Äneas^Rüdiger",
    "chrGreek.dcm": "Διονυσιος",
    "chrH31.dcm": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "chrH32.dcm": "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    "chrHbrw.dcm": "שרון^דבורה",
    "chrI2.dcm": "Hong^Gildong=洪^吉洞=홍^길동",
    "chrJapMulti.dcm": "やまだ^たろう",
    "chrJapMultiExplicitIR6.dcm": "やまだ^たろう",
    "chrKoreanMulti.dcm": "김희중",
    "chrRuss.dcm": "Люкceмбypг",
    "chrX1.dcm": "Wang^XiaoDong=王^小東",
    "chrX2.dcm": "Wang^XiaoDong=王^小东",
}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_name_in_every_character_set_becomes_proper_text(name):
    header = read_file_header(PACKAGED / "charset_files" / name)
    assert header.study.patient_name == NAMES[name]


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [
        ("ISO_IR 100", "latin_1"),
        ("ISO_IR 192", "utf-8"),
        ("iso-ir 192", "utf-8"),
        ("", "latin_1"),
        ("", "utf-8"),
        ("ISO_IR 6", "latin_1"),
        ("ISO_IR 999", "latin_1"),
        ("ISO_IR 999", "utf-8"),
        ("ISO_IR 192", "latin_1"),
        ("\\ISO 2022 IR 100", "latin_1"),
    ],
)
def test_norwegian_letters_survive_what_is_declared_wrongly_or_not_at_all(declared, encoding):
    header = read(
        (CHARACTER_SET, b"CS", declared.encode()),
        (STUDY_DESCRIPTION, b"LO", "Hjerneblødning på Ås".encode(encoding)),
    )
    assert header.study.study_description == "Hjerneblødning på Ås"


@pytest.mark.parametrize(
    ("declared", "encoded", "text"),
    [
        # The second byte of 兌 and of 俓 is that of a backslash.
        ("\\ISO 2022 IR 87", "兌".encode("iso2022_jp"), "兌"),
        ("GB18030", "俓".encode("gb18030"), "俓"),
        ("ISO_IR 100\\ISO 2022 IR 144", b"\xe5\x1b-L\xbb\xee\\\xe5", "åЛю\\å"),
        ("\\ISO 2022 IR 149", b"a\x1b$)C\xb1\xe6\r\nb", "a길  b"),
        ("\\ISO 2022 IR 87", b"\x1b$Bb", "\N{REPLACEMENT CHARACTER}"),
        ("\\ISO 2022 IR 87", b"a\x1b%Gb", "ab"),
    ],
)
def test_code_extensions_begin_and_end_where_the_standard_says(declared, encoded, text):
    header = read((CHARACTER_SET, b"CS", declared.encode()), (STUDY_DESCRIPTION, b"LO", encoded))
    assert header.study.study_description == text


def test_values_are_normalised_for_matching_and_kept_as_sent():
    header = read(
        (0x00080008, b"CS", b"original\\PRIMARY \\\\axial"),
        (0x00080020, b"DA", b"1997.04.24"),
        (0x00080030, b"TM", b"14:04:38"),
        (0x00080060, b"CS", b"ct "),
        (0x00100010, b"PN", b" Doe^Jane ^^^"),
        (0x00100020, b"LO", b" 4711\0"),
        (0x00180015, b"CS", b"HEAD"),
    )
    assert header.series.modality == "CT"
    assert header.series.image_type == ("ORIGINAL", "PRIMARY", "", "AXIAL")
    assert (header.study.study_date, header.study.study_time) == ("19970424", "140438")
    assert header.study.patient_name == "Doe^Jane"
    assert header.study.patient_id == "4711"
    assert header.raw["modality"] == "ct "
    assert header.raw["patient_name"] == " Doe^Jane ^^^"
    assert "body_part_examined" not in header.raw


def test_padding_to_even_length_is_not_a_change():
    header = read((0x00180015, b"CS", b"CHEST "), (0x00080060, b"CS", b"MR"))
    assert header.series.body_part_examined == "CHEST"
    assert header.raw == {}


def test_what_would_break_a_database_or_a_message_is_taken_out():
    header = read((STUDY_DESCRIPTION, b"LO", b"head\0 CT\rOBX|1\ttoo"))
    assert header.study.study_description == "head CT OBX|1 too"
    assert header.raw["study_description"] == "head␀ CT␍OBX|1␉too"


@pytest.mark.parametrize(
    ("sent", "number"),
    [
        (b"7", 7),
        (b" 007 ", 7),
        (b"-3", -3),
        (b"3.0 ", 3),
        (b"3.5", None),
        (b"1A", None),
        (b"1\\2", None),
        (b"1_0", None),
        (b"99999999999", None),
        (b"\xd9\xa3", None),
        (b"", None),
    ],
)
def test_an_integer_string_is_one_number_or_none(sent, number):
    header = read((0x00200013, b"IS", sent))
    assert header.instance.instance_number == number
    assert ("instance_number" in header.raw) == (number is None and sent != b"")


@pytest.mark.parametrize(
    ("sent", "number"),
    [
        (b"2.50", 2.5),
        (b" 1e-1 ", 0.1),
        (b"nan", None),
        (b"1e999", None),
        (b"2,5", None),
        (b"5\\5", None),
    ],
)
def test_a_decimal_string_is_one_finite_number_or_none(sent, number):
    assert read((0x00180050, b"DS", sent)).series.slice_thickness == number


def test_counts_that_count_nothing_are_unknown():
    header = read(
        (0x00201208, b"IS", b"300 "), (0x00201209, b"IS", b"0 "), (0x00280008, b"IS", b"-1")
    )
    assert header.study.number_of_study_related_instances == 300
    assert header.series.number_of_series_related_instances is None
    assert header.instance.number_of_frames == 1


@pytest.mark.parametrize(
    "syntax",
    [
        ImplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
        JPEG2000Lossless,
        "1.2.840.999.1",
    ],
)
@pytest.mark.parametrize("view", [bytes, memoryview])
def test_every_transfer_syntax_gives_the_same_header(syntax, view):
    dataset = minimal(Rows=512, Columns=256, PatientID="4711", SliceThickness="1.5")
    header = read_header(view(encode(dataset, syntax)), syntax)
    assert (header.instance.rows, header.instance.columns) == (512, 256)
    assert (header.study.patient_id, header.series.slice_thickness) == ("4711", 1.5)
    assert header.instance.transfer_syntax_uid == syntax


@pytest.mark.parametrize(
    ("negotiated", "sent"),
    [
        (ImplicitVRLittleEndian, ExplicitVRLittleEndian),
        (ExplicitVRLittleEndian, "1.2.840.10008.1.2"),
    ],
)
def test_a_sender_that_sends_another_encoding_than_it_negotiated_is_understood(negotiated, sent):
    header = read_header(encode(minimal(PatientID="4711", Rows=7), sent), negotiated)
    assert (header.study.patient_id, header.instance.rows) == ("4711", 7)


def test_a_header_ends_where_pixel_data_begin():
    pixels = b"\xe0\x7f\x10\x00OW\x00\x00\xff\xff\xff\xff garbage"
    header = read_header(with_elements((0x00280010, b"US", b"\x02\x00")) + pixels, LITTLE)
    assert header.instance.rows == 2


def test_tags_out_of_order_are_found():
    late = element(0x00400009, b"SH", b"SPS1") + element(0x0020000D, b"UI", b"1.2.3\0")
    early = element(0x00080018, b"UI", b"1.2.3.4\0") + element(0x0020000E, b"UI", b"1.2.3.1\0")
    assert read_header(early + late, LITTLE).study.study_instance_uid == "1.2.3"


@pytest.mark.parametrize(
    ("tag", "field"),
    [
        (0x00080018, "sop_instance_uid"),
        (0x0020000D, "study_instance_uid"),
        (0x0020000E, "series_instance_uid"),
    ],
)
@pytest.mark.parametrize(
    ("uid", "reason"),
    [
        (b"", "missing"),
        (b"  \0", "missing"),
        (b"1.2.x", "not a UID"),
        (b"1..2", "not a UID"),
        (b"1.2\\1.3", "not a UID"),
        (b"../../etc", "not a UID"),
        (b"1.2\n", "not a UID"),
        (b"1." + b"2" * 63, "longer than 64"),
        (b"1" * 2000, "longer than 1024"),
    ],
)
def test_without_a_legal_uid_at_each_level_a_data_set_is_refused(tag, field, uid, reason):
    with pytest.raises(UnreadableDataset, match=reason) as refused:
        read((tag, b"UI", uid))
    assert refused.value.field == field


def test_a_uid_cut_short_by_the_end_of_the_data_is_not_taken_for_another():
    whole = with_elements()
    assert whole.endswith(b"1.2.3.1\0")
    with pytest.raises(UnreadableDataset, match="middle") as refused:
        read_header(whole[:-3], LITTLE)
    assert refused.value.field == "series_instance_uid"


def test_two_different_patients_in_one_data_set_are_refused():
    twice = with_elements((0x00100020, b"LO", b"AAAA"), (0x00100020, b"LO", b"BBBB"))
    with pytest.raises(UnreadableDataset, match="twice") as refused:
        read_header(twice, LITTLE)
    assert refused.value.field == "patient_id"
    assert "AAAA" not in str(refused.value)


def test_an_identifier_of_absurd_length_is_refused_and_a_description_cut():
    with pytest.raises(UnreadableDataset, match="patient_id"):
        read((0x00100020, b"LO", b"1" * 5000))
    header = read((STUDY_DESCRIPTION, b"LO", b"x" * 5000))
    assert len(header.study.study_description) == 1024


def test_a_deflated_bomb_costs_no_more_than_its_bound():
    zeros = element(0x00080018, b"UI", b"1.2.3.4\0") + b"\x09\x00\x01\x00OB\0\0\0\0\0\xf0"
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    bomb = deflater.compress(zeros + bytes(300 << 20)) + deflater.flush()
    with pytest.raises(UnreadableDataset):
        read_header(bomb, DeflatedExplicitVRLittleEndian)


def test_sequences_nested_beyond_all_reason_are_refused_or_read_but_never_crash():
    opening = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    with pytest.raises(UnreadableDataset):
        read_header(opening * 20_000, LITTLE)


def test_a_file_is_read_with_and_without_preamble(tmp_path):
    path = PACKAGED / "test_files" / "CT_small.dcm"
    bare = tmp_path / "bare.dcm"
    bare.write_bytes(path.read_bytes()[132:])
    without_meta = tmp_path / "without_meta.dcm"
    without_meta.write_bytes(encode(minimal(PatientID="4711"), ImplicitVRLittleEndian))
    assert read_file_header(bare) == read_file_header(path)
    assert read_file_header(path).instance.rows == 128
    assert read_file_header(without_meta).study.patient_id == "4711"


@pytest.mark.parametrize("garbage", [b"", b"\0", b"GIF89a" * 100, bytes(1000), b"<html>" * 50])
def test_a_file_that_is_no_dicom_is_refused(tmp_path, garbage):
    (tmp_path / "garbage").write_bytes(garbage)
    with pytest.raises(UnreadableDataset):
        read_file_header(tmp_path / "garbage")


SEED = (PACKAGED / "test_files" / "JPEG2000.dcm").read_bytes()[400:4000]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_the_bytes_are_only_unreadable_dataset_comes_out(data):
    seed = data.draw(st.sampled_from([SEED, with_elements(), encode(minimal(Rows=3))]))
    mutated = bytearray(seed)
    places = st.integers(0, len(mutated) - 1)
    for at, byte in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=12)):
        mutated[at] = byte
    cut = data.draw(st.integers(0, len(mutated)))
    syntax = data.draw(st.sampled_from([LITTLE, ImplicitVRLittleEndian, ExplicitVRBigEndian, ""]))
    try:
        header = read_header(bytes(mutated[:cut]), syntax)
    except UnreadableDataset:
        return
    repr(header).encode()
    assert "\0" not in repr(header)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80), st.binary(max_size=40))
def test_any_bytes_of_text_in_any_character_set_become_text_a_database_takes(value, declared):
    header = read((CHARACTER_SET, b"CS", declared), (0x00100010, b"PN", value))
    text = header.study.patient_name + header.raw.get("patient_name", "")
    assert "\0" not in text
    assert "\r" not in text
    text.encode("utf-8")


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus is not here")
def test_every_file_of_the_corpus_is_read_as_pydicom_reads_it_or_refused_with_a_reason():
    outcomes = {"read": 0, "refused": 0}
    for path in sorted(p for p in CORPUS.rglob("*") if p.is_file()):
        reference = pydicom.dcmread(path, force=True, stop_before_pixels=True)
        uids = [
            reference.get(k) for k in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
        ]
        try:
            header = read_file_header(path)
        except UnreadableDataset:
            assert not all(uids), path
            outcomes["refused"] += 1
            continue
        study, series, instance = header.study, header.series, header.instance
        assert [
            study.study_instance_uid,
            series.series_instance_uid,
            instance.sop_instance_uid,
        ] == uids
        assert study.patient_id == (reference.get("PatientID") or "").strip(), path
        assert study.patient_name == str(reference.get("PatientName") or "").rstrip("^= "), path
        assert series.modality == (reference.get("Modality") or ""), path
        assert instance.rows == reference.get("Rows"), path
        outcomes["read"] += 1
    assert outcomes["read"] > 200


ITEM, ITEM_END, SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0", b"\xfe\xff\xdd\xe0"
UNDEFINED, NOTHING = b"\xff\xff\xff\xff", b"\0\0\0\0"
OTHER_PATIENT = element(0x00100020, b"LO", b"XX")
OTHER_PATIENT_IMPLICIT = b"\x10\x00\x20\x00\x02\x00\x00\x00XX"


@pytest.mark.parametrize(
    "sequence",
    [
        b"SQ\0\0" + UNDEFINED + ITEM + UNDEFINED + OTHER_PATIENT + ITEM_END + NOTHING,
        b"SQ\0\0" + UNDEFINED + ITEM + b"\x0a\0\0\0" + OTHER_PATIENT,
        b"UN\0\0" + UNDEFINED + ITEM + UNDEFINED + OTHER_PATIENT_IMPLICIT + ITEM_END + NOTHING,
        b"UN\0\0" + UNDEFINED + ITEM + UNDEFINED + OTHER_PATIENT + ITEM_END + NOTHING,
        b"OB\0\0" + UNDEFINED + ITEM + b"\x04\0\0\0abcd",
    ],
)
def test_what_is_inside_a_sequence_is_not_taken_for_the_patient_of_the_instance(sequence):
    sop = element(0x00080018, b"UI", b"1.2.3.4\0")
    rest = with_elements((0x00100020, b"LO", b"4711"))[len(sop) :]
    nested = b"\x08\x00\x40\x11" + sequence + SEQUENCE_END + NOTHING
    assert read_header(sop + nested + rest, LITTLE).study.patient_id == "4711"

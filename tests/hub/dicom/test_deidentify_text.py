"""Descriptions keep what an algorithm reads in them, and lose whoever is named there."""

from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from hub.dicom.deidentify import DeidentificationFailed, deidentify_file
from tests.hub.dicom.pseudonym_cases import ROOT, ct, pseudonymiser, save, sent

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("CT Caput u/kontrast", "CT Caput u/kontrast"),
        ("Axial 1.0 H31s", "Axial 1.0 H31s"),
        ("t2_tse_tra_p2_320", "t2_tse_tra_p2_320"),
        ("CT Caput BJØRNSTAD", "CT Caput"),
        ("CT Bjornstad", "CT"),
        ("CT bjoernstad Aase", "CT"),
        ("Bjørnstad^Kari", ""),
        ("CT_KARI_hode", "CT_hode"),
        ("PreBjørnstadPost hode", "hode"),
        ("hode 13097248022", "hode"),
        ("hode 130972 48022", "hode"),
        ("hode 13.09.1972", "hode"),
        ("hode 1972-09-13", "hode"),
        ("hode tlf 22 33 44 55", "hode tlf"),
        ("hode kari@sykehus.no", "hode"),
        ("hode Dr. Ukjent", "hode"),
        ("Sørlandet hode", "hode"),
        ("MR hode", "MR hode"),
        (f"hode {ROOT}.8000.1", "hode"),
    ],
)
def test_a_description_keeps_its_words_but_no_name(tmp_path: Path, written: str, left: str) -> None:
    copy = sent(ct(SeriesDescription=written), tmp_path)
    assert copy.SeriesDescription == left


def test_a_value_of_many_short_words_spoils_the_whole_text(tmp_path: Path) -> None:
    dataset = ct(PatientID="AB-12-CD", SeriesDescription="CT caput ab 12 cd")
    assert sent(dataset, tmp_path).SeriesDescription == ""


def test_a_description_longer_than_any_is_none(tmp_path: Path) -> None:
    dataset = ct(SeriesDescription="hode " * 300, ConvolutionKernel="H" * 1030)
    copy = sent(dataset, tmp_path)
    assert (copy.SeriesDescription, copy.ConvolutionKernel) == ("", "")


def test_a_name_known_from_the_order_alone_is_looked_for_too(tmp_path: Path) -> None:
    names = type(pseudonymiser())(b"k" * 32, scope="A", also_identifying=["Ibsen^Nora"])
    copy = sent(ct(StudyDescription="CT caput Nora I."), tmp_path, pseudonymiser=names)
    assert copy.StudyDescription == "CT caput I"


@pytest.mark.parametrize(
    ("charset", "name", "description", "left"),
    [
        ("ISO_IR 192", "山田^太郎", "頭部 山田太郎様 CT", "頭部 CT"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎", "頭部 山田様 CT", "頭部 CT"),
        ("ISO_IR 144", "Люксембург", "КТ Люксембург голова", "КТ голова"),
        ("GB18030", "王^小东", "头部 王小东 CT", "头部 CT"),
        ("ISO_IR 126", "Διονυσιος", "CT ΔΙΟΝΥΣΙΟΣ κεφαλή", "CT κεφαλή"),
    ],
)
def test_names_are_found_in_every_script(
    tmp_path: Path, charset: str, name: str, description: str, left: str
) -> None:
    dataset = ct(SpecificCharacterSet=charset, PatientName=name, StudyDescription=description)
    for keyword in ("InstitutionName", "PatientComments", "SeriesDescription"):
        delattr(dataset, keyword)
    dataset.OtherPatientIDsSequence = []
    del dataset[0x00290010], dataset[0x00291010], dataset[0x00291011]
    copy = sent(dataset, tmp_path)
    assert copy.StudyDescription == left


def test_numbers_that_are_somebodys_are_not_series_numbers(tmp_path: Path) -> None:
    copy = sent(ct(PatientID="123456", SeriesNumber=123456), tmp_path)
    assert copy.SeriesNumber is None
    assert copy.RescaleIntercept == -1024


def test_numbers_and_terms_that_hold_something_else_do_not_leave(tmp_path: Path) -> None:
    dataset = ct(BodyPartExamined="BJORNSTAD")
    dataset.add_new(0x00180090, "DS", "1")
    path = save(dataset, tmp_path / "a.dcm")
    number = b"\x18\x00\x90\x00DS\x02\x001 "
    path.write_bytes(path.read_bytes().replace(number, number[:-2] + b"KB"))
    deidentify_file(path, tmp_path / "b.dcm", pseudonymiser=pseudonymiser())
    copy = pydicom.dcmread(tmp_path / "b.dcm")
    assert copy.BodyPartExamined == ""
    assert "DataCollectionDiameter" not in copy


def test_a_binary_number_too_long_to_be_one_does_not_leave(tmp_path: Path) -> None:
    dataset = ct()
    dataset.add_new(0x00280120, "US", list(b"Hansen"))
    dataset.add_new(0x00281101, "US", [256, 0, 16])
    copy = sent(dataset, tmp_path)
    assert "PixelPaddingValue" not in copy
    assert copy.RedPaletteColorLookupTableDescriptor == [256, 0, 16]


def test_terms_of_two_letters_are_nobodys_name(tmp_path: Path) -> None:
    dataset = ct(PatientName="Li^Pa^Ffs", ViewPosition="PA", PatientPosition="FFS")
    copy = sent(dataset, tmp_path)
    assert (copy.ViewPosition, copy.PatientPosition) == ("PA", "FFS")


@pytest.mark.parametrize("hidden", [b"PAS-778899", "Bjørnstad".encode("latin_1")])
def test_what_slips_through_every_rule_is_caught_at_the_door(
    tmp_path: Path, hidden: bytes
) -> None:
    """A table of numbers is no text, and nobody looks for words in it; its bytes are searched."""
    dataset = ct()
    dataset.add_new(0x00281201, "OW", bytes(513) + hidden + bytes(1 - len(hidden) % 2))
    with pytest.raises(DeidentificationFailed, match="identifying value"):
        sent(dataset, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["1.dcm"]


def test_a_word_of_a_name_from_the_order_is_caught_at_the_door_too(tmp_path: Path) -> None:
    names = type(pseudonymiser())(b"k" * 32, scope="A", also_identifying=["Fjellheim^Nora"])
    dataset = ct()
    dataset.add_new(0x00281201, "OW", b"\1Fjellheim")
    with pytest.raises(DeidentificationFailed, match="identifying value"):
        sent(dataset, tmp_path, pseudonymiser=names)


@pytest.mark.parametrize(
    "name",
    ["", "ANONYMOUS", "Ukjent^Mann", "13097248022", "Unknown^Unknown", "^^", "Dr", "Test^Patient2"],
)
def test_where_nobody_knows_the_name_no_description_leaves(tmp_path: Path, name: str) -> None:
    dataset = ct(PatientName=name, SeriesDescription="Axial Solveig 1.0")
    dataset.ProtocolName = "Hode Solveig"
    nested = Dataset()
    nested.RequestedProcedureDescription = "CT Solveig"
    dataset.PerformedProcedureCodeSequence = Sequence([nested])
    copy = sent(dataset, tmp_path)
    assert (copy.SeriesDescription, copy.ProtocolName) == ("", "")
    assert b"Solveig" not in (tmp_path / "1.out.dcm").read_bytes()
    assert copy.ConvolutionKernel == "H31s"


@pytest.mark.parametrize("known", ["order", "birth name"])
def test_a_name_from_elsewhere_lets_descriptions_leave_cleaned(tmp_path: Path, known: str) -> None:
    ordered = ["Haugen^Solveig"] if known == "order" else []
    names = type(pseudonymiser())(b"k" * 32, scope="A", also_identifying=ordered)
    dataset = ct(PatientName="", SeriesDescription="Axial Solveig 1.0")
    if known == "birth name":
        dataset.PatientBirthName = "Haugen^Solveig"
    assert sent(dataset, tmp_path, pseudonymiser=names).SeriesDescription == "Axial 1.0"


def test_a_number_from_the_order_is_not_taken_for_a_name(tmp_path: Path) -> None:
    names = type(pseudonymiser())(b"k" * 32, scope="A", also_identifying=["PAS-1234567"])
    dataset = ct(PatientName="", SeriesDescription="Axial Solveig")
    assert sent(dataset, tmp_path, pseudonymiser=names).SeriesDescription == ""


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("77477000", "77477000"),
        ("CT.CAPUT", "CT.CAPUT"),
        ("KARI", ""),
        ("CT-KARI", ""),
        ("PreBjornstad1", ""),
        ("X-PAS-778899-Y", ""),
        ("AAQ13097248022", ""),
    ],
)
@pytest.mark.parametrize(
    "keyword", ["CodeValue", "LongCodeValue", "CodingSchemeDesignator", "CodingSchemeVersion"]
)
def test_a_code_that_holds_a_name_or_a_number_of_somebody_is_none(
    tmp_path: Path, keyword: str, written: str, left: str
) -> None:
    code = Dataset()
    code.CodeMeaning = "Local"
    setattr(code, keyword, written)
    copy = sent(ct(ProcedureCodeSequence=Sequence([code])), tmp_path)
    assert getattr(copy.ProcedureCodeSequence[0], keyword) == left


def test_a_short_number_of_a_patient_is_no_reason_to_spoil_a_code(tmp_path: Path) -> None:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "71234008", "SCT", "Caput"
    copy = sent(ct(PatientID="1234", ProcedureCodeSequence=Sequence([code])), tmp_path)
    assert copy.ProcedureCodeSequence[0].CodeValue == "71234008"


@pytest.mark.parametrize("tag", [0x00281101, 0x00281102, 0x00281103, 0x00283002])
def test_a_descriptor_of_a_lookup_table_is_three_numbers_or_nothing(
    tmp_path: Path, tag: int
) -> None:
    dataset = ct()
    dataset.add_new(tag, "US", list(b"Solvei"))
    path = save(dataset, tmp_path / "a.dcm")
    numbers = b"".join(bytes((one, 0)) for one in b"Solvei")
    plain = path.read_bytes()
    head = plain.index(numbers) - 2
    assert plain[head : head + 2] == b"\x0c\0"
    path.write_bytes(plain[:head] + b"\6\0Solvei" + plain[head + 14 :])
    deidentify_file(path, tmp_path / "b.dcm", pseudonymiser=pseudonymiser())
    assert tag not in pydicom.dcmread(tmp_path / "b.dcm")


def test_a_copy_can_be_made_of_a_copy(tmp_path: Path) -> None:
    """The dummies that stand in the first are nobody's name in the second."""
    dataset = ct()
    dataset.OperatorsName = "Thorvaldsen^Bertel"
    first = sent(dataset, tmp_path)
    assert first.OperatorsName == "Withheld"
    second = sent(first, tmp_path, pseudonymiser=pseudonymiser("SITE-B"))
    assert second.OperatorsName == "Withheld"
    assert second.PatientName != first.PatientName

"""What an algorithm gets: everything it works with, and nothing that says whose it is."""

import resource
from datetime import date
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
    UltrasoundImageStorage,
)

from hub.dicom.deidentify import (
    ALLOW_BURNED_IN,
    ALLOW_UNMARKED,
    CopyNotWritten,
    DeidentificationFailed,
    NoRoomForCopy,
    PseudonymInstance,
    deidentify_file,
)
from tests.hub.dicom.pseudonym_cases import (
    FRAME,
    ROOT,
    SECRETS,
    SERIES,
    STUDY,
    ct,
    pseudonymiser,
    save,
    sent,
)


def encodings_of(text: str) -> set[bytes]:
    return {text.encode("latin_1"), text.encode(), text.upper().encode(), text.lower().encode()}


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_no_byte_that_leaves_says_whose_the_image_is(tmp_path: Path, syntax: str) -> None:
    dataset = ct()
    dataset.file_meta.TransferSyntaxUID = syntax
    sent(dataset, tmp_path)
    leaving = (tmp_path / "1.out.dcm").read_bytes().replace(dataset.PixelData, b"")
    found = [secret for secret in SECRETS if any(e in leaving for e in encodings_of(secret))]
    assert found == []


def test_what_an_algorithm_works_with_stays(tmp_path: Path) -> None:
    original, copy = ct(), sent(ct(), tmp_path)
    for keyword in (
        *("PixelData", "Rows", "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient"),
        *("RescaleIntercept", "KVP", "ConvolutionKernel", "Modality", "BodyPartExamined"),
        *("PatientAge", "PatientSex", "PatientWeight", "PatientSize", "ImageType", "Manufacturer"),
        *("SOPClassUID", "InstanceNumber", "SeriesNumber", "StudyTime", "SpecificCharacterSet"),
    ):
        assert copy[keyword].value == original[keyword].value, keyword


def test_the_file_says_that_and_how_it_was_deidentified(tmp_path: Path) -> None:
    copy = sent(ct(), tmp_path)
    assert copy.PatientIdentityRemoved == "YES"
    assert copy.LongitudinalTemporalInformationModified == "MODIFIED"
    assert "PS3.15" in copy.DeidentificationMethod
    codes = [
        (code.CodeValue, code.CodingSchemeDesignator)
        for code in copy.DeidentificationMethodCodeSequence
    ]
    assert codes[0] == ("113100", "DCM")
    assert {code for code, _ in codes[1:]} == {"113104", "113105", "113107", "113108"}


def test_file_meta_and_preamble_are_made_anew(tmp_path: Path) -> None:
    dataset = ct()
    dataset.preamble = b"Bjornstad".ljust(128, b"!")
    copy = sent(dataset, tmp_path)
    assert copy.preamble == b"\0" * 128
    assert copy.file_meta.MediaStorageSOPInstanceUID == copy.SOPInstanceUID
    assert "SourceApplicationEntityTitle" not in copy.file_meta


def test_uids_change_together_and_those_of_the_standard_stay(tmp_path: Path) -> None:
    names = pseudonymiser()
    copy = sent(ct(), tmp_path)
    assert copy.StudyInstanceUID == names.uid(STUDY)
    assert copy.SeriesInstanceUID == names.uid(SERIES)
    assert copy.FrameOfReferenceUID == names.uid(FRAME)
    reference = copy.SourceImageSequence[0]
    assert reference.ReferencedSOPInstanceUID == copy.SOPInstanceUID == names.uid(f"{ROOT}.8000.1")
    assert reference.ReferencedSOPClassUID == ct().SOPClassUID
    assert copy.SOPInstanceUID.startswith("2.25.")
    assert len(copy.SOPInstanceUID) <= 44


def test_the_names_given_are_told_to_the_hub(tmp_path: Path) -> None:
    source, names = save(ct(2), tmp_path / "a.dcm"), pseudonymiser()
    given = deidentify_file(source, tmp_path / "b.dcm", pseudonymiser=names)
    assert given == PseudonymInstance(
        original_sop_instance_uid=f"{ROOT}.8000.2",
        sop_instance_uid=names.uid(f"{ROOT}.8000.2"),
        original_series_instance_uid=SERIES,
        series_instance_uid=names.uid(SERIES),
        original_study_instance_uid=STUDY,
        study_instance_uid=names.uid(STUDY),
        other_uids=frozenset((FRAME, f"{ROOT}.8000.1")),
        instance_number=2,
    )


def test_an_instance_numbered_by_the_patient_has_no_number(tmp_path: Path) -> None:
    source = save(ct(PatientID="44712", InstanceNumber=44712), tmp_path / "a.dcm")
    given = deidentify_file(source, tmp_path / "b.dcm", pseudonymiser=pseudonymiser())
    assert given.instance_number is None


def test_two_sites_never_give_the_same_names() -> None:
    one, again, two = pseudonymiser("A"), pseudonymiser("A"), pseudonymiser("B")
    for name in ("uid", "patient_id", "accession_number"):
        assert getattr(one, name)("123") == getattr(again, name)("123")
        assert getattr(one, name)("123") != getattr(two, name)("123")
        assert getattr(one, name)("123") != getattr(one, name)("124")
    assert one.patient_name != two.patient_name
    assert one.patient_id("123")[1:16] != one.accession_number("123")[1:]
    assert one.days_back != two.days_back
    assert len(one.accession_number("x" * 16)) <= 16


@pytest.mark.parametrize(("key", "scope"), [(b"short", "A"), (b"k" * 32, "")])
def test_a_name_without_a_secret_or_a_scope_is_refused(key: bytes, scope: str) -> None:
    with pytest.raises(ValueError):
        type(pseudonymiser())(key, scope=scope)


def test_the_pseudonym_does_not_show_its_key() -> None:
    names = pseudonymiser()
    assert "key" not in repr(names)
    assert names.patient_id("1") not in repr(names)


def test_days_move_together_and_times_of_day_stay(tmp_path: Path) -> None:
    copy = sent(ct(AcquisitionDateTime="20260311235955.123+0100"), tmp_path)
    shifted = pseudonymiser().shifted(_day("20260311"))
    assert copy.StudyDate == copy.AcquisitionDate == f"{shifted:%Y%m%d}" != "20260311"
    assert (_day(copy.ContentDate) - _day(copy.StudyDate)).days == 1
    assert copy.AcquisitionDateTime == f"{shifted:%Y%m%d}235955.123+0100"
    assert copy.PatientBirthDate == ""


@pytest.mark.parametrize(
    "day", ["2026", "202603", "0001.01.01", "00010101", "not a day", "20261399"]
)
def test_a_day_that_cannot_be_moved_is_not_told(tmp_path: Path, day: str) -> None:
    dataset = ct()
    dataset["StudyDate"]._value = day
    assert sent(dataset, tmp_path).StudyDate == ""


@pytest.mark.parametrize(
    ("stated", "born", "expected"),
    [
        (None, "19720913", "053Y"),
        (None, "20250601", "009M"),
        (None, "20260301", "010D"),
        (None, "19300101", "090Y"),
        ("096Y", None, "090Y"),
        ("054Y", "19720913", "054Y"),
        ("54", "19720913", "053Y"),
        ("060Y", "19200101", "090Y"),
        (None, None, None),
        (None, "20270101", None),
    ],
)
def test_the_age_is_told_and_never_over_ninety(
    tmp_path: Path, stated: str | None, born: str | None, expected: str | None
) -> None:
    dataset = ct(PatientAge=None, PatientBirthDate=born)
    if stated:
        dataset.PatientAge = "000Y"
        dataset["PatientAge"]._value = stated
    assert sent(dataset, tmp_path).get("PatientAge") == expected


def _day(text: str) -> date:
    return date(int(text[:4]), int(text[4:6]), int(text[6:8]))


def test_private_curves_overlays_signatures_and_unknowns_are_gone(tmp_path: Path) -> None:
    dataset = ct()
    dataset.add_new(0x50000005, "US", 1)
    dataset.add_new(0x60003000, "OW", b"Kari")
    dataset.add_new(0x60000010, "US", 8)
    dataset.add_new(0x00180097, "UN", b"CT of Kari")
    dataset.add_new(0x00180099, "LO", "unheard of")
    signature = Dataset()
    signature.MACIDNumber = 1
    dataset.add_new(0xFFFAFFFA, "SQ", [signature])
    dataset.OriginalAttributesSequence = Sequence([Dataset()])
    dataset.add_new(0xFFFCFFFC, "OB", b"Kari")
    copy = sent(dataset, tmp_path)
    assert not [e for e in copy if e.tag.is_private or e.VR == "UN"]
    assert not [e for e in copy if e.tag.group >> 8 in (0x50, 0x60)]
    for tag in (0x00180097, 0x00180099, 0xFFFAFFFA, 0xFFFCFFFC, 0x04000561):
        assert tag not in copy


def test_what_somebody_passed_on_as_unknown_is_treated_as_what_it_is(tmp_path: Path) -> None:
    dataset = ct(StudyDescription="CT Caput Kari")
    for keyword in ("StudyDescription", "PatientID", "SOPInstanceUID", "PixelSpacing"):
        encoded = dataset[keyword].value
        text = "\\".join(map(str, encoded)) if keyword == "PixelSpacing" else str(encoded)
        dataset[keyword].VR = "UN"
        dataset[keyword]._value = text.encode() + b" " * (len(text) % 2)
    copy = sent(dataset, tmp_path)
    assert copy.StudyDescription == "CT Caput"
    assert copy.PixelSpacing == [0.5, 0.5]
    assert copy.PatientID == pseudonymiser().patient_id("13097248022")
    assert copy.SOPInstanceUID == pseudonymiser().uid(f"{ROOT}.8000.1")


def test_what_hides_deep_in_sequences_is_treated_too(tmp_path: Path) -> None:
    inner, middle, dataset = Dataset(), Dataset(), ct()
    inner.PatientName, inner.ReferencedSOPInstanceUID = "Bjørnstad^Kari", f"{ROOT}.8000.9"
    inner.CodeValue, inner.CodeMeaning = "118565006", "Volume of Bjørnstad"
    middle.DerivationCodeSequence, middle.InstitutionName = Sequence([inner]), "Sørlandet"
    dataset.DerivationImageSequence = Sequence([middle])
    middle = sent(dataset, tmp_path).DerivationImageSequence[0]
    inner = middle.DerivationCodeSequence[0]
    assert middle.InstitutionName == "WITHHELD"
    assert inner.PatientName == pseudonymiser().patient_name
    assert inner.ReferencedSOPInstanceUID == pseudonymiser().uid(f"{ROOT}.8000.9")
    assert (inner.CodeValue, inner.CodeMeaning) == ("118565006", "Volume of")


def _screen() -> Dataset:
    return ct(SOPClassUID=SecondaryCaptureImageStorage, ConversionType="WSD")


REFUSED = [
    (lambda: ct(BurnedInAnnotation="YES"), "BurnedInAnnotation", ALLOW_BURNED_IN),
    (_screen, "BurnedInAnnotation", ALLOW_UNMARKED),
    (lambda: ct(SOPClassUID=UltrasoundImageStorage), "BurnedInAnnotation", ALLOW_UNMARKED),
    (lambda: ct(ConversionType="SD"), "ConversionType", ALLOW_UNMARKED),
    (lambda: ct(ImageType=["DERIVED", "SECONDARY", "SCREEN SAVE"]), "ImageType", ALLOW_UNMARKED),
    (lambda: ct(OverlayBitPosition=None), "OverlayBitPosition", ALLOW_BURNED_IN),
    (lambda: ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1"), "EncapsulatedDocument", None),
    (lambda: ct(SOPClassUID="1.2.840.113619.4.26"), "SOPClassUID", None),
    (lambda: ct(StudyInstanceUID=None), "StudyInstanceUID", None),
    (lambda: ct(SeriesInstanceUID=""), "SeriesInstanceUID", None),
]


@pytest.mark.parametrize(("make", "field", "option"), REFUSED)
def test_what_may_show_a_name_is_refused_with_the_reason(
    tmp_path: Path, make, field: str, option: str | None
) -> None:
    dataset = ct() if field == "OverlayBitPosition" else make()
    if field == "OverlayBitPosition":
        dataset.add_new(0x60000102, "US", 12)
    with pytest.raises(DeidentificationFailed) as failed:
        sent(dataset, tmp_path)
    assert failed.value.field == field
    assert failed.value.reason
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.dcm"]
    if option:
        assert sent(dataset, tmp_path, options=frozenset((option,))).PixelData == dataset.PixelData


def test_a_screen_that_says_it_has_no_text_leaves(tmp_path: Path) -> None:
    dataset = _screen()
    dataset.BurnedInAnnotation = "NO"
    assert sent(dataset, tmp_path).PatientName == pseudonymiser().patient_name


def test_a_name_in_no_proper_place_is_refused(tmp_path: Path) -> None:
    dataset = ct()
    dataset["SOPInstanceUID"].VR = "LO"
    with pytest.raises(DeidentificationFailed) as failed:
        sent(dataset, tmp_path)
    assert failed.value.field == "SOPInstanceUID"


def test_a_copy_that_cannot_be_put_in_place_leaves_nothing_behind(tmp_path: Path) -> None:
    source, target = save(ct(), tmp_path / "a.dcm"), tmp_path / "folder"
    target.mkdir()
    with pytest.raises(DeidentificationFailed):
        deidentify_file(source, target, pseudonymiser=pseudonymiser())
    with pytest.raises(CopyNotWritten):
        deidentify_file(source, tmp_path / "none" / "b.dcm", pseudonymiser=pseudonymiser())
    with pytest.raises(DeidentificationFailed, match="the original cannot be read") as lost:
        deidentify_file(tmp_path / "lost.dcm", tmp_path / "b.dcm", pseudonymiser=pseudonymiser())
    assert not isinstance(lost.value, CopyNotWritten)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.dcm", "folder"]


def test_a_full_disk_is_told_apart_from_what_is_wrong_with_an_instance(tmp_path: Path) -> None:
    source = save(ct(), tmp_path / "a.dcm")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, before[1]))
    try:
        with pytest.raises(NoRoomForCopy):
            deidentify_file(source, tmp_path / "b.dcm", pseudonymiser=pseudonymiser())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in tmp_path.iterdir()] == ["a.dcm"]


def test_of_patient_visit_and_order_only_what_is_named_leaves(tmp_path: Path) -> None:
    dataset = ct(PatientSpeciesDescription="Menneske", RouteOfAdmissions="Akutt")
    dataset.PatientClinicalTrialParticipationSequence = Sequence([Dataset()])
    copy = sent(dataset, tmp_path)
    groups = (0x0010, 0x0032, 0x0038)
    assert {element.keyword for element in copy if element.tag.group in groups} == {
        *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "PatientAge"),
        *("PatientSize", "PatientWeight"),
    }


def test_an_unknown_option_is_no_permission(tmp_path: Path) -> None:
    with pytest.raises(DeidentificationFailed):
        sent(ct(), tmp_path, options=frozenset(("anything_goes",)))


def test_the_original_is_never_overwritten(tmp_path: Path) -> None:
    source = save(ct(), tmp_path / "a.dcm")
    before = source.read_bytes()
    (tmp_path / "b.dcm").hardlink_to(source)
    for target in (source, tmp_path / "b.dcm"):
        with pytest.raises(DeidentificationFailed):
            deidentify_file(source, target, pseudonymiser=pseudonymiser())
    assert source.read_bytes() == before

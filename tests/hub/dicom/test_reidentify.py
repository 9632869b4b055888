"""What comes back from an algorithm is the patient's again, or is refused whole."""

from datetime import date
from io import BytesIO
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid

from hub.dicom.reidentify import (
    Originals,
    ReidentificationFailed,
    reidentify_dataset,
    reidentify_file,
)
from tests.hub.dicom.pseudonym_cases import (
    FRAME,
    PATIENT,
    ROOT,
    SERIES,
    STUDY,
    ct,
    pseudonymiser,
    save,
    sent_series,
)

pytestmark = pytest.mark.filterwarnings("ignore")

PSEUDONYMS = (
    *(pseudonymiser().patient_name, pseudonymiser().patient_id("13097248022")),
    *(pseudonymiser().uid(uid) for uid in (STUDY, SERIES, FRAME, f"{ROOT}.8000.1")),
)


@pytest.fixture
def series(tmp_path: Path) -> list[Dataset]:
    return sent_series(tmp_path)[0]


def originals(header: Dataset | None = None) -> Originals:
    header = header or ct()
    return Originals.of(
        pseudonymiser(),
        study_instance_uid=STUDY,
        series_instance_uids=[SERIES],
        sop_instance_uids=[f"{ROOT}.8000.{number}" for number in (1, 2, 3)],
        header=header,
    )


def segmentation(series: list[Dataset]) -> Dataset:
    algorithm = hd.AlgorithmIdentificationSequence(
        name="Bleed", version="1", family=codes.DCM.ArtificialIntelligence
    )
    described = hd.seg.SegmentDescription(
        segment_number=1,
        segment_label="Bleed",
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Hemorrhage,
        algorithm_type="AUTOMATIC",
        algorithm_identification=algorithm,
    )
    return hd.seg.Segmentation(
        source_images=series,
        pixel_array=np.ones((len(series), 32, 32), dtype=np.uint8),
        segmentation_type="BINARY",
        segment_descriptions=[described],
        series_instance_uid=generate_uid(),
        series_number=100,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="Example",
        manufacturer_model_name="Bleed",
        software_versions="1",
        device_serial_number="1",
    )


def report(series: list[Dataset], seg: Dataset) -> Dataset:
    person = hd.sr.PersonObserverIdentifyingAttributes(name=pseudonymiser().patient_name)
    context = hd.sr.ObservationContext(
        observer_person_context=hd.sr.ObserverContext(codes.DCM.Person, person)
    )
    referenced = hd.sr.ReferencedSegment(
        sop_class_uid=seg.SOPClassUID,
        sop_instance_uid=seg.SOPInstanceUID,
        segment_number=1,
        source_images=[hd.sr.SourceImageForSegmentation.from_source_image(s) for s in series],
    )
    group = hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid=generate_uid(), identifier="ICH-1"),
        referenced_segment=referenced,
        finding_type=codes.SCT.Hemorrhage,
    )
    content = hd.sr.MeasurementReport(
        observation_context=context,
        procedure_reported=codes.LN.CTUnspecifiedBodyRegion,
        imaging_measurements=[group],
    )
    return hd.sr.Comprehensive3DSR(
        evidence=[*series, seg],
        content=content[0],
        series_instance_uid=generate_uid(),
        series_number=101,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="Example",
    )


def as_bytes(dataset: Dataset) -> bytes:
    encoded = BytesIO()
    dataset.save_as(encoded, enforce_file_format=True)
    return encoded.getvalue()


def references(dataset: Dataset) -> set[str]:
    found = set()
    for element in dataset.iterall():
        if element.keyword in {"ReferencedSOPInstanceUID", "ReferencedFrameOfReferenceUID"}:
            found.add(str(element.value))
    return found


def test_a_segmentation_is_the_patients_again(tmp_path: Path, series: list[Dataset]) -> None:
    made = segmentation(series)
    source = save(made, tmp_path / "seg.dcm")
    reidentify_file(source, tmp_path / "back.dcm", originals=originals())
    back = pydicom.dcmread(tmp_path / "back.dcm")
    for keyword in PATIENT:
        assert back[keyword].value == ct()[keyword].value, keyword
    assert back.FrameOfReferenceUID == FRAME
    assert references(back) == {f"{ROOT}.8000.{number}" for number in (1, 2, 3)}
    assert back.ReferencedSeriesSequence[0].SeriesInstanceUID == SERIES
    assert back.SOPInstanceUID == made.SOPInstanceUID == back.file_meta.MediaStorageSOPInstanceUID
    assert back.SeriesInstanceUID == made.SeriesInstanceUID
    assert back.file_meta.TransferSyntaxUID == made.file_meta.TransferSyntaxUID
    assert back.PixelData == made.PixelData
    assert str(back.ContentDate) == str(made.ContentDate)
    assert not any(name.encode() in as_bytes(back) for name in PSEUDONYMS)


def test_a_report_and_the_segmentation_it_refers_to_are_turned_back(
    tmp_path: Path, series: list[Dataset]
) -> None:
    seg = segmentation(series)
    made = report(series, seg)
    with pytest.raises(ReidentificationFailed, match="ReferencedSOPInstanceUID"):
        reidentify_dataset(made, originals=originals())
    together = originals().accepting([seg.SOPInstanceUID, seg.SeriesInstanceUID])
    reidentify_file(save(made, tmp_path / "sr.dcm"), tmp_path / "back.dcm", originals=together)
    back = pydicom.dcmread(tmp_path / "back.dcm")
    for keyword in PATIENT:
        assert back[keyword].value == ct()[keyword].value, keyword
    assert references(back) == {seg.SOPInstanceUID} | {f"{ROOT}.8000.{n}" for n in (1, 2, 3)}
    evidence = back.CurrentRequestedProcedureEvidenceSequence
    assert {item.StudyInstanceUID for item in evidence} == {STUDY}
    observers = [item.PersonName for item in back.ContentSequence if "PersonName" in item]
    assert observers == [ct().PatientName]
    assert not any(name.encode() in as_bytes(back) for name in PSEUDONYMS)


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("ISO_IR 100", "Bjørnstad^Åse"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("GB18030", "Wang^XiaoDong=王^小东"),
    ],
)
def test_a_name_comes_back_in_every_script(
    tmp_path: Path, series: list[Dataset], charset: object, name: str
) -> None:
    header = ct(SpecificCharacterSet=charset, PatientName=name)
    for keyword in ("InstitutionName", "StudyDescription", "SeriesDescription", "PatientComments"):
        setattr(header, keyword, "CT")
    header.OtherPatientIDsSequence = []
    del header[0x00290010], header[0x00291010], header[0x00291011]
    header = pydicom.dcmread(save(header, tmp_path / "header.dcm"))
    result = segmentation(series)
    reidentify_file(
        save(result, tmp_path / "seg.dcm"), tmp_path / "back.dcm", originals=originals(header)
    )
    back = pydicom.dcmread(tmp_path / "back.dcm")
    assert back.SpecificCharacterSet == "ISO_IR 192"
    assert str(back.PatientName) == name


def test_days_of_the_study_come_back_and_those_of_the_algorithm_stay(
    series: list[Dataset],
) -> None:
    result = segmentation(series)
    result.AcquisitionDate = series[0].AcquisitionDate
    result.AcquisitionDateTime = f"{series[0].ContentDate}000102"
    result.ContentDate, result.SeriesDate = "20270105", f"{date(2020, 2, 29):%Y%m%d}"
    back = reidentify_dataset(result, originals=originals())
    assert (back.AcquisitionDate, back.AcquisitionDateTime) == ("20260311", "20260312000102")
    assert (back.ContentDate, back.SeriesDate) == ("20270105", "20200229")


def test_the_signs_of_deidentification_go_and_what_was_withheld_returns(
    series: list[Dataset],
) -> None:
    result = segmentation(series)
    for keyword in ("PatientIdentityRemoved", "DeidentificationMethod", "InstitutionName"):
        result[keyword] = series[0][keyword]
    result.DeidentificationMethodCodeSequence = series[0].DeidentificationMethodCodeSequence
    result.LongitudinalTemporalInformationModified = "MODIFIED"
    result.ProtocolName = "WITHHELD"
    back = reidentify_dataset(result, originals=originals())
    for tag in (0x00120062, 0x00120063, 0x00120064, 0x00280303):
        assert tag not in back
    assert back.InstitutionName == "Sørlandet sykehus"
    assert "ProtocolName" not in back


def test_what_the_original_does_not_know_is_not_made_up(series: list[Dataset]) -> None:
    header = ct(AccessionNumber=None, PatientWeight=None, StudyDescription=None)
    result = segmentation(series)
    result.PatientWeight, result.StudyDescription = "71.5", "CT"
    back = reidentify_dataset(result, originals=originals(header))
    assert back.AccessionNumber == ""
    assert "PatientWeight" not in back
    assert "StudyDescription" not in back


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_a_header_with_a_broken_number_still_serves(
    tmp_path: Path, series: list[Dataset], syntax: str
) -> None:
    header = ct()
    header.file_meta.TransferSyntaxUID = syntax
    path = save(header, tmp_path / "header.dcm")
    path.write_bytes(path.read_bytes().replace(b"71.5", b"7x.5").replace(b"-1024 ", b"-1o24 "))
    back = reidentify_dataset(segmentation(series), originals=originals(pydicom.dcmread(path)))
    assert back.PatientName == ct().PatientName


def test_the_text_of_a_result_survives_the_change_of_its_characters(
    tmp_path: Path, series: list[Dataset]
) -> None:
    result, item = segmentation(series), Dataset()
    result.SpecificCharacterSet, result.SeriesDescription = "ISO_IR 100", "Blødning"
    item.SpecificCharacterSet, item.CodeMeaning = "ISO_IR 144", "Кровь"
    result.DerivationCodeSequence = Sequence([item])
    source = save(result, tmp_path / "seg.dcm")
    reidentify_file(source, tmp_path / "back.dcm", originals=originals())
    back = pydicom.dcmread(tmp_path / "back.dcm")
    assert back.SeriesDescription == "Blødning"
    assert back.DerivationCodeSequence[0].CodeMeaning == "Кровь"


def test_the_result_handed_in_is_not_changed(series: list[Dataset]) -> None:
    result = segmentation(series)
    before = as_bytes(result)
    reidentify_dataset(result, originals=originals())
    assert as_bytes(result) == before


def _refer_to(uid: str, keyword: str = "ReferencedSOPInstanceUID"):
    def change(result: Dataset) -> None:
        item = Dataset()
        setattr(item, keyword, uid)
        result.SourceImageSequence = Sequence([item])

    return change


REFUSED = {
    "another study": ("StudyInstanceUID", lambda r: setattr(r, "StudyInstanceUID", "1.2.3")),
    "the real study": ("StudyInstanceUID", lambda r: setattr(r, "StudyInstanceUID", STUDY)),
    "another patient": ("PatientID", lambda r: setattr(r, "PatientID", "P2")),
    "no name": ("SOPInstanceUID", lambda r: delattr(r, "SOPInstanceUID")),
    "no series": ("SeriesInstanceUID", lambda r: setattr(r, "SeriesInstanceUID", "")),
    "its input's name": (
        "SOPInstanceUID",
        lambda r: setattr(r, "SOPInstanceUID", pseudonymiser().uid(f"{ROOT}.8000.1")),
    ),
    "the original's name": (
        "SOPInstanceUID",
        lambda r: setattr(r, "SOPInstanceUID", f"{ROOT}.8000.1"),
    ),
    "its input's series": (
        "SeriesInstanceUID",
        lambda r: setattr(r, "SeriesInstanceUID", pseudonymiser().uid(SERIES)),
    ),
    "an unknown image": ("ReferencedSOPInstanceUID", _refer_to("1.2.3")),
    "an unknown series": ("SeriesInstanceUID", _refer_to("1.2.3", "SeriesInstanceUID")),
    "an unknown study": ("StudyInstanceUID", _refer_to("1.2.3", "StudyInstanceUID")),
    "an unknown space": (
        "ReferencedFrameOfReferenceUID",
        _refer_to("1.2.3", "ReferencedFrameOfReferenceUID"),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_certainly_this_patients_is_refused(
    tmp_path: Path, series: list[Dataset], case: str
) -> None:
    field, change = REFUSED[case]
    result = segmentation(series)
    change(result)
    with pytest.raises(ReidentificationFailed) as failed:
        reidentify_dataset(result, originals=originals())
    assert failed.value.field == field
    if field != "SOPInstanceUID":
        source = save(result, tmp_path / "seg.dcm")
        with pytest.raises(ReidentificationFailed):
            reidentify_file(source, tmp_path / "back.dcm", originals=originals())
    assert not (tmp_path / "back.dcm").exists()


def test_a_header_of_another_study_makes_no_originals() -> None:
    with pytest.raises(ReidentificationFailed):
        originals(ct(StudyInstanceUID="1.2.3"))


def test_another_sites_pseudonyms_lead_nowhere(series: list[Dataset]) -> None:
    foreign = Originals.of(
        pseudonymiser("SITE-B"),
        study_instance_uid=STUDY,
        series_instance_uids=[SERIES],
        sop_instance_uids=[f"{ROOT}.8000.1"],
        header=ct(),
    )
    with pytest.raises(ReidentificationFailed):
        reidentify_dataset(segmentation(series), originals=foreign)


def test_the_originals_show_no_patient_when_printed() -> None:
    shown = repr(originals())
    assert not any(secret in shown for secret in ("Bjørnstad", "13097248022", STUDY))


def test_the_names_told_when_sending_are_enough_to_turn_back(tmp_path: Path) -> None:
    copies, given = sent_series(tmp_path)
    known = Originals.of(
        pseudonymiser(),
        study_instance_uid=given[0].original_study_instance_uid,
        series_instance_uids={name.original_series_instance_uid for name in given},
        sop_instance_uids=[name.original_sop_instance_uid for name in given],
        header=ct(SourceImageSequence=None, FrameOfReferenceUID=None),
        other_uids=frozenset().union(*(name.other_uids for name in given)),
    )
    back = reidentify_dataset(segmentation(copies), originals=known)
    assert back.FrameOfReferenceUID == FRAME


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_only_the_named_failure_escapes_whatever_the_bytes(
    tmp_path: Path, series: list[Dataset], data
) -> None:
    source, target = tmp_path / "seg.dcm", tmp_path / "back.dcm"
    whole = tmp_path / "whole.dcm"
    if not whole.exists():
        save(segmentation(series), whole)
    encoded = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(132, len(encoded) - 1))
        encoded[at : at + 1] = data.draw(st.binary(max_size=4))
    source.write_bytes(encoded)
    target.unlink(missing_ok=True)
    try:
        reidentify_file(source, target, originals=originals())
    except ReidentificationFailed:
        assert not target.exists()
    else:
        assert pydicom.dcmread(target).StudyInstanceUID == STUDY

import os
import warnings
import zlib
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from hub.dicom.file_meta import read_file_meta
from hub.dicom.sr import Region
from hub.dicom.validate import (
    Expected,
    ReturnedObjectRefused,
    region_fits,
    validate_all_returned,
    validate_returned,
)
from tests.hub.dicom import returned_cases as cases
from tests.hub.dicom.peers import missing
from tests.hub.dicom.sr_cases import INSTANCES, SERIES, STUDY, ct_slices, segmentation

CORPUS = Path(__file__).parents[4] / "shared/corpus/dicom"
EXPECTED = Expected(
    study_instance_uid=STUDY.study_instance_uid,
    patient_id=STUDY.patient_id,
    issuer_of_patient_id="NO-FNR",
    known_sop_instance_uids=frozenset(i.sop_instance_uid for i in INSTANCES),
    known_series_instance_uids=frozenset({SERIES}),
)


def refusal(path, expected=EXPECTED, **limits) -> ReturnedObjectRefused:
    with pytest.raises(ReturnedObjectRefused) as refused:
        validate_returned(path, expected=expected, **limits)
    return refused.value


def changed(tmp_path, dataset=None, **attributes):
    dataset = dataset or cases.secondary_capture()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return cases.write(dataset, tmp_path / "returned.dcm")


@pytest.mark.parametrize("name", cases.RETURNED)
def test_each_class_that_may_come_back_is_let_through(name, tmp_path):
    dataset = cases.RETURNED[name]()
    path = cases.write(dataset, tmp_path / "returned.dcm")
    returned = validate_returned(path, expected=EXPECTED)
    assert returned.sop_class_uid == dataset.SOPClassUID
    assert returned.sop_instance_uid == dataset.SOPInstanceUID
    assert returned.series_instance_uid == dataset.SeriesInstanceUID
    assert returned.modality == dataset.Modality
    assert returned.number_of_bytes == path.stat().st_size


def test_all_that_is_pointed_at_is_told(tmp_path):
    path = cases.write(segmentation(), tmp_path / "seg.dcm")
    referenced = validate_returned(path, expected=EXPECTED).referenced_sop_instance_uids
    assert referenced == {instance.sop_instance_uid for instance in INSTANCES[:3]}


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_other_encodings_of_the_data_set_are_read_too(syntax, tmp_path):
    dataset = cases.secondary_capture()
    dataset.file_meta.TransferSyntaxUID = syntax
    path = changed(tmp_path, dataset)
    assert validate_returned(path, expected=EXPECTED).transfer_syntax_uid == syntax


def test_compressed_pixels_are_let_through_unopened(tmp_path):
    dataset = cases.secondary_capture()
    dataset.compress(RLELossless, generate_instance_uid=False)
    assert validate_returned(changed(tmp_path, dataset), expected=EXPECTED)


@pytest.mark.parametrize("name", [*cases.RETURNED, "SR"])
def test_a_file_cut_off_anywhere_is_refused(name, tmp_path):
    path = tmp_path / "returned.dcm"
    if name == "SR":
        path.write_bytes(cases.report())
    else:
        cases.write(cases.RETURNED[name](), path)
    whole = path.read_bytes()
    expected = replace(EXPECTED, sibling_sop_instance_uids={"2.25.101"})
    assert validate_returned(path, expected=expected)
    step = max(len(whole) // 400, 1)
    for length in (*range(0, len(whole) - 1, step), len(whole) - 1):
        path.write_bytes(whole[:length])
        refusal(path, expected)


def test_a_deflated_file_cut_off_or_inflating_without_end_is_refused(tmp_path):
    dataset = cases.secondary_capture()
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    path = changed(tmp_path, dataset)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    assert "cut off" in refusal(path).reason
    with path.open("rb") as file:
        start = read_file_meta(file).data_offset
    bomb = zlib.compressobj(wbits=-15)
    path.write_bytes(whole[:start] + bomb.compress(bytes(50 << 20)) + bomb.flush())
    assert "beyond what is allowed" in refusal(path, maximum_bytes=1 << 20).reason


@pytest.mark.parametrize(
    ("attributes", "field"),
    [
        ({"StudyInstanceUID": "1.2.3"}, "StudyInstanceUID"),
        ({"PatientID": "25097000125"}, "PatientID"),
        ({"PatientID": ""}, "PatientID"),
        ({"IssuerOfPatientID": "DK-CPR"}, "IssuerOfPatientID"),
        ({"SOPInstanceUID": INSTANCES[5].sop_instance_uid}, "SOPInstanceUID"),
        ({"SeriesInstanceUID": SERIES}, "SeriesInstanceUID"),
        ({"SeriesInstanceUID": STUDY.study_instance_uid}, "SeriesInstanceUID"),
        ({"SeriesInstanceUID": ""}, "SeriesInstanceUID"),
        ({"Modality": ""}, "Modality"),
        ({"Rows": 400}, "PixelData"),
    ],
)
def test_what_is_not_of_this_study_or_not_new_is_refused(attributes, field, tmp_path):
    refused = refusal(changed(tmp_path, **attributes))
    assert refused.field == field
    assert "25097000125" not in str(refused)


def test_a_segmentation_that_calls_itself_a_ct_is_refused(tmp_path):
    assert refusal(changed(tmp_path, segmentation(), Modality="CT")).field == "Modality"


@pytest.mark.parametrize(
    "sop_class_uid",
    [
        "1.2.840.10008.5.1.4.1.1.2",
        "1.2.840.10008.5.1.4.1.1.4",
        "1.2.840.10008.5.1.4.1.1.1.1",
        "1.2.840.10008.5.1.4.1.1.104.2",
        "1.2.840.10008.5.1.4.1.1.9.1.1",
        "1.2.276.0.99999.1",
    ],
)
def test_a_class_that_is_not_on_the_list_is_refused(sop_class_uid, tmp_path):
    assert refusal(changed(tmp_path, SOPClassUID=sop_class_uid)).field == "SOPClassUID"


def test_a_scanners_slice_is_refused_however_new(tmp_path):
    ct = ct_slices(1)[0]
    ct.SOPInstanceUID, ct.SeriesInstanceUID = "2.25.900", "2.25.901"
    assert refusal(changed(tmp_path, ct)).field == "SOPClassUID"


@pytest.mark.parametrize("keyword", ["SOPClassUID", "SOPInstanceUID"])
def test_a_file_whose_meta_information_says_something_else_is_refused(keyword, tmp_path):
    dataset = cases.secondary_capture()
    path = changed(tmp_path, dataset)
    content = path.read_bytes()
    uid = str(dataset[keyword].value).encode()
    last = content.rindex(uid) + len(uid) - 1
    path.write_bytes(content[:last] + b"1" + content[last + 1 :])
    assert refusal(path).field == keyword


def test_a_reference_deep_inside_to_another_study_is_refused(tmp_path):
    foreign = segmentation()
    deepest = foreign.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0]
    deepest.SourceImageSequence[0].ReferencedSOPInstanceUID = "1.2.3.4.5"
    assert refusal(changed(tmp_path, foreign)).field == "SourceImageSequence"


def test_a_structure_set_of_another_study_is_refused(tmp_path):
    foreign = cases.structure_set()
    frame = foreign.ReferencedFrameOfReferenceSequence[0]
    frame.RTReferencedStudySequence[0].ReferencedSOPInstanceUID = "1.2.3"
    assert refusal(changed(tmp_path, foreign)).field == "RTReferencedStudySequence"


def test_key_objects_of_another_study_are_refused(tmp_path):
    foreign = cases.key_objects()
    foreign.CurrentRequestedProcedureEvidenceSequence[0].StudyInstanceUID = "1.2.3"
    refused = refusal(changed(tmp_path, foreign))
    assert refused.field == "CurrentRequestedProcedureEvidenceSequence"


def test_the_studys_own_request_and_steps_may_be_copied(tmp_path):
    step = pydicom.Dataset()
    step.ReferencedSOPClassUID = "1.2.840.10008.3.1.2.3.3"
    step.ReferencedSOPInstanceUID = "1.2.3.4"
    path = changed(tmp_path, ReferencedPerformedProcedureStepSequence=[step])
    assert validate_returned(path, expected=EXPECTED)


def test_a_report_may_point_at_the_segmentation_returned_with_it(tmp_path):
    report = tmp_path / "report.dcm"
    report.write_bytes(cases.report())
    seg = cases.write(segmentation(), tmp_path / "seg.dcm")
    assert refusal(report).reason == "points at an instance that is not of this study"
    returned = validate_all_returned([report, seg], expected=EXPECTED)
    assert "2.25.101" in returned[0].referenced_sop_instance_uids


def test_two_returned_objects_with_one_uid_are_refused(tmp_path):
    paths = [cases.write(segmentation(), tmp_path / name) for name in ("a.dcm", "b.dcm")]
    with pytest.raises(ReturnedObjectRefused, match="share it"):
        validate_all_returned(paths, expected=EXPECTED)


def test_a_file_larger_than_allowed_is_refused(tmp_path):
    path = changed(tmp_path)
    size = path.stat().st_size
    assert validate_returned(path, expected=EXPECTED, maximum_bytes=size)
    assert "more than" in refusal(path, maximum_bytes=size - 1).reason


def test_links_pipes_and_folders_are_not_followed(tmp_path):
    link, pipe = tmp_path / "link.dcm", tmp_path / "pipe.dcm"
    link.symlink_to(changed(tmp_path))
    os.mkfifo(pipe)
    for path in (link, pipe, tmp_path):
        assert "regular file" in refusal(path).reason


@pytest.mark.parametrize("preamble", [b"MZ\x90\x00", b"\x7fELF", b"#!/bin/sh\n", b"<script>"])
def test_a_preamble_that_makes_it_a_program_is_refused(preamble, tmp_path):
    path = changed(tmp_path)
    content = path.read_bytes()
    path.write_bytes(preamble + content[len(preamble) :])
    assert "preamble" in refusal(path).reason
    path.write_bytes(b"II*\x00" + content[4:])
    assert validate_returned(path, expected=EXPECTED)


@pytest.mark.parametrize(
    "content",
    [b"", b"not dicom at all" * 20, bytes(128) + b"DICM", bytes(128) + b"DICM" + bytes(99)],
)
def test_what_is_no_dicom_file_is_refused(content, tmp_path):
    path = tmp_path / "returned.dcm"
    path.write_bytes(content)
    refusal(path)


def _with(addition: bytes) -> bytes:
    return cases.PDF.replace(b"trailer", addition + b"\ntrailer")


def _object_stream(encoding: bytes, content: bytes) -> bytes:
    head = b"3 0 obj <</Type /ObjStm /Filter " + encoding + b">> stream\n"
    return head + content + b"\nendstream endobj"


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (_with(b"<</S /JavaScript /JS (app.alert(1))>>"), "JavaScript"),
        (_with(b"<</S /J#61vaScript /JS (app.alert(1))>>"), "JavaScript"),
        (_with(b"<</S /Launch /F (cmd.exe)>>"), "Launch"),
        (_with(b"<</Type /EmbeddedFile>>"), "EmbeddedFile"),
        (_with(_object_stream(b"/FlateDecode", zlib.compress(b"<</S /JavaScript>>"))), "Java"),
        (_with(_object_stream(b"/LZWDecode", b"xyz")), "looked into"),
        (_with(_object_stream(b"/FlateDecode /DecodeParms <</Predictor 12>>", b"")), "looked into"),
        (_with(b"<</Encrypt 4 0 R>>"), "encrypted"),
        (b"MZ" + cases.PDF, "not a PDF"),
        (cases.PDF + b"PK\x03\x04" + bytes(2000), "does not end"),
    ],
)
def test_a_document_that_does_more_than_show_is_refused(document, why, tmp_path):
    refused = refusal(changed(tmp_path, cases.encapsulated_pdf(document)))
    assert refused.field == "EncapsulatedDocument"
    assert why in refused.reason


def test_a_document_that_says_it_is_something_else_is_refused(tmp_path):
    dataset = cases.encapsulated_pdf()
    path = changed(tmp_path, dataset, MIMETypeOfEncapsulatedDocument="text/html")
    assert "MIME type" in refusal(path).reason


def test_sequences_nested_without_end_are_refused(tmp_path):
    inner = pydicom.Dataset()
    inner.PatientComments = "x"
    for _ in range(90):
        outer = pydicom.Dataset()
        outer.ContentSequence = [inner]
        inner = outer
    path = changed(tmp_path, ContentSequence=[inner])
    assert "nested" in refusal(path).reason


def test_the_objects_of_the_corpus_are_whole_to_their_last_byte():
    """A check that refuses real objects of other makers would be worse than none."""
    if not CORPUS.exists():
        missing("the corpus")
    folders = ["ImagingDataCommons_highdicom", "QIICR_dcmqi", "dicompyler_dicompyler-core"]
    found = [path for folder in folders for path in (CORPUS / folder).rglob("*.dcm")]
    said = [(path, _judged(path)) for path in found]
    assert [(path, field) for path, field in said if field not in ("", "SOPClassUID")] == []
    assert sum(field == "" for _, field in said) >= 15


def _judged(path: Path) -> str:
    try:
        validate_returned(path, expected=_as_expected_of(path))
    except ReturnedObjectRefused as refused:
        return refused.field or refused.reason
    return ""


def _as_expected_of(path: Path) -> Expected:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(path, stop_before_pixels=True, force=True)
    references = {str(element.value) for element in dataset.iterall() if element.tag == 0x00081155}
    return Expected(
        study_instance_uid=str(dataset.get("StudyInstanceUID", "")),
        patient_id=str(dataset.get("PatientID") or ""),
        known_sop_instance_uids=references,
        known_series_instance_uids=(),
    )


@pytest.mark.parametrize(
    ("region", "why"),
    [
        (Region("1", 1, ((0, 0), (512, 0), (512, 256), (0, 256))), None),
        (Region("1", 1, ((10, 10),)), None),
        (Region("1", 3, ((1, 1), (2, 1), (2, 2))), None),
        (Region("1", 0, ((1, 1),)), "frame 0 is not one of 3"),
        (Region("1", 4, ((1, 1),)), "frame 4 is not one of 3"),
        (Region("1", 1, ((1, 1), (300, 1), (2, 257))), "(2, 257) is outside"),
        (Region("1", 1, ((1, 1), (512.5, 1), (2, 2))), "(512.5, 1) is outside"),
        (Region("1", 1, ((-0.1, 1), (5, 1), (2, 2))), "outside"),
        (Region("1", 1, ((float("nan"), 1), (5, 1), (2, 2))), "no finite"),
        (Region("1", 1, ((1, 1), (5, 1), (1, 1))), "2 points enclose nothing"),
        (Region("1", 1, ()), "0 points enclose nothing"),
        (Region("1", 1, ((5, 5), (5, 5), (5, 5))), "1 points enclose nothing"),
    ],
)
def test_a_region_must_lie_within_the_image_it_names(region, why):
    said = region_fits(region, rows=256, columns=512, number_of_frames=3)
    assert (said is None) if why is None else (why in said)

import subprocess
import sys
import time
from dataclasses import replace
from datetime import datetime
from io import BytesIO

import pydicom
import pytest
from pydicom.uid import VLWholeSlideMicroscopyImageStorage

from hub.dicom.sr import (
    Code,
    ContentNotExpressible,
    InstanceReference,
    Measurement,
    Region,
    Report,
    build_reports,
)
from hub.dicom.uids import uid_for
from tests.hub.dicom.sr_cases import (
    ABSENT,
    ALGORITHM,
    BARE_STUDY,
    BLEEDING,
    CT,
    DOCUMENT,
    INSTANCES,
    MANY,
    ON_A_SLICE,
    SERIES,
    SQUARE,
    STUDY,
    segmentation,
)


def build(findings, study=STUDY, instances=INSTANCES, document=DOCUMENT, objects=()):
    return build_reports(
        study, instances=instances, findings=findings, algorithm=ALGORITHM,
        document=document, referenced_objects=objects,
    )  # fmt: skip


def read(report: Report) -> pydicom.Dataset:
    return pydicom.dcmread(BytesIO(report.dataset_bytes))


def groups(dataset):
    body = next(
        item
        for item in dataset.ContentSequence
        if item.ConceptNameCodeSequence[0].CodeMeaning == "Imaging Measurements"
    )
    return list(body.ContentSequence)


def items(group, meaning):
    return [
        item
        for item in group.ContentSequence
        if item.ConceptNameCodeSequence[0].CodeMeaning == meaning
    ]


def answer(group, meaning):
    code = items(group, meaning)[0].ConceptCodeSequence[0]
    return code.CodeValue, code.CodingSchemeDesignator


def templates(reports):
    return [
        {group.ContentTemplateSequence[0].TemplateIdentifier for group in groups(read(report))}
        for report in reports
    ]


def test_a_report_is_complete_unverified_preliminary_and_in_utf8():
    report = build([ON_A_SLICE])[0]
    dataset = read(report)
    assert dataset.SOPClassUID == report.sop_class_uid == "1.2.840.10008.5.1.4.1.1.88.34"
    assert dataset.SOPInstanceUID == report.sop_instance_uid
    assert dataset.SOPInstanceUID == dataset.file_meta.MediaStorageSOPInstanceUID
    assert dataset.SeriesInstanceUID == report.series_instance_uid
    assert dataset.CompletionFlag == "COMPLETE"
    assert dataset.VerificationFlag == "UNVERIFIED"
    assert dataset.PreliminaryFlag == "PRELIMINARY"
    assert dataset.SpecificCharacterSet == "ISO_IR 192"
    assert dataset.SeriesDescription == "AI: ICH Triage 1.0.0"
    assert (dataset.ContentDate, dataset.ContentTime) == ("20260401", "102030")
    assert "VerifyingObserverSequence" not in dataset
    assert report.title == "AI: ICH Triage 1.0.0, regions"


def test_the_side_is_said_also_where_no_site_is():
    (group,) = groups(read(build([replace(BLEEDING, site=None, laterality="left")])[0]))
    assert answer(group, "Laterality") == ("7771000", "SCT")
    (group,) = groups(read(build([replace(BLEEDING, laterality="left")])[0]))
    assert items(group, "Laterality") == []


def test_patient_and_study_come_back_as_the_source_had_them():
    dataset = read(build([ON_A_SLICE])[0])
    assert str(dataset.PatientName) == "Ødegård^Åse Ærlig"
    assert dataset.PatientID == "13116900216"
    assert dataset.IssuerOfPatientID == "NO-FNR"
    assert dataset.StudyInstanceUID == STUDY.study_instance_uid
    assert dataset.AccessionNumber == "ACC-1"
    assert str(dataset.ReferringPhysicianName) == "Grønås^Bjørn"
    request = dataset.ReferencedRequestSequence[0]
    assert request.RequestedProcedureID == "RP-1"
    assert request.RequestedProcedureCodeSequence[0].CodeValue == "SAA0AD"


def test_names_in_japanese_keep_their_three_groups():
    name = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    dataset = read(build([ABSENT], study=replace(STUDY, patient_name=name))[0])
    assert str(dataset.PatientName) == name
    assert dataset.PatientName.ideographic == "山田^太郎"


def test_a_source_without_type_2_attributes_gives_empty_ones():
    dataset = read(build([ABSENT], study=BARE_STUDY)[0])
    for keyword in ("PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID"):
        assert keyword in dataset
        assert not dataset[keyword].value
    assert dataset.PatientName == "REMOVED"
    assert "ReferencedRequestSequence" not in dataset


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_values_that_break_the_rules_of_their_vr_come_back_unchanged():
    odd = replace(
        STUDY, patient_birth_date="1969.11.13", patient_sex="W", study_id="ABCDEFGHIJKLMNOPQRSTU",
        patient_name="No caret at all", accession_number="X" * 20, study_time="8:15",
    )  # fmt: skip
    dataset = read(build([ABSENT], study=odd)[0])
    assert dataset.PatientBirthDate == "1969.11.13"
    assert dataset.PatientSex == "W"
    assert dataset.StudyID == "ABCDEFGHIJKLMNOPQRSTU"
    assert dataset.AccessionNumber == "X" * 20
    assert dataset.StudyTime == "8:15"


def test_findings_with_and_without_a_place_go_into_reports_of_their_own():
    reports = build(MANY, objects=[segmentation("ICH-2")])
    assert templates(reports) == [{"1410"}, {"1411"}, {"1501"}]
    assert len({report.sop_instance_uid for report in reports}) == 3
    assert len({report.series_instance_uid for report in reports}) == 1
    assert [read(report).InstanceNumber for report in reports] == [1, 2, 3]


def test_a_finding_says_what_was_found_where_and_how_surely():
    group = groups(read(build([ON_A_SLICE])[0]))[0]
    assert answer(group, "Finding") == ("1386000", "SCT")
    assert answer(group, "Has interpretation") == ("52101004", "SCT")
    assert answer(group, "Priority") == ("49499008", "SCT")
    assert answer(group, "Finding Site") == ("12738006", "SCT")
    assert answer(items(group, "Finding Site")[0], "Laterality") == ("7771000", "SCT")
    certainty = items(group, "Certainty of Finding")[0].MeasuredValueSequence[0]
    assert certainty.NumericValue == 97
    assert certainty.MeasurementUnitsCodeSequence[0].CodeValue == "%"
    volume = items(group, "Volume")[0].MeasuredValueSequence[0]
    assert volume.NumericValue == 12.3
    assert volume.MeasurementUnitsCodeSequence[0].CodingSchemeDesignator == "UCUM"


@pytest.mark.parametrize(
    ("status", "code"),
    [("present", "52101004"), ("absent", "2667000"), ("indeterminate", "82334004")],
)
def test_the_answer_is_coded(status, code):
    group = groups(read(build([replace(ABSENT, status=status)])[0]))[0]
    assert answer(group, "Has interpretation") == (code, "SCT")


def test_nothing_found_is_a_report_too():
    (report,) = build([])
    (group,) = groups(read(report))
    assert answer(group, "Finding") == ("404684003", "SCT")
    assert answer(group, "Has interpretation") == ("2667000", "SCT")
    assert report.title == "AI: ICH Triage 1.0.0, whole study"


def test_every_group_is_tracked_by_a_uid_that_follows_from_workitem_and_identifier():
    for report in build(MANY):
        for group in groups(read(report)):
            tracking_id = items(group, "Tracking Identifier")[0].TextValue
            tracking_uid = items(group, "Tracking Unique Identifier")[0].UID
            assert tracking_uid == uid_for("2.25.77", "tracking", tracking_id)


def test_findings_without_an_identifier_are_still_told_apart():
    nameless = replace(ABSENT, tracking_id=None)
    found = groups(read(build([nameless, nameless])[0]))
    assert len({items(group, "Tracking Unique Identifier")[0].UID for group in found}) == 2


def test_a_lesion_on_three_slices_is_tracked_as_one_and_measured_once():
    found = groups(read(build([MANY[0]])[0]))
    assert len(found) == 3
    assert len({items(group, "Tracking Unique Identifier")[0].UID for group in found}) == 1
    assert [len(items(group, "Volume")) for group in found] == [1, 0, 0]
    assert [len(items(group, "Certainty of Finding")) for group in found] == [1, 0, 0]
    assert {answer(group, "Has interpretation") for group in found} == {("52101004", "SCT")}


def test_a_region_is_a_closed_line_on_the_image_it_names():
    region = items(groups(read(build([ON_A_SLICE])[0]))[0], "Image Region")[0]
    assert region.GraphicType == "POLYLINE"
    closed = [value for point in (*SQUARE, SQUARE[0]) for value in point]
    assert list(region.GraphicData) == closed
    image = region.ContentSequence[0].ReferencedSOPSequence[0]
    assert image.ReferencedSOPInstanceUID == INSTANCES[10].sop_instance_uid
    assert "ReferencedFrameNumber" not in image


def test_a_region_on_one_frame_of_many_names_the_frame():
    enhanced = InstanceReference("1.2.840.10008.5.1.4.1.1.2.1", "1.2.3.1", "1.2.3", 40)
    finding = replace(BLEEDING, regions=(Region("1.2.3.1", 7, ((10.5, 20.5),)),))
    region = items(groups(read(build([finding], instances=[enhanced])[0]))[0], "Image Region")[0]
    assert region.GraphicType == "POINT"
    assert region.ContentSequence[0].ReferencedSOPSequence[0].ReferencedFrameNumber == 7


@pytest.mark.parametrize(
    "sop_class_uid",
    ["1.2.840.10008.5.1.4.1.1.6", "1.2.276.0.99999.1", VLWholeSlideMicroscopyImageStorage],
    ids=["retired", "private", "tiled"],
)
def test_a_region_may_lie_on_an_image_of_any_class(sop_class_uid):
    image = InstanceReference(sop_class_uid, "1.2.3.1", "1.2.3")
    finding = replace(BLEEDING, regions=(Region("1.2.3.1", 1, SQUARE),))
    region = items(groups(read(build([finding], instances=[image])[0]))[0], "Image Region")[0]
    assert region.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPClassUID == sop_class_uid


def test_a_segment_with_the_findings_identifier_is_its_place_and_names_it():
    (report,) = build([BLEEDING], objects=[segmentation()])
    (group,) = groups(read(report))
    reference = items(group, "Referenced Segment")[0].ReferencedSOPSequence[0]
    assert reference.ReferencedSOPInstanceUID == "2.25.101"
    assert reference.ReferencedSegmentNumber == 1
    assert items(group, "Tracking Unique Identifier")[0].UID == "2.25.4711"
    assert len(items(group, "Volume")) == 1


def test_a_segment_of_something_else_is_evidence_only():
    (report,) = build([BLEEDING], objects=[segmentation("OTHER")])
    assert templates([report]) == [{"1501"}]
    assert "2.25.101" in str(read(report).CurrentRequestedProcedureEvidenceSequence)


def test_the_evidence_lists_every_analysed_instance_once_by_series():
    other = [InstanceReference(CT, f"1.2.9.{number}", "1.2.9") for number in (1, 2)]
    evidence = read(build([ON_A_SLICE], instances=[*INSTANCES, *other, other[0]])[0])
    (study,) = evidence.CurrentRequestedProcedureEvidenceSequence
    assert study.StudyInstanceUID == STUDY.study_instance_uid
    first, second = study.ReferencedSeriesSequence
    assert (first.SeriesInstanceUID, second.SeriesInstanceUID) == (SERIES, "1.2.9")
    named = [item.ReferencedSOPInstanceUID for item in first.ReferencedSOPSequence]
    assert named == [instance.sop_instance_uid for instance in INSTANCES]
    assert {item.ReferencedSOPClassUID for item in first.ReferencedSOPSequence} == {CT}
    assert len(second.ReferencedSOPSequence) == 2


@pytest.mark.parametrize(
    ("sop_class_uid", "code"),
    [
        (CT, "25045-6"),
        ("1.2.840.10008.5.1.4.1.1.2.1", "25045-6"),
        ("1.2.840.10008.5.1.4.1.1.4", "25056-3"),
        ("1.2.840.10008.5.1.4.1.1.20", "49118-3"),
        ("1.2.840.10008.5.1.4.1.1.128", "44136-0"),
        ("1.2.840.10008.5.1.4.1.1.1.1", "363679005"),
    ],
)
def test_the_procedure_reported_is_one_of_the_five_that_validators_know(sop_class_uid, code):
    dataset = read(build([ABSENT], instances=[InstanceReference(sop_class_uid, "1.2.1", "1.2")])[0])
    (procedure,) = items(dataset, "Procedure reported")
    assert procedure.ConceptCodeSequence[0].CodeValue == code


def test_four_views_are_named_in_the_group_and_three_hundred_slices_are_not():
    few = groups(read(build([ABSENT], instances=INSTANCES[:4])[0]))[0]
    assert len(items(few, "Source of Measurement")) == 4
    assert not items(groups(read(build([ABSENT])[0]))[0], "Source of Measurement")


def test_the_observer_is_a_device_with_one_uid_for_each_version():
    dataset = read(build([ABSENT])[0])
    assert items(dataset, "Observer Type")[0].ConceptCodeSequence[0].CodeMeaning == "Device"
    assert not items(dataset, "Person Observer Name")
    newer = build_reports(
        STUDY, instances=INSTANCES, findings=[ABSENT], document=DOCUMENT,
        algorithm=replace(ALGORITHM, version="1.0.1"),
    )  # fmt: skip
    uids = {items(read(r), "Device Observer UID")[0].UID for r in (*build([]), *newer)}
    assert len(uids) == 2
    equipment = dataset.ContributingEquipmentSequence[0]
    assert equipment.SoftwareVersions == "1.0.0"
    assert equipment.UDISequence[0].UniqueDeviceIdentifier == "(01)09506000134352"


def test_writing_twice_gives_the_same_bytes():
    first = build(MANY, objects=[segmentation("ICH-2")])
    time.sleep(1.1)
    assert build(MANY, objects=[segmentation("ICH-2")]) == first


def test_another_workitem_gets_other_names():
    rerun = replace(DOCUMENT, workitem_uid="2.25.78")
    ours, theirs = build([ABSENT])[0], build([ABSENT], document=rerun)[0]
    assert ours.sop_instance_uid != theirs.sop_instance_uid
    assert ours.series_instance_uid != theirs.series_instance_uid


def test_a_superseding_report_names_what_it_replaces():
    old = build([ABSENT])[0]
    earlier = InstanceReference(old.sop_class_uid, old.sop_instance_uid, old.series_instance_uid)
    document = replace(DOCUMENT, workitem_uid="2.25.78", predecessors=(earlier,))
    (item,) = read(build([ON_A_SLICE], document=document)[0]).PredecessorDocumentsSequence
    (series,) = item.ReferencedSeriesSequence
    assert item.StudyInstanceUID == STUDY.study_instance_uid
    assert series.SeriesInstanceUID == old.series_instance_uid
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == old.sop_instance_uid
    assert "PredecessorDocumentsSequence" not in read(old)


@pytest.mark.parametrize(
    ("language", "present"),
    [("nb-NO", "Til stede"), ("da-DK", "Til stede"), ("en-US", "Present")],
)
def test_the_answer_is_in_the_language_of_the_report(language, present):
    dataset = read(build([ON_A_SLICE], document=replace(DOCUMENT, language=language))[0])
    said = items(dataset, "Language of Content Item and Descendants")[0].ConceptCodeSequence[0]
    assert (said.CodeValue, said.CodingSchemeDesignator) == (language, "RFC5646")
    value = items(groups(dataset)[0], "Has interpretation")[0].ConceptCodeSequence[0]
    assert value.CodeMeaning == present


def test_long_meanings_and_code_values_are_carried_as_far_as_dicom_can():
    code = Code("123456789012345678901", "99EXAMPLE", "A very long meaning " * 5)
    group = groups(read(build([replace(ABSENT, code=code)])[0]))[0]
    found = items(group, "Finding")[0].ConceptCodeSequence[0]
    assert found.LongCodeValue == code.value
    assert found.CodeMeaning == code.meaning[:64].strip()


@pytest.mark.parametrize(
    ("finding", "why"),
    [
        (replace(BLEEDING, regions=(Region("1.2.3", 1, SQUARE),)), "1.2.3, which was not analysed"),
        (replace(ON_A_SLICE, regions=(Region(f"{SERIES}.1", 1, SQUARE[:2]),)), "2 points"),
        (replace(ABSENT, probability=1.2), "not in 0..1"),
        (replace(ABSENT, measurements=(Measurement(BLEEDING.code, float("nan"), "1"),)), "nan"),
    ],
)
def test_what_cannot_be_said_is_refused_by_name(finding, why):
    with pytest.raises(ContentNotExpressible, match=why) as refused:
        build([finding])
    assert "ICH-1" in str(refused.value)


def test_a_report_on_no_instances_or_at_no_certain_time_is_refused():
    with pytest.raises(ContentNotExpressible, match="at least one analysed instance"):
        build([], instances=[])
    with pytest.raises(ValueError, match="aware"):
        build([], document=replace(DOCUMENT, created_at=datetime(2026, 4, 1)))  # noqa: DTZ001


def test_naming_the_content_does_not_load_highdicom():
    code = (
        "import sys, hub.dicom.sr; sys.exit('highdicom' in sys.modules or 'pydicom' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

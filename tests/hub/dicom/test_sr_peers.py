"""What validators and readers written by others make of the hub's reports."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest

from hub.dicom.sr import InstanceReference, Report, build_reports
from tests.hub.dicom.peers import dciodvfy_errors, missing, pixelmed_judgements, program, run
from tests.hub.dicom.sr_cases import (
    ABSENT,
    ALGORITHM,
    BARE_STUDY,
    BLEEDING,
    DOCUMENT,
    HEAD_CT,
    INSTANCES,
    MANY,
    ON_A_SLICE,
    STUDY,
    head_ct,
    outlined,
    segmentation,
)

pytestmark = pytest.mark.peer
NORWEGIAN = replace(DOCUMENT, language="nb-NO")
DANISH = replace(DOCUMENT, language="da-DK", workitem_uid="2.25.78")


def reports(findings, study=STUDY, instances=INSTANCES, document=DOCUMENT, objects=()):
    return build_reports(
        study, instances=instances, findings=findings, algorithm=ALGORITHM,
        document=document, referenced_objects=objects,
    )  # fmt: skip


def superseding() -> list[Report]:
    (old,) = reports([ABSENT])
    earlier = InstanceReference(old.sop_class_uid, old.sop_instance_uid, old.series_instance_uid)
    return reports([ON_A_SLICE], document=replace(DANISH, predecessors=(earlier,)))


def on_the_head_ct() -> list[Report]:
    study, instances = head_ct()
    finding = outlined(BLEEDING, *(instance.sop_instance_uid for instance in instances[9:12]))
    return reports([finding, ABSENT], study=study, instances=instances, document=NORWEGIAN)


CASES = {
    "positive_with_region": lambda: reports([ON_A_SLICE]),
    "positive_without_region": lambda: reports([BLEEDING]),
    "side_without_site": lambda: reports([replace(BLEEDING, site=None, laterality="left")]),
    "absent": lambda: reports([ABSENT], document=NORWEGIAN),
    "no_findings": lambda: reports([], study=BARE_STUDY, instances=INSTANCES[:4]),
    "multi_finding": lambda: reports(MANY, document=NORWEGIAN),
    "with_seg": lambda: reports([BLEEDING], objects=[segmentation()]),
    "region_and_seg": lambda: reports([ON_A_SLICE], objects=[segmentation()]),
    "superseding": superseding,
    "head_ct": on_the_head_ct,
}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Give the files of every case, by case."""
    folder = tmp_path_factory.mktemp("reports")
    files = {}
    for case, build in CASES.items():
        if case == "head_ct" and not HEAD_CT.exists():
            continue
        files[case] = []
        for number, report in enumerate(build(), start=1):
            path = folder / f"{case}-{number}.dcm"
            path.write_bytes(report.dataset_bytes)
            files[case].append(path)
    return files


@pytest.fixture(scope="module")
def broken(written):
    """Give a report without a type 1 attribute and with a local code for the procedure."""
    dataset = pydicom.dcmread(written["positive_with_region"][0])
    del dataset.CompletionFlag
    for item in dataset.ContentSequence:
        if item.ConceptNameCodeSequence[0].CodeMeaning == "Procedure reported":
            item.ConceptCodeSequence[0].CodeValue = "SAA0AD"
    path = written["positive_with_region"][0].with_name("broken.dcm")
    dataset.save_as(path)
    return path


@pytest.fixture(scope="module")
def judgements(written, broken, tmp_path_factory):
    paths = [broken, *(path for files in written.values() for path in files)]
    return pixelmed_judgements(paths, tmp_path_factory.mktemp("pixelmed"))


@pytest.fixture(params=CASES)
def files(request, written):
    if request.param not in written:
        missing("the head CT of the corpus")
    return written[request.param]


def test_dciodvfy_finds_no_error(files):
    assert {path.name: dciodvfy_errors(path) for path in files} == {path.name: [] for path in files}


def test_pixelmed_finds_no_error_in_the_template(files, judgements):
    for path in files:
        said = judgements[path.name]
        assert "Found Comprehensive3DSR IOD" in said
        assert "Found Root Template TID_1500" in said
        assert "IOD validation complete" in said
        assert not [line for line in said.splitlines() if line.startswith("Error")], said


def test_dsrdump_finds_the_relationships_in_order(files):
    for path in files:
        read = run(program("dsrdump"), path)
        assert read.returncode == 0, read.stderr
        assert "Invalid" not in read.stderr


def read_back(path):
    output = path.with_suffix(".json")
    said = run(program("tid1500reader"), "--inputDICOM", path, "--outputMetadata", output)
    assert said.returncode == 0, said.stdout + said.stderr
    return json.loads(output.read_text())


def answers(group):
    return {
        evaluation["conceptCode"]["CodeValue"]: evaluation["conceptValue"]["CodeValue"]
        for evaluation in group["qualitativeEvaluations"]
        if isinstance(evaluation["conceptValue"], dict)
    }


@pytest.mark.parametrize(
    ("case", "tracking_ids", "finding", "said"),
    [
        ("positive_with_region", ["ICH-1"], "1386000", "52101004"),
        ("positive_without_region", ["ICH-1"], "1386000", "52101004"),
        ("absent", ["ICH-1"], "1386000", "2667000"),
        ("no_findings", ["no-findings"], "404684003", "2667000"),
        ("multi_finding", ["ICH-1"] * 3 + ["ICH-2"], "1386000", "52101004"),
        ("with_seg", ["ICH-1"], "1386000", "52101004"),
        ("head_ct", ["ICH-1"] * 3, "1386000", "52101004"),
    ],
)
def test_dcmqi_reads_the_findings_back(written, case, tracking_ids, finding, said):
    if case not in written:
        missing("the head CT of the corpus")
    groups = read_back(written[case][0])["Measurements"]
    assert [group["TrackingIdentifier"] for group in groups] == tracking_ids
    assert {group["Finding"]["CodeValue"] for group in groups} == {finding}
    assert {answers(group)["363713009"] for group in groups} == {said}


def test_dcmqi_reads_certainty_volume_and_site_back(written):
    (group,) = read_back(written["positive_with_region"][0])["Measurements"]
    values = {
        item["quantity"]["CodeValue"]: (float(item["value"]), item["units"]["CodeValue"])
        for item in group["measurementItems"]
    }
    assert values == {"111012": (97.0, "%"), "118565006": (12.3, "mL")}
    assert group["FindingSite"]["CodeValue"] == "12738006"
    assert group["Laterality"]["CodeValue"] == "7771000"


def test_dcmqi_finds_the_segment_and_its_tracking_uid(written):
    (group,) = read_back(written["with_seg"][0])["Measurements"]
    assert group["segmentationSOPInstanceUID"] == "2.25.101"
    assert group["ReferencedSegment"] == 1
    assert group["TrackingUniqueIdentifier"] == "2.25.4711"


def test_the_validators_do_object_to_a_broken_report(broken, judgements):
    """Guards the gates above: a validator that objects to nothing proves nothing."""
    assert dciodvfy_errors(broken)
    said = judgements["broken.dcm"].splitlines()
    assert [line for line in said if line.startswith("Error")]


GOLDEN = Path(__file__).parents[2] / "golden" / "sr"


@pytest.mark.parametrize("name", ["positive", "negative"])
def test_the_text_of_a_report_is_as_reviewed(name, tmp_path):
    """Regenerate with HUB_UPDATE_GOLDEN=1 and review the diff."""
    findings = {"positive": [ON_A_SLICE], "negative": []}[name]
    path = tmp_path / "report.dcm"
    path.write_bytes(reports(findings, instances=INSTANCES[:28])[0].dataset_bytes)
    text = run(program("dsrdump"), "+Pl", "+Pu", "+Pc", "+Pt", path).stdout
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("HUB_UPDATE_GOLDEN"):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(text)
    assert text == golden.read_text()

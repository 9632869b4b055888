"""What an algorithm says it found is read whole or refused with every reason."""

import contextlib
import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vendors.findings import Findings, FindingsInvalid

ICH = {"value": "1386000", "scheme": "SCT", "meaning": "Intracranial hemorrhage"}
SQUARE = [[1, 1], [4, 1], [4, 4], [1, 4]]


def findings(**changes):
    one = {"code": ICH, "status": "present", "probability": 0.97} | changes
    return {"schema": "hub.findings/1", "outcome": "complete", "findings": [one]}


def problems_of(data):
    with pytest.raises(FindingsInvalid) as caught:
        Findings.from_json(data)
    return caught.value.problems


def test_the_shared_example_is_read_whole():
    path = Path(__file__).parents[3] / "shared/examples/findings.json"
    if not path.exists():
        pytest.skip("the shared examples are not here")
    (finding,) = Findings.from_bytes(path.read_bytes()).findings
    assert (finding.status, finding.urgency, finding.tracking_id) == ("present", "stat", "ICH-1")
    assert finding.measurements[0].unit == "mL"
    assert finding.regions[0].polygon[1] == (250.0, 180.0)


def test_a_study_that_was_not_analysed_says_why_and_states_nothing():
    data = {"schema": "hub.findings/1", "outcome": "not_analysed", "reason": "no brain"}
    assert Findings.from_json(data).reason == "no brain"
    assert problems_of(data | {"findings": findings()["findings"]})
    del data["reason"]
    assert problems_of(data) == ("reason: expected why it was not analysed, got nothing",)


def test_a_complete_result_without_findings_is_refused():
    data = {"schema": "hub.findings/1", "outcome": "complete"}
    assert problems_of(data) == ("findings: expected a list of findings, got nothing",)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"probability": 1.2}, "findings[0].probability"),
        ({"probability": "0.9"}, "findings[0].probability"),
        ({"status": "maybe"}, "findings[0].status"),
        ({"urgency": "now"}, "findings[0].urgency"),
        ({"laterality": "L"}, "findings[0].laterality"),
        ({"code": {"value": "1"}}, "findings[0].code.scheme"),
        ({"regions": [{"sop_instance_uid": "x", "polygon": SQUARE}]},
         "findings[0].regions[0].sop_instance_uid"),
        ({"regions": [{"sop_instance_uid": "1.2", "polygon": SQUARE[:2]}]},
         "findings[0].regions[0].polygon"),
        ({"regions": [{"sop_instance_uid": "1.2", "polygon": SQUARE, "frame": 0}]},
         "findings[0].regions[0].frame"),
        ({"colour": "red"}, "findings[0].colour"),
    ],
)  # fmt: skip
def test_a_finding_out_of_shape_is_refused_with_its_path(changes, path):
    problems = problems_of(findings(**changes))
    assert any(problem.startswith(f"{path}: expected") for problem in problems)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_none_is_refused(number):
    raw = json.dumps(findings()).replace("0.97", number).encode()
    with pytest.raises(FindingsInvalid):
        Findings.from_bytes(raw)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"measurements": [{"code": ICH, "value": 10**400, "unit": "mL"}]},
         "findings[0].measurements[0].value: expected a finite number"),
        ({"regions": [{"sop_instance_uid": "1.2", "polygon": [*SQUARE, [10**400, 1]]}]},
         "findings[0].regions[0].polygon[4][0]: expected a finite number"),
        ({"tracking_id": "a\0b"}, "findings[0].tracking_id: expected a text of one line"),
        ({"tracking_id": "a\ud800b"}, "findings[0].tracking_id: expected a text of one line"),
        ({"code": ICH | {"meaning": "Bleeding\rOBX|2"}},
         "findings[0].code.meaning: expected a text of one line"),
        ({"code": ICH | {"meaning": "Present\\Absent"}},
         "findings[0].code.meaning: expected a text without backslashes"),
        ({"code": ICH | {"value": "  "}}, "findings[0].code.value: expected a text, not blanks"),
    ],
)  # fmt: skip
def test_what_neither_dicom_nor_a_database_takes_is_refused_with_its_path(changes, path):
    (problem,) = problems_of(json.loads(json.dumps(findings(**changes))))
    assert problem.startswith(path)


def test_more_findings_than_may_be_are_told_by_their_number():
    data = findings() | {"findings": findings()["findings"] * 1001}
    expected = "findings: expected a list of at most 1000, got a list of 1001"
    assert problems_of(data) == (expected,)


@pytest.mark.parametrize(
    "stated",
    [
        [{"a": 1}] * 100_000,
        [{"code": 1, "status": "present",
          "regions": [{"sop_instance_uid": "x", "polygon": [["a", "b"]] * 9000}] * 5}] * 4,
        [{"code": ICH, "status": "present",
          "regions": [{"sop_instance_uid": "1.2", "polygon": SQUARE * 2500}] * 6}] * 4,
    ],
)  # fmt: skip
def test_a_file_of_the_largest_size_takes_a_worker_no_longer_than_a_small_one(stated):
    raw = json.dumps(findings() | {"findings": stated}).encode()
    began = time.process_time()
    with contextlib.suppress(FindingsInvalid):
        Findings.from_bytes(raw)
    assert time.process_time() - began < 3


def test_an_outline_that_is_out_of_shape_far_behind_is_refused_with_its_path():
    region = {"sop_instance_uid": "1.2", "polygon": [*SQUARE * 100, [1, -1]]}
    (problem,) = problems_of(findings(regions=[region]))
    assert problem.startswith("findings[0].regions[0].polygon[400][1]: expected")


def test_a_probability_that_is_not_a_number_is_refused_however_it_came():
    assert problems_of(findings(probability=float("nan")))


def test_two_findings_under_one_tracking_id_are_refused():
    data = findings(tracking_id="ICH-1")
    data["findings"] *= 2
    (problem,) = problems_of(data)
    assert problem.startswith("findings[1].tracking_id")


@given(st.binary(max_size=200))
def test_any_bytes_are_findings_or_refused_and_never_a_crash(raw):
    with pytest.raises(FindingsInvalid):
        Findings.from_bytes(raw)

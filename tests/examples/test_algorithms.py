"""The example algorithms look at the pixels: they find what is there, and nothing else."""

import importlib
import json
import random
import time
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from scipy.ndimage import binary_fill_holes

from demo.phantoms import Patient, Shape, make_study
from examples.algorithms.contract import BadInputError, UnfitError, read_study
from examples.algorithms.images import outline, read_stack
from tests.examples.inputs import lay_out
from tests.vendors.runs import make_run, wait_for
from vendors.findings import Findings
from vendors.manifest import Manifest
from vendors.performers.base import performer_for

ROOT = Path(__file__).parents[2]
HEAD = ROOT.parent / "shared/corpus/dicom/neurolabusc_dcm_qa_ct/In/GE"
PATIENT = Patient("1", "Prøve^Åse", date(1972, 1, 1), "F")
PAIRS = [
    ("head_ct_bleed", "head_ct"),
    ("fracture_xray", "hand_dx"),
    ("chest_xray", "chest_dx"),
    ("chest_xray", "chest_cr"),
    ("mr_brain_lesion", "brain_mr"),
]


def analysed(algorithm, folder):
    """The findings of one run, held against the schema as the hub does."""
    module = importlib.import_module(f"examples.algorithms.{algorithm}")
    findings = module.analyse(read_study(folder))
    whole = {"schema": "hub.findings/1", "outcome": "complete", "findings": findings}
    return Findings.from_json(json.loads(json.dumps(whole))).findings


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("is_abnormal", [False, True])
@pytest.mark.parametrize(("algorithm", "kind"), PAIRS)
def test_exactly_the_abnormal_study_is_found(tmp_path, algorithm, kind, is_abnormal, seed):
    study = make_study(kind, patient=PATIENT, rng_seed=seed, shape=Shape(is_abnormal))
    (finding,) = analysed(algorithm, lay_out(tmp_path, study))
    assert finding.status == ("present" if is_abnormal else "absent")
    assert (finding.probability >= 0.5) is is_abnormal
    if not is_abnormal:
        return
    uids = {dataset.SOPInstanceUID: dataset for dataset in study}
    assert finding.regions
    for region in finding.regions:
        rows, columns = uids[region.sop_instance_uid].Rows, uids[region.sop_instance_uid].Columns
        assert all(0 <= x <= columns and 0 <= y <= rows for x, y in region.polygon)


def test_the_outlines_of_a_bleed_hold_the_blood_of_their_own_image(tmp_path):
    study = make_study("head_ct", patient=PATIENT, rng_seed=5, shape=Shape(True, slices=40))
    random.Random(1).shuffle(study)
    (finding,) = analysed("head_ct_bleed", lay_out(tmp_path, study))
    by_uid = {dataset.SOPInstanceUID: dataset for dataset in study}
    for region in finding.regions:
        pixels = by_uid[region.sop_instance_uid].pixel_array - 1024.0
        columns, rows = np.array(region.polygon).T
        inside = pixels[int(rows.min()) : int(rows.max()), int(columns.min()) : int(columns.max())]
        assert 50 < np.median(inside) < 90
    assert len(finding.regions) >= 6


def test_the_volume_of_a_bleed_is_the_same_whatever_the_slices(tmp_path):
    volumes = []
    for slices, size in ((28, 256), (56, 256), (28, 512)):
        shape = Shape(True, slices=slices, size=size)
        study = make_study("head_ct", patient=PATIENT, rng_seed=2, shape=shape)
        folder = tmp_path / f"{slices}-{size}"
        (finding,) = analysed("head_ct_bleed", lay_out(folder, study))
        volumes.append(finding.measurements[0].value)
    assert max(volumes) < 1.2 * min(volumes)


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [("head_ct_bleed", "abdomen_ct"), ("head_ct_bleed", "brain_mr"), ("mr_brain_lesion", "knee_mr"),
     ("fracture_xray", "chest_dx"), ("chest_xray", "hand_dx"), ("chest_xray", "abdomen_us")],
)  # fmt: skip
def test_a_study_of_another_kind_is_not_analysed(tmp_path, algorithm, kind):
    study = make_study(kind, patient=PATIENT, shape=Shape(is_abnormal=True))
    with pytest.raises(UnfitError):
        analysed(algorithm, lay_out(tmp_path, study))


def test_a_head_without_its_label_is_known_by_its_skull(tmp_path):
    study = make_study("abdomen_ct", patient=PATIENT)
    for dataset in study:
        dataset.BodyPartExamined = ""
    with pytest.raises(UnfitError, match="no brain inside a skull"):
        analysed("head_ct_bleed", lay_out(tmp_path, study))


def test_too_few_slices_are_not_analysed(tmp_path):
    study = make_study("head_ct", patient=PATIENT)[:9]
    with pytest.raises(UnfitError, match="fewer than 10"):
        analysed("head_ct_bleed", lay_out(tmp_path, study))


def real_head(folder):
    if not HEAD.exists():
        pytest.skip("the corpus is not here")
    return lay_out(folder, [dcmread(path) for path in sorted(HEAD.glob("*.dcm"))])


def test_a_real_head_without_blood_is_analysed_and_none_is_found(tmp_path):
    (finding,) = analysed("head_ct_bleed", real_head(tmp_path))
    assert finding.status == "absent"
    assert 0 <= finding.probability < 0.5


def test_blood_put_into_the_real_head_is_found_on_its_side(tmp_path):
    folder = real_head(tmp_path)
    row, column = np.ogrid[:512, :512]
    for path in folder.glob("dicom/*/*.dcm"):
        dataset = dcmread(path)
        if 17 <= dataset.InstanceNumber <= 20:
            pixels = dataset.pixel_array.copy()
            pixels[(row - 240) ** 2 + (column - 190) ** 2 < 25**2] = 68
            dataset.PixelData = pixels.tobytes()
            dataset.save_as(path)
    (finding,) = analysed("head_ct_bleed", folder)
    assert (finding.status, finding.laterality, finding.urgency) == ("present", "right", "stat")
    # four slices 7.38 mm apart, 6.94 of it along the normal of the tilted gantry
    assert finding.measurements[0].value == pytest.approx(13.0, rel=0.15)


def test_the_gap_between_tilted_slices_is_measured_along_their_normal(tmp_path):
    stack = read_stack(read_study(real_head(tmp_path)).largest("CT"), at_least=10, pixel_mm=1.0)
    gaps = np.diff(stack.heights)
    assert gaps.max() == pytest.approx(7.38 * np.cos(np.radians(18.5)), abs=0.05)
    assert gaps.min() < 2


def test_a_dark_film_is_read_like_a_bright_one(tmp_path):
    study = make_study("chest_dx", patient=PATIENT, shape=Shape(is_abnormal=True))
    study[0].PhotometricInterpretation = "MONOCHROME1"
    study[0].PixelData = (4095 - study[0].pixel_array).astype("<u2").tobytes()
    (finding,) = analysed("chest_xray", lay_out(tmp_path, study))
    assert finding.status == "present"


def test_the_side_of_a_pneumothorax_follows_the_orientation_of_the_film(tmp_path):
    study = make_study("chest_dx", patient=PATIENT, shape=Shape(is_abnormal=True))
    (finding,) = analysed("chest_xray", lay_out(tmp_path / "a", study))
    study[0].PatientOrientation = ["R", "F"]
    (turned,) = analysed("chest_xray", lay_out(tmp_path / "b", study))
    study[0].PatientOrientation = ""
    (untold,) = analysed("chest_xray", lay_out(tmp_path / "c", study))
    assert {finding.laterality, turned.laterality} == {"left", "right"}
    assert untold.laterality is None


@pytest.mark.parametrize("seed", range(20))
def test_an_outline_encloses_exactly_its_area(seed):
    rng = np.random.default_rng(seed)
    area = np.zeros((12, 12), bool)
    row, column = 6, 6
    for _ in range(60):
        area[row, column] = True
        step = rng.integers(-1, 2)
        row, column = (row + step, column) if rng.integers(2) else (row, column + step)
        row, column = int(np.clip(row, 0, 11)), int(np.clip(column, 0, 11))
    corners = outline(area)
    xs, ys = np.array(corners, float).T
    enclosed = (xs * np.roll(ys, -1) - ys * np.roll(xs, -1)).sum() / 2
    # a hole that meets the outside in a corner is part of the outside
    assert enclosed == binary_fill_holes(area, np.ones((3, 3))).sum()


def manifest_of(name):
    path = ROOT / f"examples/algorithms/manifests/{name}-1.0.0.json"
    return Manifest.from_json(json.loads(path.read_text()))


@pytest.mark.parametrize(
    ("name", "kind"),
    [("head-ct-bleed", "head_ct"), ("fracture-xray", "hand_dx"), ("chest-xray", "chest_cr"),
     ("mr-brain-lesion", "brain_mr")],
)  # fmt: skip
def test_each_manifest_runs_as_a_process_and_keeps_its_promise(tmp_path, name, kind):
    manifest = manifest_of(name)
    performer = performer_for("process", {"process": {"is_allowed": True, "program_dir": ROOT}})
    run = make_run(tmp_path, "wi-1", manifest.performer.command)
    study = make_study(kind, patient=PATIENT, shape=Shape(is_abnormal=True))
    lay_out(run.input_dir, study)
    assert study[0].Modality in manifest.needs.modality
    assert study[0].SOPClassUID in manifest.needs.sop_class
    assert study[0].BodyPartExamined in manifest.needs.body_part_examined
    assert len(study) >= manifest.needs.minimum_instances
    started = time.monotonic()
    performer.submit(run)
    progress = wait_for(performer, run, seconds=60)
    assert time.monotonic() - started < 20
    assert (progress.state, progress.log_tail) == ("succeeded", ())
    findings = Findings.from_bytes((run.output_dir / "findings.json").read_bytes())
    promised = manifest.returns.findings[0]
    assert findings.findings[0].code == promised.code
    assert findings.findings[0].urgency == promised.urgency_when_present
    performer.cleanup(run)


def test_unfit_input_ends_well_with_the_reason_and_broken_input_with_64(tmp_path):
    performer = performer_for("process", {"process": {"is_allowed": True, "program_dir": ROOT}})
    command = manifest_of("head-ct-bleed").performer.command
    unfit = make_run(tmp_path / "unfit", "wi-1", command)
    lay_out(unfit.input_dir, make_study("brain_mr", patient=PATIENT, shape=Shape(slices=2)))
    broken = make_run(tmp_path / "broken", "wi-2", command)
    lay_out(broken.input_dir, make_study("head_ct", patient=PATIENT, shape=Shape(slices=12)))
    next(broken.input_dir.glob("dicom/*/*.dcm")).write_bytes(b"not DICOM")
    for run in (unfit, broken):
        performer.submit(run)
    assert wait_for(performer, unfit).exit_code == 0
    findings = Findings.from_bytes((unfit.output_dir / "findings.json").read_bytes())
    assert (findings.outcome, findings.findings) == ("not_analysed", ())
    assert "no series of modality CT" in findings.reason
    progress = wait_for(performer, broken)
    assert (progress.exit_code, progress.is_retryable) == (64, False)
    assert list(broken.output_dir.iterdir()) == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "hub.study/2"}'])
def test_a_study_json_out_of_shape_is_bad_input(tmp_path, text):
    (tmp_path / "study.json").write_text(text)
    with pytest.raises(BadInputError):
        read_study(tmp_path)

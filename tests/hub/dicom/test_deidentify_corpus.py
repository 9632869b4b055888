"""Real files of many makers, and the standard's own table, against what de-identification does."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from dicomanonymizer.dicom_anonymization_databases import dicomfields_2026c as record
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian

from hub.dicom.annex_e import Action, retained
from hub.dicom.deidentify import OPTIONS, DeidentificationFailed, deidentify_file
from hub.dicom.elements import Element, NotPlain
from hub.dicom.instance_reading import read_patiently, read_plain
from tests.hub.dicom.pseudonym_cases import ct, needs_corpus, pseudonymiser, real_files, save, sent

pytestmark = pytest.mark.filterwarnings("ignore")

IDENTIFYING = (
    *("PatientID", "Accession", "Institution", "Address", "Telephone", "StudyID", "StationName"),
    *("SerialNumber", "AdmissionID", "ProcedureID", "OrderNumber", "StepID", "GantryID", "PlateID"),
)
# Said of every copy, whatever the patient is called.
SAID_OF_ALL = b"Retain Patient Characteristics Option"


def walk(dataset: Dataset) -> Iterator[tuple[int, str, bytes]]:
    """Every value with its tag and VR, as it is encoded, private ones too."""
    for tag in sorted(dataset.keys()):
        raw = dataset.get_item(tag)
        vr = raw.VR or (dictionary_VR(tag) if dictionary_has_tag(tag) else "UN")
        if vr == "SQ":
            for item in dataset[tag].value or ():
                yield from walk(item)
        elif isinstance(raw, RawDataElement) and raw.value:
            yield int(tag), vr, raw.value


def identifying_values(dataset: Dataset) -> set[bytes]:
    found: set[bytes] = set()
    for tag, vr, value in walk(dataset):
        keyword = keyword_for_tag(tag)
        if vr == "PN":
            found.update(value.replace(b"=", b"^").replace(b"\\", b"^").split(b"^"))
        elif vr in {"DA", "DT"}:
            found.update(part[:8] for part in value.split(b"\\"))
        elif vr == "UI":
            found.update(uid.strip(b"\0 ") for uid in value.split(b"\\"))
        elif vr in {"LO", "SH", "ST", "LT"} and any(name in keyword for name in IDENTIFYING):
            found.add(value)
    stripped = {value.strip(b" \0") for value in found}
    return {v for v in stripped if len(v) >= 4 and not v.startswith(b"1.2.840.10008.")}


def leaving_bytes(path: Path) -> bytes:
    """All that leaves but pixel data, which is compared bit for bit, and the constant part."""
    dataset = pydicom.dcmread(path)
    data = path.read_bytes()
    if dataset.file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian:
        data = b"\n".join(value for tag, _, value in walk(dataset) if tag < 0x7FE00000)
    for keyword in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"):
        if keyword in dataset:
            data = data.replace(dataset.get_item(keyword).value, b"")
    return data.replace(SAID_OF_ALL, b"")


def refusal_of(source: Path, target: Path) -> DeidentificationFailed | None:
    try:
        deidentify_file(source, target, pseudonymiser=pseudonymiser(), options=OPTIONS)
    except DeidentificationFailed as refusal:
        return refusal
    return None


@needs_corpus
def test_every_real_file_leaves_without_a_trace_or_is_refused_with_a_reason(
    tmp_path: Path,
) -> None:
    left, target = 0, tmp_path / "copy.dcm"
    for source in real_files():
        target.unlink(missing_ok=True)
        refusal = refusal_of(source, target)
        if refusal is not None:
            assert refusal.reason, source
            assert "unforeseen" not in refusal.reason, (source, refusal)
            assert list(tmp_path.iterdir()) == []
            continue
        left += 1
        original, copy = pydicom.dcmread(source), pydicom.dcmread(target)
        leaving = leaving_bytes(target)
        traces = [value for value in identifying_values(original) if value in leaving]
        assert traces == [], source
        for keyword in ("PixelData", "FloatPixelData", "Rows", "PixelSpacing", "SOPClassUID"):
            assert copy.get(keyword) == original.get(keyword), (source, keyword)
    assert left >= 180


@needs_corpus
def test_reading_fast_and_reading_patiently_find_the_same(tmp_path: Path) -> None:
    compared = 0
    for source in real_files():
        descriptor = os.open(source, os.O_RDONLY)
        try:
            fast = read_plain(descriptor)
        except NotPlain:
            continue
        finally:
            os.close(descriptor)
        patient = read_patiently(source)
        # What is in no data dictionary does not leave, so how it is read is all one.
        assert known(fast.elements) == known(patient.elements), source
        assert known(fast.trailing) == known(patient.trailing), source
        if fast.pixels is not None:
            data = source.read_bytes()[fast.pixels.offset :][: fast.pixels.length]
            assert data == patient.pixels.data, source
            assert fast.pixels.is_fragmented == patient.pixels.is_fragmented
        compared += 1
    assert compared >= 180


def known(elements: list[Element]) -> list[object]:
    return [
        (tag, vr, [known(item) for item in value] if isinstance(value, list) else value)
        for tag, vr, value in elements
        if dictionary_has_tag(tag)
    ]


MARKS = {
    "PN": "Skjult^Navn", "DA": "19610417", "DT": "19610417101112", "TM": "101112.5", "AS": "044Y",
    "UI": "1.3.6.1.4.1.9999.17", "CS": "SKJULT", "AE": "SKJULT", "IS": "61041", "DS": "61041.7",
    "US": 61041, "FD": 61041.7, "OB": b"Skjult", "UN": b"Skjult", "UR": "http://skjult.no",
}  # fmt: skip
LISTS = ("D", "Z", "X", "U", "Z_D", "X_Z", "X_D", "X_Z_D", "X_Z_U_STAR")


def rows() -> Iterator[int]:
    for name in LISTS:
        for row in getattr(record, f"{name}_TAGS"):
            tag = row[0] << 16 | row[1]
            if len(row) == 2 and tag >> 16 > 2 and dictionary_has_tag(tag):
                yield tag


def marked(tag: int) -> tuple[str, object]:
    vr = dictionary_VR(tag)
    vr = "OB" if vr == "OB or OW" else vr
    if vr == "SQ":
        item = Dataset()
        item.PatientName, item.TextValue = "Skjult^Navn", "Skjult"
        return vr, Sequence([item])
    return vr, MARKS.get(vr, "Skjult")


def test_nothing_the_standards_table_names_leaves_with_its_value(tmp_path: Path) -> None:
    chosen, checked = retained(), 0
    dataset, inner = ct(), Dataset()
    given = {tag: marked(tag) for tag in rows() if tag not in (0x0020000D, 0x00420011)}
    for tag, (vr, value) in given.items():
        dataset.add_new(tag, vr, value)
        inner.add_new(tag, vr, value)
    dataset.DerivationCodeSequence = Sequence([inner])
    dataset.BurnedInAnnotation = "NO"
    copy = sent(dataset, tmp_path)
    leaving = leaving_bytes(tmp_path / "1.out.dcm")
    for mark in (b"Skjult", b"SKJULT", b"skjult", b"19610417", MARKS["UI"].encode()):
        assert mark not in leaving
    kept = {Action.TERM, Action.NUMBER, Action.TIME, Action.AGE, Action.WALK}
    for level in (copy, copy.DerivationCodeSequence[0]):
        for tag, (_, value) in given.items():
            if chosen.get(tag) not in kept and tag in level and level[tag].value:
                assert level[tag].value != value, keyword_for_tag(tag)
                checked += 1
    assert checked > 200
    assert len(given) > 600


def test_the_options_override_only_what_they_say() -> None:
    overridden = {keyword_for_tag(tag) for tag in rows() if tag in retained()}
    assert {
        "PatientName",
        "PatientID",
        "PatientAge",
        "StudyDate",
        "SeriesDescription",
    } <= overridden
    assert not overridden & {
        *("PatientBirthDate", "PatientAddress", "InstitutionName", "DeviceSerialNumber"),
        *("OperatorsName", "StationName", "StudyID", "EthnicGroup", "PatientComments"),
        *("ReferringPhysicianName", "RequestAttributesSequence", "OtherPatientIDs"),
    }


@pytest.mark.peer
@needs_corpus
def test_dciodvfy_finds_no_error_that_the_original_had_not(tmp_path: Path) -> None:
    if not shutil.which("dciodvfy"):
        pytest.skip("dciodvfy is not installed")

    def errors(path: Path) -> set[str]:
        said = subprocess.run(["dciodvfy", path], capture_output=True, check=False).stderr
        return {line for line in said.decode("latin_1").splitlines() if line.startswith("Error")}

    head = next(path for path in real_files() if "neurolabusc_dcm_qa_ct/In/GE" in str(path))
    for number, source in enumerate((head, save(ct(), tmp_path / "made.dcm"))):
        target = tmp_path / f"{number}.dcm"
        deidentify_file(source, target, pseudonymiser=pseudonymiser())
        assert errors(target) <= errors(source)

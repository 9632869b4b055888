"""An algorithm that does what few do and one day one will: the first argument says which."""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

INPUT = Path(os.environ["HUB_INPUT_DIR"])
OUTPUT = Path(os.environ["HUB_OUTPUT_DIR"])
ICH = {"value": "1386000", "scheme": "SCT", "meaning": "Intracranial hemorrhage"}


def say(**changes: Any) -> None:
    """Leave findings.json with one present finding; ``changes`` to the document or the finding."""
    finding = {"code": ICH, "status": "present", "probability": 0.9}
    finding |= changes.pop("finding", {})
    document = {"schema": "hub.findings/1", "outcome": "complete", "findings": [finding]}
    (OUTPUT / "findings.json").write_text(json.dumps(document | changes))


def not_analysed() -> int:
    say(outcome="not_analysed", reason="motion artefacts", findings=[])
    return 0


def garbage() -> int:
    (OUTPUT / "findings.json").write_bytes(b"{not json")
    return 0


def huge() -> int:
    say(**{"x-padding": "x" * 5_000_000})
    return 0


def link() -> int:
    (OUTPUT / "findings.json").symlink_to("/etc/hostname")
    return 0


def more_urgent() -> int:
    say(finding={"urgency": "stat"})
    return 0


def flaky(counter: str) -> int:
    """Fail the first time in a way that trying again may help (exit code 75, EX_TEMPFAIL)."""
    seen = Path(counter)
    if not seen.exists():
        seen.touch()
        return 75
    say()
    return 0


def temporary() -> int:
    return 75


def final() -> int:
    print("line one\nbad input")
    return 65


def copy_input(target: str) -> int:
    """Keep everything it was given, and the environment, where a test can look at it."""
    shutil.copytree(INPUT, Path(target) / "input")
    (Path(target) / "environment").write_text(json.dumps(dict(os.environ)))
    say()
    return 0


def capture(**changes: Any) -> int:
    """Return one Secondary Capture; ``changes`` to its attributes."""
    _capture("one.dcm", **changes)
    say()
    return 0


def capture_for_each_patient_id() -> int:
    """Return one Secondary Capture for every Patient ID that the input bears."""
    from pydicom import dcmread

    files = (INPUT / "dicom").rglob("*.dcm")
    found = {str(dcmread(path, stop_before_pixels=True).PatientID) for path in files}
    for number, patient_id in enumerate(sorted(found)):
        _capture(f"{number}.dcm", PatientID=patient_id)
    say(**{"x-count": len(found)})
    return 0


def capture_and_leave(folder: str) -> int:
    """As copy_input, with a Secondary Capture as well."""
    _capture("one.dcm")
    return copy_input(folder)


def _capture(name: str, **changes: Any) -> None:
    from pydicom import dcmread
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

    source = dcmread(next((INPUT / "dicom").rglob("*.dcm")), stop_before_pixels=True)
    made = Dataset()
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex",
                    "StudyInstanceUID", "StudyDate", "StudyTime", "AccessionNumber", "StudyID",
                    "ReferringPhysicianName"):  # fmt: skip
        setattr(made, keyword, source.get(keyword, ""))
    made.SOPClassUID = SecondaryCaptureImageStorage
    made.SOPInstanceUID, made.SeriesInstanceUID = generate_uid(), generate_uid()
    made.Modality, made.ConversionType, made.SeriesNumber, made.InstanceNumber = "OT", "WSD", 9, 1
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.Rows = made.Columns = 4
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit, made.PixelRepresentation, made.PixelData = 7, 0, b"\0" * 16
    for keyword, value in changes.items():
        setattr(made, keyword, value)
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.save_as(OUTPUT / name, enforce_file_format=True)


def holes(size: str) -> int:
    """Leave two objects that are nearly all hole, and so take no room on the disk."""
    for name in ("one.dcm", "two.dcm"):
        with (OUTPUT / name).open("wb") as file:
            file.truncate(int(size))
    say()
    return 0


def large(megabytes: str) -> int:
    """Leave an object with so many megabytes of zeros for pixels."""
    _large(int(megabytes), is_deflated=False)
    say()
    return 0


def bomb(megabytes: str) -> int:
    """Leave a small object that inflates to so many megabytes (PS3.5 A.5)."""
    _large(int(megabytes), is_deflated=True)
    say()
    return 0


def _large(megabytes: int, *, is_deflated: bool) -> None:
    import struct
    import zlib

    from pydicom import dcmread
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset, write_file_meta_info
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    _capture("one.dcm", Rows=1024, Columns=1024, NumberOfFrames=megabytes,
             SOPClassUID="1.2.840.10008.5.1.4.1.1.7.2")  # fmt: skip
    path = OUTPUT / "one.dcm"
    made = dcmread(path)
    meta, head = DicomBytesIO(), DicomBytesIO()
    if is_deflated:
        made.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    write_file_meta_info(meta, made.file_meta)
    del made.PixelData
    head.is_little_endian, head.is_implicit_VR = True, False
    write_dataset(head, made)
    squeeze = zlib.compressobj(level=1, wbits=-15)
    pixels = struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OB", 0, megabytes << 20)
    with path.open("wb") as file:
        file.write(b"\0" * 128 + b"DICM" + meta.getvalue())
        for piece in (head.getvalue(), pixels, *([bytes(1 << 20)] * megabytes)):
            file.write(squeeze.compress(piece) if is_deflated else piece)
        if is_deflated:
            file.write(squeeze.flush())


def capture_and_rubbish() -> int:
    (OUTPUT / "two.dcm").write_bytes(b"rubbish")
    return capture()


def same_uid_twice() -> int:
    from pydicom.uid import generate_uid

    uid = generate_uid()
    _capture("one.dcm", SOPInstanceUID=uid)
    _capture("two.dcm", SOPInstanceUID=uid)
    say()
    return 0


def script() -> int:
    """Say, wherever words may be said, what a browser would run."""
    evil = "<script>alert(1)</script>"
    _capture("one.dcm", SeriesDescription=evil, ImageComments=evil, StudyDescription=evil)
    say(finding={"code": ICH | {"meaning": evil}, "tracking_id": evil,
                 "site": {"value": "12738006", "scheme": "SCT", "meaning": evil}})  # fmt: skip
    print(evil)
    return 0


def report_script() -> int:
    """Return a structured report whose text a browser would run."""
    from pydicom.dataset import Dataset

    def code(value: str, meaning: str) -> list[Dataset]:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
        return [item]

    text = Dataset()
    text.RelationshipType, text.ValueType = "CONTAINS", "TEXT"
    text.ConceptNameCodeSequence = code("121071", "Finding")
    text.TextValue = "no bleed<ScRiPt src=//evil.example/x.js></script>"
    _capture("one.dcm", SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", Modality="SR",
             ValueType="CONTAINER", ContinuityOfContent="SEPARATE", CompletionFlag="COMPLETE",
             VerificationFlag="UNVERIFIED", ContentDate="20260316", ContentTime="073000",
             ConceptNameCodeSequence=code("126000", "Imaging Measurement Report"),
             ContentSequence=[text])  # fmt: skip
    say()
    return 0


def not_analysed_script() -> int:
    say(outcome="not_analysed", reason="<script>alert(1)</script>|^~\\&\r\nMSH|^~", findings=[])
    return 0


def other_patient() -> int:
    return capture(PatientID="01010112345")


def other_study() -> int:
    return capture(StudyInstanceUID="1.2.3.4")


def other_name() -> int:
    return capture(PatientName="Somebody^Else")


def other_birth_date() -> int:
    return capture(PatientBirthDate="19010101")


def own_uid(keyword: str, uid: str) -> int:
    """Return an object that calls itself, or its series, ``uid``."""
    return capture(**{keyword: uid})


if __name__ == "__main__":
    sys.exit(globals()[sys.argv[1]](*sys.argv[2:]))

"""Headers of received instances: the hub beside pydicom and dcmdump, on the same CT instances.

    .venv/bin/python -m bench.headers [--quick]

A typical CT: 512 x 512, explicit or implicit VR, some hundred elements before pixel data, private
ones and sequences among them; each instance with its own UIDs, positions and numbers. The hub's
figure is what the listener does with an instance in memory: header, and proof that it is whole.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from datetime import date
from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid

from bench.alone import run
from bench.measurement import HUB, Measurement, Target
from demo.phantoms import Patient, Shape, make_study
from hub.dicom.headers import _ATTRIBUTES, read_header, require_whole

_SLICES, _QUICK_SLICES = 200, 100
_PAIRS, _QUICK_PAIRS = 7, 3
_AT_MOST_MS = 0.1
_SYNTAXES = {"explicit": ExplicitVRLittleEndian, "implicit": ImplicitVRLittleEndian}
_KEYWORDS = [keyword_for_tag(tag) for tag, _ in _ATTRIBUTES.values()]


def measure(*, is_quick: bool) -> list[Measurement]:
    """Headers of CT instances in milliseconds each, explicit and implicit VR."""
    return [_measure(name, is_quick=is_quick) for name in _SYNTAXES]


def _measure(name: str, *, is_quick: bool) -> Measurement:
    syntax = _SYNTAXES[name]
    slices = make_slices(_QUICK_SLICES if is_quick else _SLICES)
    encoded = [_encoded(one, syntax) for one in slices]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        files = _write(Path(folder), slices, syntax)
        parts = [file.read_bytes() for file in files]
        ways: dict[str, Callable[[], None]] = {
            HUB: lambda: _by_hub(encoded, syntax),
            "pydicom": lambda: _by_pydicom(parts),
        }
        if dcmdump := shutil.which("dcmdump"):
            ways["dcmdump"] = lambda: _by_dcmdump(dcmdump, files)
        figures: dict[str, list[float]] = {who: [] for who in ways}
        for _ in range(_QUICK_PAIRS if is_quick else _PAIRS):
            for who, way in ways.items():
                started = _cpu_seconds()
                way()
                figures[who].append((_cpu_seconds() - started) * 1000 / len(slices))
    return Measurement(
        name=f"header_{name}",
        says=f"Header of a CT instance, {name} VR",
        unit="ms of CPU each",
        figures=figures,
        is_rate=False,
        targets=(Target(at_most=_AT_MOST_MS), Target(peer="pydicom", at_least=8)),
        conditions={
            "instances": len(slices),
            "elements before pixel data": _count(slices[0]),
            "hub": "in memory; header, and proof that every length is kept to the end",
            "pydicom": "in memory; dcmread(specific_tags, stop_before_pixels), values read",
            "dcmdump": "one process for all files, page cache warm",
        },
    )


def make_slices(count: int) -> list[Dataset]:
    """CT instances of one series, with what scanners add: private elements, and sequences."""
    patient = Patient("13116900216", "Ødegård^Åse", date(1969, 11, 13), "F")
    image = make_study(
        "head_ct", patient=patient, study_instance_uid=generate_uid(), rng_seed=1,
        shape=Shape(slices=1, size=512),
    )[0]  # fmt: skip
    _add_what_scanners_add(image)
    slices = []
    for number in range(1, count + 1):
        one = Dataset()
        one.update(image)
        one.SOPInstanceUID = generate_uid()
        one.InstanceNumber = number
        one.ImagePositionPatient = [-125.0, -125.0, round(-80 + number * 0.6, 4)]
        one.SliceLocation = round(-80 + number * 0.6, 4)
        slices.append(one)
    return slices


def _add_what_scanners_add(image: Dataset) -> None:
    image.InstitutionName = "Sykehuset i Vestfold"
    image.StationName = "CT99"
    image.ReferringPhysicianName = "Hansen^Kari"
    image.ProtocolName = "Caput uten kontrast"
    image.BurnedInAnnotation = "NO"
    image.ReferencedImageSequence = Items([_referenced() for _ in range(2)])
    image.ReferencedStudySequence = Items([_referenced()])
    image["ReferencedStudySequence"].is_undefined_length = True
    for group in (0x0009, 0x0019, 0x0021, 0x0027):
        block = image.private_block(group, "SCANNER OF SOME MAKE 01", create=True)
        for element in range(12):
            block.add_new(element, *(("DS", "1.5") if element % 2 else ("LO", "PRIVATE VALUE")))


def _referenced() -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    item.ReferencedSOPInstanceUID = generate_uid()
    return item


def _count(image: Dataset) -> int:
    return sum(1 for element in image if element.tag.group < 0x7FE0)


def _encoded(dataset: Dataset, syntax: str) -> bytes:
    stream = DicomBytesIO()
    stream.is_implicit_VR = syntax == ImplicitVRLittleEndian
    stream.is_little_endian = True
    write_dataset(stream, dataset)
    return stream.getvalue()


def _write(folder: Path, slices: Sequence[Dataset], syntax: str) -> list[Path]:
    files = []
    for place, one in enumerate(slices):
        path = folder / f"{place}.dcm"
        one.file_meta = FileMetaDataset()
        one.file_meta.TransferSyntaxUID = UID(syntax)
        one.save_as(path, enforce_file_format=True)
        files.append(path)
    return files


def _cpu_seconds() -> float:
    """What this process and the ended ones it started have computed."""
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def _by_hub(encoded: Sequence[bytes], syntax: str) -> None:
    for dataset in encoded:
        read_header(dataset, syntax)
        require_whole(dataset, syntax)


def _by_pydicom(parts: Sequence[bytes]) -> None:
    for part in parts:
        header = dcmread(BytesIO(part), specific_tags=_KEYWORDS, stop_before_pixels=True)
        for keyword in _KEYWORDS:
            header.get(keyword)


def _by_dcmdump(dcmdump: str, files: Sequence[Path]) -> None:
    wanted = [word for keyword in _KEYWORDS for word in ("+P", keyword)]
    command = [dcmdump, "-q", "-M", *wanted, *files]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    raise SystemExit(run(measure))

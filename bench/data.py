"""The images that are sent: CT slices of 526 kB, valid, all different, named anew for each pair."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from demo.phantoms import Patient, Shape, make_study, write_study

_ROOT = "1.2.826.0.1.3680043.8.498."
_DIGITS = 24
_STUDIES = 4


@dataclass(frozen=True, slots=True)
class Images:
    """Files of a few studies. ``places`` are the offsets of each file's UIDs by their number."""

    folder: Path
    files: tuple[Path, ...]
    places: tuple[tuple[tuple[int, int], ...], ...]

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(path.stat().st_size for path in self.files)

    def first(self, count: int) -> Images:
        """So many of them, of all studies alike."""
        step = len(self.files) / min(count, len(self.files))
        chosen = [int(number * step) for number in range(min(count, len(self.files)))]
        return Images(
            self.folder,
            tuple(self.files[number] for number in chosen),
            tuple(self.places[number] for number in chosen),
        )

    def rename(self, run: int) -> None:
        """Give every study, series and instance UIDs of this run, in place and of the same length.

        What is sent twice is not stored twice: without new names only the first turn would count.
        """
        for path, places in zip(self.files, self.places, strict=True):
            with path.open("r+b", buffering=0) as file:
                for offset, number in places:
                    os.pwrite(file.fileno(), _uid(number, run), offset)


def make_images(folder: Path, count: int, *, size: int = 512) -> Images:
    """Write ``count`` CT images of ``size`` x ``size`` 16-bit pixels into a few studies."""
    files: list[Path] = []
    places = []
    studies = min(_STUDIES, count)
    for study in range(studies):
        slices = count // studies + (study < count % studies)
        patient = Patient(f"BENCH{study}", f"Bench^{study}", date(1970, 1, 1), "F")
        shape = Shape(slices=slices, size=size)
        datasets = make_study("head_ct", patient=patient, rng_seed=study, shape=shape)
        numbers: dict[str, int] = {}
        for dataset in datasets:
            dataset.StudyInstanceUID = _named(numbers, study, 0)
            dataset.SeriesInstanceUID = _named(numbers, study, 1)
            dataset.FrameOfReferenceUID = _named(numbers, study, 2)
            dataset.SOPInstanceUID = _named(numbers, study, 2 + int(dataset.InstanceNumber))
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        for path in write_study(folder / f"{study}", datasets):
            files.append(path)
            places.append(_places(path.read_bytes(), numbers))
    return Images(folder, tuple(files), tuple(places))


def _named(numbers: dict[str, int], study: int, number: int) -> str:
    whole = study * 100_000 + number
    uid = _uid(whole, 0).decode()
    numbers[uid] = whole
    return uid


def _uid(number: int, run: int) -> bytes:
    return f"{_ROOT}1{run:0{_DIGITS // 2}}{number:0{_DIGITS // 2}}".encode()


def _places(content: bytes, numbers: dict[str, int]) -> tuple[tuple[int, int], ...]:
    found = []
    prefix = f"{_ROOT}1{0:0{_DIGITS // 2}}".encode()
    offset = content.find(prefix)
    while offset >= 0:
        uid = content[offset : offset + len(prefix) + _DIGITS // 2].decode()
        found.append((offset, numbers[uid]))
        offset = content.find(prefix, offset + 1)
    return tuple(found)

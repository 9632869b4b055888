"""In charge of the copy of an instance that an algorithm gets: PS3.15 Annex E, and fails closed.

What is applied, and why, lies in `annex_e`. Dates are shifted by whole days, the same for the whole
scope, so that intervals stay and times of day need no change. Pixel data leaves bit for bit: faces
in head scans, and text within compressed streams, are not looked for.
"""

import os
import zlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

from hub.dicom.durable import NO_ROOM
from hub.dicom.elements import Element, NotPlain, Pixels, Writer
from hub.dicom.file_meta import write_file_meta
from hub.dicom.instance_reading import Instance, Unreadable, read_patiently, read_plain
from hub.dicom.pixel_safety import ALLOW_BURNED_IN, ALLOW_UNMARKED, text_of, why_unsafe
from hub.dicom.pseudonym import Pseudonymiser
from hub.dicom.treatment import (
    DECLARED,
    OLDEST_YEARS,
    PATIENT_AGE,
    Known,
    Treatment,
    age_of,
    known_of,
)
from hub.passing import is_of_the_system, is_scarcity

__all__ = [
    "ALLOW_BURNED_IN",
    "ALLOW_UNMARKED",
    "OLDEST_YEARS",
    "OPTIONS",
    "CopyNotWritten",
    "DeidentificationFailed",
    "NoMeansForCopy",
    "NoRoomForCopy",
    "PseudonymInstance",
    "Pseudonymiser",
    "deidentify_file",
]

OPTIONS: Final = frozenset((ALLOW_BURNED_IN, ALLOW_UNMARKED))
_REQUIRED: Final = {
    0x00080016: "SOPClassUID",
    0x00080018: "SOPInstanceUID",
    0x0020000D: "StudyInstanceUID",
    0x0020000E: "SeriesInstanceUID",
}
_INSTANCE_NUMBER: Final = 0x00200013
_ADDED: Final = frozenset((PATIENT_AGE, *(element.tag for element in DECLARED)))


class DeidentificationFailed(Exception):  # noqa: N818 (named by what failed)
    """No copy was made. `reason` is a sentence's part for people, `field` a DICOM keyword.

    Neither says anything of the patient.
    """

    def __init__(self, reason: str, field: str = "") -> None:
        super().__init__(f"{reason} ({field})" if field else reason)
        self.reason = reason
        self.field = field


class CopyNotWritten(DeidentificationFailed):
    """What is around the copy failed, such as a folder that vanished: no word on the instance."""


class NoMeansForCopy(CopyNotWritten):
    """The system has no more files or memory for the hub: the same will succeed in a moment."""


class NoRoomForCopy(DeidentificationFailed):
    """The disk is full: no fault of the instance, and the same will succeed once there is room."""


@dataclass(frozen=True, slots=True)
class PseudonymInstance:
    """The names of an instance and of its copy; `other_uids` are the originals of all others
    that were renamed within it (frames of reference, references). `instance_number` is that of the
    copy: None where the original numbered the instance by the patient."""

    original_sop_instance_uid: str
    sop_instance_uid: str
    original_series_instance_uid: str
    series_instance_uid: str
    original_study_instance_uid: str
    study_instance_uid: str
    other_uids: frozenset[str]
    instance_number: int | None = None


def deidentify_file(
    source: Path,
    target: Path,
    *,
    pseudonymiser: Pseudonymiser,
    options: frozenset[str] = frozenset(),
) -> PseudonymInstance:
    """Write a de-identified copy of a Part 10 file, in the same transfer syntax (PS3.15 E.1.1).

    `options` are of OPTIONS: to let images leave that say they have text burned in, or that may
    have. Raises DeidentificationFailed for whatever does not go as it should; then `target` is as
    it was. The target's folder must be there.
    """
    if unknown := options - OPTIONS:
        raise DeidentificationFailed(f"no such option: {min(unknown)}")
    try:
        descriptor = _opened(source)
        try:
            _refuse_same_file(descriptor, target)
            return _deidentified(descriptor, source, target, pseudonymiser, options)
        finally:
            os.close(descriptor)
    except DeidentificationFailed:
        raise
    except OSError as error:
        raise _kind_of(error)(f"the copy could not be made: {error.strerror}") from None
    except Exception as error:
        if is_of_the_system(error):
            kind = NoMeansForCopy if is_scarcity(error) else CopyNotWritten
            raise kind(f"the copy could not be made: {type(error).__name__}") from None
        # Its text may quote what the file holds.
        raise DeidentificationFailed(f"an unforeseen {type(error).__name__}") from None


def _kind_of(fault: OSError) -> type[DeidentificationFailed]:
    if fault.errno in NO_ROOM:
        return NoRoomForCopy
    return NoMeansForCopy if is_scarcity(fault) else CopyNotWritten


def _opened(source: Path) -> int:
    try:
        return os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise DeidentificationFailed(f"the original cannot be read: {error.strerror}") from None


def _deidentified(
    descriptor: int,
    source: Path,
    target: Path,
    pseudonymiser: Pseudonymiser,
    options: frozenset[str],
) -> PseudonymInstance:
    try:
        instance = read_plain(descriptor)
    except NotPlain:
        try:
            instance = read_patiently(source)
        except Unreadable as error:
            raise DeidentificationFailed(f"the file cannot be read: {error}") from None
    header = _header_of(instance)
    _refuse_unfit(header, options)
    copy = _Copy(instance, header, pseudonymiser)
    write_whole(target, copy.pieces(), pixels=copy.pixels, source=descriptor, after=copy.after)
    return _names(header, copy, pseudonymiser)


class _Copy:
    """What is to be written in place of an instance."""

    def __init__(
        self, instance: Instance, header: dict[int, bytes], pseudonymiser: Pseudonymiser
    ) -> None:
        known = known_of(instance.elements + instance.trailing, pseudonymiser)
        age = age_of(header)
        treatment = Treatment(pseudonymiser=pseudonymiser, known=known, age=age)
        kept = [e for e in treatment.treated(instance.elements) if e.tag not in _ADDED]
        _refuse_missing({element.tag for element in kept})
        added = [*DECLARED, Element(PATIENT_AGE, "AS", age)] if age else list(DECLARED)
        writer = Writer(
            is_implicit=instance.is_implicit, is_little_endian=instance.is_little_endian
        )
        self._meta = write_file_meta(
            sop_class_uid=text_of(header, 0x00080016),
            sop_instance_uid=pseudonymiser.uid(text_of(header, 0x00080018)),
            transfer_syntax_uid=instance.transfer_syntax_uid,
            calling_ae_title="",
        )
        self._is_deflated = instance.is_deflated
        self.pixels = instance.pixels
        self._head = writer.encoded(sorted(kept + added))
        if self.pixels is not None:
            self._head += writer.head_of_pixels(self.pixels)
        self.after = writer.encoded(treatment.treated(instance.trailing))
        self.renamed = treatment.renamed
        self.instance_number = _number_in(kept)
        _refuse_residue(known, self._head, self.after)
        if self._is_deflated:
            self._deflate()

    def pieces(self) -> Iterable[bytes]:
        """The bytes up to the value of pixel data."""
        return (self._meta, self._head)

    def _deflate(self) -> None:
        held = self.pixels.data if self.pixels is not None else b""
        deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        plain = self._head + (held or b"") + self.after
        squeezed = deflate.compress(plain) + deflate.flush()
        self._head = squeezed + b"\0" * (len(squeezed) % 2)
        self.pixels, self.after = None, b""


def write_whole(
    target: Path,
    pieces: Iterable[bytes],
    *,
    pixels: Pixels | None = None,
    source: int = -1,
    after: bytes = b"",
) -> None:
    """Write a file that is whole or not there: pieces, pixel data (from `source`), and the rest."""
    part = target.with_name(f".{uuid4().hex}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        try:
            _write(descriptor, b"".join(pieces))
            if pixels is not None and pixels.data is not None:
                _write(descriptor, pixels.data)
            elif pixels is not None:
                _copy_range(source, descriptor, offset=pixels.offset, length=pixels.length)
            _write(descriptor, after)
        finally:
            os.close(descriptor)
        os.replace(part, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(part)
        raise


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _copy_range(source: int, target: int, *, offset: int, length: int) -> None:
    """Have the kernel copy bytes from file to file; they never come up to Python."""
    while length:
        copied = os.sendfile(target, source, offset, length)
        if not copied:
            raise DeidentificationFailed("the file became shorter while it was copied")
        offset += copied
        length -= copied


def _refuse_same_file(descriptor: int, target: Path) -> None:
    with suppress(FileNotFoundError):
        if os.path.samestat(os.fstat(descriptor), os.stat(target)):
            raise DeidentificationFailed("the copy would take the place of the original")


def _refuse_unfit(header: dict[int, bytes], options: frozenset[str]) -> None:
    for tag, keyword in _REQUIRED.items():
        if not text_of(header, tag):
            raise DeidentificationFailed("the instance does not say which it is", keyword)
    if why := why_unsafe(header, options):
        raise DeidentificationFailed(*why)


def _refuse_missing(kept: set[int]) -> None:
    """Refuse a copy without names, of which nothing could ever be told again."""
    for tag, keyword in _REQUIRED.items():
        if tag not in kept:
            raise DeidentificationFailed("the instance says which it is in no proper way", keyword)


def _refuse_residue(known: Known, *encoded: bytes) -> None:
    """Look once more, at the bytes, for what the actions should all have caught."""
    if any(residue in part for residue in known.residues for part in encoded):
        raise DeidentificationFailed("an identifying value would have left with the copy")


def _header_of(instance: Instance) -> dict[int, bytes]:
    return {
        element.tag: b"" if isinstance(element.value, list) else element.value
        for element in instance.elements
    }


def _number_in(kept: list[Element]) -> int | None:
    value = next((one.value for one in kept if one.tag == _INSTANCE_NUMBER), b"")
    text = b"" if isinstance(value, list) else value.strip(b" \0")
    return int(text) if text.removeprefix(b"-").isdigit() else None


def _names(
    header: dict[int, bytes], copy: _Copy, pseudonymiser: Pseudonymiser
) -> PseudonymInstance:
    sop, study, series = (text_of(header, tag) for tag in tuple(_REQUIRED)[1:])
    return PseudonymInstance(
        original_sop_instance_uid=sop,
        sop_instance_uid=pseudonymiser.uid(sop),
        original_series_instance_uid=series,
        series_instance_uid=pseudonymiser.uid(series),
        original_study_instance_uid=study,
        study_instance_uid=pseudonymiser.uid(study),
        other_uids=frozenset(copy.renamed - {sop, series, study}),
        instance_number=copy.instance_number,
    )

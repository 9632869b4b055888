"""In charge of turning an algorithm's results back: from pseudonyms to the patient they are of.

The way back of `deidentify`, and as closed: what is not certainly of this patient and this study,
or points at something nobody knows, is refused whole.
"""

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Final
from uuid import uuid4

from pydicom import dcmread
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID

from hub.dicom.durable import NO_ROOM
from hub.dicom.file_meta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from hub.dicom.originals import (
    EXPECTED,
    RESTORED,
    TEXT_VRS,
    Originals,
    ReidentificationFailed,
    change_values,
    elements_with,
    uids_of,
)
from hub.dicom.treatment import DECLARED
from hub.passing import is_of_the_system

__all__ = ["Originals", "ReidentificationFailed", "reidentify_dataset", "reidentify_file"]

_CHARACTER_SET: Final = 0x00080005
# Where a UID points at something that must exist already.
_OWN: Final = frozenset(("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"))
_REFERENCES: Final = _OWN | {
    "ReferencedSOPInstanceUID",
    "ReferencedFrameOfReferenceUID",
    "SourceFrameOfReferenceUID",
    "RelatedFrameOfReferenceUID",
}
# The others stay the bytes they are, which tells where a result has hundreds of frames.
_TURNED_BACK: Final = TEXT_VRS | {"SQ", "UI", "DA", "DT"}
_WITHHELD: Final = frozenset(("WITHHELD", "Withheld"))


def reidentify_file(source: Path, target: Path, *, originals: Originals) -> Dataset:
    """Write the turned back copy of a result, in its transfer syntax, and give it.

    Raises ReidentificationFailed for whatever does not go as it should; then nothing is written.
    What the disk or the system has no more of is no fault of the result, and stays as it is.
    """
    try:
        dataset = dcmread(source)
        syntax = dataset.file_meta.TransferSyntaxUID
        result = reidentify_dataset(dataset, originals=originals)
        result.file_meta = FileMetaDataset()
        result.file_meta.MediaStorageSOPClassUID = result.SOPClassUID
        result.file_meta.MediaStorageSOPInstanceUID = result.SOPInstanceUID
        result.file_meta.TransferSyntaxUID = syntax
        result.file_meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
        result.file_meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
        result.preamble = b"\0" * 128
        _save(result, target)
    except ReidentificationFailed:
        raise
    except Exception as error:
        if is_of_the_system(error) or (isinstance(error, OSError) and error.errno in NO_ROOM):
            raise
        # Its text may quote what the file holds.
        raise ReidentificationFailed(f"an unforeseen {type(error).__name__}") from None
    return result


def _save(result: Dataset, target: Path) -> None:
    """Write a file that is whole or not there, straight to the disk: it may have two gigabytes."""
    part = target.with_name(f".{uuid4().hex}.part")
    try:
        result.save_as(part, enforce_file_format=True)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def reidentify_dataset(dataset: Dataset, *, originals: Originals) -> Dataset:
    """Give a copy of a result with the patient, the study and all references turned back.

    Its own UIDs and the days of its own clock stay; its text becomes ISO_IR 192. Raises
    ReidentificationFailed.
    """
    try:
        _refuse_other_patient(dataset, originals)
        result = deepcopy(dataset)
        _WayBack(result, originals).turn_back(result, is_top=True)
        _restore(result, originals)
    except ReidentificationFailed:
        raise
    except Exception as error:
        if is_of_the_system(error):
            raise
        raise ReidentificationFailed(f"an unforeseen {type(error).__name__}") from None
    return result


def _refuse_other_patient(dataset: Dataset, originals: Originals) -> None:
    if dataset.get("StudyInstanceUID") != originals.study_pseudonym:
        raise ReidentificationFailed("the result is of another study", "StudyInstanceUID")
    patient_id = str(dataset.get("PatientID") or "")
    if patient_id and patient_id not in {originals.patient_id_pseudonym, *originals.merged}:
        raise ReidentificationFailed("the result is of another patient", "PatientID")
    taken = {*originals.uids, *originals.uids.values()}
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID"):
        uid = dataset.get(keyword)
        if not uid:
            raise ReidentificationFailed("the result does not say which it is", keyword)
        # It would overwrite what the hospital made, or stand among it as if it had made it.
        if uid in taken:
            raise ReidentificationFailed("the result bears the UID of its input", keyword)


class _WayBack:
    """Turns back, in its place, every value of one result that stands for another."""

    def __init__(self, result: Dataset, originals: Originals) -> None:
        self._originals = originals
        self._own = {result.SOPInstanceUID, result.SeriesInstanceUID, *originals.own}
        self._own.add(result.get("FrameOfReferenceUID"))
        # Writers put one item into several sequences, and twice is once too often.
        self._seen: set[int] = set()

    def turn_back(self, dataset: Dataset, *, is_top: bool) -> None:
        gone = [element.tag for element in DECLARED]
        for tag in gone if is_top else [*gone, _CHARACTER_SET]:
            if tag in dataset:
                del dataset[tag]
        for element in elements_with(dataset, _TURNED_BACK):
            if id(element) not in self._seen:
                self._seen.add(id(element))
                self._turn_back_element(element, is_top=is_top)

    def _turn_back_element(self, element: DataElement, *, is_top: bool) -> None:
        days, texts = self._originals.days, self._originals.texts
        if element.VR == "SQ":
            for item in element.value:
                self.turn_back(item, is_top=False)
        elif element.VR == "UI":
            # The object's own names; that they are of this study and of no input was seen to.
            self._turn_back_uids(element, is_own=is_top and element.keyword in _OWN)
        elif element.VR in {"DA", "DT"}:
            change_values(element, lambda text: days.get(text[:8], text[:8]) + text[8:])
        elif element.VR in TEXT_VRS:
            change_values(element, lambda text: _told(text, texts))

    def _turn_back_uids(self, element: DataElement, *, is_own: bool) -> None:
        uids = self._originals.uids
        for uid in uids_of(element):
            is_known = is_own or uid in uids or uid in self._own
            if element.keyword in _REFERENCES and not is_known:
                reason = "the result refers to what nobody knows"
                raise ReidentificationFailed(reason, element.keyword)
        change_values(element, lambda uid: uids.get(uid, uid))


def _told(text: str, texts: Mapping[str, str]) -> str:
    for pseudonym, original in texts.items():
        if pseudonym in text:
            text = text.replace(pseudonym, original)
    return text


def _restore(result: Dataset, originals: Originals) -> None:
    """Put the patient and study modules of the real header in place of the pseudonym's."""
    for keyword in RESTORED:
        if keyword in originals.header:
            result[keyword] = deepcopy(originals.header[keyword])
        elif keyword in EXPECTED:
            setattr(result, keyword, "")
        elif keyword in result:
            delattr(result, keyword)
    withheld = [e.tag for e in elements_with(result, TEXT_VRS) if str(e.value) in _WITHHELD]
    for tag in withheld:
        if tag in originals.header:
            result[tag] = deepcopy(originals.header[tag])
        else:
            del result[tag]
    result.SpecificCharacterSet = "ISO_IR 192"

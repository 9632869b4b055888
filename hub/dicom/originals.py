"""In charge of what the pseudonyms of one study stand for: made again from the key when needed."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Final, Self

from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from hub.dicom.pseudonym import Pseudonymiser

TEXT_VRS: Final = frozenset(("LO", "SH", "PN", "ST", "LT", "UT", "UC"))
_PUBLIC_ROOT: Final = "1.2.840.10008."
# Type 2 of the Patient and General Study modules (PS3.3 C.7.1.1, C.7.2.1): empty where unknown.
EXPECTED: Final = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID"),
    *("StudyDate", "StudyTime", "ReferringPhysicianName"),
)
_WHERE_KNOWN: Final = (
    "StudyInstanceUID IssuerOfPatientID IssuerOfPatientIDQualifiersSequence TypeOfPatientID "
    "PatientBirthTime OtherPatientIDs OtherPatientIDsSequence OtherPatientNames PatientBirthName "
    "PatientMotherBirthName QualityControlSubject PatientSpeciesDescription "
    "PatientSpeciesCodeSequence PatientBreedDescription PatientBreedCodeSequence EthnicGroup "
    "PatientComments PatientAge PatientSize PatientWeight PatientSexNeutered ResponsiblePerson "
    "ResponsiblePersonRole ResponsibleOrganization StudyDescription ProcedureCodeSequence "
    "IssuerOfAccessionNumberSequence PhysiciansOfRecord ReferringPhysicianIdentificationSequence "
    "NameOfPhysiciansReadingStudy AdmittingDiagnosesDescription AdmissionID "
    "IssuerOfAdmissionIDSequence TimezoneOffsetFromUTC"
)
RESTORED: Final = (*EXPECTED, *_WHERE_KNOWN.split())


class ReidentificationFailed(Exception):  # noqa: N818 (named by what failed)
    """The result is not turned back, and nothing is written. `reason` is a sentence's part for
    people and `field` a DICOM keyword; neither says anything of the patient."""

    def __init__(self, reason: str, field: str = "") -> None:
        super().__init__(f"{reason} ({field})" if field else reason)
        self.reason = reason
        self.field = field


@dataclass(frozen=True, slots=True)
class Originals:
    """What the pseudonyms of one study stand for; holds patient data, and is never sent.

    `uids`, `texts` and `days` lead from pseudonym to original; `own` are UIDs that results of the
    same run gave to one another's objects; `merged` are pseudonyms of the same patient's other
    Patient IDs.
    """

    study_pseudonym: str
    patient_id_pseudonym: str
    uids: Mapping[str, str] = field(repr=False)
    texts: Mapping[str, str] = field(repr=False)
    days: Mapping[str, str] = field(repr=False)
    header: Dataset = field(repr=False)
    own: frozenset[str] = frozenset()
    merged: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        pseudonymiser: Pseudonymiser,
        *,
        study_instance_uid: str,
        series_instance_uids: Iterable[str],
        sop_instance_uids: Iterable[str],
        header: Dataset,
        other_uids: Iterable[str] = (),
    ) -> Self:
        """Make what is needed to turn results back, from a real header of the study.

        The UIDs of that header (its frame of reference, its references) are known by it;
        `other_uids` are those of the other instances, as PseudonymInstance names them. Raises
        ReidentificationFailed for a header of another study.
        """
        if header.get("StudyInstanceUID") != study_instance_uid:
            raise ReidentificationFailed("the header is of another study", "StudyInstanceUID")
        known = _header_of(header)
        originals = {study_instance_uid, *series_instance_uids, *sop_instance_uids, *other_uids}
        originals.update(_uids_in(header))
        patient_id, accession, name = (
            str(known.get(keyword) or "").strip()
            for keyword in ("PatientID", "AccessionNumber", "PatientName")
        )
        merged = pseudonymiser.patient_id_pseudonyms()
        texts = dict.fromkeys(merged, patient_id) | {
            pseudonymiser.patient_name: name,
            pseudonymiser.patient_id(patient_id): patient_id,
            pseudonymiser.accession_number(accession): accession,
        }
        return cls(
            study_pseudonym=pseudonymiser.uid(study_instance_uid),
            patient_id_pseudonym=pseudonymiser.patient_id(patient_id) if patient_id else "",
            uids={pseudonymiser.uid(uid): uid for uid in originals if uid},
            texts=texts,
            days=_days_of(known, pseudonymiser),
            header=known,
            merged=merged,
        )

    def accepting(self, uids: Iterable[str]) -> Self:
        """Give the same, with UIDs that results of one run may refer to in one another."""
        return replace(self, own=self.own | frozenset(uids))


def change_values(element: DataElement, change: Callable[[str], str]) -> None:
    """Put what `change` gives for each value in its place; names are made anew, of text alone."""
    if element.is_empty:
        return
    values = element.value if isinstance(element.value, MultiValue) else [element.value]
    changed = [change(str(value)) for value in values]
    if element.VR != "PN" and changed == [str(value) for value in values]:
        return
    element.value = changed if isinstance(element.value, MultiValue) else changed[0]


def _header_of(header: Dataset) -> Dataset:
    """Give a decoded copy of what a result may need of a header.

    A value that cannot be read cannot be restored, and is no reason to lose the result.
    """
    known = Dataset()
    for keyword in (*RESTORED, "SpecificCharacterSet", "FrameOfReferenceUID"):
        with suppress(Exception):
            known[keyword] = deepcopy(header[keyword])
    for element in elements_with(header, TEXT_VRS | {"DA", "DT"}):
        if not element.tag.is_private:
            known[element.tag] = deepcopy(element)
    known.decode()
    return known


def elements_with(dataset: Dataset, vrs: frozenset[str]) -> Iterator[DataElement]:
    """Give the elements of some VRs; the others are not read, whatever they hold."""
    for tag in sorted(dataset.keys()):
        vr = dataset.get_item(tag).VR
        if vr is None or vr == "UN":  # pydicom then tells by the dictionary
            vr = dictionary_VR(tag) if dictionary_has_tag(tag) else "UN"
        if vr in vrs:
            yield dataset[tag]


def _uids_in(dataset: Dataset) -> Iterator[str]:
    for element in elements_with(dataset, frozenset(("UI", "SQ"))):
        yield from uids_of(element)
        for item in element.value if element.VR == "SQ" else ():
            yield from _uids_in(item)


def uids_of(element: DataElement) -> list[str]:
    """Give the UIDs of an element, without those the standard itself assigned."""
    if element.VR != "UI" or element.is_empty:
        return []
    values = element.value if isinstance(element.value, MultiValue) else [element.value]
    return [str(uid) for uid in values if uid and not str(uid).startswith(_PUBLIC_ROOT)]


def _days_of(header: Dataset, pseudonymiser: Pseudonymiser) -> dict[str, str]:
    """Lead from shifted days to the header's own, and to those before and after (midnight).

    A result's own clock cannot show them: an algorithm runs after the study was made.
    """
    days: dict[str, str] = {}
    for element in elements_with(header, frozenset(("DA", "DT"))):
        # What is not a day, or is one at the beginning of time, was not shifted either.
        with suppress(ValueError, OverflowError):
            text = str(element.value)
            day = date(int(text[:4]), int(text[4:6]), int(text[6:8]))
            for near in (day - timedelta(days=1), day, day + timedelta(days=1)):
                days[f"{pseudonymiser.shifted(near):%Y%m%d}"] = f"{near:%Y%m%d}"
    return days

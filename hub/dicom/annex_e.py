"""In charge of what becomes of each attribute when a copy leaves: PS3.15 Annex E, as data.

The Basic Profile's table E.1-1 (edition 2026c) comes from the package ``dicom-anonymizer`` (BSD
3-Clause, Kitware), which is pinned: an edition that changes is a change to review. Over it lie the
options the hub applies, and under it a net: what the table does not name is judged by its VR.
"""

from collections.abc import Iterator, Mapping
from enum import IntEnum
from functools import cache
from math import inf
from typing import Final, NamedTuple

from dicomanonymizer.dicom_anonymization_databases import dicomfields_2026c as table
from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import tag_for_keyword


class Action(IntEnum):
    """What is done to the value of an attribute; the letters are those of PS3.15 table E.1-1a."""

    REMOVE = 0  # X
    KEEP = 1  # K, for binary values
    EMPTY = 2  # Z
    DUMMY = 3  # D
    REMAP = 4  # U
    WALK = 5  # K of a sequence: each item is treated in turn
    NUMBER = 6  # K, for numbers written as text; removed when it is anything else
    TERM = 7  # K, for coded strings; emptied when it names somebody
    CODE = 8  # K, for the value of a code; emptied when it is, or holds, an identifying value
    TEXT = 9  # C, for technical text: words that name somebody go
    DESCRIPTOR = 10  # C, for descriptions typed by people: numbers and dates go too
    SHIFT = 11  # C, whole days (Retain Longitudinal Temporal Information, Modified Dates)
    TIME = 12  # K of a time of day, for the same reason: it does not change by whole days
    PATIENT_NAME = 13
    PATIENT_ID = 14
    ACCESSION_NUMBER = 15
    AGE = 16
    DESCRIPTOR_OF_TABLE = 17  # K, for the three numbers of a lookup table; else removed


class Rule(NamedTuple):
    """The action for one attribute, and the family its VR must belong to for it to hold.

    A binary number takes a multiple of `size` bytes (1 where its VR has no fixed size) and at most
    `most`: what is longer is no number, and may be anything.
    """

    action: Action
    family: str
    vr: str
    size: int
    most: float


class Option(NamedTuple):
    """A code of CID 7050 De-identification Method."""

    code: str
    meaning: str


APPLIED: Final = (
    Option("113100", "Basic Application Confidentiality Profile"),
    Option("113104", "Clean Structured Content Option"),
    Option("113105", "Clean Descriptors Option"),
    Option("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    Option("113108", "Retain Patient Characteristics Option"),
)

_BINARY = "US SS UL SL UV SV FL FD AT OB OW OF OD OL OV"
_AMBIGUOUS = ("US or SS", "OB or OW", "US or OW", "US or SS or OW")
# A value in a VR of another family than its attribute's is not what the rule was made for.
FAMILIES: Final[Mapping[str, str]] = {
    **dict.fromkeys((*_BINARY.split(), *_AMBIGUOUS), "binary"),
    **dict.fromkeys(("DS", "IS"), "number"),
    **dict.fromkeys(("SH", "LO", "ST", "LT", "UT", "UC"), "text"),
    **{vr: vr for vr in ("AE", "AS", "CS", "DA", "DT", "PN", "SQ", "TM", "UI", "UR")},
}

_SIZES: Final[Mapping[str, int]] = {
    **dict.fromkeys(("US", "SS", "US or SS"), 2),
    **dict.fromkeys(("UL", "SL", "FL", "AT"), 4),
    **dict.fromkeys(("UV", "SV", "FD"), 8),
}

_BY_VR: Final[Mapping[str, Action]] = {
    **dict.fromkeys((*_BINARY.split(), *_AMBIGUOUS), Action.KEEP),
    **dict.fromkeys(("DS", "IS"), Action.NUMBER),
    **dict.fromkeys(("SH", "LO", "UC"), Action.TEXT),
    # Narrative that no table vouches for may say anything about anybody.
    **dict.fromkeys(("ST", "LT", "UT", "PN", "AE", "AS", "UR", "TM"), Action.REMOVE),
    **dict.fromkeys(("DA", "DT"), Action.SHIFT),
    "CS": Action.TERM,
    "UI": Action.REMAP,
    "SQ": Action.WALK,
}

# D asks for a dummy of the same VR (PS3.15 E.1.1); for these no harmless one exists.
_NO_DUMMY = frozenset(("SQ", "OB", "UN", "UR", "AS", "OB or OW"))

# Groups about the patient, the visit, the order, the report, signatures and media: only what is
# named below leaves.
_CLOSED_GROUPS = frozenset(
    (0x0000, 0x0002, 0x0004, 0x0010, 0x0032, 0x0038, 0x0100, 0x0400, 0x2100, 0x4000, 0x4008)
)
# Opaque bytes are let through only where images, waveforms, surfaces and spectra keep theirs.
_OPEN_OB_GROUPS = frozenset((0x0028, 0x0066, 0x5400, 0x5600, 0x7FE0))

_OPTIONS: Final[Mapping[Action, str]] = {
    Action.PATIENT_NAME: "PatientName",
    Action.PATIENT_ID: "PatientID",
    Action.ACCESSION_NUMBER: "AccessionNumber",
    Action.AGE: "PatientAge",
    # Retain Patient Characteristics: what a model's intended use is stated in, and no more.
    Action.TERM: "PatientSex SpecificCharacterSet",
    Action.NUMBER: "PatientSize PatientWeight",
    # Clean Descriptors: algorithms pick their series by these.
    Action.DESCRIPTOR: (
        "StudyDescription SeriesDescription ProtocolName RequestedProcedureDescription "
        "PerformedProcedureStepDescription AcquisitionDeviceProcessingDescription "
        "AcquisitionProtocolName ContrastBolusAgent DerivationDescription "
        "StructureSetLabel ROIName RTPlanLabel SegmentLabel TrackingID"
    ),
    Action.SHIFT: (
        "InstanceCreationDate StudyDate SeriesDate AcquisitionDate ContentDate "
        "AcquisitionDateTime FrameAcquisitionDateTime FrameReferenceDateTime "
        "StartAcquisitionDateTime EndAcquisitionDateTime DecayCorrectionDateTime "
        "RadiopharmaceuticalStartDateTime RadiopharmaceuticalStopDateTime "
        "StructureSetDate RTPlanDate ObservationDateTime"
    ),
    Action.TIME: (
        "InstanceCreationTime StudyTime SeriesTime AcquisitionTime ContentTime "
        "TimezoneOffsetFromUTC ContrastBolusStartTime ContrastBolusStopTime "
        "InterventionDrugStartTime InterventionDrugStopTime "
        "RadiopharmaceuticalStartTime RadiopharmaceuticalStopTime StructureSetTime RTPlanTime"
    ),
    Action.CODE: "CodeValue LongCodeValue CodingSchemeDesignator CodingSchemeVersion",
    Action.WALK: (
        "ContentSequence ReferencedImageSequence SourceImageSequence RequestedProcedureCodeSequence"
    ),
    Action.DUMMY: "TextValue",
    Action.DESCRIPTOR_OF_TABLE: (
        "RedPaletteColorLookupTableDescriptor GreenPaletteColorLookupTableDescriptor "
        "BluePaletteColorLookupTableDescriptor AlphaPaletteColorLookupTableDescriptor "
        "GrayLookupTableDescriptor BlendingLookupTableDescriptor "
        "WeightingLookupTableDescriptor LUTDescriptor"
    ),
    Action.REMOVE: "IssuerOfAccessionNumberSequence OrderPlacerIdentifierSequence "
    "OrderFillerIdentifierSequence ReferencedPerformedProcedureStepSequence",
}

# What the patient is called; of all others it is enough that they are not.
_PATIENT_NAMES: Final = "PatientName OtherPatientNames PatientBirthName"
# Whose values must stand nowhere else in what leaves; names and days are told by their VR.
_IDENTIFYING: Final = (
    "PatientID OtherPatientIDs PatientAddress PatientTelephoneNumbers MedicalRecordLocator "
    "InsurancePlanIdentification IssuerOfPatientID MilitaryRank ResponsibleOrganization "
    "AccessionNumber StudyID AdmissionID ServiceEpisodeID CurrentPatientLocation "
    "PatientInstitutionResidence CountryOfResidence RegionOfResidence Occupation "
    "InstitutionName InstitutionAddress InstitutionalDepartmentName StationName "
    "ReferringPhysicianAddress ReferringPhysicianTelephoneNumbers PersonAddress "
    "PersonTelephoneNumbers OrderCallbackPhoneNumber OrderEntererLocation RequestingService "
    "RequestedProcedureID ScheduledProcedureStepID PerformedProcedureStepID "
    "PlacerOrderNumberImagingServiceRequest FillerOrderNumberImagingServiceRequest "
    "ScheduledStationName PerformedStationName PerformedLocation HumanPerformerOrganization "
    "VerifyingOrganization DeviceSerialNumber GantryID DetectorID PlateID CassetteID GeneratorID "
    "SecondaryCaptureDeviceID SpecimenAccessionNumber SpecimenIdentifier ContainerIdentifier "
    "SlideIdentifier ClinicalTrialSponsorName ClinicalTrialProtocolID ClinicalTrialProtocolName "
    "ClinicalTrialSiteID ClinicalTrialSiteName ClinicalTrialSubjectID "
    "ClinicalTrialSubjectReadingID ClinicalTrialCoordinatingCenterName"
)


def letters() -> Iterator[tuple[int, str]]:
    """Each attribute of table E.1-1 with the Basic Profile's letters; repeating groups left out."""
    for letter, rows in (
        ("D", table.D_TAGS),
        ("Z", table.Z_TAGS),
        ("X", table.X_TAGS),
        ("U", table.U_TAGS),
        ("Z/D", table.Z_D_TAGS),
        ("X/Z", table.X_Z_TAGS),
        ("X/D", table.X_D_TAGS),
        ("X/Z/D", table.X_Z_D_TAGS),
        ("X/Z/U*", table.X_Z_U_STAR_TAGS),
    ):
        for row in rows:
            if len(row) == 2:
                yield row[0] << 16 | row[1], letter


def retained() -> Mapping[int, Action]:
    """The attributes an option of the profile (or the hub's need of a pseudonym) overrides."""
    return {
        _tag(keyword): action
        for action, keywords in _OPTIONS.items()
        for keyword in keywords.split()
    }


@cache
def identifying() -> Mapping[int, str]:
    """The attributes whose values identify: the tag with "patient", "name", "day" or "value"."""
    kinds = {"PN": "name", "DA": "day", "DT": "day"}
    by_vr = {tag: kinds[rule.vr] for tag, rule in rules().items() if rule.vr in kinds}
    patients = {_tag(keyword): "patient" for keyword in _PATIENT_NAMES.split()}
    return by_vr | patients | {_tag(keyword): "value" for keyword in _IDENTIFYING.split()}


@cache
def rules() -> Mapping[int, Rule]:
    """The rule for every standard attribute; what is not in here goes: private, 50xx, 60xx."""
    named = dict(letters())
    chosen = retained()
    return {
        tag: Rule(
            _action(tag, entry[0], named.get(tag), chosen),
            FAMILIES[entry[0]],
            entry[0],
            _SIZES.get(entry[0], 1),
            _most_bytes(entry[0], entry[1]),
        )
        for tag, entry in DicomDictionary.items()
        if entry[0] in FAMILIES
    }


def _most_bytes(vr: str, multiplicity: str) -> float:
    """Give the length of as many values as the dictionary allows (PS3.6 6)."""
    most = multiplicity.rpartition("-")[2]
    return _SIZES[vr] * int(most) if vr in _SIZES and most.isdigit() else inf


def _action(tag: int, vr: str, letter: str | None, chosen: Mapping[int, Action]) -> Action:
    if tag in chosen:
        return chosen[tag]
    if letter is not None:
        return _of_letter(letter, vr)
    if tag >> 16 in _CLOSED_GROUPS or (vr == "OB" and tag >> 16 not in _OPEN_OB_GROUPS):
        return Action.REMOVE
    return _BY_VR[vr]


def _of_letter(letter: str, vr: str) -> Action:
    """Of the choices the table leaves, the one that is valid whatever the attribute's Type is."""
    if letter == "X":
        return Action.REMOVE
    if letter in {"Z", "X/Z"}:
        return Action.EMPTY
    if letter in {"U", "X/Z/U*"}:
        return Action.REMAP
    if vr in _NO_DUMMY:
        return Action.REMOVE
    return Action.SHIFT if vr in {"DA", "DT"} else Action.DUMMY


def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise LookupError(f"{keyword} is not in the data dictionary")
    return tag

"""In charge of what a data set says about itself: encoded bytes -> frozen, normalised headers."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import lru_cache
from operator import attrgetter
from os import PathLike
from typing import Any

from hub.dicom import header_values as means
from hub.dicom.character_sets import CharacterSet
from hub.dicom.file_meta import read_file_meta
from hub.dicom.header_reader import Element, read_elements, require_end
from hub.dicom.header_values import LONGEST_TEXT, Meaner
from hub.dicom.header_walk import Buffer, Walk, is_whole
from hub.dicom.streams import FileWindow, NotADataSet, Source


class UnreadableDataset(Exception):  # noqa: N818 (named by what failed)
    """The data set cannot be taken in; `reason` says why, `field` names the attribute or is empty.

    The text holds nothing of what was sent, so that it may be logged.
    """

    def __init__(self, reason: str, field: str = "") -> None:
        super().__init__(f"{field} {reason}" if field else f"the data set {reason}")
        self.reason = reason
        self.field = field


@dataclass(frozen=True, slots=True)
class StudyHeader:
    """Patient and study, as one instance tells them; an attribute that is missing is empty."""

    study_instance_uid: str
    study_id: str = ""
    study_date: str = ""
    study_time: str = ""
    study_description: str = ""
    accession_number: str = ""
    referring_physician_name: str = ""
    patient_id: str = ""
    issuer_of_patient_id: str = ""
    patient_name: str = ""
    patient_birth_date: str = ""
    patient_sex: str = ""
    patient_age: str = ""
    number_of_study_related_instances: int | None = None
    institution_name: str = ""


@dataclass(frozen=True, slots=True)
class SeriesHeader:
    """Series, equipment and protocol; `slice_thickness` is in millimetres."""

    series_instance_uid: str
    series_number: int | None = None
    modality: str = ""
    series_description: str = ""
    body_part_examined: str = ""
    protocol_name: str = ""
    laterality: str = ""
    view_position: str = ""
    manufacturer: str = ""
    manufacturer_model_name: str = ""
    station_name: str = ""
    software_versions: str = ""
    slice_thickness: float | None = None
    convolution_kernel: str = ""
    contrast_bolus_agent: str = ""
    image_type: tuple[str, ...] = ()
    patient_position: str = ""
    number_of_series_related_instances: int | None = None
    images_in_acquisition: int | None = None


@dataclass(frozen=True, slots=True)
class InstanceHeader:
    """The instance itself; `rows` and `columns` are in pixels."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    instance_number: int | None = None
    acquisition_number: int | None = None
    number_of_frames: int = 1
    rows: int | None = None
    columns: int | None = None
    burned_in_annotation: str = ""


@dataclass(frozen=True, slots=True)
class Header:
    """One instance's header. `raw` has the text as sent of each attribute that was changed."""

    study: StudyHeader
    series: SeriesHeader
    instance: InstanceHeader
    raw: dict[str, str]


_ATTRIBUTES: dict[str, tuple[int, Meaner]] = {
    "sop_class_uid": (0x00080016, means.uid),
    "sop_instance_uid": (0x00080018, means.uid),
    "image_type": (0x00080008, means.code_strings),
    "study_date": (0x00080020, means.date),
    "study_time": (0x00080030, means.time),
    "accession_number": (0x00080050, means.text),
    "modality": (0x00080060, means.code_string),
    "manufacturer": (0x00080070, means.text),
    "institution_name": (0x00080080, means.text),
    "referring_physician_name": (0x00080090, means.person_name),
    "station_name": (0x00081010, means.text),
    "study_description": (0x00081030, means.text),
    "series_description": (0x0008103E, means.text),
    "manufacturer_model_name": (0x00081090, means.text),
    "patient_name": (0x00100010, means.person_name),
    "patient_id": (0x00100020, means.text),
    "issuer_of_patient_id": (0x00100021, means.text),
    "patient_birth_date": (0x00100030, means.date),
    "patient_sex": (0x00100040, means.code_string),
    "patient_age": (0x00101010, means.code_string),
    "contrast_bolus_agent": (0x00180010, means.text),
    "body_part_examined": (0x00180015, means.code_string),
    "slice_thickness": (0x00180050, means.decimal),
    "software_versions": (0x00181020, means.text),
    "protocol_name": (0x00181030, means.text),
    "convolution_kernel": (0x00181210, means.text),
    "patient_position": (0x00185100, means.code_string),
    "view_position": (0x00185101, means.code_string),
    "study_instance_uid": (0x0020000D, means.uid),
    "series_instance_uid": (0x0020000E, means.uid),
    "study_id": (0x00200010, means.text),
    "series_number": (0x00200011, means.integer),
    "acquisition_number": (0x00200012, means.integer),
    "instance_number": (0x00200013, means.integer),
    "laterality": (0x00200060, means.code_string),
    "images_in_acquisition": (0x00201002, means.count),
    "number_of_study_related_instances": (0x00201208, means.count),
    "number_of_series_related_instances": (0x00201209, means.count),
    "number_of_frames": (0x00280008, means.count),
    "rows": (0x00280010, means.unsigned_short),
    "columns": (0x00280011, means.unsigned_short),
    "burned_in_annotation": (0x00280301, means.code_string),
}
_Values = dict[str, Any]


class _Level:
    """The attributes of one kind of header, and how one of them is made plain and back."""

    def __init__(self, kind: type[StudyHeader | SeriesHeader | InstanceHeader]) -> None:
        self.kind = kind
        self.names = tuple(field.name for field in fields(kind))
        self.named = tuple(name for name in self.names if name in _ATTRIBUTES)
        self.tags = tuple(_ATTRIBUTES[name][0] for name in self.named)
        self._values = attrgetter(*self.names)
        self._unsaid = tuple(
            None if field.default is MISSING else field.default for field in fields(kind)
        )

    def plain(self, header: object) -> list[tuple[str, Any]]:
        """What the header says, without what it leaves open."""
        said = zip(self.names, self._values(header), self._unsaid, strict=True)
        return [(name, value) for name, value, unsaid in said if value != unsaid]

    def of(self, values: Mapping[str, Any]) -> Any:
        return self.kind(**{name: values[name] for name in self.names if name in values})


_STUDY, _SERIES, _INSTANCE = map(_Level, (StudyHeader, SeriesHeader, InstanceHeader))
_SPECIFIC_CHARACTER_SET = 0x00080005
_WANTED = frozenset(tag for tag, _ in _ATTRIBUTES.values()) | {_SPECIFIC_CHARACTER_SET}
_NAMES = {tag: name for name, (tag, _) in _ATTRIBUTES.items()}
_NAMES |= {0x7FE00008: "float_pixel_data", 0x7FE00009: "double_float_pixel_data"}
_NAMES |= {0x7FE00010: "pixel_data"}
_REQUIRED = ("study_instance_uid", "series_instance_uid", "sop_instance_uid")
_REQUIRED_TAGS = frozenset(_ATTRIBUTES[name][0] for name in _REQUIRED)
# Cutting one of these short would make it somebody else's.
_IDENTIFIERS = ("patient_id", "issuer_of_patient_id", "accession_number", "sop_class_uid")
# PS3.5 9.1, but for leading zeros in a component, which much working equipment writes.
_UID = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_LONGEST_UID = 64
_WALK = Walk(_WANTED)


def plain(header: Header) -> dict[str, Any]:
    """Give a header as what JSON can hold: attributes by name, without those it leaves open.

    No name is in two of the levels. `raw` is there where something was changed.
    """
    said = _STUDY.plain(header.study) + _SERIES.plain(header.series)
    given = dict(said + _INSTANCE.plain(header.instance))
    if header.series.image_type:
        given["image_type"] = list(header.series.image_type)
    if header.raw:
        given["raw"] = dict(header.raw)
    return given


def from_plain(given: Mapping[str, Any]) -> Header:
    """Give back the very header of which `plain` was made, also after a way through JSON.

    Raises TypeError where one of the UIDs that every header has is missing.
    """
    if "image_type" in given:
        given = {**given, "image_type": tuple(given["image_type"])}
    raw = dict(given.get("raw", ()))
    return Header(_STUDY.of(given), _SERIES.of(given), _INSTANCE.of(given), raw)


def read_header(dataset: Source, transfer_syntax_uid: str) -> Header:
    """Read the header of an encoded data set without file meta, as C-STORE carries it.

    Takes every transfer syntax (PS3.5 Annex A); nothing at or after pixel data is looked at.
    Raises UnreadableDataset when the bytes cannot be parsed, when the Study, Series or SOP
    Instance UID is missing or not a UID (PS3.5 9.1), and for an identifier of absurd length.
    """
    if isinstance(dataset, FileWindow):
        return _header(dataset, transfer_syntax_uid)
    return _quickly(dataset, transfer_syntax_uid) or _header(dataset, transfer_syntax_uid)


def read_file_header(path: str | PathLike[str]) -> Header:
    """Read the header of a Part 10 file, also of one without preamble or file meta (PS3.10 7.1).

    Raises UnreadableDataset as `read_header` does, and OSError when the file cannot be opened.
    """
    with open(path, "rb") as file:
        meta = read_file_meta(file)
        dataset = FileWindow(file, meta.data_offset)
        return _header(dataset, _uid_or_nothing(meta.transfer_syntax_uid), meta.sop_class_uid)


def require_whole(dataset: Source, transfer_syntax_uid: str) -> None:
    """Raise UnreadableDataset where an encoded data set ends before its last value does."""
    if not isinstance(dataset, FileWindow) and is_whole(dataset, transfer_syntax_uid):
        return
    try:
        require_end(dataset, transfer_syntax_uid=transfer_syntax_uid)
    except NotADataSet as error:
        tag = error.tag or 0
        unnamed = f"({tag >> 16:04X},{tag & 0xFFFF:04X})" if tag else ""
        raise UnreadableDataset(error.reason, _NAMES.get(tag, unnamed)) from error


def _header(dataset: Source, transfer_syntax_uid: str, sop_class_uid: str = "") -> Header:
    try:
        elements = read_elements(
            dataset,
            transfer_syntax_uid=transfer_syntax_uid,
            wanted=_WANTED,
            required=_REQUIRED_TAGS,
        )
    except NotADataSet as error:
        raise UnreadableDataset(error.reason, _NAMES.get(error.tag or 0, "")) from error
    _refuse_absurd_identifiers(elements)
    declared = elements.get(_SPECIFIC_CHARACTER_SET)
    character_set = CharacterSet(declared.value if declared else b"")
    values, raw = _normalised(_ATTRIBUTES, elements, character_set)
    for name in _REQUIRED:
        _require_uid(name, values.get(name, ""))
    values["transfer_syntax_uid"] = transfer_syntax_uid
    values["sop_class_uid"] = _uid_or_nothing(values.get("sop_class_uid") or sop_class_uid)
    return Header(_STUDY.of(values), _SERIES.of(values), _INSTANCE.of(values), raw)


def _normalised(
    names: Iterable[str], elements: Mapping[int, Element], character_set: CharacterSet
) -> tuple[_Values, dict[str, str]]:
    values: _Values = {}
    raw: dict[str, str] = {}
    for name in names:
        tag, meaning = _ATTRIBUTES[name]
        element = elements.get(tag)
        if element is None or not element.value:
            continue
        value, as_sent = meaning(element, character_set)
        if value is not None:
            values[name] = value
        if as_sent:
            raw[name] = as_sent
    return values, raw


def _quickly(dataset: Buffer, transfer_syntax_uid: str) -> Header | None:
    """Read the header of a data set in which nothing is unusual; None says nothing about it.

    The instances of a series differ in little of their headers: what was made of the same bytes
    before is given again.
    """
    walked = _WALK.find(dataset, transfer_syntax_uid)
    if walked is None:
        return None
    elements, encoding = walked[0], (walked[0].get(_SPECIFIC_CHARACTER_SET), walked[1])
    study, study_raw = _read_level(_STUDY, tuple(map(elements.get, _STUDY.tags)), *encoding)
    series, series_raw = _read_level(_SERIES, tuple(map(elements.get, _SERIES.tags)), *encoding)
    lying = tuple(map(elements.get, _INSTANCE.tags))
    values, raw = _level_values(_INSTANCE, lying, *encoding)
    if not (study and series and _is_uid(values.get("sop_instance_uid", ""))):
        return None
    values["transfer_syntax_uid"] = transfer_syntax_uid
    values["sop_class_uid"] = _uid_or_nothing(values.get("sop_class_uid", ""))
    return Header(study, series, _INSTANCE.of(values), {**study_raw, **series_raw, **raw})


@lru_cache(maxsize=256)
def _read_level(
    level: _Level, lying: tuple[bytes | None, ...], declared: bytes | None, is_implicit: bool
) -> tuple[Any, dict[str, str]]:
    """What a study or series says in these bytes, or None where its UID will not do."""
    values, raw = _level_values(level, lying, declared, is_implicit)
    is_named = all(_is_uid(values.get(name, "")) for name in _REQUIRED if name in level.names)
    return (level.of(values) if is_named else None), raw


def _level_values(
    level: _Level, lying: tuple[bytes | None, ...], declared: bytes | None, is_implicit: bool
) -> tuple[_Values, dict[str, str]]:
    elements = {
        tag: Element(element[8:], "" if is_implicit else element[4:6].decode(), True)
        for tag, element in zip(level.tags, lying, strict=True) if element
    }  # fmt: skip
    return _normalised(level.named, elements, _character_set(declared))


@lru_cache(maxsize=64)
def _character_set(declared: bytes | None) -> CharacterSet:
    return CharacterSet(declared[8:] if declared else b"")


def _refuse_absurd_identifiers(elements: dict[int, Element]) -> None:
    for name in (*_REQUIRED, *_IDENTIFIERS):
        element = elements.get(_ATTRIBUTES[name][0])
        if element is not None and len(element.value) > LONGEST_TEXT:
            raise UnreadableDataset(f"is longer than {LONGEST_TEXT} bytes", name)


def _require_uid(name: str, uid: str) -> None:
    if not uid:
        raise UnreadableDataset("is missing", name)
    if len(uid) > _LONGEST_UID:
        raise UnreadableDataset(f"is longer than {_LONGEST_UID} characters", name)
    if not _UID.fullmatch(uid):
        raise UnreadableDataset("is not a UID", name)


def _is_uid(uid: str) -> bool:
    return len(uid) <= _LONGEST_UID and _UID.fullmatch(uid) is not None


def _uid_or_nothing(uid: str) -> str:
    return uid if _is_uid(uid) else ""

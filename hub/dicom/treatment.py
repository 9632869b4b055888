"""In charge of what leaves in place of each element: Annex E's actions, applied to bytes."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from pydicom.charset import convert_encodings, encode_string

from hub.dicom.annex_e import APPLIED, FAMILIES, Action, identifying, rules
from hub.dicom.character_sets import CharacterSet
from hub.dicom.elements import Element
from hub.dicom.identity import NAMES, Identifier, Identity
from hub.dicom.instance_reading import SPECIFIC_CHARACTER_SET
from hub.dicom.pseudonym import PSEUDONYM, Pseudonymiser

PATIENT_AGE: Final = 0x00101010
_BIRTH_DATE: Final = 0x00100030
# Study, series, acquisition, content: the first that is there says how old the patient was.
_DAYS_OF_STUDY: Final = (0x00080020, 0x00080021, 0x00080022, 0x00080023)
OLDEST_YEARS: Final = 90  # years; who is older is of so few as to be known by it

# OIDs that name tables of the standards and nothing of a patient's (PS3.5 9.1; HL7's registry).
_PUBLIC_ROOTS: Final = (b"1.2.840.10008.", b"2.16.840.1.113883.6.")
_IN_NUMBERS: Final = b"0123456789+-.eE \\\0"
_IN_TIMES: Final = b"0123456789+-.: \\\0"
_DUMMIES: Final[Mapping[str, bytes]] = {"PN": b"Withheld", "TM": b"000000"}
_DUMMY: Final = b"WITHHELD"
# Where a number is measured or set, and is that of a patient's ID by chance alone.
_TECHNICAL_GROUPS: Final = frozenset((0x0018, 0x0028))
_BITS_OF_TABLE: Final = frozenset(range(8, 17))
_MOST_REMEMBERED: Final = 4096
_MOST_IDENTITIES: Final = 64


def _even(text: str) -> bytes:
    return text.encode() + b" " * (len(text) % 2)


METHOD: Final = "DICOM PS3.15 Annex E, edition 2026c, by the hub"
# Attributes that say what was done (PS3.15 E.1.1, PS3.3 C.7.1.1).
DECLARED: Final = (
    Element(0x00120062, "CS", b"YES "),
    Element(0x00120063, "LO", _even(METHOD)),
    Element(
        0x00120064,
        "SQ",
        [
            [
                Element(0x00080100, "SH", option.code.encode()),
                Element(0x00080102, "SH", b"DCM "),
                Element(0x00080104, "LO", _even(option.meaning)),
            ]
            for option in APPLIED
        ],
    ),
    Element(0x00280303, "CS", b"MODIFIED"),
)

Found = tuple[str, bytes, bytes]


@dataclass(frozen=True, slots=True)
class Known:
    """What identifies in the instances that share these values, and what was worked out with it.

    `residues` are values so long that they can stand in what leaves only by a mistake.
    """

    identity: Identity
    residues: tuple[bytes, ...]
    answers: dict[tuple[Action, bytes, bytes], bytes | None] = field(default_factory=dict)


def known_of(elements: list[Element], pseudonymiser: Pseudonymiser) -> Known:
    """Collect what identifies in a whole data set, sequences and private elements included."""
    found: list[Found] = []
    _collect(elements, b"", found)
    key = tuple(found)
    known = pseudonymiser.remembered.get(key)
    if isinstance(known, Known):
        return known
    values = [(kind, charset, raw.strip(b" \0")) for kind, charset, raw in found]
    identifiers = [
        Identifier(kind, text)
        for kind, charset, raw in values
        for text in CharacterSet(charset).decode(raw, is_name=kind in NAMES).split("\\")
    ]
    identifiers += [
        Identifier("value" if any(map(str.isdigit, text)) else "patient", text)
        for text in pseudonymiser.also_identifying
    ]
    identity = Identity.of(identifiers)
    residues = {raw for raw in _looked_for(values, pseudonymiser) if _is_telling(raw, identity)}
    if len(pseudonymiser.remembered) >= _MOST_IDENTITIES:
        pseudonymiser.remembered.clear()
    known = Known(identity, tuple(residues))
    pseudonymiser.remembered[key] = known
    return known


def _collect(elements: list[Element], charset: bytes, found: list[Found]) -> None:
    kinds = identifying()
    for tag, vr, value in elements:
        if isinstance(value, list):
            for item in value:
                _collect(item, charset, found)
            continue
        if tag == SPECIFIC_CHARACTER_SET:
            charset = value
        kind = kinds.get(tag, "name" if vr == "PN" else None)
        if kind is not None and value:
            found.append((kind, charset, value[:8] if kind == "day" else value))


def _looked_for(values: Iterable[Found], pseudonymiser: Pseudonymiser) -> Iterable[bytes]:
    """Give values as they are encoded, and of names each word: binary data may hold it alone."""
    for kind, _, raw in values:
        if kind != "day":
            yield raw
        if kind in NAMES:
            yield from re.split(rb"[\^= \\]+", raw)
    for text in pseudonymiser.also_identifying:
        for word in (text, *re.split(r"[\^ ]+", text)):
            yield word.encode("utf-8")
            yield word.encode("latin_1", "ignore")


def _is_telling(raw: bytes, identity: Identity) -> bool:
    """Say whether a value may be looked for in raw bytes without being found by chance."""
    text = raw.decode("latin_1")
    has_letters = any(map(str.isalpha, text))
    if len(raw) < (6 if has_letters else 10) or raw.startswith(_PUBLIC_ROOTS):
        return False
    if any(raw in constant for constant in _constants()):
        return False
    # A name made of defined terms alone ("HEAD CHEST") stands in everybody's images.
    return not has_letters or identity.without_names(text) == ""


def _constants() -> Iterable[bytes]:
    yield METHOD.encode()
    for option in APPLIED:
        yield option.meaning.encode()
    yield from (_DUMMY, *_DUMMIES.values(), PSEUDONYM.encode())


class Treatment:
    """The way through Annex E for one instance; `renamed` collects the UIDs that were."""

    def __init__(
        self, *, pseudonymiser: Pseudonymiser, known: Known, age: bytes, charset: bytes = b""
    ) -> None:
        self._pseudonymiser = pseudonymiser
        self._known = known
        self._age = age
        self._charset = charset
        self.renamed: set[str] = set()
        if len(known.answers) > _MOST_REMEMBERED:
            known.answers.clear()

    def treated(self, elements: list[Element]) -> list[Element]:
        """Give the elements that may leave, in place of these."""
        table, families = rules(), FAMILIES
        outer = self._charset
        kept: list[Element] = []
        for element in elements:
            rule = table.get(element.tag)
            if rule is None or families.get(element.vr) != rule.family:
                continue
            if rule.action == Action.KEEP:
                if len(element.value) <= rule.most and not len(element.value) % rule.size:
                    kept.append(element)
            elif rule.action != Action.REMOVE:
                answer = self._treated(rule.action, element)
                if answer is not None:
                    kept.append(answer)
        self._charset = outer
        return kept

    def _treated(self, action: Action, element: Element) -> Element | None:
        tag, vr, value = element
        if isinstance(value, list):
            return Element(tag, vr, [self.treated(i) for i in value if action != Action.EMPTY])
        if tag == SPECIFIC_CHARACTER_SET:
            self._charset = value
        if vr == "IS" and tag >> 16 not in _TECHNICAL_GROUPS and self._identifies(value):
            return Element(tag, vr, b"")
        answer = self._answer(action, vr, value)
        if answer is None:
            return None
        return element if answer == value else Element(tag, vr, answer)

    def _identifies(self, number: bytes) -> bool:
        """Say whether somebody numbered a series, or the like, by the patient."""
        return len(number) > 3 and self._known.identity.is_value(number.decode("latin_1"))

    def _answer(self, action: Action, vr: str, raw: bytes) -> bytes | None:
        if action == Action.NUMBER:
            return None if raw.translate(None, _IN_NUMBERS) else raw
        if action == Action.DESCRIPTOR_OF_TABLE:
            return raw if _describes_table(raw) else None
        if action == Action.TIME:
            return b"" if raw.translate(None, _IN_TIMES) else raw
        if action == Action.REMAP or vr == "UI":
            return self._renamed(raw)
        if action == Action.AGE:
            return self._age
        if not raw:
            return raw
        answers = self._known.answers
        # A dummy hangs on the VR, all else on the character set.
        key = (action, vr.encode() if action == Action.DUMMY else self._charset, raw)
        if key not in answers:
            answers[key] = self._worked_out(action, vr, raw)
        return answers[key]

    def _renamed(self, raw: bytes) -> bytes:
        names = []
        for uid in raw.split(b"\\"):
            bare = uid.strip(b" \0")
            if not bare or bare.startswith(_PUBLIC_ROOTS):
                names.append(bare)
                continue
            original = bare.decode("latin_1")
            self.renamed.add(original)
            names.append(self._pseudonymiser.uid(original).encode())
        return _padded(b"\\".join(names), b"\0")

    def _worked_out(self, action: Action, vr: str, raw: bytes) -> bytes | None:
        if action == Action.EMPTY:
            return b""
        if action == Action.DUMMY:
            return _DUMMIES.get(vr, _DUMMY) if raw.strip(b" \0") else raw
        if action == Action.SHIFT:
            return _padded(b"\\".join(map(self._shifted, raw.split(b"\\"))), b" ")
        text = CharacterSet(self._charset).decode(raw.rstrip(b" \0"))
        if action in _NAMED:
            name = _NAMED[action](self._pseudonymiser, text.strip())
            return _padded(name.encode(), b" ") if text.strip() else b""
        return self._cleaned(action, text, raw)

    def _cleaned(self, action: Action, text: str, raw: bytes) -> bytes:
        identity = self._known.identity
        clean = {
            Action.TERM: identity.without_names,
            Action.CODE: identity.coded,
            Action.TEXT: identity.cleaned,
            Action.DESCRIPTOR: identity.described,
        }[action]
        cleaned = "\\".join(map(clean, text.split("\\")))
        return raw if cleaned == text else _padded(self._encoded(cleaned), b" ")

    def _encoded(self, text: str) -> bytes:
        """Encode in the data set's own characters; those that do not come back are left out."""
        if not text.isascii():
            terms = self._charset.decode("latin_1").split("\\")
            encoded = encode_string(text, convert_encodings([term.strip() for term in terms]))
            if CharacterSet(self._charset).decode(encoded) == text:
                return encoded
        return text.encode("ascii", "ignore")

    def _shifted(self, raw: bytes) -> bytes:
        """Shift a DA or DT by whole days; what is no whole day, or no date, says nothing."""
        text = raw.strip(b" \0")
        if len(text) == 10 and text[4:5] + text[7:8] == b"..":  # the form of ACR-NEMA
            text = text.replace(b".", b"")
        day = _day(text)
        if day is None or text[8:].translate(None, _IN_TIMES):
            return b""
        try:
            return f"{self._pseudonymiser.shifted(day):%Y%m%d}".rjust(8, "0").encode() + text[8:]
        except OverflowError:
            return b""


_NAMED: Final[Mapping[Action, Callable[[Pseudonymiser, str], str]]] = {
    Action.PATIENT_NAME: lambda pseudonymiser, _: pseudonymiser.patient_name,
    Action.PATIENT_ID: Pseudonymiser.patient_id,
    Action.ACCESSION_NUMBER: Pseudonymiser.accession_number,
}


def age_of(header: Mapping[int, bytes]) -> bytes:
    """Give Patient's Age (AS, PS3.5 6.2) as stated, else as derived; from 90 years on 090Y.

    Empty where the header tells no age, or a birth after the study.
    """
    stated = header.get(PATIENT_AGE, b"").strip(b" \0")
    derived = _derived_age(header)
    if derived[3:] == b"Y" and int(derived[:3]) >= OLDEST_YEARS:
        return derived
    if len(stated) == 4 and stated[:3].isdigit() and stated[3:] in {b"D", b"W", b"M", b"Y"}:
        in_year = {b"D": 365, b"W": 52, b"M": 12, b"Y": 1}[stated[3:]]
        return b"090Y" if int(stated[:3]) >= OLDEST_YEARS * in_year else stated
    return derived


def _derived_age(header: Mapping[int, bytes]) -> bytes:
    born = _day(header.get(_BIRTH_DATE, b""))
    days = (_day(header.get(tag, b"")) for tag in _DAYS_OF_STUDY)
    studied = next((day for day in days if day is not None), None)
    if born is None or studied is None or studied < born:
        return b""
    months = (studied.year - born.year) * 12 + studied.month - born.month
    months -= studied.day < born.day
    if months >= 24:
        return f"{min(months // 12, OLDEST_YEARS):03d}Y".encode()
    return f"{months:03d}M".encode() if months else f"{(studied - born).days:03d}D".encode()


def _day(text: bytes) -> date | None:
    if not text[:8].isdigit() or len(text[:8]) < 8:
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return None


def _describes_table(raw: bytes) -> bool:
    """Say whether these are three numbers of which the last is a number of bits (PS3.3 C.7.9)."""
    bits = {int.from_bytes(raw[4:], "little"), int.from_bytes(raw[4:], "big")}
    return len(raw) == 6 and not _BITS_OF_TABLE.isdisjoint(bits)


def _padded(value: bytes, padding: bytes) -> bytes:
    return value + padding * (len(value) % 2)

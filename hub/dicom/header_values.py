"""In charge of what one encoded value of a header means to the hub: normalised, never an error."""

import math
import re
import unicodedata
from collections.abc import Callable

from hub.dicom.character_sets import CharacterSet
from hub.dicom.header_reader import Element

# The longest text of the standard in a header is 64 characters (LO); senders go beyond that, but
# not beyond this, and a row must not be made to hold whatever somebody sends.
LONGEST_TEXT = 1024

Value = str | int | float | tuple[str, ...] | None
# What it means, and the text as sent where that says something else; empty where it does not.
Meaning = tuple[Value, str]
Meaner = Callable[[Element, CharacterSet], Meaning]

_IS = re.compile(r"([+-]?[0-9]{1,12})(?:\.0*)?")
_DS = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_OLD_DATE = re.compile(r"([0-9]{4})\.([0-9]{2})\.([0-9]{2})")
_OLD_TIME = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2}(?:\.[0-9]+)?)")
_SIGNED = {"US": False, "UL": False, "UV": False, "SS": True, "SL": True, "SV": True}
_LARGEST = 2**31 - 1


def uid(element: Element, _: CharacterSet) -> Meaning:
    """UI: without padding; what is illegal in it is left for the reader of the header to refuse."""
    return element.value.decode("latin_1").strip(" \x00")[:LONGEST_TEXT], ""


def text(element: Element, character_set: CharacterSet) -> Meaning:
    """LO, SH, AS: without outer white space, control characters as spaces, values kept apart."""
    sent = character_set.decode(element.value)
    values = [_clean(value) for value in sent.split("\\")]
    return _meaning("\\".join(values).rstrip("\\"), sent)


def code_string(element: Element, character_set: CharacterSet) -> Meaning:
    """CS of one value: upper case too, so that `ct ` is CT (PS3.5 6.2 allows upper case only)."""
    sent = character_set.decode(element.value)
    return _meaning(_clean(sent).upper(), sent)


def code_strings(element: Element, character_set: CharacterSet) -> Meaning:
    """CS of several values, as a tuple; empty values keep their place."""
    sent = character_set.decode(element.value)
    joined, as_sent = _meaning("\\".join(_clean(v).upper() for v in sent.split("\\")), sent)
    return (tuple(str(joined).split("\\")) if joined else ()), as_sent


def person_name(element: Element, character_set: CharacterSet) -> Meaning:
    """PN (PS3.5 6.2.1): component groups by =, components by ^; trailing empty ones dropped."""
    sent = character_set.decode(element.value, is_name=True)
    groups = ("^".join(map(_clean, g.split("^"))).rstrip("^") for g in sent.split("="))
    return _meaning("=".join(groups).rstrip("="), sent)


def date(element: Element, character_set: CharacterSet) -> Meaning:
    """DA, YYYYMMDD; the dots of ACR-NEMA (PS3.5 6.2, note on DA) are taken out."""
    sent = character_set.decode(element.value)
    return _meaning(_OLD_DATE.sub(r"\1\2\3", _clean(sent)), sent)


def time(element: Element, character_set: CharacterSet) -> Meaning:
    """TM, HHMMSS.FFFFFF; the colons of ACR-NEMA are taken out."""
    sent = character_set.decode(element.value)
    return _meaning(_OLD_TIME.sub(r"\1\2\3", _clean(sent)), sent)


def integer(element: Element, character_set: CharacterSet) -> Meaning:
    """IS, or US where the data set or the dictionary says so: None unless one 32-bit number."""
    if element.vr in _SIGNED:
        number = int.from_bytes(
            element.value,
            "little" if element.is_little_endian else "big",
            signed=_SIGNED[element.vr],
        )
        fits = len(element.value) in (2, 4, 8) and abs(number) <= _LARGEST
        return (number, "") if fits else (None, element.value[:16].hex())
    sent = character_set.decode(element.value)
    found = _IS.fullmatch(_clean(sent))
    if found and abs(int(found[1])) <= _LARGEST:
        return int(found[1]), ""
    return None, _as_sent(sent)


def unsigned_short(element: Element, character_set: CharacterSet) -> Meaning:
    """US, also where the VR is not in the data set (implicit) or was lost on the way (UN)."""
    if element.vr in ("", "UN"):
        element = element._replace(vr="US")
    return integer(element, character_set)


def count(element: Element, character_set: CharacterSet) -> Meaning:
    """IS that counts something: None also for nought and less, which senders use for unknown."""
    number, as_sent = integer(element, character_set)
    if isinstance(number, int) and number < 1:
        return None, str(number)
    return number, as_sent


def decimal(element: Element, character_set: CharacterSet) -> Meaning:
    """DS: None unless one finite number."""
    sent = character_set.decode(element.value)
    cleaned = _clean(sent)
    if _DS.fullmatch(cleaned) and math.isfinite(number := float(cleaned)):
        return number, ""
    return None, _as_sent(sent)


def _clean(value: str) -> str:
    """Take out what no database, log or HL7 message should ever be given, and outer space.

    NUL goes (PostgreSQL refuses it); line ends and other control characters become spaces, or a
    description could begin a new segment of an HL7 message.
    """
    if not value.isprintable():
        value = "".join(_printable(character) for character in value)
    return value.strip()


def _printable(character: str) -> str:
    if character == "\x00":
        return ""
    category = unicodedata.category(character)
    if category == "Cs":
        return "\N{REPLACEMENT CHARACTER}"
    return " " if category in ("Cc", "Zl", "Zp") else character


def _meaning(value: str, sent: str) -> Meaning:
    # Even length is no statement: one space or NUL may be padding (PS3.5 6.2).
    unpadded = sent[:-1] if sent[-1:] in (" ", "\x00") else sent
    return value[:LONGEST_TEXT], "" if value == unpadded else _as_sent(sent)


def _as_sent(sent: str) -> str:
    """Give what was sent in a form that can be stored: controls as their pictures (U+2400 ...)."""
    shown = "".join(chr(0x2400 + ord(c)) if c < " " else c for c in sent[:LONGEST_TEXT])
    return shown.encode("utf-8", "replace").decode()

"""Whether an identifier can be right: check digits and patterns, each saying what it expects."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias
from zoneinfo import available_timezones

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from stdnum import ean
from stdnum.dk import cvr
from stdnum.eu import vat
from stdnum.exceptions import ValidationError as NumberInvalid
from stdnum.no import orgnr

from hub.hl7.charsets import UnknownCharacterSet, codec_of

# gives what was expected, or "" where the text is right
Check: TypeAlias = Callable[[str], str]

_GMN_WEIGHTS = (
    83, 79, 73, 71, 67, 61, 59, 53, 47, 43, 41, 37, 31, 29, 23, 19, 17, 13, 11, 7, 5, 3, 2,
)  # fmt: skip
_GMN_VALUES = {
    character: value
    for value, character in enumerate(
        "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
    )
}
_GMN_CHECKS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_GMN_SHORTEST, _GMN_LONGEST = 6, 25


@dataclass(frozen=True, slots=True)
class Pattern:
    """A check that the whole text matches a regular expression, which a JSON Schema can show."""

    expression: str
    expected: str

    def __call__(self, text: str) -> str:
        return "" if re.fullmatch(self.expression, text, re.ASCII) else _(self.expected)


slug = Pattern(r"[A-Za-z0-9_-]+", gettext_noop("letters, digits, - and _ only"))
username = Pattern(r"[\w.@+-]+", gettext_noop("letters, digits and . @ + - _ only"))
country = Pattern(r"[A-Z]{2}", gettext_noop("a country of two capital letters (ISO 3166)"))
currency = Pattern(r"[A-Z]{3}", gettext_noop("a currency of three capital letters (ISO 4217)"))
srn = Pattern(
    r"[A-Z]{2}-(MF|AR|IM|PR)-[0-9]{9}",
    gettext_noop("a single registration number such as NO-MF-000012345 (MDR Art. 31)"),
)
notified_body = Pattern(r"[0-9]{4}", gettext_noop("a notified body of four digits (NANDO)"))
# serial numbers without a check digit: none is ours to vouch for
her_id = Pattern(r"[1-9][0-9]{0,8}", gettext_noop("a HER-id: a whole number of at most 9 digits"))
resh_id = Pattern(r"[1-9][0-9]{0,8}", gettext_noop("a RESH-id: a whole number of at most 9 digits"))
percentage = Pattern(
    r"100(\.0{1,2})?%|[0-9]{1,2}(\.[0-9]{1,2})?%",
    gettext_noop('a percentage from "0%" to "100%"'),
)


def organisation_number(text: str, *, of: str) -> str:
    """Norway: nine digits with mod 11. Denmark: the form of a CVR number. Elsewhere: anything."""
    if of == "NO" and not (re.fullmatch("[0-9]{9}", text) and _is_valid(orgnr, text)):
        return _("a Norwegian organisation number, nine digits with a check digit (mod 11)")
    if of == "DK" and not re.fullmatch("[0-9]{8}", text):
        return _("a Danish CVR number, eight digits")
    return ""


def organisation_number_doubt(text: str, *, of: str) -> str:
    """A reason to look twice: a CVR number that fails mod 11 may still have been given out."""
    if of == "DK" and re.fullmatch("[0-9]{8}", text) and not _is_valid(cvr, text):
        return _("this CVR number fails its check digit (mod 11)")
    return ""


def vat_number(text: str, *, of: str) -> str:
    """Norway: NO, an organisation number, MVA (NO-R-001). Denmark: DK and eight digits."""
    if of == "NO":
        found = re.fullmatch("NO([0-9]{9})MVA", text)
        if not found:
            return _("a Norwegian VAT number: NO, nine digits, MVA")
        if not _is_valid(orgnr, found[1]):
            return _("a Norwegian VAT number whose nine digits pass their check digit (mod 11)")
    if of == "DK" and not re.fullmatch("DK[0-9]{8}", text):
        return _("a Danish VAT number: DK and eight digits")
    return ""


def vat_number_doubt(text: str, *, of: str) -> str:
    """A reason to look twice at a number that another country gives out."""
    if of == "DK" and re.fullmatch("DK[0-9]{8}", text) and not _is_valid(cvr, text[2:]):
        return _("this VAT number fails its check digit (mod 11)")
    if of != "DK" and of.lower() in vat.MEMBER_STATES and not _is_valid(vat, text):
        return _("this is no VAT number of %(country)s as the EU has them") % {"country": of}
    return ""


def npr_activity_unit(text: str) -> str:
    """Norwegian Patient Registry, radiology, activity: an organisation number and then 1."""
    if _is_reporting_unit(text, last="1"):
        return ""
    return _("a reporting unit of 10 digits: an organisation number with its check digit (mod 11), "
             "then 1 for activity")  # fmt: skip


def npr_dose_unit(text: str) -> str:
    """Norwegian Patient Registry, radiology, dose: an organisation number and then 2."""
    if _is_reporting_unit(text, last="2"):
        return ""
    return _("a reporting unit of 10 digits: an organisation number with its check digit (mod 11), "
             "then 2 for dose")  # fmt: skip


def _is_reporting_unit(text: str, *, last: str) -> bool:
    found = re.fullmatch("([0-9]{9})([0-9])", text, re.ASCII)
    return found is not None and found[2] == last and _is_valid(orgnr, found[1])


def gln(text: str) -> str:
    """A GS1 Global Location Number: 13 digits with a check digit (mod 10)."""
    if re.fullmatch("[0-9]{13}", text) and _is_valid(ean, text):
        return ""
    return _("a GLN of 13 digits with a check digit (GS1, mod 10)")


def udi_di(text: str) -> str:
    """A GTIN-14 with its check digit (GS1), or the form of an HIBCC or ICCBBA identifier."""
    if re.fullmatch(r"\+[A-Z][A-Z0-9]{3,22}|=[A-Z0-9&]{5,23}", text):
        return ""
    if re.fullmatch("[0-9]{14}", text) and _is_valid(ean, text):
        return ""
    return _("a UDI-DI as a GTIN of 14 digits with a check digit (GS1)")


def basic_udi_di(text: str) -> str:
    """A GS1 Global Model Number with its two check characters (mod 1021), or another issuer's.

    Its arithmetic is GS1's own and exact: one that fails it is mistyped, like a GTIN that does.
    """
    if what := one_line(text):
        return what
    if not text[:1].isdigit():  # HIBCC, ICCBBA and IFA write letters or signs first
        return ""
    if not _GMN_SHORTEST <= len(text) <= _GMN_LONGEST or not set(text) <= set(_GMN_VALUES):
        return _("a Basic UDI-DI as a Global Model Number of 6 to 25 characters (GS1)")
    body, given = text[:-2], text[-2:]
    weights = _GMN_WEIGHTS[-len(body) :]
    total = sum(
        _GMN_VALUES[character] * weight for character, weight in zip(body, weights, strict=True)
    )
    high, low = divmod(total % 1021, 32)
    if given != _GMN_CHECKS[high] + _GMN_CHECKS[low]:
        return _("a Basic UDI-DI as a Global Model Number that passes its two check characters "
                 "(GS1, mod 1021)")  # fmt: skip
    return ""


def ae_title(text: str) -> str:
    """PS3.5 6.2, AE: 1 to 16 characters of ASCII without backslash and controls, not all blank."""
    good = re.fullmatch(r"[ -\[\]-~]{1,16}", text) and text == text.strip()
    return "" if good else _(
        "an AE title of 1 to 16 characters, no backslash, no control, no blank at an end"
    )


def host(text: str) -> str:
    """A host name or an address: what a socket can be opened to."""
    good = re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9_.])?|[0-9A-Fa-f:.]+", text)
    return "" if good else _("a host name or an IP address")


def time_zone(text: str) -> str:
    """A name of the IANA time zone database."""
    return "" if text in available_timezones() else _("a time zone such as Europe/Oslo (IANA)")


def charset(text: str) -> str:
    """A value of MSH-18 (HL7 table 0211) that the hub can read and write; it goes out as it is."""
    try:
        codec_of(text)
        is_known = re.fullmatch("[A-Za-z0-9][A-Za-z0-9 ./_()-]*", text) is not None
    except UnknownCharacterSet:
        is_known = False
    if not is_known:
        return _("a character set of HL7 table 0211, such as UNICODE UTF-8 or 8859/1")
    return ""


def hl7_name(text: str) -> str:
    """The first component of an HD in MSH-3 to MSH-6: it must survive without escapes."""
    good = text.isprintable() and text == text.strip() and not set(text) & set("|~\\")
    text = _("a name without | ~ and \\ and without blanks at an end (MSH-5, MSH-6)")
    return "" if good else text


def paragraphs(text: str) -> str:
    """Text of several lines: no control characters but those that end lines and indent."""
    good = all(_is_readable(character) or character in "\n\r\t" for character in text)
    return "" if good and text.strip() else _("text without control characters")


def base64_text(text: str) -> str:
    """Base64 without line breaks (RFC 4648 4)."""
    is_base64 = re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", text) and not len(text) % 4
    return "" if is_base64 else _("base64 without line breaks")


def one_line(text: str) -> str:
    """Text that fits on one line: no control characters, something to read."""
    good = all(map(_is_readable, text)) and text.strip()
    return "" if good else _("one line of text")


def _is_readable(character: str) -> bool:
    """Whether it can be seen, or is one of the blanks that word processors write."""
    return character.isprintable() or unicodedata.category(character) == "Zs"


def _is_valid(number: object, text: str) -> bool:
    """Whether a module of python-stdnum accepts the text."""
    try:
        number.validate(text)  # type: ignore[attr-defined]
    except NumberInvalid:
        return False
    return True

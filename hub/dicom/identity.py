"""In charge of what names a person or a place in one instance, and of taking it out of text."""

import re
import unicodedata
from collections.abc import Iterable
from datetime import date
from typing import Final, NamedTuple, Self

_WORD = re.compile(r"([^\W_]+)")
_GAPS = re.compile(r"[\s_]{2,}")
# What stands in descriptions and is never a name, a number or a day: slice and dose figures have
# fewer digits in a row, years do not.
_SUSPECT = re.compile(
    r"""
      \d+(?:\.\d+){5,}                                   # a UID
    | \S*@\S*                                            # a mail address
    | \w*\d{5}\w*                                        # an ID, a telephone number, a day
    | \b\d{1,4}([./-])\d{1,2}\1\d{2,4}\b                 # a day
    | (?:\b\d{2,3}[ -]){3,}\d{2,3}\b                     # a telephone number in groups
    | \b(?:19|20)\d\d\b                                  # a year
    | \b(?:(?-i:[Dd]r)\b\.?|dr\.|(?:prof|mrs|navn|name)\b[.:]?)\s*[^\W\d_]+  # who has a title
    """,
    re.IGNORECASE | re.VERBOSE,
)
NAMES: Final = frozenset(("patient", "name"))
_LONG_NUMBER = re.compile(r"\d+(?:\.\d+){5,}|\w*\d{8}\w*")
# No description is longer; the expressions above take their time over what is.
_LONGEST_TEXT: Final = 1024
_LEAST_PART: Final = 4
_FIRST_IDEOGRAPH: Final = "\u1100"
_OTHER_LETTERS = str.maketrans(
    {"ø": "o", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "ł": "l", "þ": "th", "ı": "i"}
)
_SPELLED_OUT = str.maketrans({"ø": "oe", "å": "aa", "ä": "ae", "ö": "oe", "ü": "ue"})
# Prefixes of names that are modalities or defined terms too: "MR" is no reason to spoil "MR Brain".
_NO_NAME = frozenset(
    ("mr", "mrs", "ms", "dr", "ct", "us", "dx", "cr", "xr", "nm", "pt", "pet", "sc", "rt", "mg")
)
# Defined terms (PS3.3 C.7.6.1, C.7.3.1) that stand in the images of everybody.
_STANDARD_TERMS = frozenset(
    ("original", "primary", "secondary", "derived", "axial", "localizer", "volume", "reformatted")
    + ("monochrome1", "monochrome2", "palette", "color", "average", "mixed", "none", "auto")
    + ("head", "neck", "chest", "abdomen", "pelvis", "spine", "brain", "breast", "extremity")
    + ("whole", "body", "thorax", "screen", "save", "uniform")
)


# What stands for a name where nobody knows it, or where somebody took it out before.
_PLACEHOLDERS = frozenset(
    ("anon", "anonym", "anonymous", "anonymized", "anonymised", "anonymisert", "anonymiseret")
    + ("unknown", "ukjent", "ukendt", "noname", "nameless", "name", "navn", "none", "null", "nil")
    + ("patient", "pasient", "test", "testing", "subject", "phantom", "fantom", "pseudonym")
    + ("withheld", "removed", "redacted", "deidentified", "hidden", "emergency", "trauma", "akutt")
    + ("akut", "john", "jane", "doe", "mann", "mand", "kvinne", "kvinde", "man", "woman", "male")
    + ("female", "barn", "child", "baby", "first", "last", "middle", "surname", "given", "family")
)
# The fewest digits in a row that tell a person in a code, which is most often digits itself.
_LEAST_DIGITS_IN_CODE: Final = 6
_LEAST_LETTERS_IN_CODE: Final = 3


class Identifier(NamedTuple):
    """One identifying value: `kind` is "patient" or "name" (of anybody), "day" or "value"."""

    kind: str
    text: str


class Identity:
    """The values that identify in one instance, made ready to be looked for in text.

    A word goes when it equals a word of a name, or holds four or more letters of an identifying
    value in a row as one of its parts; a text goes whole when it holds a value of several words.
    Letter case, accents and spellings such as ø, o and oe are no hiding place.
    """

    __slots__ = ("_parts", "_wholes", "_words", "knows_patient")

    def __init__(
        self, words: frozenset[str], wholes: frozenset[str], *, knows_patient: bool = True
    ) -> None:
        self.knows_patient = knows_patient
        self._words = words
        self._parts = tuple(word for word in words if _is_long(word, _LEAST_PART))
        self._wholes = tuple(wholes)

    @classmethod
    def of(cls, identifiers: Iterable[Identifier]) -> Self:
        """Make ready what identifies; values of under four letters count only in names."""
        words: set[str] = set()
        wholes: set[str] = set()
        knows_patient = False
        for kind, text in identifiers:
            knows_patient = knows_patient or (kind == "patient" and _is_somebody(text))
            if kind == "day":
                words.update(_spellings_of_day(text))
                continue
            for spelled in {text, text.casefold().translate(_SPELLED_OUT)}:
                found = [_folded(word) for word in _WORD.findall(spelled)]
                least = 2 if kind in NAMES else _LEAST_PART
                words.update(word for word in found if _is_long(word, least))
                if kind == "value" and len(found) > 1:
                    wholes.add("".join(found))
        words -= _NO_NAME
        long = {whole for whole in wholes if len(whole) >= _LEAST_PART}
        return cls(frozenset(words), frozenset(long), knows_patient=knows_patient)

    def names(self, word: str) -> bool:
        """Say whether a word equals or holds an identifying value."""
        folded = _folded(word)
        return folded in self._words or any(part in folded for part in self._parts)

    def is_value(self, text: str) -> bool:
        """Say whether a text equals an identifying value as a whole."""
        folded = "".join(map(_folded, _WORD.findall(text)))
        return folded in self._words or folded in self._wholes

    def cleaned(self, text: str) -> str:
        """Give technical text without words that identify and numbers of eight digits or more."""
        if len(text) > _LONGEST_TEXT:
            return ""
        pieces = _WORD.split(_LONG_NUMBER.sub("", text))
        if any(whole in "".join(map(_folded, pieces[1::2])) for whole in self._wholes):
            return ""
        if not any(map(self.names, pieces[1::2])):
            return text if "".join(pieces) == text else _tidy("".join(pieces))
        pieces[1::2] = ["" if self.names(word) else word for word in pieces[1::2]]
        return _tidy("".join(pieces))

    def described(self, text: str) -> str:
        """Give a description without words that identify, numbers, days and who bears a title.

        Give none where the patient's name is not known: whoever typed it into the description
        could not be told from an organ.
        """
        if len(text) > _LONGEST_TEXT or not self.knows_patient:
            return ""
        harmless = _SUSPECT.sub("", text)
        return self.cleaned(text if harmless == text else _tidy(harmless))

    def coded(self, code: str) -> str:
        """Give the value of a code, or nothing where it is, or holds, what identifies.

        Digits count from six in a row on: a number of four stands in many a code by chance.
        """
        words = [_folded(word) for word in _WORD.findall(code)]
        return "" if self.is_value(code) or any(map(self._is_in_code, words)) else code

    def _is_in_code(self, word: str) -> bool:
        if word in self._words and not word.isdigit() and _is_long(word, _LEAST_LETTERS_IN_CODE):
            return True
        return any(
            part in word
            for part in self._parts
            if not part.isdigit() or len(part) >= _LEAST_DIGITS_IN_CODE
        )

    def without_names(self, term: str) -> str:
        """Give a coded string, or nothing where it names somebody and is no defined term."""
        # Of two or three letters are the standard's own terms, such as PA and FFS.
        words = [word for word in _WORD.findall(term) if _is_long(word, _LEAST_PART)]
        unusual = (word for word in words if word.casefold() not in _STANDARD_TERMS)
        return "" if any(map(self.names, unusual)) else term


def _is_somebody(name: str) -> bool:
    """Say whether a name tells who it is: a placeholder, or a number in its place, does not."""
    words = [_folded(word) for word in _WORD.findall(name)]
    named = [word for word in words if word.isalpha() and _is_long(word, 2)]
    return any(word not in _PLACEHOLDERS and word not in _NO_NAME for word in named)


def _is_long(word: str, least: int) -> bool:
    # A name in ideographs or syllables is told by two of them.
    return len(word) >= (min(least, 2) if word[:1] >= _FIRST_IDEOGRAPH else least)


def _folded(word: str) -> str:
    if word.isascii():
        return word.lower()
    letters = unicodedata.normalize("NFKD", word.casefold()).translate(_OTHER_LETTERS)
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _spellings_of_day(text: str) -> Iterable[str]:
    try:
        day = date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return ()
    return (f"{day:%Y%m%d}", f"{day:%d%m%Y}", f"{day:%m%d%Y}", f"{day:%d%m%y}", f"{day:%y%m%d}")


def _tidy(text: str) -> str:
    return _GAPS.sub(lambda gap: gap[0][0], text).strip(" -_,;:/.^()[]")

"""In charge of turning encoded text into str by Specific Character Set (PS3.3 C.12.1.1.2)."""

import codecs
import re

from pydicom.charset import CODES_TO_ENCODINGS, python_encoding

_ESCAPE = b"\x1b"
_ASCII_G0 = b"\x1b(B"
_JIS_X_0201_G0 = b"\x1b(J"
# Python's codecs for these want the escape sequence left in.
_KEEPS_ESCAPE = frozenset({"iso2022_jp", "iso2022_jp_2"})
_G1_TWO_BYTE = {b"\x1b$)C": "euc_kr", b"\x1b$)A": "gb2312"}
_FRAGMENTS = re.compile(rb"\x1b[^\x1b]*|[^\x1b]+")
# Where a value returns to the first character set (PS3.5 6.1.2.5.3).
_RESETS = re.compile(rb"([\r\n\t\f\\])")
_RESETS_IN_A_NAME = re.compile(rb"([\r\n\t\f\\^=])")
_LETTERS = re.compile(r"[^A-Z0-9]+")

_BY_LETTERS = {_LETTERS.sub("", name): codec for name, codec in python_encoding.items() if name}
_BY_LETTERS |= {"UTF8": "utf-8", "LATIN1": "latin_1", "ISO88591": "latin_1", "ASCII": "ascii"}
# The default repertoire has no letters beyond ASCII; who sends some sends another set unsaid.
_BY_LETTERS |= {"ISOIR6": "ascii", "ISO2022IR6": "ascii"}
_BY_LETTERS |= {"ISO2022IR58": "gb2312", "ISO202258": "gb2312"}


class CharacterSet:
    """How the text of one data set is encoded; decoding never fails.

    Takes the encoded value of (0008,0005). A term that nobody knows is passed over, and bytes that
    do not fit what was declared are read as UTF-8 if they are UTF-8, as Latin-1 otherwise: the
    text then is at worst wrong in its accents, and never lost.
    """

    __slots__ = ("_first",)

    def __init__(self, specific_character_set: bytes = b"") -> None:
        terms = specific_character_set.decode("latin_1").split("\\")
        # Every escape sequence of the standard is honoured, declared or not: only the first term,
        # which no escape sequence announces, has to be remembered.
        self._first = _codec(terms[0])

    def decode(self, value: bytes, *, is_name: bool = False) -> str:
        """Give the text of one value; `is_name` for PN, where ^ and = end a code extension."""
        if value.isascii() and _ESCAPE not in value:
            return value.decode("ascii")
        if _ESCAPE not in value:
            return _decode(value, self._first)
        resets = _RESETS_IN_A_NAME if is_name else _RESETS
        return "".join(self._fragment(part, resets) for part in _FRAGMENTS.findall(value))

    def _fragment(self, part: bytes, resets: re.Pattern[bytes]) -> str:
        """Decode a piece that begins with an escape sequence, or the piece before the first."""
        if not part.startswith(_ESCAPE):
            return _decode(part, self._first)
        length = 4 if part[1:2] == b"$" and part[2:3] in (b"(", b")") else 3
        code, rest = part[:length], part[length:]
        codec = _G1_TWO_BYTE.get(code) or CODES_TO_ENCODINGS.get(code)
        if codec is None:
            return _decode(rest, self._first)
        if codec in _KEEPS_ESCAPE:
            return _two_byte(code, rest, codec)
        # G0 back in place leaves the G1 half of the first set as it was.
        if code in (_ASCII_G0, _JIS_X_0201_G0):
            return _decode(rest, self._first if rest and not rest.isascii() else codec)
        held, reset, after = _cut(rest, resets)
        return _decode(held, codec) + _decode(reset + after, self._first)


def _codec(term: str) -> str:
    """Give Python's name of a defined term, whatever spaces and dashes it is written with."""
    codec = _BY_LETTERS.get(_LETTERS.sub("", term.upper()), "ascii")
    return codecs.lookup(codec).name


def _cut(value: bytes, resets: re.Pattern[bytes]) -> tuple[bytes, bytes, bytes]:
    parts = resets.split(value, maxsplit=1)
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 else (value, b"", b"")


def _two_byte(code: bytes, rest: bytes, codec: str) -> str:
    try:
        return (code + rest).decode(codec)
    except UnicodeDecodeError:
        return (code + rest).decode(codec, "replace")


def _decode(value: bytes, codec: str) -> str:
    for attempt in (codec, "utf-8"):
        try:
            return value.decode(attempt)
        except UnicodeDecodeError:
            continue
    return value.decode("latin_1")

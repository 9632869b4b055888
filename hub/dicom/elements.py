"""In charge of DICOM data sets as lists of elements whose values stay bytes: read fast, written.

Reading is strict and takes no guess: what is not plainly right raises NotPlain, and somebody more
patient (pydicom) has to look.
"""

import os
import struct
from collections.abc import Iterable
from typing import Final, NamedTuple, TypeAlias

from hub.dicom.annex_e import rules


class NotPlain(Exception):  # noqa: N818 (named by what failed)
    """The bytes are not a data set as PS3.5 7 writes it in so many words."""


class Pixels(NamedTuple):
    """Pixel data, which nobody here looks into: `length` bytes that lie in the file at `offset`.

    `data` is set instead where they had to be taken out of the file. `is_fragmented` for
    encapsulated pixel data (PS3.5 A.4), whose bytes here end with the delimiter.
    """

    tag: int
    vr: str
    offset: int
    length: int
    is_fragmented: bool
    data: bytes | None = None


Value: TypeAlias = "bytes | list[list[Element]]"


class Element(NamedTuple):
    """One data element; a sequence's value is its items, each a list of elements."""

    tag: int
    vr: str
    value: Value


PIXEL_DATA: Final = frozenset((0x7FE00008, 0x7FE00009, 0x7FE00010))
_UNDEFINED: Final = 0xFFFFFFFF
_ITEM: Final = 0xFFFEE000
_END_OF_ITEM: Final = 0xFFFEE00D
_END_OF_SEQUENCE: Final = 0xFFFEE0DD
_DEEPEST: Final = 24
_LONG_VRS: Final = ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV")
_SHORT_VRS: Final = (
    "AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split()  # noqa: SIM905
)
_LONG = {vr.encode(): vr for vr in _LONG_VRS}
_SHORT = {vr.encode(): vr for vr in _SHORT_VRS}
_EXPLICIT = struct.Struct("<HH2sH").unpack_from
_IMPLICIT = struct.Struct("<HHL").unpack_from
_LENGTH = struct.Struct("<L").unpack_from


def vr_behind_unknown(tag: int, *, is_little_endian: bool = True) -> str:
    """Give the VR of a value that somebody who did not know the attribute passed on as UN.

    Such a value is little endian wherever it stands (PS3.5 6.2.2). UN where nobody knows better.
    """
    rule = rules().get(tag)
    if rule is None or len(rule.vr) != 2 or rule.vr == "SQ":
        return "UN"
    return rule.vr if is_little_endian or rule.family != "binary" else "UN"


class Reader:
    """Reads one little endian data set of which the first bytes are at hand.

    `size` is the length of the whole; reading stops at pixel data, and `position` is where.
    """

    def __init__(self, data: bytes, *, position: int, size: int, is_implicit: bool) -> None:
        self._data = data
        self._size = size
        self.head = self._implicit if is_implicit else self._explicit
        self.position = position

    def elements(self) -> list[Element]:
        """Read up to pixel data or the end. Raises NotPlain."""
        try:
            return self._elements(self._size, depth=0)
        except (struct.error, IndexError) as error:
            raise NotPlain("the bytes end within an element") from error

    def _elements(self, end: int, *, depth: int) -> list[Element]:
        """Read until `end`, or for -1 until the delimiter of an item of undefined length."""
        found: list[Element] = []
        last = -1
        while self.position != end:
            start = self.position
            tag, vr, length = self.head()
            if end < 0 and tag == _END_OF_ITEM:
                return found
            if tag <= last or 0 <= end < self.position + length != self.position + _UNDEFINED:
                raise NotPlain("an element is out of order or longer than its item")
            if tag in PIXEL_DATA and not depth:
                self.position = start
                return found
            last = tag
            found.append(Element(tag, vr, self._value(vr, length, depth)))
        return found

    def _value(self, vr: str, length: int, depth: int) -> Value:
        if vr == "SQ":
            return self._items(length, depth + 1)
        start, stop = self.position, self.position + length
        if length == _UNDEFINED or stop > len(self._data):
            raise NotPlain("a value has no end that is at hand")
        self.position = stop
        return self._data[start:stop]

    def _items(self, length: int, depth: int) -> list[list[Element]]:
        if depth > _DEEPEST:
            raise NotPlain("sequences lie too deep")
        end = -1 if length == _UNDEFINED else self.position + length
        items: list[list[Element]] = []
        while self.position != end:
            group, number, size = _IMPLICIT(self._data, self.position)
            tag = group << 16 | number
            self.position += 8
            if tag == _END_OF_SEQUENCE and end < 0:
                return items
            if tag != _ITEM or 0 <= end < self.position:
                raise NotPlain("a sequence holds something that is no item")
            stop = -1 if size == _UNDEFINED else self.position + size
            items.append(self._elements(stop, depth=depth))
        return items

    def _explicit(self) -> tuple[int, str, int]:
        group, number, code, length = _EXPLICIT(self._data, self.position)
        vr = _SHORT.get(code)
        self.position += 8
        if vr is None:
            if group == 0xFFFE:
                return group << 16 | number, "", 0
            vr = _LONG.get(code)
            if vr is None:
                raise NotPlain("an element has a VR that nobody knows")
            length = _LENGTH(self._data, self.position)[0]
            self.position += 4
            if vr == "UN" and length != _UNDEFINED:
                vr = vr_behind_unknown(group << 16 | number)
        return group << 16 | number, vr, length

    def _implicit(self) -> tuple[int, str, int]:
        group, number, length = _IMPLICIT(self._data, self.position)
        self.position += 8
        tag = group << 16 | number
        rule = rules().get(tag)
        # An unknown element of undefined length can only be a sequence (PS3.5 6.2.2).
        vr = rule.vr if rule else ("SQ" if length == _UNDEFINED else "UN")
        return tag, vr, length


def find_pixel_data(descriptor: int, *, offset: int, size: int, is_implicit: bool) -> Pixels:
    """Find where the pixel data lies whose element begins at `offset`. Raises NotPlain."""
    head = os.pread(descriptor, 12, offset)
    reader = Reader(head, position=0, size=size, is_implicit=is_implicit)
    try:
        tag, vr, length = reader.head()
    except struct.error as error:
        raise NotPlain("the bytes end within an element") from error
    start = offset + reader.position
    stop = _end_of_fragments(descriptor, start) if length == _UNDEFINED else start + length
    if tag not in PIXEL_DATA or vr not in {"OB", "OW", "OF", "OD", "OB or OW"} or stop > size:
        raise NotPlain("pixel data is not whole")
    return Pixels(tag, vr, start, stop - start, length == _UNDEFINED)


def _end_of_fragments(descriptor: int, position: int) -> int:
    while True:
        head = os.pread(descriptor, 8, position)
        if len(head) < 8:
            raise NotPlain("pixel data has no end")
        group, number, length = _IMPLICIT(head, 0)
        position += 8
        if group << 16 | number == _END_OF_SEQUENCE:
            return position
        if group << 16 | number != _ITEM or length == _UNDEFINED:
            raise NotPlain("pixel data holds something that is no fragment")
        position += length


class Writer:
    """Writes elements as bytes, sequences with their lengths said."""

    def __init__(self, *, is_implicit: bool, is_little_endian: bool = True) -> None:
        end = "<" if is_little_endian else ">"
        self._is_implicit = is_implicit
        self._plain = struct.Struct(f"{end}HHL").pack
        self._short = struct.Struct(f"{end}HH2sH").pack
        self._long = struct.Struct(f"{end}HH2sHL").pack

    def encoded(self, elements: Iterable[Element]) -> bytes:
        """Give the bytes of elements. Raises struct.error for a value too long."""
        pieces: list[bytes] = []
        for tag, vr, value in elements:
            if isinstance(value, list):
                value = b"".join(map(self._item, value))
            pieces.append(self.head(tag, vr, len(value)))
            pieces.append(value)
        return b"".join(pieces)

    def head_of_pixels(self, pixels: Pixels) -> bytes:
        """Give what stands before pixel data."""
        if pixels.is_fragmented:
            return self.head(pixels.tag, "OB", _UNDEFINED)
        vr = "OW" if pixels.vr == "OB or OW" else pixels.vr
        return self.head(pixels.tag, vr, pixels.length)

    def head(self, tag: int, vr: str, length: int) -> bytes:
        """Give what stands before a value."""
        if self._is_implicit:
            return self._plain(tag >> 16, tag & 0xFFFF, length)
        if vr in _LONG_VRS:
            return self._long(tag >> 16, tag & 0xFFFF, vr.encode(), 0, length)
        return self._short(tag >> 16, tag & 0xFFFF, vr.encode(), length)

    def _item(self, elements: list[Element]) -> bytes:
        value = self.encoded(elements)
        return self._plain(0xFFFE, 0xE000, len(value)) + value

"""In charge of whether an encoded data set is whole: every length kept, nothing cut off."""

import struct
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
# PS3.5 7.1.2: these VRs have two reserved bytes and a length of four.
_LONG = frozenset(
    {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
)
_SHORT = frozenset(
    {b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN",
     b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US"}
)  # fmt: skip
# Real SR trees reach some fifteen levels. Nesting is free to write and costly to read.
_DEEPEST = 64


class NotWhole(ValueError):  # noqa: N818 (named by what failed)
    """The data set ends early or does not keep its own lengths; the text says where, as a tag."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the walk has seen: `pixel_bytes` is None without pixel data or when it is encapsulated.

    `is_encapsulated` tells the two apart.
    """

    pixel_bytes: int | None = None
    is_encapsulated: bool = False


def inspect(file: BinaryIO, *, start: int, transfer_syntax_uid: str, maximum_bytes: int) -> Shape:
    """Walk a data set from `start` to the end of a file, little endian, without reading values.

    pydicom takes a file that ends in the middle of a sequence for one without that sequence, so
    that half a SEG would pass as a whole one. A deflated data set is inflated up to
    `maximum_bytes`. Raises NotWhole (PS3.5 7.1, 7.5, A.4).
    """
    if transfer_syntax_uid == DeflatedExplicitVRLittleEndian:
        file, start = _inflated(file, start, maximum_bytes), 0
    end = file.seek(0, 2)
    file.seek(start)
    walk = _Walk(file, end)
    walk.dataset(start + (end - start), transfer_syntax_uid == ImplicitVRLittleEndian, depth=0)
    return Shape(walk.pixel_bytes, walk.is_encapsulated)


def _inflated(file: BinaryIO, start: int, maximum_bytes: int) -> BytesIO:
    file.seek(start)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        content = inflater.decompress(file.read(), maximum_bytes)
    except zlib.error as error:
        raise NotWhole("the deflated data set is damaged") from error
    if not inflater.eof:
        raise NotWhole("the deflated data set is cut off, or inflates beyond what is allowed")
    return BytesIO(content)


class _Walk:
    def __init__(self, file: BinaryIO, end: int) -> None:
        self._file = file
        self._end = end
        self.pixel_bytes: int | None = None
        self.is_encapsulated = False

    def dataset(self, end: int | None, is_implicit: bool, *, depth: int) -> None:
        """Walk elements up to `end`, or where that is not known up to an item delimiter."""
        if depth > _DEEPEST:
            raise NotWhole(f"sequences are nested more than {_DEEPEST} deep")
        while end is None or not self._is_at(end):
            tag, vr, length = self._element(is_implicit)
            if tag == _ITEM_END and end is None:
                return
            if depth == 0 and tag in _PIXELS:
                self._note_pixels(length)
            self._value(tag, vr, length, is_implicit, depth)

    def _note_pixels(self, length: int) -> None:
        self.is_encapsulated = length == _UNDEFINED
        self.pixel_bytes = None if self.is_encapsulated else length

    def _value(self, tag: int, vr: bytes, length: int, is_implicit: bool, depth: int) -> None:
        if length != _UNDEFINED and vr != b"SQ":
            self._skip(length, tag)
        elif vr in (b"OB", b"OW") or tag in _PIXELS:
            self._fragments(tag)
        elif vr in (b"SQ", b"UN", b""):
            end = None if length == _UNDEFINED else self._file.tell() + length
            # A sequence written as UN is implicit inside (PS3.5 6.2.2, note 2).
            self._sequence(tag, end, is_implicit or vr == b"UN", depth)
        else:
            raise NotWhole(f"{_name(tag)} has no length")

    def _sequence(self, tag: int, end: int | None, is_implicit: bool, depth: int) -> None:
        if end is not None and end > self._end:
            raise NotWhole(f"{_name(tag)} is cut off")
        while end is None or not self._is_at(end):
            item, length = self._item()
            if item == _SEQUENCE_END and end is None:
                return
            if item != _ITEM:
                raise NotWhole(f"{_name(tag)} holds {_name(item)} in place of an item")
            item_end = None if length == _UNDEFINED else self._file.tell() + length
            if item_end is not None and item_end > (self._end if end is None else end):
                raise NotWhole(f"an item of {_name(tag)} is cut off")
            self.dataset(item_end, is_implicit, depth=depth + 1)

    def _fragments(self, tag: int) -> None:
        while True:
            item, length = self._item()
            if item == _SEQUENCE_END:
                return
            if item != _ITEM:
                raise NotWhole(f"{_name(tag)} holds {_name(item)} in place of a fragment")
            self._skip(length, tag)

    def _element(self, is_implicit: bool) -> tuple[int, bytes, int]:
        tag, rest = self._tag()
        if is_implicit or tag >> 16 == 0xFFFE:
            return tag, b"", int(struct.unpack("<L", rest)[0])
        vr = rest[:2]
        if vr in _LONG:
            return tag, vr, int(struct.unpack("<L", self._read(4))[0])
        if vr not in _SHORT:
            raise NotWhole(f"{_name(tag)} has no value representation")
        return tag, vr, int(struct.unpack("<H", rest[2:])[0])

    def _item(self) -> tuple[int, int]:
        tag, rest = self._tag()
        return tag, int(struct.unpack("<L", rest)[0])

    def _tag(self) -> tuple[int, bytes]:
        head = self._read(8)
        group, element = struct.unpack("<HH", head[:4])
        return group << 16 | element, head[4:]

    def _read(self, size: int) -> bytes:
        value = self._file.read(size)
        if len(value) < size:
            raise NotWhole("the data set ends in the middle of an element")
        return value

    def _skip(self, length: int, tag: int) -> None:
        if self._file.tell() + length > self._end:
            raise NotWhole(f"{_name(tag)} is cut off")
        self._file.seek(length, 1)

    def _is_at(self, end: int) -> bool:
        position = self._file.tell()
        if position > end:
            raise NotWhole("an element reaches beyond the item that holds it")
        return position == end


def _name(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"

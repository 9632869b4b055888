"""In charge of reading a file into elements, fast where it is plain and by pydicom where not."""

import os
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

from pydicom import dcmread
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

from hub.dicom.bombs import is_bomb
from hub.dicom.elements import (
    PIXEL_DATA,
    Element,
    NotPlain,
    Pixels,
    Reader,
    find_pixel_data,
    vr_behind_unknown,
)
from hub.dicom.file_meta import read_file_meta
from hub.passing import is_of_the_system

IMPLICIT: Final = "1.2.840.10008.1.2"
DEFLATED: Final = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN: Final = "1.2.840.10008.1.2.2"
_EXPLICIT: Final = "1.2.840.10008.1.2.1"
_ENCAPSULATED: Final = ("1.2.840.10008.1.2.4.", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.8.")
# What is deflated as a whole in other ways, or is no image at all (JPIP).
_UNSUPPORTED: Final = frozenset(
    f"1.2.840.10008.1.2.4.{ending}" for ending in ("94", "95", "204", "205")
)
# Holds the header of nearly every single frame, and a disk reads it in one go.
_AT_HAND: Final = 1 << 16
_LARGEST_HEADER: Final = 1 << 28
_UNDEFINED: Final = 0xFFFFFFFF
SPECIFIC_CHARACTER_SET: Final = 0x00080005
_DELIMITER: Final = {True: b"\xfe\xff\xdd\xe0\0\0\0\0", False: b"\xff\xfe\xe0\xdd\0\0\0\0"}


class Unreadable(Exception):  # noqa: N818 (named by what failed)
    """The file is not one whose every element can be accounted for; says nothing of its values."""


@dataclass(frozen=True, slots=True)
class Instance:
    """A file as elements: what stands before and after its pixel data, and where that lies."""

    transfer_syntax_uid: str
    elements: list[Element]
    pixels: Pixels | None
    trailing: list[Element]

    @property
    def is_implicit(self) -> bool:
        """Whether VRs are left unsaid (PS3.5 A.1)."""
        return self.transfer_syntax_uid == IMPLICIT

    @property
    def is_little_endian(self) -> bool:
        """Whether the least byte stands first (PS3.5 7.3)."""
        return self.transfer_syntax_uid != BIG_ENDIAN

    @property
    def is_deflated(self) -> bool:
        """Whether the data set is compressed as a whole (PS3.5 A.5)."""
        return self.transfer_syntax_uid == DEFLATED


def read_plain(descriptor: int) -> Instance:
    """Read an open file whose bytes are as the standard writes them, or raise NotPlain.

    Deflated and big endian data sets are never plain here.
    """
    size = os.fstat(descriptor).st_size
    head = os.pread(descriptor, _AT_HAND, 0)
    try:
        return _read_plain(descriptor, head, size)
    except NotPlain:
        if not len(head) < size <= _LARGEST_HEADER:
            raise
    return _read_plain(descriptor, os.pread(descriptor, size, 0), size)


def _read_plain(descriptor: int, head: bytes, size: int) -> Instance:
    meta = read_file_meta(BytesIO(head[:4096]))
    syntax = meta.transfer_syntax_uid
    if head[128:132] != b"DICM" or not _is_plain(syntax):
        raise NotPlain("the file is not of a plain transfer syntax")
    is_implicit = syntax == IMPLICIT
    reader = Reader(head, position=meta.data_offset, size=size, is_implicit=is_implicit)
    elements = reader.elements()
    if reader.position == size:
        return Instance(syntax, elements, None, [])
    pixels = find_pixel_data(descriptor, offset=reader.position, size=size, is_implicit=is_implicit)
    _check_encapsulation(pixels, syntax)
    end = pixels.offset + pixels.length
    trailing = _trailing(descriptor, end=end, size=size, is_implicit=is_implicit)
    return Instance(syntax, elements, pixels, trailing)


def _trailing(descriptor: int, *, end: int, size: int, is_implicit: bool) -> list[Element]:
    if end == size:
        return []
    if size - end > _LARGEST_HEADER:
        raise NotPlain("there is more after the pixel data than elements need")
    rest = os.pread(descriptor, size - end, end)
    reader = Reader(rest, position=0, size=len(rest), is_implicit=is_implicit)
    elements = reader.elements()
    if reader.position != len(rest) or (elements and elements[0].tag < min(PIXEL_DATA)):
        raise NotPlain("there is more after the pixel data than elements")
    return elements


def _is_plain(syntax: str) -> bool:
    if syntax in _UNSUPPORTED:
        return False
    return syntax in {IMPLICIT, _EXPLICIT} or syntax.startswith(_ENCAPSULATED)


def _check_encapsulation(pixels: Pixels, syntax: str) -> None:
    if pixels.is_fragmented and not syntax.startswith(_ENCAPSULATED):
        raise NotPlain("pixel data is in fragments where the transfer syntax has none")


def read_patiently(path: Path) -> Instance:
    """Read any file pydicom can read and every element of which is whole, or raise Unreadable.

    Where it is the system that has no file or memory for it, that stays the fault it is.
    """
    try:
        return _read_patiently(path)
    except Unreadable:
        raise
    except Exception as error:
        if is_of_the_system(error):
            raise
        raise Unreadable(f"pydicom cannot read it ({type(error).__name__})") from None


def _read_patiently(path: Path) -> Instance:
    if is_bomb(path):
        raise Unreadable("it is deflated from more bytes than are ever looked at")
    dataset = dcmread(path)
    syntax = str(dataset.file_meta.get("TransferSyntaxUID", ""))
    if not (_is_plain(syntax) or syntax in {DEFLATED, BIG_ENDIAN}):
        raise Unreadable("its transfer syntax is not supported")
    if dataset.original_encoding != (syntax == IMPLICIT, syntax != BIG_ENDIAN):
        raise Unreadable("it is not encoded as its transfer syntax says")
    pixels = None
    for tag in sorted(PIXEL_DATA.intersection(dataset.keys())):
        pixels = _pixels_of(dataset, tag, pixels)
        del dataset[tag]
    elements = _elements_of(dataset, is_implicit=syntax == IMPLICIT)
    before = [element for element in elements if element.tag < max(PIXEL_DATA)]
    return Instance(syntax, before, pixels, elements[len(before) :])


def _pixels_of(dataset: Dataset, tag: int, earlier: Pixels | None) -> Pixels:
    raw = dataset.get_item(tag)
    if earlier is not None or not isinstance(raw, RawDataElement):
        raise Unreadable("it has pixel data twice")
    is_fragmented = raw.length == _UNDEFINED
    data = raw.value or b""
    if is_fragmented:
        data += _DELIMITER[raw.is_little_endian]
    elif len(data) != raw.length:
        raise Unreadable("its pixel data is not whole")
    return Pixels(int(tag), raw.VR or "OW", 0, len(data), is_fragmented, data)


def _elements_of(dataset: Dataset, *, is_implicit: bool) -> list[Element]:
    # Taken at once: when pydicom reads a sequence, it reads other elements for it.
    raws = {tag: dataset.get_item(tag) for tag in sorted(dataset.keys())}
    return [_element_of(dataset, tag, raws[tag], is_implicit=is_implicit) for tag in raws]


def _element_of(
    dataset: Dataset, tag: int, raw: DataElement | RawDataElement, *, is_implicit: bool
) -> Element:
    vr = raw.VR or _vr_of(tag)
    if vr == "SQ":
        value = dataset[tag].value
        items = value if isinstance(value, Sequence) else []
        return Element(int(tag), vr, [_elements_of(i, is_implicit=is_implicit) for i in items])
    if not is_implicit and len(vr) != 2:
        raise Unreadable("it leaves a VR unsaid that nobody can tell")
    if not isinstance(raw, RawDataElement):
        return Element(int(tag), vr, _bytes_of(raw))
    data = raw.value or b""
    if raw.length == _UNDEFINED:
        # An icon's fragments, which are not let through, and nothing else the standard knows.
        return Element(int(tag), "UN", b"")
    if raw.length != len(data):
        raise Unreadable("it ends within an element")
    if vr == "UN":
        vr = vr_behind_unknown(tag, is_little_endian=raw.is_little_endian)
    return Element(int(tag), vr, data)


def _bytes_of(element: DataElement) -> bytes:
    """Give the value of what pydicom has read already: the character set, and empty ones."""
    if element.is_empty:
        return b""
    if element.tag != SPECIFIC_CHARACTER_SET:
        raise Unreadable("it has an element of undefined length that is no sequence")
    terms = element.value if isinstance(element.value, MultiValue) else [element.value]
    text = "\\".join(terms).encode("latin_1")
    return text + b" " * (len(text) % 2)


def _vr_of(tag: int) -> str:
    try:
        return dictionary_VR(tag)
    except KeyError:
        return "UN"

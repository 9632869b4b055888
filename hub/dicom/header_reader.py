"""In charge of finding the few elements of a header in an encoded data set, and of nothing in them.

It walks the bytes itself: pydicom decodes the character set while walking, so that a sender's slip
in that one element made it refuse the instance, and it descends into sequences by recursion.
"""

import struct
from typing import NamedTuple

from hub.dicom.streams import (
    NotADataSet,
    Source,
    Stream,
    is_deflated,
    open_stream,
    reaches_end,
)

EXPLICIT_BIG_ENDIAN = "1.2.840.10008.1.2.2"
# The second is General Electric's, implicit too; only its pixels are big endian.
IMPLICIT = frozenset({"1.2.840.10008.1.2", "1.2.840.113619.5.2"})
_PIXEL_DATA_GROUP = 0x7FE00000
_UNDEFINED_LENGTH = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
# PS3.5 7.1.2: these have two reserved bytes and a length of four, all other VRs a length of two.
LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())


class Element(NamedTuple):
    """One element as it stands in the data set: its value still encoded and padded.

    `vr` is empty where the data set does not say it.
    """

    value: bytes
    vr: str
    is_little_endian: bool


def read_elements(
    dataset: Source,
    *,
    transfer_syntax_uid: str,
    wanted: frozenset[int],
    required: frozenset[int],
) -> dict[int, Element]:
    """Find the wanted elements at the top level of an encoded data set without file meta.

    Stops after the last wanted tag, and before pixel data in any case. A transfer syntax that is
    not known is read as explicit VR little endian (PS3.5 10.1), an empty one is guessed. Where a
    required element has not come by then, the tags may be out of order and all of the header is
    read. Raises NotADataSet.
    """
    last = max(wanted) + 1
    found = _read(dataset, transfer_syntax_uid, wanted, stop_at=last)
    if required - found.keys():
        found = _read(dataset, transfer_syntax_uid, wanted, stop_at=_PIXEL_DATA_GROUP)
    return found


def _read(
    dataset: Source, transfer_syntax_uid: str, wanted: frozenset[int], stop_at: int
) -> dict[int, Element]:
    stream = open_stream(dataset, transfer_syntax_uid)
    is_implicit, is_little_endian = _encoding(stream, transfer_syntax_uid)
    walk = _Walk(stream, is_little_endian)
    found: dict[int, Element] = {}
    while (head := walk.next(is_implicit)) is not None and head.tag < stop_at:
        if head.length == _UNDEFINED_LENGTH:
            walk.skip_undefined_length(head, is_implicit)
        elif head.tag in wanted:
            _take(found, head, stream.read(head.length), is_little_endian)
        else:
            stream.seek(head.length, 1)
    return found


def require_end(dataset: Source, *, transfer_syntax_uid: str) -> None:
    """Walk an encoded data set to its end and read no value; raises NotADataSet where it is cut.

    A transfer that broke off leaves a header that is all there and half an image (PS3.5 7.1, A.4).
    What merely looks odd is passed over: this asks for lengths to be kept, and for nothing else.
    """
    if is_deflated(transfer_syntax_uid):
        if not reaches_end(dataset):
            raise NotADataSet("ends in the middle of its deflated bytes")
        return
    stream = open_stream(dataset, transfer_syntax_uid)
    size = stream.seek(0, 2)
    stream.seek(0)
    is_implicit, is_little_endian = _encoding(stream, transfer_syntax_uid)
    walk = _Walk(stream, is_little_endian)
    while (head := walk.next(is_implicit)) is not None:
        if head.length == _UNDEFINED_LENGTH:
            try:
                walk.skip_undefined_length(head, is_implicit)
            except NotADataSet as error:
                raise NotADataSet("ends in the middle of the value", head.tag) from error
        elif stream.seek(head.length, 1) > size:
            raise NotADataSet("ends in the middle of the value", head.tag)


class _Head(NamedTuple):
    tag: int
    vr: bytes
    length: int


def _take(found: dict[int, Element], head: _Head, value: bytes, is_little_endian: bool) -> None:
    # A UID cut short is another valid UID: half a value must never be taken for one.
    if len(value) != head.length:
        raise NotADataSet("ends in the middle of the value", head.tag)
    if head.tag in found and found[head.tag].value != value:
        raise NotADataSet("is there twice with different values", head.tag)
    found[head.tag] = Element(value, head.vr.decode("latin_1"), is_little_endian)


class _Walk:
    """Goes from element to element of a stream."""

    def __init__(self, stream: Stream, is_little_endian: bool) -> None:
        order = "<" if is_little_endian else ">"
        self._stream = stream
        self._tag = struct.Struct(order + "HH").unpack_from
        self._short = struct.Struct(order + "H").unpack_from
        self._long = struct.Struct(order + "L").unpack_from

    def next(self, is_implicit: bool) -> _Head | None:
        """Read what stands before the next value; None where the stream ends."""
        head = self._stream.read(8)
        if len(head) < 8:
            return None
        group, number = self._tag(head)
        vr = head[4:6]
        # Items have no VR, and some writers fall back to implicit in the middle of a data set.
        if is_implicit or group == 0xFFFE or not (vr.isalpha() and vr.isupper()):
            return _Head(group << 16 | number, b"", self._long(head, 4)[0])
        if vr not in LONG_VRS:
            return _Head(group << 16 | number, vr, self._short(head, 6)[0])
        length = self._stream.read(4)
        if len(length) < 4:
            return None
        return _Head(group << 16 | number, vr, self._long(length)[0])

    def skip_undefined_length(self, head: _Head, is_implicit: bool) -> None:
        """Go to the end of a value of undefined length: items, and sequences in them (PS3.5 7.5).

        How deep they nest is the sender's choice, hence no recursion.
        """
        # Whether VRs are implicit at each level; None where the first element in it will tell.
        levels = [self._inner(head, is_implicit)]
        while levels:
            mode = levels[-1]
            if mode is None:
                mode = levels[-1] = self._shows_no_vr()
            inner = self.next(bool(mode))
            if inner is None:
                raise NotADataSet("ends within a sequence")
            if inner.tag in (_ITEM_END, _SEQUENCE_END):
                levels.pop()
            elif inner.length == _UNDEFINED_LENGTH:
                levels.append(self._inner(inner, bool(mode)))
            else:
                self._stream.seek(inner.length, 1)

    def _inner(self, head: _Head, is_implicit: bool) -> bool | None:
        # PS3.5 6.2.2: UN of undefined length is implicit inside; not everybody knows.
        return None if head.vr == b"UN" else is_implicit

    def _shows_no_vr(self) -> bool | None:
        """Look at the next element without going on; None as long as it is an item."""
        position = self._stream.tell()
        head = self._stream.read(6)
        self._stream.seek(position)
        if self._tag(head.ljust(4, b"\0"))[0] == 0xFFFE:
            return None
        return head[4:6] not in LONG_VRS | SHORT_VRS


def _encoding(stream: Stream, transfer_syntax_uid: str) -> tuple[bool, bool]:
    """Say whether VRs are implicit and bytes little endian: what the bytes show wins.

    Senders are met that negotiate one encoding and send the other; the first element gives them
    away, because no length of a first element looks like a VR.
    """
    head = stream.read(6)
    stream.seek(0)
    if len(head) < 6:
        raise NotADataSet("is too short to be a data set")
    is_little_endian = transfer_syntax_uid != EXPLICIT_BIG_ENDIAN
    if not transfer_syntax_uid:
        # Groups of a first element are small; 0x0800 is 0x0008 read the wrong way round.
        is_little_endian = int.from_bytes(head[:2], "little") < 0x0400
    vr = head[4:6]
    shows_vr = vr.isalpha() and vr.isupper()
    if transfer_syntax_uid in IMPLICIT and not shows_vr:
        return True, True
    return not shows_vr, is_little_endian

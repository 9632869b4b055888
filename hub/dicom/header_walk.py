"""In charge of the quick way through the data sets that nearly everybody sends.

Little endian, explicit or implicit, nothing unusual on the way. Whatever is unusual is left to
`header_reader`, the careful way, which alone says what it means: None here is no verdict.
"""

import struct
from collections.abc import Collection
from typing import Final

from hub.dicom.header_reader import EXPLICIT_BIG_ENDIAN, IMPLICIT, LONG_VRS, SHORT_VRS
from hub.dicom.header_values import LONGEST_TEXT
from hub.dicom.streams import is_deflated

Buffer = bytes | bytearray | memoryview

# What an element asks for. Any other number is a tag that is wanted, with a length of two bytes.
_SKIP, _SKIP_LONG, _STOP, _SURPRISE = range(4)
_UNDEFINED: Final = 0xFFFFFFFF
_ITEMS: Final = 0xFFFE
# Tags as they lie there, read as one number.
_ITEM_END: Final = 0xE00DFFFE
_SEQUENCE_END: Final = 0xE0DDFFFE
_EXPLICIT = struct.Struct("<6sH").unpack_from
_EXPLICIT_INNER = struct.Struct("<L2sH").unpack_from
_IMPLICIT = struct.Struct("<LL").unpack_from
_LENGTH = struct.Struct("<L").unpack_from
# Private elements have tags without number, and what a sender makes up must not fill the memory.
_MOST_REMEMBERED = 4096


class _Unusual(Exception):
    """The careful way has to look at this."""


class Walk:
    """Finds the elements of some tags at the top level of a data set; safe to share.

    What is asked of each kind of element, by the bytes of its tag and VR, is worked out once.
    """

    def __init__(self, wanted: Collection[int]) -> None:
        self._explicit = _Explicit(wanted, stop_behind=max(wanted))
        self._implicit = _Implicit(wanted, stop_behind=max(wanted))

    def find(self, data: Buffer, transfer_syntax_uid: str) -> tuple[dict[int, bytes], bool] | None:
        """Give the elements as they lie there, heads and all, by tag, and whether VRs are implicit.

        As far as the last that is wanted. A head is eight bytes: tag, VR (or not), and length.
        """
        try:
            if _is_implicit(data, transfer_syntax_uid):
                return _find_implicit(data, self._implicit), True
            return _find_explicit(data, self._explicit), False
        except (_Unusual, struct.error):
            return None


def is_whole(data: Buffer, transfer_syntax_uid: str) -> bool:
    """Say whether every length is kept to the end; where not, the careful way may know more."""
    try:
        if _is_implicit(data, transfer_syntax_uid):
            position = _end_implicit(data)
        else:
            position = _end_explicit(data)
    except (_Unusual, struct.error):
        return False
    return position <= len(data)


class _Explicit(dict[bytes, int]):
    """What the six bytes of tag and VR ask for, remembered."""

    def __init__(self, wanted: Collection[int], *, stop_behind: int) -> None:
        self._wanted = frozenset(wanted)
        self._stop_behind = stop_behind

    def __missing__(self, head: bytes) -> int:
        asks = self._asks(head)
        if len(self) < _MOST_REMEMBERED:
            self[head] = asks
        return asks

    def _asks(self, head: bytes) -> int:
        tag, vr = _tag(head), head[4:]
        # An item has no VR, whatever the first bytes of its length look like.
        if tag >> 16 == _ITEMS or (vr not in SHORT_VRS and vr not in LONG_VRS):
            return _SURPRISE
        if tag > self._stop_behind:
            return _STOP
        if tag in self._wanted:
            return tag if vr in SHORT_VRS else _SURPRISE
        return _SKIP if vr in SHORT_VRS else _SKIP_LONG


class _Implicit(dict[int, int]):
    """What a tag asks for, read as one number of four bytes, remembered."""

    def __init__(self, wanted: Collection[int], *, stop_behind: int) -> None:
        self._wanted = frozenset(wanted)
        self._stop_behind = stop_behind

    def __missing__(self, number: int) -> int:
        tag = (number & 0xFFFF) << 16 | number >> 16
        asks = _STOP if tag > self._stop_behind else tag if tag in self._wanted else _SKIP
        if len(self) < _MOST_REMEMBERED:
            self[number] = asks
        return asks


# Of every element only its length is asked.
_LENGTHS = _Explicit((), stop_behind=_UNDEFINED)


def _tag(head: bytes) -> int:
    return int.from_bytes(head[:2], "little") << 16 | int.from_bytes(head[2:4], "little")


def _is_implicit(data: Buffer, transfer_syntax_uid: str) -> bool:
    vr = bytes(data[4:6])
    shows_vr = vr.isalpha() and vr.isupper()
    if transfer_syntax_uid in IMPLICIT:
        is_implicit = True
    elif transfer_syntax_uid in ("", EXPLICIT_BIG_ENDIAN) or is_deflated(transfer_syntax_uid):
        raise _Unusual
    else:
        is_implicit = False
    if len(vr) < 2 or is_implicit == shows_vr:
        raise _Unusual
    return is_implicit


def _find_explicit(data: Buffer, asks_for: _Explicit) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    position, size = 0, len(data)
    last = size - 8
    while position <= last:
        head, length = _EXPLICIT(data, position)
        asks = asks_for[head]
        if not asks:
            position += 8 + length
        elif asks > _SURPRISE:
            end = position + 8 + length
            if end > size or length > LONGEST_TEXT or asks in found:
                raise _Unusual
            found[asks] = bytes(data[position:end])
            position = end
        elif asks == _SKIP_LONG:
            position = _behind_long(data, position)
        elif asks == _STOP:
            break
        else:
            raise _Unusual
    return found


def _find_implicit(data: Buffer, asks_for: _Implicit) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    position, size = 0, len(data)
    last = size - 8
    while position <= last:
        number, length = _IMPLICIT(data, position)
        asks = asks_for[number]
        if asks == _STOP:
            break
        if length == _UNDEFINED:
            position = _behind_items_implicit(data, position + 8)
        elif asks:
            end = position + 8 + length
            if end > size or length > LONGEST_TEXT or asks in found:
                raise _Unusual
            found[asks] = bytes(data[position:end])
            position = end
        else:
            position += 8 + length
    return found


def _end_explicit(data: Buffer) -> int:
    position, last = 0, len(data) - 8
    while position <= last:
        head, length = _EXPLICIT(data, position)
        asks = _LENGTHS[head]
        if not asks:
            position += 8 + length
        elif asks == _SKIP_LONG:
            position = _behind_long(data, position)
        else:
            raise _Unusual
    return position


def _end_implicit(data: Buffer) -> int:
    position, last = 0, len(data) - 8
    while position <= last:
        _, length = _IMPLICIT(data, position)
        if length == _UNDEFINED:
            position = _behind_items_implicit(data, position + 8)
        else:
            position += 8 + length
    return position


def _behind_long(data: Buffer, position: int) -> int:
    length: int = _LENGTH(data, position + 8)[0]
    if length != _UNDEFINED:
        return position + 12 + length
    return _behind_items(data, position + 12)


def _behind_items(data: Buffer, position: int) -> int:
    """Go to the end of a value of undefined length, whatever else of the kind lies in it.

    What lies in one of VR UN is implicit, or not (PS3.5 6.2.2): if not, it shows VRs.
    """
    depth = 1
    while depth:
        number, vr, length = _EXPLICIT_INNER(data, position)
        if number & 0xFFFF == _ITEMS:
            length = _LENGTH(data, position + 4)[0]
            position += 8
            if number in (_ITEM_END, _SEQUENCE_END):
                depth -= 1
                continue
        elif vr in SHORT_VRS:
            position += 8 + length
            continue
        elif vr in LONG_VRS:
            length = _LENGTH(data, position + 8)[0]
            position += 12
        else:
            raise _Unusual
        if length != _UNDEFINED:
            position += length
        else:
            depth += 1
    return position


def _behind_items_implicit(data: Buffer, position: int) -> int:
    depth = 1
    while depth:
        number, length = _IMPLICIT(data, position)
        position += 8
        if number in (_ITEM_END, _SEQUENCE_END):
            depth -= 1
        elif length == _UNDEFINED:
            depth += 1
        else:
            position += length
    return position

"""In charge of what stands before the data set in a DICOM file: preamble, prefix, group 0002."""

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

IMPLEMENTATION_CLASS_UID = "2.25.18362619194036719410470285881387709717"
IMPLEMENTATION_VERSION_NAME = "AVROP_0_1"

_PREFIX = b"DICM"
_PREAMBLE_LENGTH = 128
# PS3.5 7.1.2: these have two reserved bytes and a length of four.
_LONG = frozenset({b"OB", b"OW", b"UN", b"UT", b"SQ", b"OF", b"OD", b"OL", b"OV", b"UC", b"UR"})
# No file meta information that anyone writes comes near; a longer value is not one.
_LONGEST_VALUE = 1 << 16


class Readable(Protocol):
    """What is asked of a stream: read and seek."""

    def read(self, size: int = -1, /) -> bytes: ...  # noqa: D102
    def seek(self, offset: int, whence: int = 0, /) -> int: ...  # noqa: D102
    def tell(self) -> int: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class FileMeta:
    """The file meta information (PS3.10 7.1); what the file does not say is an empty string.

    `data_offset` is where the data set begins, in bytes from the start of the file.
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    source_application_entity_title: str
    data_offset: int


@lru_cache(maxsize=64)
def write_file_meta(
    *, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, calling_ae_title: str
) -> bytes:
    """Give the bytes to put before an encoded data set to make a Part 10 file (PS3.10 7.1)."""
    elements = b"".join(
        (
            struct.pack("<HH2sHL", 0x0002, 0x0001, b"OB", 0, 2) + b"\x00\x01",
            _short(0x0002, b"UI", sop_class_uid, b"\x00"),
            _short(0x0003, b"UI", sop_instance_uid, b"\x00"),
            _short(0x0010, b"UI", transfer_syntax_uid, b"\x00"),
            _short(0x0012, b"UI", IMPLEMENTATION_CLASS_UID, b"\x00"),
            _short(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME, b" "),
            _short(0x0016, b"AE", calling_ae_title, b" ") if calling_ae_title else b"",
        )
    )
    length = struct.pack("<HH2sHL", 0x0002, 0x0000, b"UL", 4, len(elements))
    return b"\x00" * _PREAMBLE_LENGTH + _PREFIX + length + elements


def _short(element: int, vr: bytes, text: str, padding: bytes) -> bytes:
    value = text.encode("ascii", "replace")
    value += padding * (len(value) % 2)
    return struct.pack("<HH2sH", 0x0002, element, vr, len(value)) + value


def read_file_meta(stream: Readable) -> FileMeta:
    """Read the file meta information at the start of a stream, and leave it at the data set.

    A file without preamble, without group 0002, or without the group's length is read as far as it
    goes. The group ends at the first element of another group, because many writers get its length
    wrong. Never raises for what the bytes hold.
    """
    stream.seek(0)
    head = stream.read(_PREAMBLE_LENGTH + len(_PREFIX))
    offset = len(head) if head[_PREAMBLE_LENGTH:] == _PREFIX else 0
    values: dict[int, str] = {}
    while True:
        stream.seek(offset)
        found = _next_of_group(stream)
        if found is None:
            break
        element, value, size = found
        values[element] = value.decode("ascii", "replace").strip(" \x00")
        offset += size
    stream.seek(offset)
    return FileMeta(
        sop_class_uid=values.get(0x0002, ""),
        sop_instance_uid=values.get(0x0003, ""),
        transfer_syntax_uid=values.get(0x0010, ""),
        source_application_entity_title=values.get(0x0016, ""),
        data_offset=offset,
    )


def _next_of_group(stream: Readable) -> tuple[int, bytes, int] | None:
    """Give element number, value and size in the file of the next element of group 0002."""
    head = stream.read(8)
    if len(head) < 8 or head[:2] != b"\x02\x00":
        return None
    element, vr, length = struct.unpack("<H2sH", head[2:])
    size = 8
    if vr in _LONG:
        (length,) = struct.unpack("<L", stream.read(4).ljust(4, b"\xff"))
        size = 12
    elif not vr.isalpha():
        # Some writers encode even this group with implicit VR.
        (length,) = struct.unpack("<L", head[4:])
    if length > _LONGEST_VALUE:
        return None
    value = stream.read(length)
    return (element, value, size + length) if len(value) == length else None

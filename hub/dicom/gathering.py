"""In charge of one data set while it arrives: a large one lies on disk and not in memory."""

import mmap
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any, BinaryIO

from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.pdu_primitives import P_DATA

from hub.dicom.durable import SpoolFull


@dataclass(frozen=True, slots=True)
class Overflow:
    """Where a data set goes that is larger than `beyond` bytes: a nameless file of its own.

    `open_file` makes one, and `free_bytes` tells how much may still be written into all of them.
    """

    open_file: Callable[[], BinaryIO]
    free_bytes: Callable[[], int]
    beyond: int = 16 << 20


class Gathering(BytesIO):
    """What has come of a data set so far.

    A slide or a tomosynthesis is gigabytes, and many may come at once. Where there is no room for
    one the rest of it is let pass, so that its sender gets an answer and not a broken connection.
    """

    def __init__(self, overflow: Overflow | None = None) -> None:
        super().__init__()
        self._overflow = overflow
        self._file: BinaryIO | None = None
        self._size = 0
        self._is_lost = False

    def write(self, piece: Any, /) -> int:
        """Take the next piece. Raises nothing: content() does."""
        self._size += len(piece)
        if self._overflow is None or self._size <= self._overflow.beyond:
            return super().write(piece)
        if not self._is_lost:
            try:
                self._write_out(piece, self._overflow)
            except (OSError, SpoolFull):
                self._is_lost = True
                self._file = None
        return len(piece)

    def content(self) -> bytes | memoryview:
        """All that came: a view of the file where it is large. Raises SpoolFull."""
        if self._is_lost:
            raise SpoolFull(self._size)
        if self._file is None:
            return super().getvalue()
        try:
            self._file.flush()
            return memoryview(mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ))
        except OSError as error:
            raise SpoolFull(self._size) from error

    def _write_out(self, piece: Any, overflow: Overflow) -> None:
        if self._file is None:
            self._file = overflow.open_file()
            piece = super().getvalue() + piece
            super().seek(0)
            super().truncate()
        if len(piece) > overflow.free_bytes():
            raise SpoolFull(self._size)
        self._file.write(piece)


class GatheringProvider(DIMSEServiceProvider):
    """Puts what an association brings where `overflow` says; pynetdicom keeps all in memory."""

    overflow: Overflow | None = None

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take the next part of a message."""
        if self.message is None:
            self.message = DIMSEMessage()
            self.message.data_set = Gathering(self.overflow)
        super().receive_primitive(primitive)

"""In charge of one data set while it arrives: hashed, and written to disk, as it comes."""

from collections.abc import Callable
from dataclasses import dataclass

from hub.dicom.digests import ContentDigest
from hub.dicom.durable import Part, SpoolFull
from hub.dicom.received import LargeDataset, Lying

# What most instances fit into.
_ROOM = 1 << 20
# An association that once brought something larger does not hold on to that much for ever.
_MOST_KEPT = 4 << 20


@dataclass(frozen=True, slots=True)
class Landing:
    """Where data sets go while they come: each into a file of its own.

    So its sender goes on while it is written. `open_part` makes a file that begins with these
    bytes, and `free_bytes` tells how much may still be written into all of them. One that is larger
    than `beyond` bytes is not in memory as well.
    """

    open_part: Callable[[bytes], Part]
    free_bytes: Callable[[], int]
    beyond: int = 4 << 20


class Gathering:
    """What has come of the data sets of one association, one after the other.

    The socket is read straight into `room()`, and `took()` says how much of it was filled. A slide
    or a tomosynthesis is gigabytes, and many may come at once: beyond the landing's limit a data
    set is in its file alone. Where there is no room for one the rest of it is let pass, so that its
    sender gets an answer and not a broken connection.
    """

    def __init__(self, landing: Landing | None = None) -> None:
        self._landing = landing
        self._buffer = bytearray()
        self._digest = ContentDigest("")
        self._file_meta = b""
        self._part: Part | None = None
        self._large: LargeDataset | None = None
        self._size = 0
        self._is_in_memory = True
        self._is_lost = False

    def begin(self, transfer_syntax_uid: str, file_meta: bytes) -> None:
        """Begin the next data set, which will stand after this file meta in its file."""
        self.release()
        self._digest = ContentDigest(transfer_syntax_uid)
        self._file_meta = file_meta
        if len(self._buffer) > _MOST_KEPT or self._is_looked_at():
            self._buffer = bytearray()

    def release(self) -> None:
        """Let go of what came: nobody needs it any more, or it breaks off."""
        if self._large is not None:
            self._large.close()
        if self._part is not None:
            self._part.discard()
        self._part = self._large = None
        self._size, self._is_in_memory, self._is_lost = 0, True, False

    def forget(self) -> None:
        """Hold neither memory nor file while nothing comes."""
        self.release()
        self._buffer = bytearray()

    def room(self, size: int) -> memoryview:
        """Give a view of so many bytes, to read the next piece into."""
        start = self._size if self._is_in_memory else 0
        if len(self._buffer) < start + size:
            grown = bytearray(max(start + size, 2 * len(self._buffer), _ROOM))
            # Assigned to a slice of the bytearray itself it would be copied twice.
            memoryview(grown)[:start] = memoryview(self._buffer)[:start]
            self._buffer = grown
        return memoryview(self._buffer)[start : start + size]

    def took(self, piece: memoryview) -> None:
        """Take what was read into the room. Raises nothing: content() does."""
        self._size += len(piece)
        self._digest.update(piece)
        if self._landing is None or self._is_lost:
            return
        try:
            self._write_out(piece, self._landing)
        except (OSError, SpoolFull):
            size = self._size
            self.release()
            self._size, self._is_in_memory, self._is_lost = size, False, True
        if self._is_in_memory and self._size > self._landing.beyond:
            self._is_in_memory, self._buffer = False, bytearray()

    def content(self) -> memoryview | LargeDataset:
        """All that came, in memory or, where it is large, on disk. Raises SpoolFull.

        In memory the next data set takes its place, unless somebody still has a view of it.
        """
        if self._is_lost:
            raise SpoolFull(self._size)
        if self._is_in_memory:
            return memoryview(self._buffer)[: self._size].toreadonly()
        assert self._part is not None
        self._large = LargeDataset(self._part, len(self._file_meta))
        return self._large

    def lying(self) -> Lying | None:
        """Where all that came lies on disk, if it does."""
        return Lying(self._part, self._file_meta) if self._part is not None else None

    def digest(self) -> str:
        """What `content_digest` would give for what came."""
        return self._digest.text()

    def _write_out(self, piece: memoryview, landing: Landing) -> None:
        if len(piece) > landing.free_bytes():
            raise SpoolFull(self._size)
        if self._part is None:
            self._part = landing.open_part(self._file_meta)
        self._part.write(piece)

    def _is_looked_at(self) -> bool:
        """Say whether somebody still has a view of the buffer: only then it cannot be resized."""
        if not self._buffer:
            return False
        try:
            self._buffer.append(self._buffer.pop())
        except BufferError:
            return True
        return False

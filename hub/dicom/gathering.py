"""In charge of one data set while it arrives: hashed, and written to disk, as it comes."""

from collections.abc import Callable
from dataclasses import dataclass

from hub.dicom.digests import ContentDigest
from hub.dicom.durable import Part, SpoolFull
from hub.dicom.received import LargeDataset, Lying

# What most instances fit into.
_ROOM = 1 << 20
# Hashed and written at once: each step costs two calls of the system and as many turns among the
# threads, and whoever waits for an answer waits for the last of them.
_STRIDE = 256 << 10
# An association that once brought something larger does not hold on to that much for ever.
_MOST_KEPT = 4 << 20


@dataclass(frozen=True, slots=True)
class Landing:
    """Where data sets go while they come: each into a file of its own.

    So its sender goes on while it is written. `open_part` makes an empty file, and `free_bytes`
    tells how much may still be written into all of them. One that is larger than `beyond` bytes is
    not in memory as well.
    """

    open_part: Callable[[], Part]
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
        # How much of what is in memory has been hashed and written.
        self._taken = 0
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
        self._size, self._taken, self._is_in_memory, self._is_lost = 0, 0, True, False

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
        if not self._is_in_memory:
            self._take(piece)
        elif self._size - self._taken >= _STRIDE:
            self._catch_up()

    def content(self) -> memoryview | LargeDataset:
        """All that came, in memory or, where it is large, on disk. Raises SpoolFull.

        In memory the next data set takes its place, unless somebody still has a view of it.
        """
        self._catch_up()
        if self._is_lost:
            raise SpoolFull(self._size)
        if self._part is not None:
            # The disk works on it while the header is read.
            self._part.begin_sync()
        if self._is_in_memory:
            return memoryview(self._buffer)[: self._size].toreadonly()
        assert self._part is not None
        self._large = LargeDataset(self._part, len(self._file_meta))
        return self._large

    def lying(self) -> Lying | None:
        """Where all that came lies on disk, if it does."""
        self._catch_up()
        return Lying(self._part, self._file_meta) if self._part is not None else None

    def digest(self) -> str:
        """What `content_digest` would give for what came."""
        self._catch_up()
        return self._digest.text()

    def _catch_up(self) -> None:
        """Hash and write what has come into memory since the last time."""
        if not self._is_in_memory or self._taken == self._size:
            return
        with memoryview(self._buffer)[self._taken : self._size] as piece:
            self._taken = self._size
            self._take(piece)
        landing = self._landing
        if landing is not None and self._is_in_memory and self._size > landing.beyond:
            self._is_in_memory, self._buffer = False, bytearray()

    def _take(self, piece: memoryview) -> None:
        self._digest.update(piece)
        if self._landing is None or self._is_lost:
            return
        try:
            self._write_out(piece, self._landing)
        except (OSError, SpoolFull):
            size = self._size
            self.release()
            self._size, self._is_in_memory, self._is_lost = size, False, True

    def _write_out(self, piece: memoryview, landing: Landing) -> None:
        if len(piece) > landing.free_bytes():
            raise SpoolFull(self._size)
        if self._part is None:
            self._part = landing.open_part()
            self._part.write(self._file_meta, piece)
        else:
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

"""MLLP framing (HL7 2.5.1 appendix C): bytes of a stream to messages, whatever the chunks."""

from collections.abc import Callable

# What goes back for one message: nothing, one message, or several in turn (HL7 2.5.1 2.9.3).
Answer = bytes | tuple[bytes, ...] | None

START = b"\x0b"
END = b"\x1c"
CARRIAGE_RETURN = b"\r"
MAX_BYTES = 16 * 1024 * 1024
_HEAD_BYTES = 65536  # kept of what is no whole message, to answer and to report it
# A sender that restarts on the same connection begins anew without ending what it had begun;
# read as one, two patients' messages would be mixed. (0x0B alone also occurs inside text.)
_RESTART = START + b"MSH"


class FrameTooLarge(ValueError):  # noqa: N818
    """A message is longer than allowed.

    `frames` are the complete ones before it, `head` its first bytes (enough to answer it by its
    MSH). Call feed(b"") to go on: the rest of it is passed over.
    """

    def __init__(self, max_bytes: int, head: bytes, frames: list[bytes]) -> None:
        super().__init__(f"a message of more than {max_bytes} bytes")
        self.max_bytes = max_bytes
        self.head = head
        self.frames = frames


def frame(message: bytes) -> bytes:
    """A message as it goes over the wire; ValueError for one that would end its own frame."""
    if END + CARRIAGE_RETURN in message:
        raise ValueError("a message that holds 0x1C 0x0D cannot be framed")
    return START + message + END + CARRIAGE_RETURN


class FrameReader:
    """Takes a stream in any pieces and gives back whole messages.

    Bytes between frames are passed over and told to `on_junk` by their number (line ends are not
    junk). 0x1C ends a frame only before CR or the next frame's start: elsewhere it is content.
    """

    def __init__(
        self, max_bytes: int = MAX_BYTES, *, on_junk: Callable[[int], None] | None = None
    ) -> None:
        self.max_bytes = max_bytes
        self.junk_bytes = 0
        self._junk = bytearray()  # the first of it
        self._on_junk = on_junk
        self._buffer = bytearray()
        self._scanned = 0  # no end of frame begins before this place
        self._is_inside = False
        self._is_skipping = False

    @property
    def is_inside(self) -> bool:
        """A frame has begun and not ended."""
        return self._is_inside

    @property
    def awaits_carriage_return(self) -> bool:
        """All but the last byte of a frame is there; some senders never send that byte."""
        return self._is_inside and self._buffer.endswith(END)

    @property
    def unfinished(self) -> bytes:
        """The first bytes of a frame that has begun and not ended, unless it was too large."""
        is_begun = self._is_inside and not self._is_skipping
        return bytes(self._buffer[:_HEAD_BYTES]) if is_begun else b""

    @property
    def unframed(self) -> bytes:
        """The first bytes outside any frame, where they hold a message; empty otherwise."""
        return bytes(self._junk) if b"MSH" in self._junk else b""

    def feed(self, data: bytes) -> list[bytes]:
        """The messages completed by `data`, in order. Raises FrameTooLarge."""
        self._buffer += data
        frames: list[bytes] = []
        while self._enter():
            end = self._find_end()
            if self._is_too_large(end):
                head = bytes(self._buffer[: min(_HEAD_BYTES, self.max_bytes)])
                self._skip(end)
                raise FrameTooLarge(self.max_bytes, head, frames)
            if self._is_skipping:
                self._skip(end)
            elif end is not None:
                frames.append(self._take(end))
            if end is None:
                break
        return frames

    def end_frame(self) -> list[bytes]:
        """End a frame whose last byte, the CR, did not come."""
        return self.feed(CARRIAGE_RETURN) if self.awaits_carriage_return else []

    def _enter(self) -> bool:
        if self._is_inside:
            return True
        start = self._buffer.find(START)
        self._report_junk(bytes(self._buffer if start < 0 else self._buffer[:start]))
        del self._buffer[: start + 1 if start >= 0 else len(self._buffer)]
        self._is_inside = start >= 0
        self._scanned = 0
        return self._is_inside

    def _find_end(self) -> int | None:
        """Where the content ends; None while the end has not come."""
        while (place := self._buffer.find(END, self._scanned)) >= 0:
            self._scanned = place
            following = self._buffer[place + 1 : place + 2]
            if not following:
                return None
            if following in (CARRIAGE_RETURN, START):
                return place
            self._scanned = place + 1
        self._scanned = len(self._buffer)
        return None

    def _is_too_large(self, end: int | None) -> bool:
        size = self._scanned if end is None else end
        return size > self.max_bytes and not self._is_skipping

    def _take(self, end: int) -> bytes:
        content = bytes(self._buffer[:end])
        self._leave(end)
        restart = content.rfind(_RESTART)
        if restart >= 0:
            self._report_junk(content[:restart])
            content = content[restart + 1 :]
        return content

    def _skip(self, end: int | None) -> None:
        if end is not None:
            self._is_skipping = False
            self._leave(end)
            return
        self._is_skipping = True
        del self._buffer[: self._scanned]
        self._scanned = 0

    def _leave(self, end: int) -> None:
        has_return = self._buffer[end + 1 : end + 2] == CARRIAGE_RETURN
        del self._buffer[: end + (2 if has_return else 1)]
        self._is_inside = False

    def _report_junk(self, junk: bytes) -> None:
        count = len(junk.strip(b"\r\n"))
        self.junk_bytes += count
        self._junk += junk[: _HEAD_BYTES - len(self._junk)]
        if count and self._on_junk:
            self._on_junk(count)

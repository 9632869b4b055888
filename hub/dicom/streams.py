"""In charge of reading bytes, a view, a file or deflated bytes alike, never more than is there."""

import zlib
from collections.abc import Iterator
from io import BufferedReader, BytesIO

# The whole data set is deflated, not its frames (PS3.5 A.5, A.7, A.13).
_DEFLATED = frozenset(
    {"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"}
)
# A kilobyte can be made to inflate to a megabyte: this is as far as a header is looked for.
_MAXIMUM_INFLATED = 64 << 20
_INFLATE_STEP = 64 << 10
_DEFLATED_STEP = 16 << 10


class NotADataSet(Exception):  # noqa: N818 (named by what failed)
    """The bytes are not a data set, or end within an element that is wanted; `tag` says which."""

    def __init__(self, reason: str, tag: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.tag = tag


class FileWindow:
    """A stream over a file from an offset to its end, which never asks for more than is there."""

    def __init__(self, file: BufferedReader, start: int) -> None:
        self._file = file
        self._start = start
        self._size = max(file.seek(0, 2) - start, 0)
        self._position = 0

    def __len__(self) -> int:
        """Give the bytes from the offset to the end."""
        return self._size

    def read(self, size: int = -1, /) -> bytes:
        """Give up to `size` bytes; a length of 4 GB in broken bytes costs nothing."""
        rest = max(self._size - self._position, 0)
        self._file.seek(self._start + self._position)
        value = self._file.read(rest if size < 0 else min(size, rest))
        self._position += len(value)
        return value

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move, also beyond the end, where there is nothing to read."""
        base = (0, self._position, self._size)[whence]
        self._position = max(base + offset, 0)
        return self._position

    def tell(self) -> int:
        """Give the position, from the offset."""
        return self._position


class _Window:
    """A stream over a view, which copies only what is read."""

    def __init__(self, view: bytearray | memoryview) -> None:
        self._view = view
        self._position = 0

    def read(self, size: int = -1, /) -> bytes:
        end = None if size < 0 else self._position + size
        value = bytes(self._view[self._position : end])
        self._position += len(value)
        return value

    def seek(self, offset: int, whence: int = 0, /) -> int:
        base = (0, self._position, len(self._view))[whence]
        self._position = max(base + offset, 0)
        return self._position

    def tell(self) -> int:
        return self._position


class _Inflating:
    """A stream over deflated bytes (RFC 1951) that inflates no more than is asked for."""

    def __init__(self, deflated: bytes) -> None:
        self._rest = deflated
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._inflated = bytearray()
        self._position = 0

    def read(self, size: int = -1, /) -> bytes:
        end = self._position + size if size >= 0 else _MAXIMUM_INFLATED
        self._inflate_to(end)
        value = bytes(self._inflated[self._position : end])
        self._position += len(value)
        return value

    def _inflate_to(self, end: int) -> None:
        while len(self._inflated) < end and not self._inflater.eof:
            if len(self._inflated) >= _MAXIMUM_INFLATED:
                raise NotADataSet("inflates to more than 64 MiB before its pixel data")
            step = self._inflater.decompress(self._rest, _INFLATE_STEP)
            self._rest = self._inflater.unconsumed_tail
            if not step:
                break
            self._inflated += step

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if whence == 2:
            self._inflate_to(_MAXIMUM_INFLATED)
        base = (0, self._position, len(self._inflated))[whence]
        self._position = max(base + offset, 0)
        return self._position

    def tell(self) -> int:
        return self._position


Source = bytes | bytearray | memoryview | FileWindow
Stream = BytesIO | FileWindow | _Window | _Inflating


def is_deflated(transfer_syntax_uid: str) -> bool:
    """Say whether a data set of this transfer syntax is deflated as a whole."""
    return transfer_syntax_uid in _DEFLATED


def reaches_end(deflated: Source) -> bool:
    """Say whether deflated bytes hold their own end, as far as anybody would inflate them."""
    inflater, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
    try:
        # In pieces of the input, each of which inflates to 16 MiB at most.
        for piece in steps_of(deflated, _DEFLATED_STEP):
            size += len(inflater.decompress(piece))
            if inflater.eof or size >= _MAXIMUM_INFLATED:
                return True
    except zlib.error:
        return False
    return False


def steps_of(source: Source, size: int) -> Iterator[memoryview]:
    """Give a source from its beginning in steps of so many bytes, a file no faster than asked."""
    if isinstance(source, FileWindow):
        source.seek(0)
        while step := source.read(size):
            yield memoryview(step)
        return
    view = memoryview(source)
    for start in range(0, len(view), size):
        yield view[start : start + size]


def open_stream(dataset: Source, transfer_syntax_uid: str) -> Stream:
    """Open a source at its beginning; one deflated as a whole is inflated as it is read."""
    if isinstance(dataset, FileWindow):
        dataset.seek(0)
    if is_deflated(transfer_syntax_uid):
        # Deflating makes nothing longer by more than a few bytes in thousands (RFC 1951, 3.2.4).
        most = _MAXIMUM_INFLATED + (_MAXIMUM_INFLATED >> 8)
        return _Inflating(dataset.read(most) if isinstance(dataset, FileWindow) else bytes(dataset))
    if isinstance(dataset, FileWindow):
        return dataset
    return BytesIO(dataset) if isinstance(dataset, bytes) else _Window(dataset)

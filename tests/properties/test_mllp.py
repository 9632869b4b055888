"""MLLP: however the network cuts the stream, the same messages come out of it."""

from hypothesis import given
from hypothesis import strategies as st

from hub.hl7.frames import FrameReader, FrameTooLarge, frame

MAX_BYTES = 40
# 0x0B alone is content; what ends or restarts a frame is not.
content = (
    st.lists(
        st.sampled_from([b"MSH|", b"a", b"\xc3\xa6", b"\r", b"\n", b"\x0b", b"\x1cx", b"\x00"]),
        max_size=8,
    )
    .map(b"".join)
    .filter(lambda raw: b"\x0bMSH" not in raw)
)
too_long = st.integers(MAX_BYTES + 1, 3 * MAX_BYTES).map(lambda size: b"x" * size)
junk = st.binary(max_size=10).map(lambda raw: raw.replace(b"\x0b", b""))
stream = st.lists(st.tuples(junk, content | too_long, st.sampled_from([b"\r", b""])), max_size=8)
cuts = st.lists(st.integers(1, 30), min_size=1)


def pieces(raw: bytes, sizes: list[int]) -> list[bytes]:
    """The stream cut into pieces of these sizes, over and over."""
    found, turn = [], 0
    while raw:
        found.append(raw[: sizes[turn % len(sizes)]])
        raw = raw[len(found[-1]) :]
        turn += 1
    return found


def read(reader: FrameReader, chunks: list[bytes]) -> list[bytes | None]:
    """Every message in order, None for one that was too large."""
    found: list[bytes | None] = []
    for chunk in chunks:
        data: bytes | None = chunk
        while data is not None:
            try:
                found += reader.feed(data)
                data = None
            except FrameTooLarge as error:
                assert error.head == b"x" * MAX_BYTES  # noqa: PT017
                found += [*error.frames, None]
                data = b""
    return found


@given(stream, cuts)
def test_frames_are_the_same_under_any_chunking(
    parts: list[tuple[bytes, bytes, bytes]], sizes: list[int]
) -> None:
    raw, expected, junk_bytes = b"", [], 0
    for before, message, carriage_return in parts:
        # A sender that leaves out the CR is understood when its next frame begins.
        before = before if raw.endswith(b"\x1c\r") or not raw else b""
        raw += before + frame(message)[:-1] + carriage_return
        junk_bytes += len(before.strip(b"\r\n"))
        expected.append(message if len(message) <= MAX_BYTES else None)
    raw += b"" if raw.endswith(b"\x1c\r") or not raw else b"\r"
    reader = FrameReader(MAX_BYTES)
    assert read(reader, pieces(raw, sizes)) == expected
    assert not reader.is_inside
    assert len(reader._buffer) == 0
    assert reader.junk_bytes <= junk_bytes


@given(st.lists(st.binary(max_size=50)))
def test_no_stream_breaks_the_reader(chunks: list[bytes]) -> None:
    reader = FrameReader(MAX_BYTES)
    for chunk in chunks:
        for data in (chunk, b"", b"", b""):
            try:
                frames = reader.feed(data)
            except FrameTooLarge as error:
                frames = error.frames
            assert all(len(message) <= MAX_BYTES for message in frames)
    assert len(reader._buffer) <= MAX_BYTES + 50

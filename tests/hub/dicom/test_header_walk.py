"""The quick way to a header and the careful one say the same of whatever bytes come."""

import warnings
from collections.abc import Callable
from functools import cache

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from bench.headers import make_slices
from hub.dicom import header_walk, headers
from hub.dicom.header_reader import require_end
from hub.dicom.headers import UnreadableDataset, read_header
from hub.dicom.streams import NotADataSet
from tests.fakes.raw_scu import bytes_of
from tests.hub.dicom.encoded import CORPUS, PACKAGED, element, encode, minimal, with_elements

EXPLICIT, IMPLICIT = str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian)
SYNTAXES = [EXPLICIT, IMPLICIT, str(ExplicitVRBigEndian), "", "1.2.840.999.1"]
VIEWS = [bytes, bytearray, lambda data: memoryview(bytearray(data))]
UNDEFINED, NOTHING = b"\xff\xff\xff\xff", b"\0\0\0\0"
ITEM, ITEM_END, SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0", b"\xfe\xff\xdd\xe0"


def outcome(read: Callable[..., object], data: object, syntax: str) -> object:
    """What was read, or why it was refused."""
    try:
        return read(data, syntax)
    except UnreadableDataset as fault:
        return fault.reason, fault.field


def is_whole_to_the_careful(data: object, syntax: str) -> bool:
    try:
        require_end(data, transfer_syntax_uid=syntax)
    except NotADataSet:
        return False
    return True


def same_both_ways(data: bytes, syntax: str) -> object:
    """Compare the two ways; the outcome of either."""
    careful = outcome(headers._header, data, syntax)
    for view in VIEWS:
        assert outcome(read_header, view(data), syntax) == careful
        if header_walk.is_whole(view(data), syntax):
            assert is_whole_to_the_careful(data, syntax)
        if (quick := headers._quickly(view(data), syntax)) is not None:
            assert quick == careful
    return careful


def nested() -> pydicom.Dataset:
    """An instance with sequences in sequences, of undefined length too."""
    dataset, item, inner = minimal(PatientID="4711", Rows=512), pydicom.Dataset(), minimal()
    inner.PatientID = "XX"
    item.ReferencedImageSequence = Sequence([inner])
    item["ReferencedImageSequence"].is_undefined_length = True
    item.is_undefined_length_sequence_item = True
    dataset.ReferencedStudySequence = Sequence([item, item])
    dataset["ReferencedStudySequence"].is_undefined_length = True
    dataset.private_block(0x0009, "MAKER", create=True).add_new(1, "OB", b"1234")
    return dataset


@cache
def seeds() -> list[bytes]:
    slices = make_slices(1)
    del slices[0].PixelData
    whole = [minimal(Rows=3, PixelData=bytes(64)), nested(), slices[0]]
    encoded = [encode(one, syntax) for one in whole for syntax in (EXPLICIT, IMPLICIT)]
    unknown = b"\x09\x00\x01\x10UN\0\0" + UNDEFINED + SEQUENCE_END + NOTHING
    return [*encoded, with_elements(), element(0x00080018, b"UI", b"1.2.3.4\0") + unknown]


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize("view", VIEWS)
def test_what_scanners_send_takes_the_quick_way(syntax, view):
    for dataset in (make_slices(1)[0], nested()):
        encoded = view(encode(dataset, syntax))
        header = headers._quickly(encoded, syntax)
        assert header is not None
        assert header.study.patient_id == dataset.PatientID
        assert (header.instance.rows, header.instance.columns) == (512, dataset.get("Columns"))
        assert header_walk.is_whole(encoded, syntax)
        assert not header_walk.is_whole(encoded[:-1], syntax)


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_both_ways_say_the_same_of_broken_bytes(data):
    mutated = bytearray(data.draw(st.sampled_from(seeds())))
    places = st.integers(0, len(mutated) - 1)
    bytes_met = st.sampled_from([*b"\x00\x08\x10\x20\x28\xe0\xfe\xffABCDISLOQUNTW"])
    for at, byte in data.draw(st.lists(st.tuples(places, bytes_met), max_size=6)):
        mutated[at] = byte
    cut = data.draw(st.one_of(st.just(len(mutated)), places))
    same_both_ways(bytes(mutated[:cut]), data.draw(st.sampled_from(SYNTAXES)))


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_both_ways_say_the_same_wherever_the_bytes_end(syntax):
    for dataset in (minimal(Rows=3, PixelData=bytes(4)), nested()):
        encoded = encode(dataset, syntax)
        for cut in range(len(encoded)):
            same_both_ways(encoded[:cut], syntax)


OTHER_PATIENT = element(0x00100020, b"LO", b"XX")
OTHER_PATIENT_IMPLICIT = b"\x10\x00\x20\x00\x02\x00\x00\x00XX"
FILLING = element(0x00400009, b"SH", b"") * (0x5343 // 8) + bytes(0x5343 % 8)
ODD = {
    "twice with other values": element(0x0020000E, b"UI", b"1.2.9\0"),
    "twice with the same value": element(0x0020000E, b"UI", b"1.2.3.1\0"),
    "long identifier": element(0x00100020, b"LO", b"7" * 1025),
    "long description": element(0x00081030, b"LO", b"x" * 1025),
    "item whose length looks like a VR": ITEM + b"CS\0\0" + FILLING[:-1],
    "cut in an item whose length looks like a VR": ITEM + b"CS\0\0" + FILLING,
    "unknown, implicit inside": b"\x21\x00\x01\x10UN\0\0" + UNDEFINED + ITEM + UNDEFINED
    + OTHER_PATIENT_IMPLICIT + ITEM_END + NOTHING + SEQUENCE_END + NOTHING,
    "unknown in a sequence": b"\x21\x00\x01\x10SQ\0\0" + UNDEFINED + ITEM + UNDEFINED
    + b"\x21\x00\x01\x10UN\0\0" + UNDEFINED + ITEM + UNDEFINED + OTHER_PATIENT_IMPLICIT
    + ITEM_END + NOTHING + SEQUENCE_END + NOTHING + ITEM_END + NOTHING + SEQUENCE_END + NOTHING,
    "no VR in a sequence": b"\x21\x00\x01\x10SQ\0\0" + UNDEFINED + ITEM + UNDEFINED
    + OTHER_PATIENT_IMPLICIT + ITEM_END + NOTHING + SEQUENCE_END + NOTHING,
    "VR that nobody knows in a sequence": b"\x21\x00\x01\x10SQ\0\0" + UNDEFINED + ITEM
    + UNDEFINED + element(0x00100020, b"ZZ", b"XX") + ITEM_END + NOTHING + SEQUENCE_END + NOTHING,
    "VR that nobody knows": element(0x00210020, b"ZZ", b"XX"),
    "no VR": OTHER_PATIENT_IMPLICIT,
    "rows as unknown": b"\x28\x00\x10\x00UN\0\0\x02\0\0\0\x07\0",
    "rows as text": element(0x00280010, b"IS", b"7 "),
}  # fmt: skip


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_both_ways_say_the_same_of_what_is_odd(odd, syntax):
    last = element(0x00280011, b"US", b"\x09\0")
    same_both_ways(with_elements() + odd + last, syntax)
    same_both_ways(with_elements((0x00100020, b"LO", b"47")) + last + odd, syntax)
    same_both_ways(odd + with_elements(), syntax)


HEADS = st.tuples(
    st.one_of(
        st.sampled_from([0x00080018, 0x0020000D, 0x00100020, 0x00280010]),
        st.sampled_from([*sorted(headers._WANTED), 0x00090001, 0x00081140, 0x00280302]),
    ),
    st.sampled_from([b"LO", b"UI", b"CS", b"IS", b"US", b"PN", b"UN", b"SQ", b"ZZ", b"lo"]),
    st.one_of(st.binary(max_size=10), st.sampled_from([b"1.2.3", b"7 ", b"\x1b$)C\xb1\xe6"])),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(HEADS, max_size=12), st.booleans(), st.sampled_from(SYNTAXES))
def test_both_ways_say_the_same_of_elements_in_any_order(heads, is_sorted, syntax):
    elements = sorted(heads) if is_sorted else heads
    if is_sorted:
        same_both_ways(with_elements(*elements), syntax)
    same_both_ways(with_elements() + b"".join(element(*head) for head in elements), syntax)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.sampled_from(SYNTAXES))
def test_both_ways_say_the_same_of_bytes_that_mean_nothing(data, syntax):
    same_both_ways(data, syntax)


def test_what_a_sender_makes_up_does_not_fill_the_memory():
    walk = header_walk.Walk(headers._WANTED)
    for group in range(9, 30):
        made_up = [((group << 16) | number, b"LO", b"") for number in range(0x1000, 0x1100)]
        walk.find(b"".join(element(*one) for one in made_up), EXPLICIT)
    assert len(walk._explicit) <= 4096


def test_files_of_every_kind_are_read_alike_both_ways():
    folders = [PACKAGED, *([CORPUS] if CORPUS.exists() else [])]
    quick = 0
    paths = [path for folder in folders for path in folder.rglob("*.dcm")]
    for path in paths:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            held = bytes_of(path)
        careful = outcome(headers._header, held.dataset, held.transfer_syntax_uid)
        assert outcome(read_header, held.dataset, held.transfer_syntax_uid) == careful, path
        quick += headers._quickly(held.dataset, held.transfer_syntax_uid) is not None
        if header_walk.is_whole(held.dataset, held.transfer_syntax_uid):
            assert is_whole_to_the_careful(held.dataset, held.transfer_syntax_uid), path
    assert quick > len(paths) / 3

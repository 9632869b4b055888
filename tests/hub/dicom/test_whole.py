"""What was cut off on its way is told from what is whole, in every encoding."""

import warnings
import zlib

import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from hub.dicom.headers import UnreadableDataset, read_header, require_whole
from tests.fakes.raw_scu import bytes_of
from tests.hub.dicom.encoded import CORPUS, encode, minimal

PLAIN = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian]
FRAGMENTS = (
    b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff" b"\xfe\xff\x00\xe0\0\0\0\0"
    b"\xfe\xff\x00\xe0\x04\0\0\0\1\2\3\4" b"\xfe\xff\xdd\xe0\0\0\0\0"
)  # fmt: skip


@pytest.mark.parametrize("view", [bytes, memoryview])
@pytest.mark.parametrize("syntax", PLAIN)
def test_pixel_data_cut_short_are_told_by_name_and_whole_ones_pass(syntax, view):
    whole = encode(minimal(PixelData=bytes(64)), syntax)
    require_whole(view(whole), syntax)
    for cut in (1, 63):
        assert read_header(whole[:-cut], syntax)
        with pytest.raises(UnreadableDataset, match="ends in the middle") as refused:
            require_whole(view(whole[:-cut]), syntax)
        assert refused.value.field == "pixel_data"


def test_fragments_cut_short_are_told_and_whole_ones_pass():
    whole = encode(minimal()) + FRAGMENTS
    require_whole(whole, RLELossless)
    for cut in range(1, len(FRAGMENTS) - 12):
        with pytest.raises(UnreadableDataset) as refused:
            require_whole(whole[:-cut], RLELossless)
        assert refused.value.field == "pixel_data"


def test_deflated_bytes_cut_short_are_told_and_whole_ones_pass():
    whole = encode(minimal(PixelData=bytes(range(256))), DeflatedExplicitVRLittleEndian)
    require_whole(whole, DeflatedExplicitVRLittleEndian)
    require_whole(whole + b"\0", DeflatedExplicitVRLittleEndian)
    with pytest.raises(UnreadableDataset, match="deflated"):
        require_whole(whole[:-20], DeflatedExplicitVRLittleEndian)


def test_a_deflated_bomb_is_not_inflated_to_its_end():
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    bomb = deflater.compress(encode(minimal()) + bytes(300 << 20)) + deflater.flush()
    require_whole(bomb[:-20], DeflatedExplicitVRLittleEndian)


def test_of_the_corpus_only_what_is_named_truncated_is_cut_off():
    if not CORPUS.exists():
        pytest.skip("the corpus is not here")
    cut = set()
    for path in sorted(path for path in CORPUS.rglob("*") if path.is_file()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            held = bytes_of(path)
        try:
            read_header(held.dataset, held.transfer_syntax_uid)
        except UnreadableDataset:
            continue
        try:
            require_whole(held.dataset, held.transfer_syntax_uid)
        except UnreadableDataset:
            cut.add(path.name)
    assert cut == {"MR_truncated.dcm", "rtplan_truncated.dcm"}

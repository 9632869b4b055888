"""What tells one content from another, of this release and of those before."""

import hashlib
from base64 import b32decode
from dataclasses import replace

import pytest
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from hub.dicom import digests
from hub.dicom.spool import NotInSpool, Spool
from tests.hub.dicom.encoded import encode, minimal, received

DATA = encode(minimal(PatientID="4711", PixelData=bytes(range(256)) * 8192))


@pytest.fixture
def spool(tmp_path):
    return Spool(tmp_path / "spool", 0)


def of_a_release_before(came):
    """The same, with the digest that releases before gave it."""
    head = came.transfer_syntax_uid.encode() + b"\0"
    return replace(came, digest=hashlib.sha256(head + came.dataset).hexdigest())


def test_it_is_the_blake3_that_its_authors_publish():
    # Their test vectors: what is hashed are the bytes 0 to 250, again and again.
    text = digests.ContentDigest("").text()
    assert text.startswith("blake3-")
    nul = b32decode(text.removeprefix("blake3-").upper() + "====")
    assert nul.hex() == "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"


def test_in_whatever_pieces_it_comes_the_digest_is_the_same():
    digest = digests.ContentDigest(ExplicitVRLittleEndian)
    for start in range(0, len(DATA), 70_001):
        digest.update(memoryview(DATA)[start : start + 70_001])
    assert digest.text() == digests.content_digest(ExplicitVRLittleEndian, DATA)
    assert digest.text() != digests.content_digest(ImplicitVRLittleEndian, DATA)
    assert digest.text() != digests.content_digest(ExplicitVRLittleEndian, DATA + b"\0")
    # as much as the column holds, and what may stand in a key
    assert len(digest.text()) == 59 <= 64


def test_content_is_held_against_a_digest_of_either_kind():
    new, old = received(DATA), of_a_release_before(received(DATA))
    ours = digests.content_digest(new.transfer_syntax_uid, DATA)
    for digest in (ours, old.digest):
        assert digests.is_of_content(digest, new.transfer_syntax_uid, DATA)
        assert not digests.is_of_content(digest, new.transfer_syntax_uid, DATA[:-1])
    assert not digests.are_of_one_kind(ours, old.digest)
    assert digests.are_of_one_kind(old.digest, "0" * 64)


def test_what_a_release_before_put_is_found_described_and_held_against_its_name(spool):
    stored = spool.put(site="drammen", received=of_a_release_before(received(DATA)))
    assert list(spool.walk()) == [stored.key]
    assert spool.describe(stored.key).digest == stored.digest
    assert len(stored.digest) == 64
    again = spool.put(site="drammen", received=of_a_release_before(received(DATA)))
    assert (again.key, again.is_new) == (stored.key, False)
    path = spool.path(stored.key)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(NotInSpool):
        spool.describe(stored.key)


def test_a_file_is_known_by_the_digest_that_another_release_gave_it(spool):
    old = of_a_release_before(received(DATA))
    stored = spool.put(site="drammen", received=received(DATA))
    assert spool.has_content(stored.key, old.digest)
    assert spool.has_content(stored.key, stored.digest)
    assert not spool.has_content(stored.key, "0" * 64)
    with pytest.raises(NotInSpool):
        spool.has_content("instances/drammen/none.dcm", old.digest)

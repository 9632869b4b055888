"""In charge of digests: what tells one content from another, wherever and by whomever it was put.

What comes in is told by BLAKE3, what came in under the first releases by SHA-256 (ADR 48).
"""

import hashlib
from base64 import b32encode
from typing import Protocol

from blake3 import blake3

from hub.dicom.streams import Source, steps_of

_STEP = 1 << 20
_BLAKE3 = "blake3-"
# As one stands in names and in rows: 256 bits, of SHA-256 in hexadecimal, of BLAKE3 in base 32.
PATTERN = rf"[0-9a-f]{{64}}|{_BLAKE3}[a-z2-7]{{52}}"


class _Hash(Protocol):
    def update(self, data: memoryview, /) -> object: ...


class ContentDigest:
    """The digest of one data set while it comes, piece after piece.

    It is over transfer syntax, one NUL, and data set as sent. The file meta information is left
    out: who sent it, and which of our versions wrote it down, do not make other content.
    """

    def __init__(self, transfer_syntax_uid: str) -> None:
        self._hash = blake3(_head(transfer_syntax_uid))

    def update(self, piece: memoryview) -> None:
        """Take the next piece; other threads run meanwhile."""
        self._hash.update(piece)

    def text(self) -> str:
        """Give what stands in names and rows, at most 64 characters."""
        return _BLAKE3 + b32encode(self._hash.digest()).decode("ascii").rstrip("=").lower()


def content_digest(transfer_syntax_uid: str, dataset: Source) -> str:
    """Give the text of a ContentDigest over a whole data set."""
    digest = ContentDigest(transfer_syntax_uid)
    _feed(digest, dataset)
    return digest.text()


def is_of_content(digest: str, transfer_syntax_uid: str, dataset: Source) -> bool:
    """Say whether this is the digest of a data set, of whichever kind it is."""
    if digest.startswith(_BLAKE3):
        return digest == content_digest(transfer_syntax_uid, dataset)
    return digest == sha256(dataset, head=_head(transfer_syntax_uid))


def are_of_one_kind(one: str, other: str) -> bool:
    """Say whether two digests can be compared: then they differ if their contents do."""
    return one.startswith(_BLAKE3) == other.startswith(_BLAKE3)


def sha256(data: Source, *, head: bytes = b"") -> str:
    """Give the hexadecimal SHA-256 of bytes: what an object store, and whoever reads ours, asks."""
    digest = hashlib.sha256(head)
    _feed(digest, data)
    return digest.hexdigest()


def _feed(digest: _Hash, data: Source) -> None:
    for step in steps_of(data, _STEP):
        digest.update(step)


def _head(transfer_syntax_uid: str) -> bytes:
    return transfer_syntax_uid.encode("ascii", "replace") + b"\0"

"""In charge of files that are small on the disk and would not fit into memory once inflated."""

import zlib
from pathlib import Path

from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import DeflatedExplicitVRLittleEndian

from hub.dicom.file_meta import read_file_meta

# pydicom inflates a whole data set at once (PS3.5 A.5), and a kilobyte may become a megabyte.
LARGEST_INFLATED = 256 << 20
_STEP = 1 << 20


def is_bomb(path: Path, *, largest_inflated: int = LARGEST_INFLATED) -> bool:
    """Whether a data set that is deflated as a whole inflates to more than so many bytes.

    Also where pydicom takes a file for deflated that we do not: it would be inflated unseen.
    Takes a megabyte of memory, whatever the file holds. Raises OSError, and zlib.error for what is
    no deflated data set.
    """
    with path.open("rb") as file:
        meta = read_file_meta(file)
        if meta.transfer_syntax_uid != DeflatedExplicitVRLittleEndian:
            return _is_deflated_for_pydicom(path)
        file.seek(meta.data_offset)
        inflate, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
        while data := inflate.unconsumed_tail or file.read(_STEP):
            size += len(inflate.decompress(data, _STEP))
            if size > largest_inflated:
                return True
            if inflate.eof:
                break
    return False


def _is_deflated_for_pydicom(path: Path) -> bool:
    try:
        syntax = read_file_meta_info(path).get("TransferSyntaxUID")
    except (InvalidDicomError, EOFError, ValueError, AttributeError, KeyError):
        return False  # it will not read the rest either
    return bool(syntax == DeflatedExplicitVRLittleEndian)

"""In charge of small data sets for the tests of the wire, encoded as C-STORE would carry them."""

import zlib
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from hub.dicom.received import ReceivedInstance

CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "dicom"
PACKAGED = Path(pydicom.__file__).parent / "data"


def minimal(**attributes: object) -> Dataset:
    """Give a CT instance that has its UIDs and whatever else is asked for."""
    dataset = Dataset()
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = "1.2.3.4"
    dataset.StudyInstanceUID = "1.2.3"
    dataset.SeriesInstanceUID = "1.2.3.1"
    if "PixelData" in attributes:
        dataset.BitsAllocated = 8
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def encode(dataset: Dataset, transfer_syntax_uid: str = ExplicitVRLittleEndian) -> bytes:
    """Encode a data set without file meta, deflated too."""
    syntax = pydicom.uid.UID(transfer_syntax_uid)
    stream = DicomBytesIO()
    stream.is_implicit_VR = syntax == ImplicitVRLittleEndian
    stream.is_little_endian = syntax != ExplicitVRBigEndian
    write_dataset(stream, dataset)
    encoded = stream.getvalue()
    if syntax == DeflatedExplicitVRLittleEndian:
        deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        encoded = deflater.compress(encoded) + deflater.flush()
    return encoded


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    """Encode one element of explicit VR little endian with whatever bytes, padded or not."""
    group, number = tag.to_bytes(4, "big")[:2], tag.to_bytes(4, "big")[2:]
    return group[::-1] + number[::-1] + vr + len(value).to_bytes(2, "little") + value


def with_elements(*elements: tuple[int, bytes, bytes]) -> bytes:
    """Encode the minimal UIDs and these elements, in order of tags."""
    uids = [
        (0x00080018, b"UI", b"1.2.3.4\0"),
        (0x0020000D, b"UI", b"1.2.3\0"),
        (0x0020000E, b"UI", b"1.2.3.1\0"),
    ]
    given = {tag for tag, _, _ in elements}
    rest = [uid for uid in uids if uid[0] not in given]
    return b"".join(element(*e) for e in sorted([*rest, *elements], key=lambda e: e[0]))


def received(dataset: bytes | None = None, **changes: str) -> ReceivedInstance:
    """Give an instance as the SCP would hand it on."""
    values = {
        "calling_ae_title": "CT1",
        "called_ae_title": "HUB",
        "address": "127.0.0.1",
        "sop_class_uid": CTImageStorage,
        "sop_instance_uid": "1.2.3.4",
        "transfer_syntax_uid": ExplicitVRLittleEndian,
    } | changes
    return ReceivedInstance(**values, dataset=encode(minimal()) if dataset is None else dataset)

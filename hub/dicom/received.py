"""In charge of the shape of one instance as C-STORE brought it, before anything is read in it."""

from dataclasses import dataclass, field

from hub.dicom.durable import Part
from hub.dicom.streams import FileWindow


class LargeDataset(FileWindow):
    """A data set that is too large for memory, in a part of the spool.

    It is read as any stream is, by one thread, and is there until C-STORE is answered.
    """

    def __init__(self, part: Part, start: int) -> None:
        self._reader = part.open()
        super().__init__(self._reader, start)

    def close(self) -> None:
        """Close the file."""
        self._reader.close()


@dataclass(frozen=True, slots=True)
class Lying:
    """Where a data set lies in the spool already: in a part, after the file meta it should have."""

    part: Part
    file_meta: bytes


@dataclass(frozen=True, slots=True)
class ReceivedInstance:
    """One C-STORE request (PS3.7 9.1.1): who sent it and the data set, byte for byte as sent.

    `dataset` is encoded in `transfer_syntax_uid` and has no file meta information. The two SOP
    UIDs are those of the command, which a sender may have wrong: the data set decides. AE titles
    are without padding; `address` is the IP address of the peer. The data set is there until the
    request is answered: whoever wants it longer copies it.
    """

    calling_ae_title: str
    called_ae_title: str
    address: str
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    # A repr ends up in logs and tracebacks, and this holds the patient.
    dataset: bytes | memoryview | LargeDataset = field(repr=False)
    # As `content_digest` gives it, where it was made while the data set came; otherwise empty.
    digest: str = ""
    # Where it was written while it came.
    lying: Lying | None = None

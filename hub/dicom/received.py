"""In charge of the shape of one instance as C-STORE brought it, before anything is read in it."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ReceivedInstance:
    """One C-STORE request (PS3.7 9.1.1): who sent it and the data set, byte for byte as sent.

    `dataset` is encoded in `transfer_syntax_uid` and has no file meta information. The two SOP
    UIDs are those of the command, which a sender may have wrong: the data set decides. AE titles
    are without padding; `address` is the IP address of the peer.
    """

    calling_ae_title: str
    called_ae_title: str
    address: str
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    # A repr ends up in logs and tracebacks, and this holds the patient.
    dataset: bytes | memoryview = field(repr=False)
    # As `content_sha256` gives it, where it was made while the data set came; otherwise empty.
    sha256: str = ""

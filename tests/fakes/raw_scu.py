"""A C-STORE SCU that sends whatever bytes it is given as a data set, as a broken peer does."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid
from pynetdicom import AE
from pynetdicom.dimse_primitives import C_STORE


@dataclass(frozen=True, slots=True)
class Bytes:
    """A data set as bytes, and what the C-STORE request says of it."""

    dataset: bytes
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str


def bytes_of(path: Path) -> Bytes:
    """What a file holds behind its meta information; where that is missing, a guess is sent."""
    raw = path.read_bytes()
    sop_class, instance = SecondaryCaptureImageStorage, generate_uid()
    syntax, dataset = ExplicitVRLittleEndian, raw
    if raw[128:132] == b"DICM":
        stream = BytesIO(raw)
        stream.seek(132)
        meta = pydicom.filereader._read_file_meta_info(stream)
        dataset = raw[stream.tell() :]
        sop_class = meta.get("MediaStorageSOPClassUID") or sop_class
        instance = meta.get("MediaStorageSOPInstanceUID") or instance
        syntax = meta.get("TransferSyntaxUID") or syntax
    return Bytes(dataset, str(sop_class), str(instance), str(syntax))


def send_bytes(sent: Bytes, *, ae_title: str, port: int) -> int | None:
    """Send them in one C-STORE; the status, or None where the class or syntax is not taken."""
    ae = AE(ae_title=ae_title)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 30
    ae.add_requested_context(sent.sop_class_uid, sent.transfer_syntax_uid)
    association = ae.associate("127.0.0.1", port, ae_title="HUB")
    if not association.is_established:
        return None
    try:
        request = C_STORE()
        request.MessageID = 1
        request.AffectedSOPClassUID = sent.sop_class_uid
        request.AffectedSOPInstanceUID = sent.sop_instance_uid
        request.Priority = 2
        request.DataSet = BytesIO(sent.dataset)
        context = association.accepted_contexts[0]
        association._reactor_checkpoint.clear()
        association.dimse.send_msg(request, context.context_id)
        _context, answer = association.dimse.get_msg(block=True)
        association._reactor_checkpoint.set()
        return None if answer is None else int(answer.Status)
    finally:
        association.release()

"""In charge of a listening SCP for the tests, and of the peers, good and bad, that talk to it."""

import socket
import subprocess
import threading
import time
from io import BytesIO

import pydicom
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
)
from pynetdicom import AE, evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu import A_ASSOCIATE_RJ
from pynetdicom.sop_class import Verification

from hub.dicom import scp
from hub.dicom.association import LeavesAnswers
from tests.hub.dicom.encoded import minimal

QUICK = scp.Limits(association_seconds=1.0, idle_seconds=2.0, pdu_seconds=1.0)


class Hub:
    """A listening SCP and what came in at it."""

    def __init__(self, **options):
        self.instances = []
        self.asked = []
        self.refusal = None
        self.answer = scp.SUCCESS
        self.server = scp.serve(
            **{
                "ae_title": "HUB",
                "bind": "127.0.0.1",
                "port": 0,
                "policy": self.policy,
                "on_store": self.on_store,
                "limits": QUICK,
            }
            | options
        )
        self.port = self.server.port

    def policy(self, calling_ae_title, address):
        self.asked.append((calling_ae_title, address))
        if isinstance(self.refusal, Exception):
            raise self.refusal
        return self.refusal

    def on_store(self, received):
        self.instances.append(received)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def associate(self, *contexts, called="HUB", calling="CT1", **options):
        ae = AE(ae_title=calling)
        ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 10
        for abstract_syntax, transfer_syntaxes in contexts or [(Verification, None)]:
            ae.add_requested_context(abstract_syntax, transfer_syntaxes)
        came = []
        handlers = [*options.pop("evt_handlers", ()), (evt.EVT_PDU_RECV, keep, [came])]
        association = ae.associate(
            "127.0.0.1", self.port, ae_title=called, evt_handlers=handlers, **options
        )
        association.came = came
        if association.is_established:
            association.dimse = LeavesAnswers(association)
        return association

    def echoes(self):
        association = self.associate()
        assert association.is_established
        status = association.send_c_echo().Status
        association.release()
        return status == 0x0000

    def store(self, dataset, syntax=ExplicitVRLittleEndian, sop_class=CTImageStorage):
        """Send encoded bytes as they are, and give the status that came back."""
        association = self.associate((sop_class, syntax))
        assert association.accepted_contexts
        status = send(association, dataset, sop_class)
        association.release()
        return status


def send(association, dataset, sop_class=CTImageStorage):
    """Send encoded bytes over a running association; pynetdicom itself sends only data sets."""
    request = C_STORE()
    request.MessageID = 1
    request.AffectedSOPClassUID = sop_class
    request.AffectedSOPInstanceUID = "1.2.3.4"
    request.Priority = 0
    request.DataSet = BytesIO(dataset)
    association.dimse.send_msg(request, association.accepted_contexts[0].context_id)
    _, response = association.dimse.get_msg(block=True)
    return None if response is None else response.Status


def keep(event, came):
    """Remember a PDU that came; a handler for EVT_PDU_RECV."""
    came.append(event.pdu)


def rejection(association):
    """Give result, source and reason of what came: pynetdicom calls a quick rejection an abort."""
    assert not association.is_established
    (answer,) = association.came
    assert isinstance(answer, A_ASSOCIATE_RJ)
    return answer.result, answer.source, answer.reason_diagnostic


def raw(hub, payload=b""):
    peer = socket.create_connection(("127.0.0.1", hub.port), timeout=5)
    peer.sendall(payload)
    return peer


def association_request():
    """Record what a real requestor sends first."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ae = AE(ae_title="CT1")
        ae.acse_timeout = 1
        ae.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
        port = listening.getsockname()[1]
        thread = threading.Thread(
            target=ae.associate, args=("127.0.0.1", port), kwargs={"ae_title": "HUB"}
        )
        thread.start()
        connection, _ = listening.accept()
        with connection:
            request = connection.recv(65536)
        thread.join()
    return request


def await_no_associations(hub, seconds=8.0):
    deadline = time.monotonic() + seconds
    while hub.server.associations and time.monotonic() < deadline:
        time.sleep(0.02)
    return hub.server.associations == 0


def sendable():
    dataset = minimal(PatientID="4711")
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

"""Stand-ins for a PACS and a RIS on loopback: they take what the hub writes back and keep it."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pydicom.dataset import Dataset
from pynetdicom import AE, StoragePresentationContexts, evt
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from hub.dicom import scu
from hub.hl7.ack import build_ack
from hub.hl7.connection import MllpConnection
from hub.hl7.er7 import Message
from hub.hl7.mllp import MllpServer
from hub.hl7.parse import read_header


@dataclass
class Pacs:
    """A Storage SCP that keeps what it gets, under any called AE title."""

    port: int = 0
    received: list[Dataset] = field(default_factory=list)
    called: list[str] = field(default_factory=list)
    status: Callable[[Dataset], int] = lambda _dataset: 0x0000
    associations: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._is_closed = False
        ae = AE()
        # Of ten, as it comes, a hub of several processes with many sites can take all.
        ae.maximum_associations = 100
        for context in StoragePresentationContexts:
            ae.add_supported_context(context.abstract_syntax or "")
        ae.add_supported_context(Verification)
        server = ae.start_server(
            ("127.0.0.1", self.port), block=False,
            evt_handlers=[(evt.EVT_C_STORE, self._store), (evt.EVT_ACCEPTED, self._count)],
        )  # fmt: skip
        assert server is not None
        self._server = server
        self.port = server.server_address[1]

    def _store(self, event: evt.Event) -> int:
        dataset = event.dataset
        status = self.status(dataset)
        if status == 0:
            with self._lock:
                self.received.append(dataset)
                self.called.append(str(event.assoc.acceptor.ae_title))
        return status

    def _count(self, _event: evt.Event) -> None:
        with self._lock:
            self.associations += 1

    def hang_up(self) -> None:
        """Abort every association, as a PACS does that starts again."""
        for association in self._server.active_associations:
            association.abort()

    @property
    def open_associations(self) -> int:
        """How many associations stand at this moment."""
        return len(self._server.active_associations)

    def of_study(self, study_instance_uid: str) -> list[Dataset]:
        """What came for one study, in order."""
        with self._lock:
            return [one for one in self.received if one.StudyInstanceUID == study_instance_uid]

    def close(self) -> None:
        """Stop listening, unless it has."""
        if not self._is_closed:
            self._is_closed = True
            self._server.shutdown()


@dataclass
class Ris:
    """An MLLP receiver that answers AA (or what ``answer`` says), and keeps what it gets."""

    port: int = 0
    received: list[bytes] = field(default_factory=list)
    answer: Callable[[bytes], str] = lambda _message: "AA"

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._server = MllpServer(self._take, port=self.port)
        self.port = self._server.port

    def _take(self, message: bytes, _address: str) -> bytes:
        code = self.answer(message)
        with self._lock:
            self.received.append(message)
        return build_ack(
            message, code=code, control_id=uuid.uuid4().hex[:20], at=datetime.now(UTC),
            text="" if code == "AA" else "refused by the stand-in",
        )  # fmt: skip

    @property
    def connections(self) -> int:
        """How many connections are open at this moment."""
        return self._server.connection_count

    def of_type(self, message_type: str) -> list[Message]:
        """The messages of one type, for example ORU^R01, in order; each control id once."""
        with self._lock:
            messages = [Message.from_bytes(raw) for raw in self.received]
        by_id: dict[str, Message] = {}
        for message in messages:
            header = read_header(message)
            if header.message_type.startswith(message_type):
                by_id.setdefault(header.control_id, message)
        return list(by_id.values())

    def close(self) -> None:
        """Stop listening."""
        self._server.close()


def send_study(
    files: Sequence[Path], *, ae_title: str, hub_ae_title: str, host: str, port: int
) -> list[scu.StoreOutcome]:
    """Send files to the hub as the PACS of a site does."""
    return scu.store(
        scu.Peer(ae_title=hub_ae_title, host=host, port=port),
        calling_ae_title=ae_title,
        files=files,
        timeout_seconds=60,
    )


def send_order(message: bytes, *, host: str, port: int) -> bytes:
    """Send one HL7 message to the hub as the RIS does; its answer."""
    connection = MllpConnection(host, port, timeout_seconds=30)
    try:
        return connection.send(message)
    finally:
        connection.close()

"""In charge of the sockets below the SCP: no peer, however it behaves, may hold up another."""

import logging
import socket
import ssl
import sys
import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

from pynetdicom.association import Association
from pynetdicom.transport import RequestHandler, ThreadedAssociationServer

from hub.dicom.gathering import GatheringProvider, Overflow

logger = logging.getLogger(__name__)

# What PDU lengths are allowed beyond the announced maximum: an A-ASSOCIATE-RQ of 128 presentation
# contexts with all transfer syntaxes is about 400 kB, and is not bound by that maximum.
_LARGEST_OTHER_PDU = 1 << 20
_QUICK_ACKNOWLEDGEMENT: int | None = getattr(socket, "TCP_QUICKACK", None)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a peer may take: of associations, of bytes in one PDU, and of time in seconds.

    `association_seconds` is from connection to association request (ARTIM, PS3.8 9.1.5),
    `idle_seconds` is how long an association may be silent, `pdu_seconds` how long one PDU may
    take from its first byte to its last. Without an `overflow` instances lie in memory while they
    arrive, however large they are.
    """

    maximum_associations: int = 64
    maximum_pdu_length: int = 262_144
    association_seconds: float = 30.0
    idle_seconds: float = 120.0
    pdu_seconds: float = 120.0
    overflow: Overflow | None = None


class Listener(ThreadedAssociationServer):
    """Accepts connections for one AE.

    pynetdicom as it comes shakes TLS hands in the thread that accepts, and reads PDUs without a
    time limit: one silent peer would close the door to all, or hold a thread for ever.
    """

    request_queue_size = 128
    daemon_threads = True
    limits = Limits()

    def __init__(self, *args: Any, **options: Any) -> None:
        self._arriving = 0
        self._arrivals = threading.Condition()
        super().__init__(*args, **options)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give a connection to a thread of its own, and remember that it is on its way."""
        with self._arrivals:
            self._arriving += 1
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Make the association of one connection, in that thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._arrivals:
                self._arriving -= 1
                self._arrivals.notify_all()

    def await_arrivals(self, seconds: float) -> None:
        """Wait until every connection that was accepted is among the `active_associations`."""
        with self._arrivals:
            self._arrivals.wait_for(lambda: self._arriving == 0, seconds)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept one connection; whatever may take time is left for its own thread."""
        connection, address = self.listening_socket().accept()
        connection.settimeout(min(self.limits.association_seconds, self.limits.idle_seconds))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if self.ssl_context is not None:
            connection = self.ssl_context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def listening_socket(self) -> socket.socket:
        """Give the socket that accepts, which is there as long as the server is."""
        if self.socket is None:
            raise OSError("the listener is closed")
        return self.socket

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say that a connection came to nothing (TLS refused, for example), and go on."""
        logger.warning("dicom.connection_failed peer=%s why=%r", client_address[0], sys.exception())


class Connection(RequestHandler):
    """Makes the association of one connection."""

    server: Listener

    def setup(self) -> None:
        """Shake TLS hands, in this connection's own thread."""
        if isinstance(self.request, ssl.SSLSocket):
            self.request.do_handshake()

    def _create_association(self) -> Association:
        association = super()._create_association()
        # Neither a stuck peer nor a stuck disk may keep the process from ending.
        association.dul.daemon = True
        provider = GatheringProvider(association)
        provider.overflow = self.server.limits.overflow
        association.dimse = provider
        limits = self.server.limits
        self.request.settimeout(limits.idle_seconds)
        receive = partial(
            _receive,
            self.request,
            largest=max(limits.maximum_pdu_length + 6, _LARGEST_OTHER_PDU),
            seconds=limits.pdu_seconds,
        )
        # pynetdicom reads 4 kB at a time, with no end to either bytes or time.
        vars(association.dul.socket)["recv"] = receive
        return association


def _receive(connection: socket.socket, count: int, *, largest: int, seconds: float) -> bytearray:
    """Read so many bytes, or fewer when the peer is gone: pynetdicom then ends the association."""
    if count > largest:
        logger.warning("dicom.pdu_too_long length=%d largest=%d", count, largest)
        return bytearray()
    buffer = bytearray(count)
    view, received, deadline = memoryview(buffer), 0, time.monotonic() + seconds
    while received < count:
        # A peer that leaves Nagle's algorithm on waits for our acknowledgement between the command
        # and the data set of each instance: 40 ms, unless it is sent at once. Linux forgets this.
        if _QUICK_ACKNOWLEDGEMENT is not None:
            connection.setsockopt(socket.IPPROTO_TCP, _QUICK_ACKNOWLEDGEMENT, 1)
        got = connection.recv_into(view[received:])
        if got == 0 or time.monotonic() > deadline:
            return buffer[:received]
        received += got
    return buffer

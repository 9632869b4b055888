"""In charge of listening: C-STORE and C-ECHO from known peers, kept as sent, nothing decided."""

import errno
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from socketserver import BaseServer
from typing import cast

from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu_primitives import A_ASSOCIATE, A_P_ABORT
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made at import

from hub.dicom.durable import SpoolFull
from hub.dicom.file_meta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from hub.dicom.gathering import Gathering, Overflow
from hub.dicom.listener import Connection, Limits, Listener
from hub.dicom.received import ReceivedInstance

__all__ = [
    "CANNOT_UNDERSTAND",
    "DOES_NOT_MATCH_SOP_CLASS",
    "NOT_AUTHORISED",
    "OUT_OF_RESOURCES",
    "PROCESSING_FAILURE",
    "SUCCESS",
    "Limits",
    "Overflow",
    "PortTaken",
    "ReceivedInstance",
    "Refusal",
    "Server",
    "serve",
]
logger = logging.getLogger(__name__)

# PS3.4 B.2.3, table B.2-1.
SUCCESS = 0x0000
# PS3.7 9.1.1.1.9 and C.4.2: who asks may not.
NOT_AUTHORISED = 0x0124
OUT_OF_RESOURCES = 0xA700
DOES_NOT_MATCH_SOP_CLASS = 0xA900
CANNOT_UNDERSTAND = 0xC000
# Of the range C000-CFFF, and apart from CANNOT_UNDERSTAND in logs: the fault is ours.
PROCESSING_FAILURE = 0xC001

# PS3.8 9.3.4: (result, source, reason) of an A-ASSOCIATE-RJ.
_CALLING_AE_TITLE_NOT_RECOGNISED = (1, 1, 3)
_CALLED_AE_TITLE_NOT_RECOGNISED = (1, 1, 7)
_TEMPORARY_CONGESTION = (2, 3, 1)
# How long a peer may take over our A-ABORT, and an instance that is being stored over its end.
_ABORT_SECONDS = 1.0
# Only a TLS handshake takes longer.
_ARRIVAL_SECONDS = 2.0
_STORE_SECONDS = 10.0


class PortTaken(OSError):  # noqa: N818 (named by what failed)
    """Something else listens on the port already."""

    def __init__(self, port: int) -> None:
        super().__init__(errno.EADDRINUSE, f"port {port} is taken by another program")
        self.port = port

    def __str__(self) -> str:
        return f"Port {self.port} is taken by another program; choose another or stop that one."


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an association is not accepted, in words for the log. The peer is told only that its AE
    title is not recognised, or to come back later if the refusal `is_temporary`.
    """

    reason: str
    is_temporary: bool = False


Policy = Callable[[str, str], Refusal | None]
OnStore = Callable[[ReceivedInstance], int]


class Server:
    """A Storage SCP that listens."""

    def __init__(self, ae: AE, listener: Listener) -> None:
        self._ae = ae
        self._listener = listener
        self._thread = threading.Thread(
            target=listener.serve_forever, args=(0.1,), name="dicom-listener", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """The port it listens on, also where 0 was asked for."""
        return int(self._listener.listening_socket().getsockname()[1])

    @property
    def associations(self) -> int:
        """How many peers are connected."""
        return len(self._listener.active_associations)

    def shutdown(self, grace: float = 10.0) -> None:
        """Take no more connections, let the running associations end, abort those that do not.

        `grace` is in seconds. An `on_store` that still runs then is given ten seconds more: its
        sender learns nothing of it and will send again. May be called twice.
        """
        if not self._thread.is_alive():
            return
        BaseServer.shutdown(self._listener)
        self._listener.server_close()
        self._thread.join()
        self._listener.await_arrivals(_ARRIVAL_SECONDS)
        running = [one for one in self._listener.active_associations if one.is_alive()]
        # who has not even asked for an association has nothing that could be lost
        _end([association for association in running if association.requestor.primitive is None])
        deadline = time.monotonic() + grace
        for association in running:
            association.join(max(deadline - time.monotonic(), 0))
        _end([association for association in running if association.is_alive()])


def serve(
    *,
    ae_title: str,
    bind: str,
    port: int,
    policy: Policy,
    on_store: OnStore,
    limits: Limits = Limits(),  # noqa: B008 (frozen)
    ssl_context: ssl.SSLContext | None = None,
) -> Server:
    """Listen for C-STORE (PS3.4 Annex B) and C-ECHO (Annex A) in threads of its own.

    Every SOP class that is a storage class or unknown is taken, in whatever transfer syntax the
    peer names first, and nothing is decoded. `policy` gets calling AE title and IP address at each
    association request, from many threads; what it raises refuses for the time being. `on_store`
    gets each instance, from many threads, and gives the status of the response; what it raises is
    answered with PROCESSING_FAILURE. Port 0 asks for any. Raises PortTaken, and OSError where the
    address cannot be listened on for another reason.
    """
    # For the whole process: without it pynetdicom takes no class it does not know by name.
    _config.UNRESTRICTED_STORAGE_SERVICE = True
    # It formats every PDU and message for a debug log of its own, which costs time and tells UIDs.
    _config.LOG_HANDLER_LEVEL = "none"
    ae = _application_entity(ae_title, limits)
    handlers: list[evt.EventHandlerType] = [
        (evt.EVT_REQUESTED, _admit, [ae_title.strip(), policy]),
        (evt.EVT_C_STORE, _store, [on_store]),
        (evt.EVT_CONN_CLOSE, _forget),
    ]
    try:
        listener = Listener(
            ae,
            (bind, port),
            ae_title,
            ae.supported_contexts,
            ssl_context=ssl_context,
            evt_handlers=handlers,
            request_handler=Connection,
        )
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(port) from error
        raise
    listener.limits = limits
    return Server(ae, listener)


def _application_entity(ae_title: str, limits: Limits) -> AE:
    ae = AE(ae_title=ae_title)
    ae.add_supported_context(Verification)
    ae.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    ae.maximum_associations = limits.maximum_associations
    ae.maximum_pdu_size = limits.maximum_pdu_length
    ae.acse_timeout = limits.association_seconds
    ae.dimse_timeout = limits.idle_seconds
    ae.network_timeout = limits.idle_seconds
    return ae


def _admit(event: evt.Event, ae_title: str, policy: Policy) -> None:
    """Reject an association request, or do nothing, which lets it in (PS3.8 9.3.4)."""
    association = event.assoc
    request = association.requestor.primitive
    if not isinstance(request, A_ASSOCIATE):
        # Garbage, or an abort, before any request; pynetdicom would negotiate with it.
        association.is_aborted = True
        association.kill()
        return
    calling, called = request.calling_ae_title.strip(), request.called_ae_title.strip()
    address = association.requestor.address
    if called != ae_title:
        _reject(association, _CALLED_AE_TITLE_NOT_RECOGNISED, calling, address, "called " + called)
        return
    try:
        refusal = policy(calling, address)
    except Exception:
        # pynetdicom lets an association in when this handler raises.
        logger.exception("dicom.policy_failed address=%s", address)
        refusal = Refusal("the policy failed", is_temporary=True)
    if refusal is not None:
        answer = _TEMPORARY_CONGESTION if refusal.is_temporary else _CALLING_AE_TITLE_NOT_RECOGNISED
        _reject(association, answer, calling, address, refusal.reason)


def _forget(event: evt.Event) -> None:
    """End an association that was hung up on before its request, as a probe of the port does.

    pynetdicom would wait for that request until the time for it is up, and keep a place taken.
    """
    association = event.assoc
    if association.requestor.primitive is None:
        association.dul.to_user_queue.put(A_P_ABORT())


def _reject(
    association: Association, answer: tuple[int, int, int], calling: str, address: str, why: str
) -> None:
    # %r: an AE title from the wire may hold line ends, and must not write lines into the log.
    logger.warning("dicom.association_refused calling=%r address=%s why=%r", calling, address, why)
    association.acse.send_reject(*answer)
    # Waits until the answer is on its way: pynetdicom closes the socket when this returns.
    association.kill()


def _store(event: evt.Event, on_store: OnStore) -> int:
    """Hand one C-STORE request on and give the status of its response (PS3.4 B.2.3)."""
    requestor = event.assoc.requestor
    association_request = cast(A_ASSOCIATE, requestor.primitive)
    request = cast(C_STORE, event.request)
    try:
        received = ReceivedInstance(
            calling_ae_title=association_request.calling_ae_title.strip(),
            called_ae_title=association_request.called_ae_title.strip(),
            address=requestor.address,
            sop_class_uid=str(request.AffectedSOPClassUID),
            sop_instance_uid=str(request.AffectedSOPInstanceUID),
            transfer_syntax_uid=str(event.context.transfer_syntax),
            dataset=cast(Gathering, request.DataSet).content(),
        )
        return _status(on_store(received))
    except SpoolFull:
        logger.error("dicom.no_space address=%s", requestor.address)
        return OUT_OF_RESOURCES
    except Exception as error:
        _log_without_patient(error, address=requestor.address)
        return PROCESSING_FAILURE


def _status(given: object) -> int:
    # True and None must not become Success by being turned into a number.
    if type(given) is not int or not 0 <= given <= 0xFFFF:
        raise TypeError(f"on_store gave {type(given).__name__} instead of a status")
    return given


def _log_without_patient(error: Exception, *, address: str) -> None:
    """Say where it failed, and not with what: messages of errors quote values of the data set."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code.co_filename if trace else "?"
    line = trace.tb_lineno if trace else 0
    logger.error(
        "dicom.store_failed address=%s error=%s at=%s:%d", address, type(error).__name__, code, line
    )


def _end(associations: list[Association]) -> None:
    """Abort associations, all at once: by A-ABORT, and by hanging up where that does not help."""
    # Before its request there is no association yet that could be aborted (PS3.8 9.2.1).
    asked = [a for a in associations if a.requestor.primitive is not None]
    aborts = [threading.Thread(target=a.abort, daemon=True) for a in asked]
    for abort in aborts:
        abort.start()
    deadline = time.monotonic() + _ABORT_SECONDS
    for abort in aborts:
        abort.join(max(deadline - time.monotonic(), 0))
    for association in associations:
        wrapped = association.dul.socket
        connection = wrapped.socket if wrapped is not None else None
        if association.is_alive() and connection is not None:
            logger.warning("dicom.hung_up address=%s", association.requestor.address)
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        if association.requestor.primitive is None:
            # It waits for an association request, and would do so for all of its time.
            association.dul.to_user_queue.put(A_P_ABORT())
    deadline = time.monotonic() + _STORE_SECONDS
    for association in associations:
        association.join(max(deadline - time.monotonic(), 0))

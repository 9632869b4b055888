"""In charge of listening: C-STORE and C-ECHO from known peers, kept as sent, nothing decided."""

import errno
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from hub.dicom.gathering import Landing
from hub.dicom.listener import BACKLOG, Listener
from hub.dicom.messages import (
    CANNOT_UNDERSTAND,
    OUT_OF_RESOURCES,
    PROCESSING_FAILURE,
    SUCCESS,
    OnStore,
)
from hub.dicom.negotiation import Requested
from hub.dicom.received import ReceivedInstance
from hub.dicom.upper_layer import Answer, Limits, Terms

__all__ = [
    "CANNOT_UNDERSTAND",
    "DOES_NOT_MATCH_SOP_CLASS",
    "NOT_AUTHORISED",
    "OUT_OF_RESOURCES",
    "PROCESSING_FAILURE",
    "SUCCESS",
    "Limits",
    "Landing",
    "PortTaken",
    "ReceivedInstance",
    "Refusal",
    "Server",
    "SharedPort",
    "serve",
]
logger = logging.getLogger(__name__)

# PS3.7 9.1.1.1.9 and C.4.2: who asks may not.
NOT_AUTHORISED = 0x0124
DOES_NOT_MATCH_SOP_CLASS = 0xA900

_CALLING_AE_TITLE_NOT_RECOGNISED: Answer = (1, 1, 3)
_CALLED_AE_TITLE_NOT_RECOGNISED: Answer = (1, 1, 7)
_TEMPORARY_CONGESTION: Answer = (2, 3, 1)
# How long a peer may take over our A-ABORT, and an instance that is being stored over its end.
_ABORT_SECONDS = 1.0
_STORE_SECONDS = 10.0
# Who has sent nothing for so long between two messages is not in the middle of anything.
_QUIET_SECONDS = 5.0
_LOOK_SECONDS = 0.1


class PortTaken(OSError):  # noqa: N818 (named by what failed)
    """Something else listens on the port already."""

    def __init__(self, port: int) -> None:
        super().__init__(errno.EADDRINUSE, f"port {port} is taken by another program")
        self.port = port

    def __str__(self) -> str:
        return f"Port {self.port} is taken by another program; choose another or stop that one."


class SharedPort(int):
    """A port that several processes listen on, each with some of its connections (SO_REUSEPORT).

    Who listens on it without sharing still has it taken.
    """


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an association is not accepted, in words for the log. The peer is told only that its AE
    title is not recognised, or to come back later if the refusal `is_temporary`.
    """

    reason: str
    is_temporary: bool = False


Policy = Callable[[str, str], Refusal | None]


class Server:
    """A Storage SCP that listens."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    @property
    def port(self) -> int:
        """The port it listens on, also where 0 was asked for."""
        return self._listener.port

    @property
    def is_accepting(self) -> bool:
        """Whether it takes associations."""
        return self._listener.is_accepting

    @property
    def associations(self) -> int:
        """How many peers are connected."""
        return len(self._listener.connections)

    def shutdown(self, grace: float = 10.0) -> None:
        """Take no more connections, let the running associations end, abort those that do not.

        `grace` is in seconds; an association over which nothing comes is aborted earlier. An
        `on_store` that still runs then is given ten seconds more: its sender may learn nothing of
        it and will send again. May be called twice.
        """
        self._listener.close()
        for association in self._listener.connections:
            # who has not even asked for an association has nothing that could be lost
            if not association.has_asked:
                association.hang_up()
        self._drain(time.monotonic() + grace)
        for association in self._listener.connections:
            association.abort()
        self._wait(_ABORT_SECONDS)
        for association in self._listener.connections:
            logger.warning("dicom.hung_up address=%s", association.address)
            association.hang_up()
        self._wait(_STORE_SECONDS)

    def _drain(self, deadline: float) -> None:
        while self._listener.connections and time.monotonic() < deadline:
            for association in self._listener.connections:
                if association.quiet_seconds > _QUIET_SECONDS:
                    association.abort()
            time.sleep(_LOOK_SECONDS)

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        for thread in self._listener.connections.values():
            thread.join(max(deadline - time.monotonic(), 0))


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
    answered with PROCESSING_FAILURE. Port 0 asks for any, and a SharedPort may be listened on by
    several processes. Raises PortTaken, and OSError where the address cannot be listened on for
    another reason.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            bind, int(port), type=socket.SOCK_STREAM
        )[0]
        listening = socket.create_server(
            address[:2],
            family=family,
            backlog=BACKLOG,
            reuse_port=isinstance(port, SharedPort),
        )
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(port) from error
        raise
    places = threading.Semaphore(limits.maximum_associations)
    terms = Terms(
        limits=limits,
        admit=partial(_admit, ae_title=ae_title.strip(), policy=policy),
        take_place=partial(places.acquire, blocking=False),
        give_place=places.release,
        on_store=on_store,
    )
    return Server(Listener(listening, terms, ssl_context))


def _admit(requested: Requested, address: str, *, ae_title: str, policy: Policy) -> Answer | None:
    """Give the answer to an association request that is not let in (PS3.8 9.3.4)."""
    calling, called = requested.calling_ae_title, requested.called_ae_title
    if called != ae_title:
        _log_refused(calling, address, "called " + called)
        return _CALLED_AE_TITLE_NOT_RECOGNISED
    try:
        refusal = policy(calling, address)
    except Exception:
        logger.exception("dicom.policy_failed address=%s", address)
        refusal = Refusal("the policy failed", is_temporary=True)
    if refusal is None:
        return None
    _log_refused(calling, address, refusal.reason)
    return _TEMPORARY_CONGESTION if refusal.is_temporary else _CALLING_AE_TITLE_NOT_RECOGNISED


def _log_refused(calling: str, address: str, why: str) -> None:
    # %r: an AE title from the wire may hold line ends, and must not write lines into the log.
    logger.warning("dicom.association_refused calling=%r address=%s why=%r", calling, address, why)

"""In charge of getting an association with another node, or of saying why there is none."""

import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.events import Event
from pynetdicom.presentation import PresentationContext


class Unreachable(ConnectionError):  # noqa: N818 (named by what failed)
    """No association came about, and the node has not said no: try again later."""

    def __init__(self, host: str, port: int, why: str) -> None:
        super().__init__(f"{host}:{port} {why}")
        self.host = host
        self.port = port
        self.why = why


class AssociationRefused(ConnectionError):  # noqa: N818 (named by what failed)
    """The node rejected the association (A-ASSOCIATE-RJ, PS3.8 9.3.4).

    `is_transient` tells "not now" from "not you": the latter needs a person.
    """

    def __init__(self, source: str, reason: str, *, is_transient: bool = False) -> None:
        super().__init__(f"rejected by the {source}: {reason}")
        self.source = source
        self.reason = reason
        self.is_transient = is_transient


class NoContextAccepted(ConnectionError):  # noqa: N818 (named by what failed)
    """The node is there and takes none of what was proposed; `contexts` hold its results."""

    def __init__(self, contexts: Sequence[PresentationContext]) -> None:
        super().__init__("the node accepts none of the proposed presentation contexts")
        self.contexts = tuple(contexts)


@dataclass(frozen=True, slots=True)
class Peer:
    """A node to call; with `tls` the association is made over TLS (PS3.15 B)."""

    ae_title: str
    host: str
    port: int
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """As whom to call, and how long to wait.

    `connect_timeout_seconds` bounds the TCP connection with its TLS handshake, and again the
    answer to the association request; `timeout_seconds` every answer after that.
    """

    ae_title: str
    timeout_seconds: float = 30.0
    connect_timeout_seconds: float = 5.0


@contextmanager
def associated(
    peer: Peer, caller: Caller, contexts: Sequence[PresentationContext]
) -> Iterator[Association]:
    """Open an association with at least one accepted context, and release it in the end.

    Raises Unreachable, AssociationRefused, NoContextAccepted.
    """
    attempt = _Attempt(peer, caller)
    association = attempt.associate(contexts)
    if not association.is_established:
        raise attempt.failure(association)
    association.dimse = LeavesAnswers(association)
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


class LeavesAnswers(DIMSEServiceProvider):
    """Gives messages to the caller who waits for one, and none to the association's own thread.

    pynetdicom 3.0 stops that thread for the time of a request by a flag, which on a busy machine it
    reads too late: it takes the answer off the queue, drops it as unexpected, and the caller waits
    until the time is over for what has come long ago. We are never asked anything on these
    associations, so that thread has no message to look for.
    """

    def get_msg(self, block: bool = False) -> Any:
        """The next message, for who waits (`block`) alone."""
        return super().get_msg(block=True) if block else (None, None)


class _Attempt:
    def __init__(self, peer: Peer, caller: Caller) -> None:
        self._peer = peer
        self._caller = caller
        self._started = time.monotonic()
        self._opened: float | None = None
        self._is_answered = False

    def associate(self, contexts: Sequence[PresentationContext]) -> Association:
        entity = AE(ae_title=self._caller.ae_title)
        entity.connection_timeout = self._caller.connect_timeout_seconds
        entity.acse_timeout = self._caller.connect_timeout_seconds
        entity.dimse_timeout = self._caller.timeout_seconds
        entity.network_timeout = self._caller.timeout_seconds
        tls = self._peer.tls
        try:
            return entity.associate(
                self._peer.host,
                self._peer.port,
                contexts=list(contexts),
                ae_title=self._peer.ae_title,
                tls_args=(tls, self._peer.host) if tls else None,
                evt_handlers=[
                    (evt.EVT_CONN_OPEN, self._on_open),
                    (evt.EVT_ACCEPTED, self._on_answer),
                ],
            )
        except OSError as error:
            raise self._unreachable(str(error)) from error

    def failure(self, association: Association) -> ConnectionError:
        """Say why an association was not established."""
        answer = association.acceptor.primitive
        if association.is_rejected and answer is not None:
            return AssociationRefused(
                answer.source_str, answer.reason_str, is_transient=answer.result == 2
            )
        if self._is_answered:
            return NoContextAccepted(association.rejected_contexts)
        if self._opened is None:
            return self._unreachable(self._why_not_opened())
        if time.monotonic() - self._opened < self._caller.connect_timeout_seconds:
            return self._unreachable("ended the connection instead of answering")
        return self._unreachable(
            f"took the connection and gave no answer in {self._caller.connect_timeout_seconds:g} s"
        )

    def _on_open(self, event: Event) -> None:
        self._opened = time.monotonic()
        transport = event.assoc.dul.socket
        connection = transport.socket if transport else None
        if connection is None:
            return
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # pynetdicom waits for an answer with a limit, but sends without one: a node that stops
        # reading would hold the worker for ever.
        connection.settimeout(self._caller.timeout_seconds)

    def _on_answer(self, event: Event) -> None:
        self._is_answered = True

    def _why_not_opened(self) -> str:
        limit = self._caller.connect_timeout_seconds
        if time.monotonic() - self._started >= limit:
            return f"did not connect in {limit:g} s"
        # pynetdicom keeps the error to itself; it is worth a second look to tell a wrong port from
        # a wrong certificate.
        try:
            with socket.create_connection((self._peer.host, self._peer.port), timeout=limit):
                return (
                    "takes connections, but the TLS handshake failed"
                    if self._peer.tls
                    else ("closed the connection at once")
                )
        except OSError as error:
            return error.strerror or str(error)

    def _unreachable(self, why: str) -> Unreachable:
        return Unreachable(self._peer.host, self._peer.port, why)

"""In charge of the associations of one process: each has a thread, and none holds up another."""

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from hub.dicom.association_places import Places
from hub.dicom.messages import OnStore
from hub.dicom.negotiation import Requested
from hub.dicom.upper_layer import Answer, Association, Limits, Terms

logger = logging.getLogger(__name__)

_CALLING_AE_TITLE_NOT_RECOGNISED: Answer = (1, 1, 3)
_CALLED_AE_TITLE_NOT_RECOGNISED: Answer = (1, 1, 7)
_TEMPORARY_CONGESTION: Answer = (2, 3, 1)
# How long a peer may take over our A-ABORT, and an instance that is being stored over its end.
_ABORT_SECONDS = 1.0
_STORE_SECONDS = 10.0
# Who has sent nothing for so long between two messages is not in the middle of anything.
_QUIET_SECONDS = 5.0
_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an association is not accepted, in words for the log. The peer is told only that its AE
    title is not recognised, or to come back later if the refusal `is_temporary`.
    """

    reason: str
    is_temporary: bool = False


Policy = Callable[[str, str], Refusal | None]


def _nothing() -> None:
    pass


class Associations:
    """Those that are open; `ae_title` is what peers have to call this end.

    With an `ssl_context` each connection is one of TLS (PS3.15 B).
    """

    def __init__(
        self,
        *,
        ae_title: str,
        limits: Limits = Limits(),  # noqa: B008 (frozen)
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._ae_title = ae_title.strip()
        self._limits = limits
        self._ssl_context = ssl_context
        self._places = Places(limits.maximum_associations, of_one=limits.maximum_of_one_peer)
        self._lock = threading.Lock()
        self._open: dict[Association, threading.Thread] = {}

    def __len__(self) -> int:
        return len(self._open)

    def begin(
        self,
        connection: socket.socket,
        address: str,
        *,
        policy: Policy,
        on_store: OnStore,
        at_end: Callable[[], None] = _nothing,
    ) -> None:
        """Take a connection that was accepted, in a thread of its own. Raises nothing.

        `policy` and `on_store` are as `scp.serve` has them; `at_end` is called once it is over.
        """
        terms = Terms(
            limits=self._limits,
            admit=partial(_admit, ae_title=self._ae_title, policy=policy),
            take_place=self._places.take,
            give_place=self._places.give,
            on_store=on_store,
        )
        try:
            connection.setblocking(True)
            if self._ssl_context is not None:
                connection = self._ssl_context.wrap_socket(
                    connection, server_side=True, do_handshake_on_connect=False
                )
            association = Association(connection, address, terms)
        except OSError as error:
            logger.warning("dicom.connection_failed peer=%s why=%r", address, error)
            connection.close()
            at_end()
            return
        self._start(association, connection, at_end)

    def shutdown(self, grace: float) -> None:
        """Let the running associations end, and abort those that do not.

        `grace` is in seconds; an association over which nothing comes is aborted earlier. An
        `on_store` that still runs then is given ten seconds more: its sender may learn nothing of
        it and will send again. May be called twice.
        """
        for association in self._now():
            # who has not even asked for an association, or got the last word, can lose nothing
            if not association.is_heard:
                association.hang_up()
        self._drain(time.monotonic() + grace)
        for association in self._now():
            association.abort()
        self._wait(_ABORT_SECONDS)
        for association in self._now():
            logger.warning("dicom.hung_up address=%s", association.address)
            association.hang_up()
        self._wait(_STORE_SECONDS)

    def _start(
        self, association: Association, connection: socket.socket, at_end: Callable[[], None]
    ) -> None:
        thread = threading.Thread(
            target=self._run, args=(association, at_end), name="dicom-association", daemon=True
        )
        self._hang_up_on_the_oldest_silent()
        with self._lock:
            self._open[association] = thread
        try:
            thread.start()
        except RuntimeError as error:
            logger.error("dicom.cannot_accept why=%s", error)
            with self._lock:
                del self._open[association]
            connection.close()
            at_end()

    def _run(self, association: Association, at_end: Callable[[], None]) -> None:
        try:
            association.run()
        finally:
            with self._lock:
                del self._open[association]
            at_end()

    def _now(self) -> dict[Association, threading.Thread]:
        with self._lock:
            return dict(self._open)

    def _hang_up_on_the_oldest_silent(self) -> None:
        # They hold a thread each until their time is up.
        silent = [one for one in self._now() if not one.is_heard]
        for oldest in silent[: max(len(silent) - self._limits.maximum_silent + 1, 0)]:
            logger.warning("dicom.hung_up address=%s why=too many silent", oldest.address)
            oldest.hang_up()

    def _drain(self, deadline: float) -> None:
        while self._open and time.monotonic() < deadline:
            for association in self._now():
                if association.quiet_seconds > _QUIET_SECONDS:
                    association.abort()
            time.sleep(_LOOK_SECONDS)

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        for thread in self._now().values():
            thread.join(max(deadline - time.monotonic(), 0))


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

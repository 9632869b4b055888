"""In charge of the upper layer of one association as acceptor: PDUs, states and timers (PS3.8 9.2).

A thread goes through the states in the order of its code: what blocks it is the socket, or the one
who stores. What PS3.8 table 9-10 calls events are here the PDUs read and the exceptions raised.
"""

import logging
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

from hub.dicom import negotiation
from hub.dicom.association_places import Caller
from hub.dicom.gathering import Gathering, Landing
from hub.dicom.messages import IS_LAST, Agreed, Messages, OnStore, Unexpected
from hub.dicom.negotiation import BadRequest, Requested
from hub.dicom.wire import Wire, WireClosed, WireSilent

logger = logging.getLogger(__name__)

_ASSOCIATE_RQ, _DATA, _RELEASE_RQ, _ABORT = 1, 4, 5, 7
_KNOWN = frozenset(range(1, 8))
_HEAD = struct.Struct(">BxL")
_PDV_HEAD = struct.Struct(">LBB")
# Of a P-DATA-TF PDU and the first PDV in it. A-RELEASE-RQ and A-ABORT are shorter.
_BOTH_HEADS = _HEAD.size + _PDV_HEAD.size
_RELEASE_RP = b"\x06\x00\x00\x00\x00\x04\x00\x00\x00\x00"
# A PDU of an association request of 128 presentation contexts with all transfer syntaxes is about
# 400 kB, and is not bound by the maximum that is announced; nor do all keep to that.
_LARGEST_OTHER_PDU = 1 << 20

# PS3.8 9.3.8: who aborts, and why.
_BY_USER = (0, 0)
_NOT_SPECIFIED, _UNRECOGNISED_PDU, _UNEXPECTED_PDU = (2, 0), (2, 1), (2, 2)
_UNEXPECTED_PARAMETER, _INVALID_VALUE = (2, 5), (2, 6)
# PS3.8 9.3.4: (result, source, reason) of an A-ASSOCIATE-RJ.
Answer = tuple[int, int, int]
_PROTOCOL_VERSION_NOT_SUPPORTED: Answer = (1, 2, 2)
_LOCAL_LIMIT_EXCEEDED: Answer = (2, 3, 2)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a peer may take: of associations, of bytes in one PDU, and of time in seconds.

    Of `maximum_associations` one calling AE title at one address may have `maximum_of_one_peer`:
    one that never closes any leaves room for others. Beside associations `maximum_silent`
    connections may be open that have asked for none yet, or have got the last word and are not
    closed: of more, the oldest is hung up on.
    `association_seconds` is from connection to association request, and from our last word to the
    peer's closing (ARTIM, PS3.8 9.1.5), `idle_seconds` is how long an association may be silent,
    `pdu_seconds` how long one PDU may take from its first byte to its last. Without a `landing`
    instances lie in memory while they arrive, however large they are.
    """

    maximum_associations: int = 64
    maximum_of_one_peer: int = 32
    maximum_silent: int = 256
    maximum_pdu_length: int = 262_144
    association_seconds: float = 30.0
    idle_seconds: float = 120.0
    pdu_seconds: float = 120.0
    landing: Landing | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """On what the listener takes associations.

    `admit` gives the answer to a request that is not accepted, or None; `take_place` says whether
    there is room for one more association of this caller, and `give_place` makes room again.
    """

    limits: Limits
    admit: Callable[[Requested, str], Answer | None]
    take_place: Callable[[Caller], bool]
    give_place: Callable[[Caller], None]
    on_store: OnStore


class _Ending(Exception):  # noqa: N818 (named by what happens)
    """The association is over, after one last PDU to the peer (Sta13).

    `is_in_step` says that what the peer still sends begins with a PDU; `ahead` is what has been
    read of that already.
    """

    def __init__(self, pdu: bytes, *, is_in_step: bool = False, ahead: bytes = b"") -> None:
        super().__init__()
        self.pdu = pdu
        self.is_in_step = is_in_step
        self.ahead = ahead


class Association:
    """One connection, from its first byte to its closing."""

    def __init__(self, connection: socket.socket, address: str, terms: Terms) -> None:
        self.address = address
        # From its request on, until the last word is said.
        self.is_heard = False
        self._wire = Wire(connection)
        self._terms = terms
        self._limits = terms.limits
        self._is_to_abort = False
        self._quiet_since: float | None = None
        self._gathering = Gathering(terms.limits.landing)
        heads = memoryview(bytearray(_BOTH_HEADS))
        # How much of the next PDU's heads has come already.
        self._ahead = 0
        self._heads, self._head, self._pdv_head = heads, heads[: _HEAD.size], heads[_HEAD.size :]

    def run(self) -> None:
        """Go through all states until the connection is closed. Raises nothing."""
        try:
            self._wire.shake_hands(min(self._limits.association_seconds, self._limits.idle_seconds))
            self._go_on()
        except (WireClosed, WireSilent):
            pass  # AA-2, AA-3, AA-4, AA-5, AR-5: nothing is left to say
        except OSError as error:  # of the TLS handshake alone: all else is WireClosed
            logger.warning("dicom.connection_failed peer=%s why=%r", self.address, error)
        except Exception as error:
            logger.error(
                "dicom.association_failed address=%s error=%s", self.address, type(error).__name__
            )
        finally:
            self._gathering.forget()
            self._wire.close()

    @property
    def quiet_seconds(self) -> float:
        """For how long a peer has had its turn and begun no message; 0 amid one."""
        since = self._quiet_since
        return 0.0 if since is None else time.monotonic() - since

    def abort(self) -> None:
        """Have the association aborted by its own thread, from another one (Evt15)."""
        self._is_to_abort = True
        self._wire.end_reading()

    def hang_up(self) -> None:
        """Close the connection without a word, from another thread."""
        self._wire.hang_up()

    def _go_on(self) -> None:
        try:
            requested = self._await_request()
            self._answer_request(requested)
        except _Ending as ending:
            self._gathering.forget()
            self._wire.send(ending.pdu, self._limits.idle_seconds)
            self.is_heard = False
            self._await_closing(is_in_step=ending.is_in_step, ahead=ending.ahead)

    # -- Sta2 and Sta3 -------------------------------------------------------------------------
    def _await_request(self) -> Requested:
        """Wait for an A-ASSOCIATE-RQ; anything else, or nothing in time, ends the connection."""
        until = time.monotonic() + self._limits.association_seconds
        self._wire.read_head_into(self._head, _HEAD.size, self._limits.association_seconds)
        kind, length = _HEAD.unpack(self._head)
        if kind == _ABORT:
            raise WireClosed  # AA-2
        if kind != _ASSOCIATE_RQ or length > _LARGEST_OTHER_PDU:
            raise _Ending(_aborting(*_BY_USER))  # AA-1
        body = bytearray(length)
        if length:
            self._wire.read_into(memoryview(body), _until(until))
        try:
            return negotiation.read_request(bytes(self._head) + body)
        except BadRequest as error:
            raise _Ending(_aborting(*_BY_USER)) from error  # AA-1

    def _answer_request(self, requested: Requested) -> None:
        if not requested.is_version_known:
            raise _refusal(_PROTOCOL_VERSION_NOT_SUPPORTED)
        self.is_heard = True
        refused = self._terms.admit(requested, self.address)
        if refused is not None:
            raise _refusal(refused)  # AE-8
        caller = requested.calling_ae_title, self.address
        if not self._terms.take_place(caller):
            logger.warning("dicom.too_many_associations address=%s", self.address)
            raise _refusal(_LOCAL_LIMIT_EXCEEDED)
        try:
            self._accept(requested)
        finally:
            self._terms.give_place(caller)

    def _accept(self, requested: Requested) -> None:
        try:
            answer, contexts = negotiation.accept(requested, self._limits.maximum_pdu_length)
        except BadRequest as error:
            raise _Ending(_aborting(*_NOT_SPECIFIED)) from error
        self._wire.send(answer, self._limits.idle_seconds)  # AE-7
        agreed = Agreed(
            calling_ae_title=requested.calling_ae_title,
            called_ae_title=requested.called_ae_title,
            address=self.address,
            contexts=contexts,
            maximum_pdu_length=requested.maximum_pdu_length,
        )
        messages = Messages(agreed, self._gathering, self._terms.on_store)
        while True:
            self._take_pdu(messages)

    # -- Sta6 and Sta8 -------------------------------------------------------------------------
    def _take_pdu(self, messages: Messages) -> None:
        got = self._await_heads(messages)
        kind, length = _HEAD.unpack(self._head)
        if kind == _DATA:
            if length > max(self._limits.maximum_pdu_length, _LARGEST_OTHER_PDU):
                logger.warning("dicom.pdu_too_long address=%s length=%d", self.address, length)
                raise _Ending(_aborting(*_INVALID_VALUE))  # AA-8
            try:
                self._take_data(messages, length, got - _HEAD.size)
            except WireSilent as error:
                raise _Ending(_aborting(*_NOT_SPECIFIED)) from error
            return
        if kind == _ABORT:
            raise WireClosed  # AA-3
        if kind == _RELEASE_RQ:
            raise self._released(messages, length, got - _HEAD.size)
        # AA-8
        raise _Ending(_aborting(*(_UNEXPECTED_PDU if kind in _KNOWN else _UNRECOGNISED_PDU)))

    def _released(self, messages: Messages, length: int, got: int) -> _Ending:
        if length != 4:
            return _Ending(_aborting(*_INVALID_VALUE))
        if messages.is_amid:
            logger.warning("dicom.released_amid_message address=%s", self.address)
        if reserved := self._pdv_head[got:length]:
            self._wire.read_into(reserved, self._limits.pdu_seconds)
        ahead = bytes(self._pdv_head[length : max(got, length)])
        return _Ending(_RELEASE_RP, is_in_step=True, ahead=ahead)  # AR-2, AR-4

    def _await_heads(self, messages: Messages) -> int:
        """Wait for the next PDU, and give how much of both heads has come.

        A long silence, or whoever stops the listener, ends the association.
        """
        ahead, self._ahead = self._ahead, 0
        if ahead >= _HEAD.size:
            return ahead
        # Between two messages a silent peer need not keep the memory of its last data set.
        on_silence = None if messages.is_amid else self._gathering.forget
        self._quiet_since = None if messages.is_amid else time.monotonic()
        try:
            least = _HEAD.size - ahead
            seconds = self._limits.idle_seconds
            return ahead + self._wire.read_head_into(
                self._heads[ahead:], least, seconds, on_silence
            )
        except WireSilent as error:
            logger.warning("dicom.idle_too_long address=%s", self.address)
            raise _Ending(_aborting(*_BY_USER)) from error  # AA-1
        except WireClosed:
            if self._is_to_abort:
                raise _Ending(_aborting(*_BY_USER)) from None
            raise
        finally:
            self._quiet_since = None

    def _take_data(self, messages: Messages, length: int, got: int) -> None:
        """Take one P-DATA-TF PDU (DT-2): one or more presentation data values (PS3.8 9.3.5).

        So many bytes of the first one's head have come with that of the PDU.
        """
        seconds = self._limits.pdu_seconds
        until = time.monotonic() + seconds
        if length < got:
            raise _Ending(_aborting(*_INVALID_VALUE))
        while length:
            if length < _PDV_HEAD.size:
                raise _Ending(_aborting(*_INVALID_VALUE))
            if got < _PDV_HEAD.size:
                self._wire.read_into(self._pdv_head[got:], seconds)
            got = 0
            item, context_id, control = _PDV_HEAD.unpack(self._pdv_head)
            # Item length does not count itself; the control header and context are in it.
            if not 2 <= item <= length - 4:
                raise _Ending(_aborting(*_INVALID_VALUE))
            length -= 4 + item
            try:
                piece = messages.room(context_id, control, item - 2)
            except Unexpected as error:
                raise self._unexpected(error) from error
            self._read_piece(piece, is_followed=not (length or control & IS_LAST))
            if self._took(messages, control, piece, until):
                until = time.monotonic() + seconds

    def _read_piece(self, piece: memoryview, *, is_followed: bool) -> None:
        """Read a fragment, and where another PDU must follow its heads in the same call.

        What a peer may say there instead is shorter by two bytes: an abort waits for that moment.
        """
        if not is_followed:
            if piece:
                self._wire.read_into(piece, self._limits.pdu_seconds)
        else:
            self._ahead = self._wire.read_on(piece, self._heads, self._limits.pdu_seconds)

    def _took(
        self, messages: Messages, control: int, piece: memoryview, until: float
    ) -> bool:
        """Take a fragment of a presentation data value that was read; whether it was answered."""
        try:
            if time.monotonic() > until:
                raise WireSilent
            answer = messages.took(control, piece)
            for pdu in answer:
                self._wire.send(pdu, self._limits.idle_seconds)
            return bool(answer)
        except Unexpected as error:
            raise self._unexpected(error) from error

    def _unexpected(self, error: Unexpected) -> _Ending:
        logger.warning("dicom.unexpected address=%s why=%s", self.address, error)
        return _Ending(_aborting(*(_INVALID_VALUE if error.is_value else _UNEXPECTED_PARAMETER)))

    # -- Sta13 ---------------------------------------------------------------------------------
    def _await_closing(self, *, is_in_step: bool, ahead: bytes) -> None:
        """Wait until the peer closes, or ARTIM is over; what still comes is let pass (AA-6)."""
        until = time.monotonic() + self._limits.association_seconds
        while is_in_step:
            self._head[: len(ahead)] = ahead
            self._wire.read_into(self._head[len(ahead) :], _until(until))
            ahead = b""
            kind, length = _HEAD.unpack(self._head)
            if kind == _ABORT:
                return  # AA-2
            is_in_step = 1 < kind < _ABORT and length <= _LARGEST_OTHER_PDU
            if is_in_step:
                self._wire.read_into(memoryview(bytearray(length)), _until(until))
            else:
                self._wire.send(_aborting(*_UNEXPECTED_PDU), _until(until))  # AA-7
        self._wire.discard(_until(until))


def _until(deadline: float) -> float:
    return max(deadline - time.monotonic(), 0.001)


def _refusal(answer: Answer) -> _Ending:
    return _Ending(negotiation.reject(*answer), is_in_step=True)


def _aborting(source: int, reason: int) -> bytes:
    """Give an A-ABORT PDU (PS3.8 9.3.8)."""
    return struct.pack(">BxLxxBB", _ABORT, 4, source, reason)

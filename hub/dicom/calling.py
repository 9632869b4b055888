"""In charge of the upper layer of one association as requestor, for C-STORE alone (PS3.8 9.2).

One thread at a time writes a request and waits for its response; nothing runs in between. The
association is negotiated with pynetdicom's PDUs.
"""

import select
import socket
import ssl
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from hub.dicom import commands, negotiation
from hub.dicom.association import AssociationRefused, Caller, Peer, Unreachable
from hub.dicom.file_meta import FileMeta
from hub.dicom.negotiation import BadAnswer, Context
from hub.dicom.wire import Wire, WireClosed, WireSilent

_ACCEPTED, _REJECTED, _DATA, _RELEASE_RQ, _RELEASE_RP, _ABORT = 2, 3, 4, 5, 6, 7
_HEAD = struct.Struct(">BxL")
_PDV_HEAD = struct.Struct(">LBB")
_RELEASING, _RELEASED = (struct.pack(">BxLxxxx", kind, 4) for kind in (_RELEASE_RQ, _RELEASE_RP))
_ABORTING = struct.pack(">BxLxxxx", _ABORT, 4)
# What we take: responses alone, which are short.
_MAXIMUM_PDU_LENGTH = 16_384
_LARGEST_PDU = 1 << 20
# What we send at once, to peers that take PDUs of any length.
_LARGEST_PIECE = 1 << 18
_IS_COMMAND, _IS_LAST = 1, 2
# Nothing hangs on the answer to a release, and a worker that stops waits for it.
_RELEASE_SECONDS = 1.0


class Ended(Exception):  # noqa: N818 (named by what happened)
    """The association is over, or the peer is out of step: no response comes any more."""


class StoreAssociation:
    """An association with a peer that stands until it is released, or either side ends it.

    `results` holds what the peer said of each context that it does not take (PS3.8 9.3.3.2).
    """

    def __init__(self, peer: Peer, caller: Caller, contexts: Sequence[tuple[str, str]]) -> None:
        """Associate. Raises Unreachable, AssociationRefused."""
        self._caller = caller
        self._message_id = 0
        proposed = {2 * number + 1: Context(*one) for number, one in enumerate(contexts)}
        self._socket = _connected(peer, caller.connect_timeout_seconds)
        self._wire = Wire(self._socket)
        self._is_closed = False
        try:
            answer = self._negotiate(peer, proposed)
        except BaseException:
            self._close()
            raise
        longest = min(answer.maximum_pdu_length or _LARGEST_PIECE, _LARGEST_PIECE)
        self._piece_length = max(longest, 7)  # a value of one byte, with what stands before it
        self._ids: dict[tuple[str, str], int] = {}
        self.results: dict[tuple[str, str], int | None] = {}
        for number, context in proposed.items():
            pair = context.abstract_syntax_uid, context.transfer_syntax_uid
            result, syntax = answer.contexts.get(number, (None, ""))
            if result == 0 and syntax == context.transfer_syntax_uid:
                self._ids[pair] = number
            else:
                self.results[pair] = result

    @property
    def accepted(self) -> frozenset[tuple[str, str]]:
        """The contexts that the peer takes: SOP class and transfer syntax."""
        return frozenset(self._ids)

    @property
    def is_established(self) -> bool:
        """Whether the association stands: unasked, a peer says nothing but that it ends."""
        if self._is_closed:
            return False
        poll = select.poll()
        poll.register(self._socket, select.POLLIN | select.POLLHUP)
        return not poll.poll(0)

    def store(self, path: Path, meta: FileMeta) -> commands.Response:
        """Send the data set of a file as it stands, and wait for the status (PS3.7 9.1.1).

        Raises Ended, and WireSilent where the caller's time is over; both end the association.
        """
        # Message IDs are of 16 bits and start again; one is under way at a time.
        self._message_id = self._message_id % 0xFFFF + 1
        seconds = self._caller.timeout_seconds
        try:
            for pdus in self._pdus(path, meta):
                self._wire.send(pdus, seconds)
            response = self._response(time.monotonic() + seconds)
        except WireClosed as error:
            self._close()
            raise Ended from error
        except BaseException:
            self.abort()
            raise
        if (response.field, response.responded_to) != (
            commands.C_STORE_RQ | commands.RESPONSE, self._message_id,
        ):  # fmt: skip
            self.abort()
            raise Ended
        return response

    def release(self) -> None:
        """Release the association in peace (PS3.8 7.2), and close the connection."""
        until = time.monotonic() + _RELEASE_SECONDS
        with suppress(WireClosed, WireSilent):
            if not self._is_closed:
                self._wire.send(_RELEASING, _RELEASE_SECONDS)
                while (kind := self._read_pdu(until)[0]) not in (_RELEASE_RP, _ABORT):
                    if kind == _RELEASE_RQ:  # both at once (PS3.8 7.2.2.7)
                        self._wire.send(_RELEASED, _RELEASE_SECONDS)
        self._close()

    def abort(self) -> None:
        """End the association without waiting for the peer (PS3.8 7.3)."""
        with suppress(OSError):
            self._socket.settimeout(0)
            self._socket.send(_ABORTING)
        self._close()

    def _close(self) -> None:
        self._is_closed = True
        self._wire.close()

    # -- Sta5 ----------------------------------------------------------------------------------
    def _negotiate(
        self, peer: Peer, contexts: dict[int, Context]
    ) -> negotiation.Accepted:
        seconds = self._caller.connect_timeout_seconds
        request = negotiation.request(
            calling_ae_title=self._caller.ae_title,
            called_ae_title=peer.ae_title,
            contexts=contexts,
            maximum_pdu_length=_MAXIMUM_PDU_LENGTH,
        )
        try:
            self._wire.send(request, seconds)
            kind, body = self._read_pdu(time.monotonic() + seconds)
            if kind not in (_ACCEPTED, _REJECTED):
                raise WireClosed
            answer = negotiation.read_answer(_HEAD.pack(kind, len(body)) + body)
        except (WireClosed, BadAnswer) as error:
            why = "ended the connection instead of answering"
            raise Unreachable(peer.host, peer.port, why) from error
        except WireSilent as error:
            why = f"took the connection and gave no answer in {seconds:g} s"
            raise Unreachable(peer.host, peer.port, why) from error
        if isinstance(answer, negotiation.Rejected):
            raise AssociationRefused(
                answer.source, answer.reason, is_transient=answer.is_transient
            )
        return answer

    # -- Sta6 ----------------------------------------------------------------------------------
    def _pdus(self, path: Path, meta: FileMeta) -> Iterator[bytes]:
        """The P-DATA-TF PDUs of one request, the first of the data set with its command."""
        number = self._ids[meta.sop_class_uid, meta.transfer_syntax_uid]
        request = commands.store_request(
            self._message_id, meta.sop_class_uid, meta.sop_instance_uid
        )
        ahead = b"".join(commands.fragments(number, request, self._piece_length))
        size = self._piece_length - 6
        with path.open("rb") as file:
            file.seek(meta.data_offset)
            piece = file.read(size)
            while True:
                following = file.read(size)
                length, control = len(piece) + 2, 0 if following else _IS_LAST
                head = struct.pack(">BxLLBB", _DATA, length + 4, length, number, control)
                yield b"".join((ahead, head, piece))
                if not following:
                    return
                ahead, piece = b"", following

    def _response(self, until: float) -> commands.Response:
        """Wait for a whole command set. Raises WireClosed, WireSilent."""
        encoded, is_whole = b"", False
        while not is_whole:
            kind, body = self._read_pdu(until)
            if kind == _RELEASE_RQ:
                self._wire.send(_RELEASED, self._caller.timeout_seconds)
            if kind != _DATA or len(encoded) > _LARGEST_PDU:
                raise WireClosed
            for control, value in _values(body):
                if control & _IS_COMMAND:
                    encoded += value
                    is_whole = bool(control & _IS_LAST)
        try:
            return commands.decode_response(encoded)
        except commands.BadCommand as error:
            raise WireClosed from error

    def _read_pdu(self, until: float) -> tuple[int, bytes]:
        head = bytearray(_HEAD.size)
        self._wire.read_head_into(memoryview(head), len(head), _left(until))
        kind, length = _HEAD.unpack(head)
        if length > _LARGEST_PDU:
            raise WireClosed
        body = bytearray(length)
        if length:
            self._wire.read_into(memoryview(body), _left(until))
        return kind, bytes(body)


def _values(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Control header and bytes of each presentation data value of a PDU. Raises WireClosed."""
    offset = 0
    while offset < len(body):
        if len(body) - offset < _PDV_HEAD.size:
            raise WireClosed
        length, _context, control = _PDV_HEAD.unpack_from(body, offset)
        if not 2 <= length <= len(body) - offset - 4:
            raise WireClosed
        yield control, body[offset + _PDV_HEAD.size : offset + 4 + length]
        offset += 4 + length


def _connected(peer: Peer, seconds: float) -> socket.socket:
    """Connect, over TLS where there is to be one. Raises Unreachable."""
    try:
        plain = socket.create_connection((peer.host, peer.port), timeout=seconds)
    except TimeoutError as error:
        raise Unreachable(peer.host, peer.port, f"did not connect in {seconds:g} s") from error
    except OSError as error:
        raise Unreachable(peer.host, peer.port, error.strerror or str(error)) from error
    try:
        connection = (
            peer.tls.wrap_socket(plain, server_hostname=peer.host) if peer.tls else plain
        )
        connection.settimeout(None)
    except (OSError, ssl.CertificateError) as error:
        plain.close()
        why = "takes connections, but the TLS handshake failed"
        raise Unreachable(peer.host, peer.port, why) from error
    return connection


def _left(until: float) -> float:
    return max(until - time.monotonic(), 0.001)

"""HL7 messages in: each is stored before it is answered, and answered the same way twice."""

from __future__ import annotations

import time
from collections.abc import Sequence

import structlog
from django.db import DataError, close_old_connections

from hub.group_commit import GroupCommit
from hub.hl7.ack import in_mode_of
from hub.hl7.charsets import UnknownCharacterSet, codec_of
from hub.hl7.er7 import Message as Er7
from hub.hl7.er7 import MessageError, UnparsableMessage
from hub.hl7.frames import Answer
from hub.hl7.merge import is_administration, read_merges
from hub.hl7.parse import MessageHeader, read_header, read_orders
from hub.models import Node
from routing import orders
from routing.addresses import plain
from routing.order_nodes import OrderNodes
from routing.recording import Incoming, record
from routing.refusing import Strangers, answer, refusal, refuse, report

log = structlog.get_logger(__name__)

# What else can fail (the database, the disk, a race with another process) passes.
_FAULTS_OF_CONTENT = (
    DataError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError,
)  # fmt: skip
_FAILED = "the hub failed on this message; it was kept"
_CHARSET = "8859/1"
# Whether a connection still lives costs a question of its own.
_TRUSTED_SECONDS = 1.0


class Intake:
    """Takes what the MLLP listener hands over; one for each listener process."""

    def __init__(self) -> None:
        self._one_by_one = GroupCommit(record)
        self._nodes = OrderNodes()
        self._strangers = Strangers()
        self._trusted_until = 0.0

    def take(self, raw: bytes, address: str) -> Answer:
        """What goes back for one message, once what it says is committed (HL7 2.9.2)."""
        return self.take_all([(raw, address)])[0]

    def take_all(self, arrived: Sequence[tuple[bytes, str]]) -> list[Answer]:
        """What goes back for each, once what all of them say is committed; never raises."""
        self._close_old_connections()
        read = [self._read_or_refuse(raw, plain(address)) for raw, address in arrived]
        batch = [one for one in read if isinstance(one, Incoming)]
        try:
            answers = iter(record(batch) if batch else ())
        except Exception:
            # One bad message must not spoil the others, and what was in the way may be gone.
            log.warning("intake.batch_failed", messages=len(batch), exc_info=True)
            self._trusted_until = 0.0
            answers = iter([self._take_alone(one) for one in batch])
        return [
            _in_mode(one.header, next(answers), node=one.node)
            if isinstance(one, Incoming)
            else one
            for one in read
        ]

    def take_broken(self, raw: bytes, reason: str, address: str) -> Answer:
        """Keep and report the beginning of what is no whole message; its refusal."""
        close_old_connections()
        fault = UnparsableMessage(reason, code=207)
        try:
            header = read_header(Er7.from_bytes(raw))
            node = OrderNodes().node_of(header, address)
        except MessageError:
            return self._refuse_stranger(raw, plain(address), fault)
        said = refuse(raw, sender=_name(header, plain(address)), node=node, fault=fault)
        return _in_mode(raw, said, node=node)

    def close(self) -> None:
        """Commit what is waiting."""
        self._one_by_one.close()

    def _close_old_connections(self) -> None:
        # The thread lives as long as the listener; the database may have been restarted since.
        if time.monotonic() > self._trusted_until:
            close_old_connections()
            self._trusted_until = time.monotonic() + _TRUSTED_SECONDS

    def _read_or_refuse(self, raw: bytes, address: str) -> Incoming | Answer:
        try:
            return read(raw, address, self._nodes)
        except MessageError as fault:
            return self._refuse_stranger(raw, address, fault)
        except _Unread as unread:
            said = refuse(raw, sender=unread.sender, node=unread.node, fault=unread.fault)
            return _in_mode(raw, said, node=unread.node)
        except Exception:
            log.exception("intake.not_read")
            self._trusted_until = 0.0
            return _in_mode(raw, _not_stored(raw))

    def _refuse_stranger(self, raw: bytes, address: str, fault: MessageError) -> Answer:
        is_named = self._nodes.is_named(address)
        has_room = self._strangers.has_room(address, is_named=is_named)
        if has_room and report(raw, sender=address, node=None, fault=fault):
            self._strangers.count(address, is_named=is_named)
        return _in_mode(raw, refusal(raw, sender=address, fault=fault))

    def _take_alone(self, incoming: Incoming) -> bytes:
        try:
            return self._one_by_one.submit(incoming)
        except _FAULTS_OF_CONTENT:
            # It would fail again however often it came, and hold up the sender's queue unseen.
            log.error("intake.not_understood", node=incoming.node.code, exc_info=True)
            kept = MessageError("MSH", 207, _FAILED)
            return refuse(incoming.raw, sender=incoming.sender, node=incoming.node, fault=kept)
        except Exception:
            log.error("intake.not_committed", node=incoming.node.code, exc_info=True)
            return _not_stored(incoming.raw)


class _Unread(Exception):  # noqa: N818
    """The sender is known, but what it sent cannot be read."""

    def __init__(self, node: Node, sender: str, fault: MessageError) -> None:
        super().__init__(str(fault))
        self.node = node
        self.sender = sender
        self.fault = fault


def read(raw: bytes, address: str, nodes: OrderNodes) -> Incoming:
    """Who sent a message, and what it says or what is wrong with it.

    Raises MessageError where the sender is nobody's, _Unread where its letters are.
    """
    message = Er7.from_bytes(raw, default_charset=_CHARSET)
    header = read_header(message)
    node = nodes.node_of(header, address)
    sender = _name(header, address)
    charset = node.hl7.get("charset") or _CHARSET
    if _may_read_otherwise(message, charset):
        try:
            message = Er7.from_bytes(raw, default_charset=charset)
        except UnparsableMessage as fault:
            raise _Unread(node, sender, fault) from fault
        header = read_header(message)
    try:
        if is_administration(header):
            return Incoming(raw, header, node, sender, (), merges=read_merges(message, header))
        contents = read_orders(message, zone=node.site.zone, header=header)
        for content in contents:
            orders.check(content)
    except MessageError as fault:
        return Incoming(raw, header, node, sender, (), fault)
    except _FAULTS_OF_CONTENT as fault:
        log.error("intake.not_understood", node=node.code, exc_info=True)
        raise _Unread(node, sender, MessageError("MSH", 207, _FAILED)) from fault
    return Incoming(raw, header, node, sender, contents)


def _may_read_otherwise(message: Er7, charset: str) -> bool:
    """Whether the sender's own character set could give other letters than the usual one."""
    if message.codec in ("ascii", "utf-8"):  # these are never a guess
        return False
    try:
        return codec_of(charset) != codec_of(_CHARSET)
    except UnknownCharacterSet:
        return True


def _name(header: MessageHeader, address: str) -> str:
    return f"{header.sending_application}|{header.sending_facility}@{address}"


def _in_mode(
    request: MessageHeader | bytes, said: bytes, *, node: Node | None = None
) -> Answer:
    """What goes back, by MSH-15 and MSH-16, unless the sender's node fills them in by habit."""
    if node is not None and node.hl7.get("acknowledgement") == "original":
        return said
    answers = in_mode_of(request, said)
    return answers[0] if len(answers) == 1 else answers


def _not_stored(raw: bytes) -> bytes:
    return answer(raw, "AE", text="not stored: send again", error=("MSH", 207))

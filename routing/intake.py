"""HL7 messages in: each is stored before it is answered, and answered the same way twice."""

from __future__ import annotations

import ipaddress
import socket
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import structlog
from django.db import DataError, close_old_connections, transaction
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from hub.group_commit import GroupCommit
from hub.hl7.ack import build_ack
from hub.hl7.er7 import Message as Er7
from hub.hl7.er7 import MessageError, UnparsableMessage
from hub.hl7.parse import MessageHeader, read_header, read_orders
from hub.models import Node
from hub.phrases import Phrase, phrase
from routing import orders
from routing.models import Message, SetAside
from routing.places import spool
from routing.setting_aside import set_aside

log = structlog.get_logger(__name__)

# What else can fail (the database, the disk, a race with another process) passes.
_FAULTS_OF_CONTENT = (
    DataError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError,
)  # fmt: skip
# as routing.models.Message keeps it
_LONGEST_CONTROL_ID = 200


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message from a known sender, ready to be stored and acted on."""

    raw: bytes
    message: Er7
    header: MessageHeader
    node: Node
    sender: str


class Intake:
    """Takes what the MLLP listener hands over; one for each listener process."""

    def __init__(self) -> None:
        self._rows = GroupCommit(record)

    def take(self, raw: bytes, address: str) -> bytes:
        """The acknowledgement of one message, once what it says is committed (HL7 2.9.2)."""
        # This thread lives as long as the listener; the database may have been restarted since.
        close_old_connections()
        try:
            incoming = _read(raw, address)
        except MessageError as fault:
            return _refuse(raw, sender=address, node=None, fault=fault)
        except _Unread as unread:
            return _refuse(raw, sender=unread.sender, node=unread.node, fault=unread.fault)
        try:
            return self._rows.submit(incoming)
        except _FAULTS_OF_CONTENT:
            # It would fail again however often it came, and hold up the sender's queue unseen.
            log.error("intake.not_understood", node=incoming.node.code, exc_info=True)
            kept = MessageError("MSH", 207, "the hub failed on this message; it was kept")
            return _refuse(raw, sender=incoming.sender, node=incoming.node, fault=kept)
        except Exception:
            log.error("intake.not_committed", node=incoming.node.code, exc_info=True)
            return _answer(raw, "AE", text="not stored: send again", error=("MSH", 207))

    def take_broken(self, raw: bytes, reason: str, address: str) -> bytes:
        """Keep and report the beginning of what is no whole message; its refusal."""
        close_old_connections()
        fault = UnparsableMessage(reason, code=207)
        try:
            header = read_header(Er7.from_bytes(raw))
            node = _node_of(header, address)
        except MessageError:
            return _refuse(raw, sender=address, node=None, fault=fault)
        return _refuse(raw, sender=_name(header, address), node=node, fault=fault)

    def close(self) -> None:
        """Commit what is waiting."""
        self._rows.close()


class UnknownSender(MessageError):  # noqa: N818
    """MSH-3 and MSH-4 name no node that may send orders, or the address is not that node's."""

    acknowledgement = "AR"


class _Unread(Exception):  # noqa: N818
    """The sender is known, but not the characters of what it sent."""

    def __init__(self, node: Node, sender: str, fault: UnparsableMessage) -> None:
        super().__init__(str(fault))
        self.node = node
        self.sender = sender
        self.fault = fault


def _read(raw: bytes, address: str) -> Incoming:
    header = read_header(Er7.from_bytes(raw))
    node = _node_of(header, address)
    sender = _name(header, address)
    charset = node.hl7.get("charset") or "8859/1"
    try:
        message = Er7.from_bytes(raw, default_charset=charset)
    except UnparsableMessage as fault:
        raise _Unread(node, sender, fault) from fault
    return Incoming(raw, message, read_header(message), node, sender)


def _name(header: MessageHeader, address: str) -> str:
    return f"{header.sending_application}|{header.sending_facility}@{address}"


def _node_of(header: MessageHeader, address: str) -> Node:
    named = [
        node
        for node in Node.objects.filter(protocol=Node.Protocol.HL7).select_related("site")
        if node.hl7.get("receiving_application") == header.sending_application
        and (node.hl7.get("receiving_facility") or "") == header.sending_facility
    ]
    allowed = [node for node in named if node.has_role("orders")]
    for node in allowed:
        if may_come_from(node.host, address):
            return node
    raise UnknownSender("MSH-3", 207, _why_unknown(header, named, allowed))


def _why_unknown(header: MessageHeader, named: list[Node], allowed: list[Node]) -> str:
    """What an administrator must mend; names in MSH are of systems, never of patients."""
    if allowed:
        codes = ", ".join(node.code for node in allowed)
        return f"the address of node {codes} was expected"
    if named:
        codes = ", ".join(node.code for node in named)
        return f"role orders was expected at node {codes}"
    application, facility = header.sending_application[:40], header.sending_facility[:40]
    return f"sender {application}|{facility} was found, one of the set-up was expected"


def may_come_from(host: str, address: str) -> bool:
    """Whether a peer at ``address`` may be the node whose host the set-up names ('' is any)."""
    return not host or address in _addresses(host, minute=int(time.monotonic() // 60))


@lru_cache(maxsize=256)
def _addresses(host: str, *, minute: int) -> frozenset[str]:
    """What a host name means; asked anew each ``minute``, for a name server may have been away."""
    try:
        return frozenset({str(ipaddress.ip_address(host))})
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, None)
    except OSError:
        return frozenset()
    return frozenset(str(entry[4][0]) for entry in found)


@transaction.atomic
def record(batch: Sequence[Incoming]) -> list[bytes]:
    """Store and act on a batch in one transaction; the answer to each, in order."""
    return [_record_one(incoming) for incoming in batch]


def _record_one(incoming: Incoming) -> bytes:
    header, node = incoming.header, incoming.node
    known = Message.objects.filter(node=node, control_id=header.control_id).first()
    if known is not None and known.is_accepted:
        return _answer_again(incoming, known)
    try:
        with transaction.atomic():
            contents = read_orders(incoming.message, zone=node.site.zone)
            for content in contents:
                orders.apply(content, node=node)
    except MessageError as fault:
        answer = _refuse(incoming.raw, sender=incoming.sender, node=node, fault=fault)
        _store(incoming, known, answer, is_accepted=False)
        return answer
    answer = _answer(incoming.raw, "AA")
    _store(incoming, known, answer, is_accepted=True)
    return answer


def _answer_again(incoming: Incoming, known: Message) -> bytes:
    """A message that was taken before: the same answer, unless it says something else now."""
    if _without_time(bytes(known.raw)) == _without_time(incoming.raw):
        return bytes(known.answer)
    fault = MessageError("MSH-10", 205, "this control id was used for another message")
    return _refuse(incoming.raw, sender=incoming.sender, node=incoming.node, fault=fault)


def _without_time(raw: bytes) -> bytes:
    """The message without MSH-7: who sends again may write the time of sending anew."""
    start = raw.find(b"MSH")
    separator = raw[start + 3 : start + 4]
    fields = raw[start:].split(separator, 7)
    return separator.join(fields[:6] + fields[7:])


def _store(incoming: Incoming, known: Message | None, answer: bytes, *, is_accepted: bool) -> None:
    row = known or Message(node=incoming.node, control_id=incoming.header.control_id)
    if not 0 < len(row.control_id) <= _LONGEST_CONTROL_ID:
        # Without a whole MSH-10 nothing tells it from the next one; it was refused and set aside.
        return
    row.message_type = incoming.header.message_type[:20]
    row.raw = incoming.raw
    row.charset = incoming.header.character_set_used
    row.answer = answer
    row.is_accepted = is_accepted
    row.received_at = timezone.now()
    row.save()


def _refuse(raw: bytes, *, sender: str, node: Node | None, fault: MessageError) -> bytes:
    """Keep the bytes, report why, and answer with the field and what was expected."""
    if not _is_reported(raw, sender=sender, fault=fault):
        key = spool().set_aside(raw, reason=str(fault), suffix=".hl7")
        set_aside(
            node=node, sender=sender, key=key, why=_words(fault), field=fault.location,
            protocol="hl7",
        )  # fmt: skip
    log.warning("intake.refused", sender=sender, field=fault.location, code=fault.code)
    return _answer(raw, fault.acknowledgement, text=fault.text, error=(fault.location, fault.code))


def _is_reported(raw: bytes, *, sender: str, fault: MessageError) -> bool:
    """Whether the very same was set aside last: some send a refused message for ever."""
    last = SetAside.objects.filter(sender=sender, field=fault.location).order_by("-pk").first()
    if last is None or last.reason != _words(fault).stored():
        return False
    try:
        return spool().path(last.key).read_bytes() == raw
    except OSError:
        return False


def _words(fault: MessageError) -> Phrase:
    if isinstance(fault, UnparsableMessage):
        return phrase(_("The message cannot be read: %(reason)s"), reason=fault.reason)
    return phrase(_("%(field)s: %(reason)s"), field=fault.location, reason=fault.text)


def _answer(
    raw: bytes, code: str, *, text: str = "", error: tuple[str, int] | None = None
) -> bytes:
    return build_ack(
        raw,
        code=code,
        control_id=uuid.uuid4().hex[:20],
        at=timezone.now(),
        text=text,
        error=error,
    )

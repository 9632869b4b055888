"""Stores messages with what they change, a batch in one transaction, and answers each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from hub.hl7.content import OrderContent
from hub.hl7.er7 import MessageError
from hub.hl7.merge import MergeContent
from hub.hl7.parse import MessageHeader
from hub.models import Node
from routing import merging, orders, surviving
from routing.known_orders import Said, what_to_look_for
from routing.looking_up import Wanted, which_are_known
from routing.models import Message
from routing.refusing import answer, refuse
from routing.writing import insert_all

# as routing.models.Message keeps it
_LONGEST_CONTROL_ID = 200


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message from a known sender: what it says, or what is wrong with it."""

    raw: bytes
    header: MessageHeader
    node: Node
    sender: str
    contents: Sequence[OrderContent]
    fault: MessageError | None = None
    merges: Sequence[MergeContent] = ()

    @property
    def key(self) -> tuple[int, str]:
        """What tells one message from another: its node and MSH-10."""
        return self.node.pk, self.header.control_id


def record(batch: Sequence[Incoming]) -> list[bytes]:
    """Store and act on messages, and answer each, in order; a merge in a transaction of its own.

    It locks the studies of a patient, which must come before the orders of any other message.
    """
    answers: list[bytes] = []
    for is_merge, run in groupby(batch, key=lambda one: bool(one.merges)):
        for part in ([one] for one in run) if is_merge else [list(run)]:
            answers += _record(part)
    return answers


@transaction.atomic
def _record(batch: Sequence[Incoming]) -> list[bytes]:
    """Store and act on a batch in one transaction; the answer to each, in order."""
    said = [(content, one.node) for one in batch for content in one.contents]
    are_messages, are_orders, are_studies, are_merged = which_are_known(
        _wanted_messages(batch), *what_to_look_for(said), surviving.what_to_look_for(said)
    )
    known = _known_messages(batch) if are_messages else {}
    rows: list[Message] = []
    taken: list[Said] = []
    answers: list[bytes] = []
    for incoming in batch:
        before = known.get(incoming.key)
        if before is not None and before.is_accepted:
            answers.append(_answer_again(incoming, before))
            continue
        incoming = _merged(incoming)
        answers.append(_answer(incoming))
        taken += [(content, incoming.node) for content in incoming.contents]
        row = _message(incoming, before, answers[-1])
        if row is not None and row is not before:
            known[incoming.key] = row
        if row is not None and not any(row is one for one in rows):
            rows.append(row)
    if are_merged:
        taken = surviving.under_surviving_ids(taken)
    orders.apply(taken, are_orders=are_orders, are_studies=are_studies)
    for row in rows:
        if row.pk is not None:
            row.save()
    insert_all([row for row in rows if row.pk is None])
    return answers


def _merged(incoming: Incoming) -> Incoming:
    """Act on a merge; what it may not do becomes the fault of the message."""
    try:
        merging.apply(incoming.merges, site=incoming.node.site, sender=incoming.sender)
    except MessageError as fault:
        return replace(incoming, fault=fault)
    return incoming


def _answer(incoming: Incoming) -> bytes:
    if incoming.fault is None:
        return answer(incoming.header, "AA")
    return refuse(
        incoming.raw, sender=incoming.sender, node=incoming.node, fault=incoming.fault
    )


def _by_node(batch: Sequence[Incoming]) -> dict[int, list[str]]:
    by_node: dict[int, list[str]] = {}
    for incoming in batch:
        by_node.setdefault(incoming.node.pk, []).append(incoming.header.control_id)
    return by_node


def _wanted_messages(batch: Sequence[Incoming]) -> list[Wanted]:
    return [
        Wanted(Message, "node_id", node, "control_id", control_ids)
        for node, control_ids in _by_node(batch).items()
    ]


def _known_messages(batch: Sequence[Incoming]) -> dict[tuple[int, str], Message]:
    clause = Q()
    for node, control_ids in _by_node(batch).items():
        clause |= Q(node=node, control_id__in=control_ids)
    return {(row.node_id, row.control_id): row for row in Message.objects.filter(clause)}


def _answer_again(incoming: Incoming, known: Message) -> bytes:
    """A message that was taken before: the same answer, unless it says something else now."""
    if _without_time(bytes(known.raw)) == _without_time(incoming.raw):
        return bytes(known.answer)
    fault = MessageError("MSH-10", 205, "this control id was used for another message")
    return refuse(incoming.raw, sender=incoming.sender, node=incoming.node, fault=fault)


def _without_time(raw: bytes) -> bytes:
    """The message without MSH-7: who sends again may write the time of sending anew."""
    start = raw.find(b"MSH")
    separator = raw[start + 3 : start + 4]
    fields = raw[start:].split(separator, 7)
    return separator.join(fields[:6] + fields[7:])


def _message(incoming: Incoming, known: Message | None, said: bytes) -> Message | None:
    row = known or Message(node=incoming.node, control_id=incoming.header.control_id)
    if not 0 < len(row.control_id) <= _LONGEST_CONTROL_ID:
        # Without a whole MSH-10 nothing tells it from the next one; it was refused and set aside.
        return None
    row.message_type = incoming.header.message_type[:20]
    row.raw = incoming.raw
    row.charset = incoming.header.character_set_used
    row.answer = said
    row.is_accepted = incoming.fault is None
    row.received_at = timezone.now()
    return row

"""What a process does that receives: the associations it is given, and what comes over them."""

from __future__ import annotations

from functools import partial
from typing import Protocol

import structlog
from django.conf import settings
from django.db import DatabaseError

from hub.dicom import scp
from hub.dicom.received import ReceivedInstance
from hub.hands import Taking
from hub.lines import Line, NotAnswered
from hub.models import Node
from routing.places import spool
from routing.relay import Front
from routing.steps.receive import Receiver

log = structlog.get_logger(__name__)


class Known(Protocol):
    """Who knows the nodes that may send."""

    def node_for(self, calling_ae_title: str, address: str) -> Node | None:
        """The node with this AE title at this address."""


def work(taking: Taking) -> None:
    """Hold the associations that are given, until this process is dismissed."""
    limits = scp.Limits(
        landing=scp.Landing(spool().open_part, spool().free_bytes),
        # Of all together no more than one that listened alone had: each holds a file in front.
        maximum_silent=max(scp.Limits().maximum_silent // settings.HUB_LISTENERS, 16),
    )
    associations = scp.Associations(ae_title=settings.HUB_AE_TITLE, limits=limits)
    for handed in taking:
        if handed.line is None:
            associations.begin(
                handed.connection, handed.address, policy=_is_busy, on_store=_nothing_is_stored
            )
            continue
        front = Front(Line(handed.line))
        associations.begin(
            handed.connection,
            handed.address,
            policy=front.policy,
            on_store=partial(take, front, Receiver(front)),
            at_end=front.close,
        )
    associations.shutdown(taking.grace)


def _is_busy(_calling_ae_title: str, _address: str) -> scp.Refusal:
    return scp.Refusal("too many open files", is_temporary=True)


def _nothing_is_stored(_received: ReceivedInstance) -> int:
    return scp.OUT_OF_RESOURCES


def take(known: Known, receiver: Receiver, received: ReceivedInstance) -> int:
    """The status of one C-STORE. While nobody writes rows the sender is told to come again."""
    try:
        node = known.node_for(received.calling_ae_title, received.address)
        if node is None:
            log.warning("receive.no_longer_known", ae_title=received.calling_ae_title)
            return scp.NOT_AUTHORISED
        return receiver.take(node, received)
    except (DatabaseError, NotAnswered):
        log.error("receive.no_database", exc_info=True)
        return scp.OUT_OF_RESOURCES

"""Several deliveries to one node at a time: taken together, sent in order, and the rest given back.

How many is what the node answered lately in a moment: one that is slow holds one at a time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from hub.models import Node
from routing import lease
from routing.models import Breaker, Delivery

# What was answered waits at most about so long to be noted, and what is taken to be sent.
_LONGEST_SECONDS = 0.25
_MOST = 16


class Pace:
    """How many deliveries a node is given in a round, by the time that the last round took."""

    def __init__(self) -> None:
        self.most = 1
        self._began = time.monotonic()

    def begin(self) -> None:
        """A round begins."""
        self._began = time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether the round has taken so long that what is left of it had better wait."""
        return time.monotonic() - self._began > _LONGEST_SECONDS

    def end(self, sent: int) -> None:
        """A round in which so many were sent has ended."""
        each = (time.monotonic() - self._began) / max(sent, 1)
        fitting = int(_LONGEST_SECONDS / max(each, 1e-6))
        self.most = max(1, min(fitting, _MOST, 2 * self.most))


def due(node: Node) -> QuerySet[Delivery]:
    """What waits for the node and may be sent now, in the order in which it was made."""
    is_due = Q(due_at=None) | Q(due_at__lte=timezone.now())
    return Delivery.objects.filter(is_due, node=node, state="pending").order_by("pk")


def is_sending(node: Node, *, now: datetime) -> bool:
    """Whether one is on its way to the node: what takes it back must not pass it.

    Also one that was cancelled while it was sent: its sender goes on with what stands behind it.
    """
    held = Delivery.objects.filter(node=node, state__in=("pending", "cancelled"))
    return held.filter(lease_until__gte=now).exists()


@contextmanager
def taken(node: Node, *, most: int) -> Iterator[list[Delivery]]:
    """The first that are due, held until the block ends; none while another worker sends.

    Their rows say that they may have arrived, from now on; ``may_have_arrived`` of what is given
    is what the rows said before: whether an earlier try may have arrived.
    """
    held = _take(node, most=most)
    if not held:
        yield []
        return
    with lease.keep_all(held):
        yield held


@transaction.atomic
def _take(node: Node, *, most: int) -> list[Delivery]:
    # The breaker's row stands for the node: two workers never take from one queue at once.
    Breaker.objects.select_for_update(no_key=True).get(node=node)
    if is_sending(node, now=timezone.now()):
        return []
    # Locked as they are read: a message that is being written anew is sent as it then stands.
    held = list(due(node).select_for_update(no_key=True)[:most])
    if not held:
        return []
    # Noted before they leave: a worker that dies while it sends cannot say so any more.
    lease.take_all(held, may_have_arrived=True)
    for delivery in held:
        delivery.node = node
    return held


def give_back(unsent: Sequence[Delivery]) -> None:
    """Let go of those that were taken and not sent: they have arrived no more than before."""
    for came_before in (False, True):
        ours = [one for one in unsent if one.may_have_arrived is came_before]
        if ours:
            lease.among(ours).update(
                may_have_arrived=came_before, lease_owner="", lease_until=None
            )

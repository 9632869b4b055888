"""Who writes the rows of what was received, many in one commit, and has them taken in.

With HUB_SYNC off nobody waits for rows: they follow a moment later.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from django.conf import settings

from hub.bursts import AfterBursts
from hub.commit_behind import CommitBehind
from hub.dicom.headers import UnreadableDataset
from hub.dicom.scp import OUT_OF_RESOURCES, SUCCESS
from hub.group_commit import GroupCommit
from hub.models import Node
from routing import inbox, taking_in
from routing.arrivals import Arrival
from routing.setting_aside import set_aside
from routing.unreadable import reason_of

log = structlog.get_logger(__name__)

# PS3.4 table B.2-1 knows no status for "kept, but not as part of the study": the general
# warning tells the sender that somebody should look, without making it send for ever.
SET_ASIDE = 0xB000
# How long instances wait in the inbox for others while these keep coming.
_GATHER_SECONDS = 1.0


class Register:
    """Writes the rows of what was received; one for each listener."""

    def __init__(self) -> None:
        self._rows = GroupCommit(record)
        # A study whose end comes earlier takes in what waits for it by itself.
        self._taking_in = AfterBursts(
            taking_in.take_in_what_came, name="taking-in", gather_seconds=_GATHER_SECONDS
        )
        # Senders went on already: what is too much makes them slow, and is not refused.
        self._behind = (
            None if settings.HUB_SYNC else CommitBehind(taking_in.take_each, patience_seconds=None)
        )

    def record(self, arrival: Arrival) -> int:
        """Commit the row of an instance that is durable already; the status to answer."""
        (status,) = self.record_all([arrival])
        return status

    def record_all(self, arrivals: Sequence[Arrival]) -> list[int]:
        """Commit the rows of several; the status to answer to each."""
        if self._behind is not None:
            for arrival in arrivals:
                self._behind.submit(arrival)
            return [SUCCESS] * len(arrivals)
        outcomes = self._rows.submit_all(arrivals)
        self._taking_in.tell()
        return [
            not_committed(arrival, outcome) if isinstance(outcome, Exception) else outcome
            for arrival, outcome in zip(arrivals, outcomes, strict=True)
        ]

    def set_aside(self, node: Node, *, sender: str, key: str, fault: UnreadableDataset) -> None:
        """Report a data set that cannot be read, and lies in the spool under ``key``."""
        set_aside(node=node, sender=sender, key=key, why=reason_of(fault), field=fault.field)

    def close(self) -> None:
        """Take in what was accepted."""
        if self._behind is not None:
            self._behind.close()
        self._rows.close()
        self._taking_in.close()


def not_committed(arrival: Arrival, fault: Exception) -> int:
    """Say that the row of an arrival was not written; the status to answer."""
    # The bytes are durable and the start-up scan would heal them, but no row stands yet: the
    # sender keeps its copy and sends again.
    log.error("receive.not_committed", sender=arrival.sender, exc_info=fault)
    return OUT_OF_RESOURCES


def record(batch: Sequence[Arrival]) -> list[int]:
    """Write the rows of a batch; the DICOM status of each, in order.

    What is ordinary gets a row in the inbox, by one statement that needs no transaction around it;
    all else is made part of its study now. Should that fail, what is in the inbox stays there, and
    is known when it comes again.
    """
    ordinary = inbox.admit(batch)
    if len(ordinary) == len(batch):
        return [SUCCESS] * len(batch)
    apart = taking_in.take_each(batch, but=ordinary)
    return [SET_ASIDE if place in apart else SUCCESS for place in range(len(batch))]

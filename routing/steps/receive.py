"""Step 1: take instances in, and answer Success only when each is durable and its row committed.

With HUB_SYNC off neither is waited for: the row follows a moment later.

Same SOP Instance UID and same bytes: Success, and nothing changes. Same UID and other bytes, or
another patient inside one study: the first is kept, the second is set aside and reported.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from django.conf import settings

from hub.bursts import AfterBursts
from hub.commit_behind import CommitBehind
from hub.dicom.headers import UnreadableDataset, read_header, require_whole
from hub.dicom.scp import CANNOT_UNDERSTAND, OUT_OF_RESOURCES, SUCCESS, ReceivedInstance
from hub.dicom.spool import SpoolFull
from hub.group_commit import GroupCommit
from hub.models import Node
from routing import inbox, taking_in
from routing.arrivals import Arrival
from routing.places import spool
from routing.setting_aside import set_aside
from routing.unreadable import reason_of

log = structlog.get_logger(__name__)

# PS3.4 table B.2-1 knows no status for "kept, but not as part of the study": the general
# warning tells the sender that somebody should look, without making it send for ever.
SET_ASIDE = 0xB000
# PS3.5 6.2: the most characters of a value of VR LO
_LONGEST_LO = 64


class Receiver:
    """Takes what the Storage SCP hands over; one for each listener process."""

    def __init__(self) -> None:
        self._rows = GroupCommit(record)
        self._taking_in = AfterBursts(taking_in.take_in_what_came, name="taking-in")
        self._behind = None if settings.HUB_SYNC else CommitBehind(taking_in.take_each)

    def take(self, node: Node, received: ReceivedInstance) -> int:
        """Store one instance for ``node``'s site; the DICOM status to answer (PS3.4 B.2.3)."""
        sender = f"{received.calling_ae_title}@{received.address}"
        try:
            header = read_header(received.dataset, received.transfer_syntax_uid)
            if header.instance.sop_instance_uid != received.sop_instance_uid:
                raise UnreadableDataset("differs from what C-STORE announced", "SOPInstanceUID")
            # Cut short it could be taken for another patient's.
            if len(header.study.patient_id) > _LONGEST_LO:
                raise UnreadableDataset("is longer than 64 characters", "PatientID")
            require_whole(received.dataset, received.transfer_syntax_uid)
        except UnreadableDataset as fault:
            return _unreadable(node, received, sender, fault)
        try:
            stored = spool().put(site=node.site.code, received=received, header=header)
        except SpoolFull:
            log.error("receive.no_space", sender=sender)
            return OUT_OF_RESOURCES
        except OSError:
            # A disk that went away or turned read-only: no fault of what was sent.
            log.error("receive.not_stored", sender=sender, exc_info=True)
            return OUT_OF_RESOURCES
        return self.record(Arrival(node, header, stored, sender))

    def record(self, arrival: Arrival) -> int:
        """Commit the row of an instance that is durable already; the status to answer."""
        try:
            if self._behind is not None:
                self._behind.submit(arrival)
                return SUCCESS
            status = self._rows.submit(arrival)
        except Exception:
            # The bytes are durable and the start-up scan would heal them, but no row stands yet:
            # the sender keeps its copy and sends again.
            log.error("receive.not_committed", sender=arrival.sender, exc_info=True)
            return OUT_OF_RESOURCES
        self._taking_in.tell()
        return status

    def close(self) -> None:
        """Take in what was accepted."""
        if self._behind is not None:
            self._behind.close()
        self._rows.close()
        self._taking_in.close()


def _unreadable(
    node: Node, received: ReceivedInstance, sender: str, fault: UnreadableDataset
) -> int:
    # Without its transfer syntax nobody could look into it later.
    details = {
        name: getattr(received, name)
        for name in ("transfer_syntax_uid", "sop_class_uid", "sop_instance_uid")
    }
    try:
        key = spool().set_aside(
            received.dataset,
            reason=str(fault),
            suffix=".dataset",
            details={"sender": sender, **details},
        )
    except (SpoolFull, OSError):
        return OUT_OF_RESOURCES
    set_aside(node=node, sender=sender, key=key, why=reason_of(fault), field=fault.field)
    return CANNOT_UNDERSTAND


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

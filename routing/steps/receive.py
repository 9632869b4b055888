"""Step 1: take instances in, and answer Success only when each is durable and its row committed.

With HUB_SYNC off neither is waited for: the row follows a moment later.

Same SOP Instance UID and same bytes: Success, and nothing changes. Same UID and other bytes, or
another patient inside one study: the first is kept, the second is set aside and reported.
"""

from __future__ import annotations

from typing import Protocol

import structlog

from hub.dicom.headers import UnreadableDataset, read_header, require_whole
from hub.dicom.scp import CANNOT_UNDERSTAND, OUT_OF_RESOURCES, ReceivedInstance
from hub.dicom.spool import SpoolFull
from hub.models import Node
from routing.arrivals import Arrival
from routing.places import spool
from routing.register import Register, not_committed

log = structlog.get_logger(__name__)

# PS3.5 6.2: the most characters of a value of VR LO
_LONGEST_LO = 64


class Keeper(Protocol):
    """Who writes the rows of what was received: this process, or another one that is asked."""

    def record(self, arrival: Arrival) -> int:
        """Commit the row of an instance that is durable already; the status to answer."""

    def set_aside(self, node: Node, *, sender: str, key: str, fault: UnreadableDataset) -> None:
        """Report a data set that cannot be read, and lies in the spool under ``key``."""

    def close(self) -> None:
        """Take in what was accepted."""


class Receiver:
    """Takes what the Storage SCP hands over, and has ``keeper`` write its rows."""

    def __init__(self, keeper: Keeper | None = None) -> None:
        self._keeper = keeper or Register()

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
            return self._unreadable(node, received, sender, fault)
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
            return self._keeper.record(arrival)
        except Exception as fault:
            return not_committed(arrival, fault)

    def close(self) -> None:
        """Take in what was accepted."""
        self._keeper.close()

    def _unreadable(
        self, node: Node, received: ReceivedInstance, sender: str, fault: UnreadableDataset
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
        self._keeper.set_aside(node, sender=sender, key=key, fault=fault)
        return CANNOT_UNDERSTAND

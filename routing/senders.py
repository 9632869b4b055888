"""How one delivery is sent: by C-STORE or by MLLP, and what the destination's answer means."""

from __future__ import annotations

import atexit
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from django.conf import settings
from django.db.models import F
from django.utils.translation import gettext_noop as _

from hub.dicom import scu
from hub.dicom.durable import SpoolFull
from hub.dicom.object_store import StoreAway
from hub.hl7.ack import NotAnAcknowledgement, read_ack
from hub.hl7.connection import MllpConnection, NoAnswer, Unreachable
from hub.hl7.er7 import UnparsableMessage
from hub.keeping import Keeper
from hub.models import Node
from hub.phrases import Phrase, phrase
from routing import confirming, readdressing
from routing.models import Delivery, Result
from routing.places import spool


class Undelivered(Exception):
    """The destination could not be reached, or did not answer: then it may have it all the same."""

    def __init__(self, why: Phrase, *, may_have_arrived: bool = True) -> None:
        super().__init__(why.text)
        self.why = why
        self.may_have_arrived = may_have_arrived


class Refused(Exception):
    """The destination answered, and does not take it; ``is_final`` when it never will."""

    def __init__(self, why: Phrase, *, is_final: bool, answer: str = "") -> None:
        super().__init__(why.text)
        self.why = why
        self.is_final = is_final
        self.answer = answer


class Sender(Protocol):
    """Sends deliveries to one node."""

    def prepare(self, deliveries: Sequence[Delivery]) -> None:
        """Look up together what will be sent next."""

    def send(self, delivery: Delivery) -> str:
        """The destination's answer, for the record; raises Undelivered or Refused."""


@contextmanager
def sender_for(node: Node) -> Iterator[Sender]:
    """The sender for a node's protocol; its connection stays open for what comes right after."""
    timeout, title = settings.HUB_SEND_TIMEOUT_SECONDS, settings.HUB_AE_TITLE
    host, port = node.host, node.port or (104 if node.protocol == Node.Protocol.DICOM else 0)
    # All that makes a connection another one.
    key = (node.pk, host, port, node.ae_title, title, timeout)
    if node.protocol == Node.Protocol.DICOM:
        peer = scu.Peer(ae_title=node.ae_title, host=host, port=port)
        with _ASSOCIATIONS.lent(
            key, lambda: scu.StoreConnection(peer, scu.Caller(title, timeout))
        ) as association:
            yield DicomSender(association)
        return
    with _CONNECTIONS.lent(
        key, lambda: MllpConnection(host, port, timeout_seconds=timeout)
    ) as connection:
        yield Hl7Sender(connection)


# An association that waits costs some of a processor, and many a PACS counts them.
_ASSOCIATIONS: Keeper[scu.StoreConnection] = Keeper(idle_seconds=2.0)
_CONNECTIONS: Keeper[MllpConnection] = Keeper(idle_seconds=2.0)


@atexit.register
def close_kept() -> None:
    """End what is kept open at once: a worker that stops has nothing more to send."""
    _ASSOCIATIONS.close()
    _CONNECTIONS.close()


class DicomSender:
    """C-STORE (PS3.4 B): delivered when every instance was answered with Success or a warning."""

    def __init__(self, association: scu.StoreConnection) -> None:
        self._association = association
        self._rows: dict[int, list[Result]] = {}

    def prepare(self, deliveries: Sequence[Delivery]) -> None:
        """Find the objects of each Workitem."""
        self._rows = {delivery.workitem_id: [] for delivery in deliveries}
        found = Result.objects.annotate(now_of=F("workitem__study__patient_id"))
        for row in found.filter(workitem__in=self._rows).order_by("pk"):
            self._rows[row.workitem_id].append(row)

    def send(self, delivery: Delivery) -> str:
        """Send every object of the Workitem; they keep their UIDs, so twice is as good as once."""
        if delivery.workitem_id not in self._rows:
            self.prepare([delivery])
        rows = _addressed(delivery, self._rows[delivery.workitem_id])
        try:
            files = [spool().fetched(row.key) for row in rows]
            outcomes = self._association.store(files)
        except (
            scu.Unreachable, scu.AssociationRefused, scu.StoreInterrupted, StoreAway
        ) as fault:
            why = phrase(_("not delivered: %(why)s"), why=str(fault))
            is_begun = isinstance(fault, scu.StoreInterrupted)
            raise Undelivered(why, may_have_arrived=is_begun) from fault
        refused = [outcome for outcome in outcomes if not outcome.is_success]
        if refused or len(outcomes) != len(files):
            words = _("%(count)s of %(all)s objects refused: %(status)s %(text)s")
            first = refused[0] if refused else outcomes[0]
            status = f"0x{first.status:04X}"
            why = phrase(
                words, count=len(refused), all=len(files), status=status, text=first.text
            )
            # PS3.4 B.2.3: A7xx is "out of resources", which passes, if only after a weekend.
            if all(outcome.status >> 8 == 0xA7 for outcome in refused):
                raise Undelivered(why, may_have_arrived=False)
            raise Refused(why, is_final=False, answer=status)
        if delivery.node.confirm == "query":
            self._require_held(delivery, rows)
        return ", ".join(sorted({f"0x{outcome.status:04X}" for outcome in outcomes}))

    def _require_held(self, delivery: Delivery, rows: list[Result]) -> None:
        """Ask for what was answered with Success: some say so and store nothing."""
        node = delivery.node
        peer = scu.Peer(ae_title=node.ae_title, host=node.host, port=node.port or 104)
        try:
            count = confirming.missing(peer, rows, study=delivery.workitem.study)
        except (scu.Unreachable, scu.AssociationRefused, scu.OperationFailed) as fault:
            words = _("it could not be asked whether it has it: %(why)s")
            raise Undelivered(phrase(words, why=str(fault))) from fault
        if count:
            words = _("answered with Success, but %(count)s of %(all)s objects are not there")
            raise Refused(phrase(words, count=count, all=len(rows)), is_final=False)


def _addressed(delivery: Delivery, rows: list[Result]) -> list[Result]:
    """The objects as they must bear the patient now; raises Undelivered where there is no room."""
    try:
        return readdressing.addressed(delivery, rows)
    except SpoolFull as fault:
        why = phrase(_("waits for room on the disk of the hub"))
        raise Undelivered(why, may_have_arrived=False) from fault


class Hl7Sender:
    """MLLP: delivered when the acknowledgement names our MSH-10 and accepts (HL7 2.9.2)."""

    def __init__(self, connection: MllpConnection) -> None:
        self._connection = connection

    def prepare(self, deliveries: Sequence[Delivery]) -> None:
        """Nothing: the messages are in the deliveries."""

    def send(self, delivery: Delivery) -> str:
        """Send the stored bytes and wait for the ACK; AE and AR stand until a person replays."""
        try:
            ack = read_ack(self._connection.send(bytes(delivery.message)))
        except (Unreachable, NoAnswer, NotAnAcknowledgement, UnparsableMessage) as fault:
            self._connection.close()
            why = phrase(_("not delivered: %(why)s"), why=str(fault))
            is_sent = not isinstance(fault, Unreachable)
            raise Undelivered(why, may_have_arrived=is_sent) from fault
        if ack.control_id != delivery.control_id:
            self._connection.close()
            words = _("the answer is to another message: %(given)s instead of %(expected)s")
            raise Undelivered(
                phrase(words, given=ack.control_id, expected=delivery.control_id)
            )
        said = " ".join(filter(None, (ack.code, ack.order_control, ack.text, ack.error)))
        if not ack.is_accepted:
            raise Refused(phrase(_("refused: %(said)s"), said=said), is_final=True, answer=said)
        return said

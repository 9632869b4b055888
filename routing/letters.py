"""One result to one destination: the Delivery, with its message where it goes out by HL7."""

from __future__ import annotations

import structlog
from django.utils.translation import gettext_noop as _

from hub.hl7.build import CannotBuild
from hub.hl7.er7 import CannotEncode
from hub.models import Node
from hub.phrases import phrase
from routing import messages, pathway
from routing.models import Delivery, Workitem

log = structlog.get_logger(__name__)

UNWRITABLE = (CannotBuild, CannotEncode)


def make(workitem: Workitem, node: Node, *, kind: str, status: str = "P") -> Delivery:
    """The Delivery of one Workitem to one destination, made once; inside a transaction.

    One that this destination's character set cannot hold is a dead letter from the start: no
    other destination waits for it, and a person can replay it once the set-up is corrected.
    """
    name = f"{workitem.uid.hex}:{kind}:{status}:{node.code}"
    delivery, is_new = Delivery.objects.get_or_create(
        name=name,
        defaults={"workitem": workitem, "node": node, "kind": kind, "result_status": status},
    )
    if not is_new:
        return delivery
    why = phrase(_("to be told to %(node)s"), node=node.code)
    pathway.note(delivery, from_state="", to_state=delivery.state, why=why)
    if kind == Delivery.Kind.RESULT:
        try:
            write(delivery)
        except UNWRITABLE as fault:
            log.warning("letters.unwritable", delivery=delivery.pk, node=node.code)
            why = phrase(_("it cannot be written: %(why)s"), why=str(fault))
            pathway.advance(delivery, Delivery.State.DEAD, why=why, last_error=why.stored())
    return delivery


def write(delivery: Delivery) -> None:
    """Write the message of a result (ORU^R01); raises CannotBuild, CannotEncode."""
    delivery.message = messages.result(
        delivery.workitem,
        node=delivery.node,
        name=delivery.name,
        status=delivery.result_status,
    )
    delivery.control_id = messages.control_id(delivery.name)
    delivery.save(update_fields=["message", "control_id"])

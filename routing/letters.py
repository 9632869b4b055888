"""One result to one destination: the Delivery, with its message where it goes out by HL7."""

from __future__ import annotations

import structlog
from django.utils.translation import gettext_noop as _

from hub.hl7.build import CannotBuild
from hub.hl7.er7 import CannotEncode
from hub.models import Node
from hub.phrases import phrase
from routing import messages, pathway
from routing.models import Delivery, Study, Workitem

log = structlog.get_logger(__name__)

UNWRITABLE = (CannotBuild, CannotEncode)


def make(
    workitem: Workitem, node: Node, *, kind: str, status: str = "P", cause: str = ""
) -> Delivery:
    """The Delivery of one Workitem to one destination, made once; inside a transaction.

    ``cause`` tells apart what is told again, in the same words, for another reason.

    One that this destination's character set cannot hold is a dead letter from the start: no
    other destination waits for it, and a person can replay it once the set-up is corrected.
    """
    name = f"{workitem.uid.hex}:{kind}:{status}:{node.code}{cause}"
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
            refuse(delivery, fault)
    return delivery


def rewrite(study: Study) -> None:
    """Write anew what nobody has been sent yet, because the order that it names has changed.

    Otherwise a result that waited would go out under the number of an order that is somebody
    else's by now, or without that of an order that came meanwhile. Inside a transaction.
    """
    unsent = Delivery.objects.select_for_update(no_key=True).filter(
        workitem__study=study, kind=Delivery.Kind.RESULT, may_have_arrived=False,
        state__in=(Delivery.State.PENDING, Delivery.State.DEAD),
    )  # fmt: skip
    for delivery in unsent:
        try:
            write(delivery)
        except UNWRITABLE as fault:
            refuse(delivery, fault)


def refuse(delivery: Delivery, fault: Exception) -> None:
    """Make a dead letter of one that cannot be written; without its bytes, nothing is sent."""
    log.warning("letters.unwritable", delivery=delivery.pk, node=delivery.node.code)
    why = phrase(_("it cannot be written: %(why)s"), why=str(fault))
    if delivery.state == Delivery.State.PENDING:
        pathway.advance(
            delivery, Delivery.State.DEAD, why=why, message=b"", last_error=why.stored()
        )
    else:
        Delivery.objects.filter(pk=delivery.pk).update(message=b"", last_error=why.stored())


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

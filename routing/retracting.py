"""Take back what was told about a result, or was about to be told: it is rejected or superseded."""

from __future__ import annotations

from hub.models import Node
from hub.phrases import Phrase
from routing import letters, nudges, pathway, priority_changes
from routing.models import Delivery, Workitem


def cancel_deliveries(workitem: Workitem, *, why: Phrase, by: str = "hub") -> None:
    """Cancel what has not been delivered yet; inside a transaction."""
    waiting = workitem.deliveries.filter(state__in=["pending", "dead"])
    for delivery in waiting.order_by("pk"):
        pathway.advance(delivery, Delivery.State.CANCELLED, why=why, by=by, due_at=None)
        if delivery.kind == Delivery.Kind.PRIORITY:
            priority_changes.forget(workitem.study)


def may_be_known(workitem: Workitem) -> bool:
    """Whether the RIS has the result, or may have it: one sent without an answer may have come."""
    sent = workitem.deliveries.filter(kind=Delivery.Kind.RESULT, may_have_arrived=True)
    return sent.exists()


def retract(workitem: Workitem) -> None:
    """Tell the RIS that a result it may have does not stand (ORU status X); in a transaction."""
    for node in Node.objects.filter(site=workitem.study.site, protocol=Node.Protocol.HL7):
        if node.has_role("results"):
            letters.make(workitem, node, kind=Delivery.Kind.RESULT, status="X")
            nudges.deliver(node.pk)

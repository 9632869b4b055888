"""Tell the RIS that an order should be read sooner: once for each change, and only ever upward."""

from __future__ import annotations

import structlog
from django.db.models import Min
from django.utils import timezone, translation
from django.utils.translation import gettext_noop as _

from hub.models import Node
from hub.phrases import phrase
from routing import letters, messages, nudges, pathway
from routing.models import Delivery, Finding, Order, Priority, Study
from routing.worklist import PRIORITY_WORDS, URGENCY, critical_findings

log = structlog.get_logger(__name__)


def tell(study: Study) -> None:
    """Make the Delivery of a priority change where a critical finding calls for one.

    Called inside a transaction, when a result is released and when an order is linked or changed:
    whichever comes second finds the other there.
    """
    study.refresh_from_db(fields=["order"])
    critical = critical_findings(study)
    if not critical or study.order_id is None:
        return
    wanted = URGENCY[critical[0].urgency]
    order = _locked(study.order_id)
    current = min(order.priority or Priority.ROUTINE, order.raised_to or Priority.LOW)
    if wanted >= current or order.status != Order.Status.ORDERED:
        return
    nodes = [
        node
        for node in Node.objects.filter(site=study.site, protocol=Node.Protocol.HL7)
        if node.has_role("priority")
    ]
    made = [_deliver(study, order, node, critical[0], wanted) for node in nodes]
    if any(made):
        order.raised_to = wanted
        order.save(update_fields=["raised_to", "updated_at"])


def forget(study: Study) -> None:
    """Let a change that was cancelled before it was told be wanted again; in a transaction."""
    if study.order_id is None:
        return
    order = _locked(study.order_id)
    asked = Delivery.objects.filter(
        kind=Delivery.Kind.PRIORITY, workitem__study__order=order
    ).exclude(state=Delivery.State.CANCELLED)
    raised_to = asked.aggregate(Min("new_priority"))["new_priority__min"]
    Order.objects.filter(pk=order.pk).update(raised_to=raised_to)


def _locked(order_id: int) -> Order:
    return Order.objects.select_for_update(no_key=True).get(pk=order_id)


def _deliver(study: Study, order: Order, node: Node, finding: Finding, wanted: int) -> bool:
    if not (order.placer_order_number or order.filler_order_number):
        return False
    name = f"priority:{order.pk}:{wanted}:{node.code}"
    why = phrase(
        _("ask %(node)s to raise the order to %(priority)s"),
        node=node.code,
        priority=phrase(PRIORITY_WORDS[wanted]),
    )
    delivery = Delivery.objects.filter(name=name).first()
    if delivery is None:
        try:
            delivery = _make(study, node, finding, name=name, wanted=wanted)
        except letters.UNWRITABLE:
            # The order is stored and the result is told all the same.
            log.exception("priority_changes.unwritable", study=str(study.uid), node=node.code)
            return False
        pathway.note(delivery, from_state="", to_state=delivery.state, why=why)
    elif delivery.state == Delivery.State.CANCELLED:
        # The same message under the same MSH-10: should it have come after all, it is known.
        pathway.advance(
            delivery, Delivery.State.PENDING, why=why, workitem=finding.workitem,
            attempts=0, due_at=None, created_at=timezone.now(),
        )  # fmt: skip
    nudges.deliver(node.pk)
    return True


def _make(study: Study, node: Node, finding: Finding, *, name: str, wanted: int) -> Delivery:
    """The row, with its message; the locked order keeps two workers from making it at once."""
    with translation.override(None):
        reason = f"AI triage: {finding.code.get('meaning', '')} ({finding.workitem.version})"
    return Delivery.objects.create(
        name=name,
        workitem=finding.workitem,
        node=node,
        kind=Delivery.Kind.PRIORITY,
        control_id=messages.control_id(name),
        new_priority=wanted,
        message=messages.priority_change(
            study, node=node, name=name, priority=wanted, reason=reason
        ),
    )

"""Tell the RIS that an order should be read sooner: once for each change, and only ever upward."""

from __future__ import annotations

from contextlib import suppress

from django.db.models import Min, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from hub.hl7.build import CannotBuild
from hub.models import Node
from hub.phrases import Phrase, phrase
from routing import letters, messages, nudges, pathway
from routing.models import Delivery, Finding, Order, Priority, Study
from routing.worklist import PRIORITY_WORDS, URGENCY, critical_findings


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
    if study.order_id is not None:
        _forget(study.order_id)


def withdraw(order: Order, *, why: Phrase) -> None:
    """Cancel what has not been told yet about an order that nobody is to read sooner now."""
    waiting = list(
        _changes_of(order.pk)
        .filter(state__in=(Delivery.State.PENDING, Delivery.State.DEAD))
        .order_by("pk")
    )
    for delivery in waiting:
        with suppress(pathway.Overtaken):  # told at this very moment
            pathway.advance(delivery, Delivery.State.CANCELLED, why=why, due_at=None)
    if waiting:
        _forget(order.pk)


def _changes_of(order_id: int) -> QuerySet[Delivery]:
    return Delivery.objects.filter(
        kind=Delivery.Kind.PRIORITY, name__startswith=f"priority:{order_id}:"
    )


def _forget(order_id: int) -> None:
    _locked(order_id)
    asked = _changes_of(order_id).exclude(state=Delivery.State.CANCELLED)
    raised_to = asked.aggregate(Min("new_priority"))["new_priority__min"]
    Order.objects.filter(pk=order_id).update(raised_to=raised_to)


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
    if delivery is not None and delivery.workitem.study.order_id != order.pk:
        # It was about a patient whose order this is no more.
        name += f":{study.pk}"
        delivery = Delivery.objects.filter(name=name).first()
    if delivery is None:
        delivery = _make(node, finding, name=name, wanted=wanted)
        pathway.note(delivery, from_state="", to_state=delivery.state, why=why)
        _try_to_write(delivery)
    elif delivery.state == Delivery.State.CANCELLED:
        pathway.advance(
            delivery, Delivery.State.PENDING, why=why, workitem=finding.workitem,
            attempts=0, due_at=None, created_at=timezone.now(),
        )  # fmt: skip
        # The same message under the same MSH-10, should it have come after all: it is known.
        if not delivery.may_have_arrived:
            _try_to_write(delivery)
    nudges.deliver(node.pk)
    return True


def _make(node: Node, finding: Finding, *, name: str, wanted: int) -> Delivery:
    """The row, still without its message; the locked order keeps two from making it at once."""
    return Delivery.objects.create(
        name=name,
        workitem=finding.workitem,
        node=node,
        kind=Delivery.Kind.PRIORITY,
        control_id=messages.control_id(name),
        new_priority=wanted,
    )


def _try_to_write(delivery: Delivery) -> None:
    try:
        write(delivery)
    except letters.UNWRITABLE as fault:
        # The order is stored and the result is told all the same.
        letters.refuse(delivery, fault)


def write(delivery: Delivery) -> None:
    """Write the message of a priority change; raises CannotBuild, CannotEncode."""
    study = Study.objects.get(pk=delivery.workitem.study_id)
    critical = [one for one in critical_findings(study) if one.workitem_id == delivery.workitem_id]
    if study.order_id is None or delivery.new_priority is None or not critical:
        raise CannotBuild("no critical finding of an order asks for it any more")
    meaning = critical[0].code.get("meaning", "")
    delivery.message = messages.priority_change(
        study,
        node=delivery.node,
        name=delivery.name,
        priority=delivery.new_priority,
        reason=f"AI triage: {meaning} ({delivery.workitem.version})",
    )
    delivery.save(update_fields=["message"])

"""What a message says of an order is taken over, and its studies follow."""

from __future__ import annotations

from typing import Any

import structlog
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from hub.hl7.content import OrderContent
from hub.hl7.er7 import MessageError
from hub.models import Node
from hub.phrases import phrase
from routing import letters, linking, priority_changes, verdicts, worklist
from routing.models import Order, Priority, Study

log = structlog.get_logger(__name__)

_STATUS = {
    "CA": Order.Status.CANCELLED,
    "DC": Order.Status.DISCONTINUED,
}
# ORC-5, HL7 table 0038: some tell the end of an order by its status alone
_ORDER_STATUS = {
    "CA": Order.Status.CANCELLED,
    "DC": Order.Status.DISCONTINUED,
}
_IDENTIFIERS = {
    "placer_order_number": "ORC-2",
    "filler_order_number": "ORC-3",
    "order_status": "ORC-5",
    "accession_number": "OBR-18",
    "requested_procedure_id": "OBR-19",
    "modality": "OBR-24",
}


def apply(content: OrderContent, *, node: Node) -> list[Order]:
    """Create or change what a message speaks of; called inside a transaction.

    More than one order where the message gives nothing but an order number that several requested
    procedures share. Raises MessageError where an identifier is too long to be kept whole.
    """
    _refuse_what_does_not_fit(content)
    _lock_studies(content, node)
    found = _known(content, node) or [Order(site=node.site, key=_key(content))]
    for order in found:
        _absorb(order, content, node)
        order.save()
        linking.link_order(order)
        for study in order.studies.all():
            _follow(study, order)
    return found


def _lock_studies(content: OrderContent, node: Node) -> None:
    """Lock every study that the message may touch, before its order (StudyQuerySet.lock)."""
    known = _known(content, node, is_locked=False)
    clause = Q(order__in=[order.pk for order in known])
    for name in ("study_instance_uid", "accession_number"):
        said = {getattr(one, name) for one in (content, *known)} - {"", None}
        clause |= Q(**{f"{name}__in": said})
    rows = Study.objects.filter(clause, site=node.site).order_by("pk")
    list(rows.select_for_update(no_key=True).values_list("pk"))


def _follow(study: Study, order: Order) -> None:
    """Bring a linked study up to date with its order, unless that is now for somebody else."""
    if not linking.is_same_patient(order, study):
        study.order = None
        study.save(update_fields=["order", "changed_at"])
        priority_changes.withdraw(order, why=phrase(_("the order is for another patient now")))
        linking.link_study(study)
    else:
        if order.status != Order.Status.ORDERED:
            priority_changes.withdraw(order, why=phrase(_("the order is over")))
        verdicts.give_again(study)
        worklist.place(study)
        linking.expect(study, order)
    letters.rewrite(study)
    priority_changes.tell(study)


def _key(content: OrderContent) -> str:
    """What an order is kept under from its first message on."""
    number = content.filler_order_number or content.placer_order_number
    part = content.requested_procedure_id or content.study_instance_uid
    return f"{number}/{part or content.accession_number}"


def _known(content: OrderContent, node: Node, *, is_locked: bool = True) -> list[Order]:
    """The orders a message speaks of; a cancellation may give no more than an order number."""
    key = _key(content)
    number = Q(key=key)
    if content.filler_order_number:
        number |= Q(filler_order_number=content.filler_order_number)
    if content.placer_order_number:
        number |= Q(placer_order_number=content.placer_order_number)
    rows = Order.objects.filter(number, site=node.site).order_by("pk")
    if is_locked:
        rows = rows.select_for_update(no_key=True)
    return [order for order in rows if order.key == key or _agree(order, content)]


def _agree(order: Order, content: OrderContent) -> bool:
    """Whether the numbers that both give are the same, and the first name of the study too."""
    for name in ("filler_order_number", "placer_order_number"):
        kept, said = getattr(order, name), getattr(content, name)
        if kept and said and kept != said:
            return False
    for name in ("requested_procedure_id", "study_instance_uid", "accession_number"):
        kept, said = getattr(order, name), getattr(content, name)
        if kept and said:
            return bool(kept == said)
    return True


def _refuse_what_does_not_fit(content: OrderContent) -> None:
    """An identifier cut short could be another patient's: refuse the message instead."""
    for name, location in _IDENTIFIERS.items():
        most = getattr(Order._meta.get_field(name), "max_length", None) or 0
        if len(getattr(content, name)) > most:
            raise MessageError(location, 102, f"at most {most} characters were expected")


def _absorb(order: Order, content: OrderContent, node: Node) -> None:
    """Take over what the message says; what it leaves out stays as it was."""
    order.node = node
    for name in (
        "placer_order_number", "filler_order_number", "accession_number",
        "requested_procedure_id", "study_instance_uid", "modality", "order_status",
        "expected_instances",
    ):  # fmt: skip
        if value := getattr(content, name):
            setattr(order, name, value)
    if content.priority:
        order.priority = Priority[content.priority]
    if content.procedure:
        code = content.procedure
        order.procedure = {
            "value": code.value, "scheme": code.scheme, "meaning": code.meaning,
        }  # fmt: skip
    if content.patient.identifiers or content.patient.name:
        order.patient = _patient(content)
    order.details = {**order.details, **_details(content)}
    order.status = _status(content, order.status, node)
    order.updated_at = timezone.now()


def _status(content: OrderContent, current: str, node: Node) -> str:
    if content.order_control in _STATUS:
        return _STATUS[content.order_control]
    if content.order_status == "CM":
        # IHE RAD-13 tells so that the images were taken; only some tell so that they were read,
        # and a study must not leave the list of those to read on a guess.
        is_read = node.hl7.get("order_completed") == "read"
        return Order.Status.COMPLETED if is_read else current
    if content.order_status in _ORDER_STATUS:
        return _ORDER_STATUS[content.order_status]
    return Order.Status.ORDERED if content.order_control == "NW" else current


def _patient(content: OrderContent) -> dict[str, Any]:
    patient = content.patient
    return {
        "identifiers": [
            {
                "value": one.value,
                "assigning_authority": one.assigning_authority,
                "type": one.type,
                "universal_id": one.universal_id,
                "universal_id_type": one.universal_id_type,
            }
            for one in patient.identifiers
        ],
        "name": patient.name,
        "birth_date": patient.birth_date.isoformat() if patient.birth_date else "",
        "sex": patient.sex,
    }


def _details(content: OrderContent) -> dict[str, Any]:
    """What a message about this order must repeat, and what rules and readers may want."""
    kept = {
        "placer_issuer": content.placer_issuer,
        "filler_issuer": content.filler_issuer,
        "scheduled_procedure_step_id": content.scheduled_procedure_step_id,
        "universal_service": list(content.universal_service),
        "priority_raw": content.priority_raw,
        "scheduled_at": content.scheduled_at.isoformat() if content.scheduled_at else "",
        "reason": content.reason,
        "clinical_information": content.clinical_information,
        "ordering_provider": content.ordering_provider,
        "referring_physician": content.referring_physician,
        "visit_number": content.visit_number,
    }
    return {name: value for name, value in kept.items() if value}

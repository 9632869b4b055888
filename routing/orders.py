"""What a message says of an order is taken over, and its studies follow."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from functools import cache
from typing import Any

import structlog
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from hub.hl7.content import OrderContent
from hub.hl7.er7 import MessageError
from hub.models import Node
from hub.phrases import phrase
from routing import letters, linking, pathway, priority_changes, verdicts, worklist
from routing.known_orders import KnownOrders, Said
from routing.models import Order, Priority, Study
from routing.writing import insert_all, update_all

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

_GIVEN = (
    "placer_order_number", "filler_order_number", "accession_number",
    "requested_procedure_id", "study_instance_uid", "modality", "expected_instances",
)  # fmt: skip

_LATE = phrase(
    _("A message about the order came late: it told only what was not known from a newer one")
)

# What messages tell of an order; what the hub has asked for is not theirs to change.
_TOLD = (
    "node", "placer_order_number", "filler_order_number", "accession_number",
    "requested_procedure_id", "study_instance_uid", "modality", "order_status",
    "expected_instances", "priority", "procedure", "patient", "details", "status", "told_at",
    "updated_at",
)  # fmt: skip


def apply(
    said: Sequence[Said], *, are_orders: bool = True, are_studies: bool = True
) -> list[list[Order]]:
    """Create or change what messages speak of, one after the other; inside a transaction.

    For each the orders it was about: more than one where it gives nothing but an order number that
    several requested procedures share. What has no study yet is written together at the end.
    ``are_orders`` and ``are_studies``: False spares looking for them, where none is known to be.
    """
    known = KnownOrders(said, are_orders=are_orders, are_studies=are_studies)
    taken = _Taken()
    found = [_apply_one(content, node, known, taken) for content, node in said]
    taken.write()
    return found


def check(content: OrderContent) -> None:
    """Refuse an identifier that is too long to be kept whole: it could become another patient's.

    Raises MessageError; touches no row.
    """
    for name, most in _longest().items():
        if len(getattr(content, name)) > most:
            raise MessageError(
                _IDENTIFIERS[name], 102, f"at most {most} characters were expected"
            )


@cache
def _longest() -> dict[str, int]:
    fields = {name: Order._meta.get_field(name) for name in _IDENTIFIERS}
    return {name: getattr(field, "max_length", None) or 0 for name, field in fields.items()}


class _Taken:
    """Orders that are to be written: the new ones in one statement, the changed ones in another."""

    def __init__(self) -> None:
        self._new: list[Order] = []
        self._changed: dict[int, Order] = {}

    def add(self, order: Order) -> None:
        if order.pk is not None:
            self._changed[order.pk] = order
        elif not any(order is one for one in self._new):
            self._new.append(order)

    def write(self) -> None:
        insert_all(self._new)
        update_all(list(self._changed.values()), _TOLD)
        self._new, self._changed = [], {}


def _apply_one(
    content: OrderContent, node: Node, known: KnownOrders, taken: _Taken
) -> list[Order]:
    found = known.of(content, node.site)
    if not found:
        found = [Order(site=node.site, key=known.free_key(content, node.site))]
        known.add(found[0])
    for order in found:
        is_late = _absorb(order, content, node)
        taken.add(order)
        if known.has_study(order):
            # Whether a study is meant depends on all the orders with its number.
            taken.write()
            linking.link_order(order)
            for study in order.studies.all():
                if is_late:
                    pathway.note(
                        study, from_state=study.state, to_state=study.state, why=_LATE
                    )
                _follow(study, order)
            known.expect_moved_studies()
    return found


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


def _absorb(order: Order, content: OrderContent, node: Node) -> bool:
    """Take over what the message says; what it leaves out stays as it was.

    Messages overtake each other, where one was sent again or came another way. One that was written
    before the last gives no more than what is not known yet. Whether it was such a one.
    """
    is_late = _is_late(order, content, node)
    said = _what_is_said(content)
    if is_late:
        said = {name: value for name, value in said.items() if not getattr(order, name)}
        order.details = {**_details(content), **order.details}
    else:
        order.node = node
        order.details = {**order.details, **_details(content)}
        order.order_status = content.order_status or order.order_status
        order.status = _status(content, order.status, node)
        # One written by a clock that is ahead must not make all that follow seem late.
        order.told_at = content.said_at and min(content.said_at, timezone.now())
    for name, value in said.items():
        setattr(order, name, value)
    order.updated_at = timezone.now()
    return is_late


def _is_late(order: Order, content: OrderContent, node: Node) -> bool:
    """Whether it was surely written before what is known; one clock says nothing of another's."""
    if order.told_at is None or content.said_at is None or order.node_id != node.pk:
        return False
    # In the hour that comes twice in autumn it may be the later one that is meant.
    return content.said_at.replace(fold=1).astimezone(UTC) < order.told_at


def _what_is_said(content: OrderContent) -> dict[str, Any]:
    """The fields of an order that the message gives, but for how it stands."""
    said: dict[str, Any] = {name: getattr(content, name) for name in _GIVEN}
    if content.priority:
        said["priority"] = Priority[content.priority]
    if code := content.procedure:
        said["procedure"] = {
            "value": code.value, "scheme": code.scheme, "meaning": code.meaning,
        }  # fmt: skip
    if content.patient.identifiers or content.patient.name:
        said["patient"] = _patient(content)
    return {name: value for name, value in said.items() if value}


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

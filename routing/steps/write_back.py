"""Step 7: tell PACS, RIS and worklist, through one Delivery for each destination.

A shadow or validation deployment writes nothing outside, ever, nor does one that was suspended
while the algorithm ran; one that waits for acceptance writes nothing until a radiologist accepted.
"""

from __future__ import annotations

import structlog
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from hub.dicom.sr import ContentNotExpressible
from hub.models import Node
from hub.phrases import Phrase, phrase
from marketplace.models import Deployment
from routing import (
    lease,
    letters,
    nudges,
    pathway,
    priority_changes,
    readdressing,
    reports,
    retracting,
    settling,
    still_granted,
    worklist,
)
from routing.models import Delivery, Result, Study, Workitem
from routing.still_granted import OutOfUse

log = structlog.get_logger(__name__)


def write_back(workitem: Workitem) -> None:
    """Release what a collected Workitem found, hold it for acceptance, or keep it inside."""
    with lease.hold(workitem, states=("collected",)) as held:
        if held is None:
            return
        try:
            purpose = still_granted.purpose_of_result(held)
        except OutOfUse as fault:
            why = phrase(_("not released: %(why)s"), why=fault.why)
            _keep(held, Workitem.State.FAILED, why)
            return
        if purpose != Deployment.State.CLINICAL:
            words = worklist.PURPOSE_WORDS[purpose]
            why = phrase(_("%(purpose)s use: nothing leaves the hub"), purpose=words)
            _keep(held, Workitem.State.WITHHELD, why, purpose=purpose)
        elif held.write_back_mode == "after_acceptance" and held.review != "accepted":
            _keep(held, Workitem.State.HELD, phrase(_("waits for a radiologist to accept")))
        else:
            _release(held)


@transaction.atomic
def _keep(workitem: Workitem, to: str, why: Phrase, **fields: str) -> None:
    Study.objects.lock(workitem.study_id)
    pathway.advance(workitem, to, why=why, due_at=None, **fields)
    worklist.place(workitem.study)


def _release(workitem: Workitem) -> None:
    try:
        made = reports.build(workitem)
        rows = readdressing.rows_of(workitem, made)
        _commit(workitem, rows)
    except ContentNotExpressible as fault:
        log.warning("write_back.not_expressible", workitem=str(workitem.uid))
        why = phrase(_("the result cannot be written: %(why)s"), why=str(fault))
        _keep(workitem, Workitem.State.FAILED, why)


@transaction.atomic
def _commit(workitem: Workitem, rows: list[Result]) -> None:
    # Locked and read anew: an order may have been linked while the report was written.
    workitem.study = Study.objects.select_related("site", "order").lock(workitem.study_id)
    Result.objects.bulk_create(rows, ignore_conflicts=True)
    deliveries = [
        _delivery(workitem, node)
        for node in Node.objects.filter(site=workitem.study.site).order_by("pk")
        if node.has_role("results")
    ]
    pathway.advance(
        workitem,
        Workitem.State.WRITING_BACK,
        why=phrase(_("destinations to be told: %(count)s"), count=len(deliveries)),
        due_at=timezone.now(),
    )
    worklist.place(workitem.study)
    priority_changes.tell(workitem.study)
    settling.settle([workitem])
    for delivery in deliveries:
        nudges.deliver(delivery.node_id)


def _delivery(workitem: Workitem, node: Node) -> Delivery:
    if node.protocol == Node.Protocol.DICOM:
        return letters.make(workitem, node, kind=Delivery.Kind.DICOM)
    status = "C" if _was_told(workitem.replaces) else "P"
    return letters.make(workitem, node, kind=Delivery.Kind.RESULT, status=status)


def _was_told(earlier: Workitem | None) -> bool:
    """Whether the RIS may know an earlier revision of this result, and so needs a correction."""
    while earlier is not None:
        if retracting.may_be_known(earlier):
            return True
        earlier = earlier.replaces
    return False

"""What a person starts again: a failed Workitem, or a dead letter."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from hub import audit
from hub.phrases import phrase
from routing import letters, nudges, pathway, priority_changes, worklist
from routing.models import Breaker, Delivery, Study, Workitem
from routing.pathway import MoveRefused


@transaction.atomic
def replay_workitem(workitem: Workitem, *, by: object) -> None:
    """Send a failed or refused Workitem through the contracts and the algorithm again."""
    name = str(getattr(by, "username", by))
    Study.objects.lock(workitem.study_id)
    pathway.advance(
        workitem,
        Workitem.State.MATCHED,
        why=phrase(_("replayed by %(name)s"), name=name),
        by=name,
        attempts=0,
        runs=workitem.runs + 1,
        log_tail="",
        due_at=timezone.now(),
        # whoever accepted has not seen what is found now
        review="",
        reviewed_by=None,
        reviewed_at=None,
    )
    workitem.findings.all().delete()
    workitem.results.all().delete()
    worklist.place(workitem.study)
    nudges.entitle(workitem.pk)
    study = workitem.study
    audit.record(
        "workitem.replayed", actor=by, site=study.site, subject=str(study.uid),
        workitem=str(workitem.uid),
    )  # fmt: skip


@transaction.atomic
def replay_delivery(delivery: Delivery, *, by: object) -> None:
    """Send a dead letter again, and let the destination's breaker try at once.

    Raises MoveRefused where there is no letter, because it still cannot be written.
    """
    name = str(getattr(by, "username", by))
    if delivery.kind != Delivery.Kind.DICOM and not delivery.message:
        is_result = delivery.kind == Delivery.Kind.RESULT
        try:
            (letters if is_result else priority_changes).write(delivery)
        except letters.UNWRITABLE as fault:
            why = phrase(_("it cannot be written: %(why)s"), why=str(fault))
            raise MoveRefused(str(why)) from fault
    Study.objects.lock(delivery.workitem.study_id)
    pathway.advance(
        delivery,
        Delivery.State.PENDING,
        why=phrase(_("replayed by %(name)s"), name=name),
        by=name,
        attempts=0,
        due_at=timezone.now(),
        # the seven days of trying begin anew
        created_at=timezone.now(),
    )
    Breaker.objects.filter(node=delivery.node).update(failures=0, open_until=None)
    nudges.deliver(delivery.node_id)
    study = delivery.workitem.study
    audit.record(
        "delivery.replayed", actor=by, site=study.site, subject=str(study.uid),
        delivery=delivery.pk, node=delivery.node.code,
    )  # fmt: skip

"""How a delivery ends, and when all of a Workitem's are over: told, metered, done."""

from __future__ import annotations

from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from contracts import metering
from hub.phrases import Phrase, phrase
from routing import pathway
from routing.models import Delivery, Workitem

log = structlog.get_logger(__name__)

RESULT_KINDS = (Delivery.Kind.DICOM, Delivery.Kind.RESULT)
# What is delivered of a Workitem in any other state takes a result back.
STANDING = (Workitem.State.WRITING_BACK, Workitem.State.WRITTEN_BACK)


@transaction.atomic
def delivered(delivery: Delivery, *, why: Phrase, answer: str = "") -> None:
    """The destination has it: the usage event is written in the same transaction."""
    workitem = _locked(delivery.workitem_id)
    delivery.workitem = workitem
    pathway.advance(
        delivery,
        Delivery.State.DELIVERED,
        why=why,
        answer=answer,
        delivered_at=timezone.now(),
        due_at=None,
        last_error={},
    )
    if delivery.kind in RESULT_KINDS and workitem.state in STANDING:
        meter(workitem)
    settle(workitem)


@transaction.atomic
def dead(delivery: Delivery, *, why: Phrase, answer: str = "", **fields: Any) -> None:
    """The destination refuses it for good: a dead letter that a person can replay."""
    workitem = _locked(delivery.workitem_id)
    delivery.workitem = workitem
    pathway.advance(
        delivery, Delivery.State.DEAD, why=why, answer=answer, due_at=None,
        last_error=why.stored(), **fields,
    )  # fmt: skip
    settle(workitem)


def settle(workitem: Workitem) -> None:
    """Move a Workitem to ``written_back`` once nothing of it is pending; inside a transaction."""
    if workitem.state != Workitem.State.WRITING_BACK:
        return
    states = list(
        workitem.deliveries.filter(kind__in=RESULT_KINDS).values_list("state", flat=True)
    )
    if Delivery.State.PENDING in states:
        return
    if not states:
        meter(workitem)
    told = states.count(Delivery.State.DELIVERED)
    pathway.advance(
        workitem,
        Workitem.State.WRITTEN_BACK,
        why=phrase(
            _("%(told)s of %(count)s destinations have it"), told=told, count=len(states)
        ),
        due_at=None,
    )


def meter(workitem: Workitem) -> None:
    """One usage event for a delivered clinical result, whatever comes twice or is run again."""
    if workitem.purpose != "clinical" or workitem.line is None:
        return
    study = workitem.study
    try:
        metering.record(
            study_ref_of=(study.site.code, study.study_instance_uid),
            line=workitem.line,
            version=workitem.version,
            source=f"urn:hub:site:{study.site.code}",
            event_id=str(workitem.uid),
            at=workitem.finished_at or timezone.now(),
            details={"modality": _modality(workitem), "purpose": workitem.purpose},
        )
    except metering.UsageConflictError:
        # Counted before, in other words: no reason to undo the delivery and tell it for ever.
        log.exception("settling.usage_conflict", workitem=str(workitem.uid))


def _modality(workitem: Workitem) -> str:
    """The modality of the input: that of the study may change when more series come."""
    series = workitem.study.series.filter(series_instance_uid__in=workitem.input_series)
    return "\\".join(sorted(set(series.values_list("modality", flat=True))))


def _locked(workitem_id: int) -> Workitem:
    """The Workitem, locked: two deliveries that end at once must not both see the other pending."""
    return (
        Workitem.objects.select_for_update(of=("self",), no_key=True)
        .select_related(
            "study__site", "version__algorithm", "line__site", "line__call_off__framework"
        )
        .defer("version__manifest")
        .get(pk=workitem_id)
    )

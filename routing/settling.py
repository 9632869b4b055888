"""How a delivery ends, and when all of a Workitem's are over: told, metered, done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from contracts import metering
from hub.phrases import Phrase, phrase
from routing import pathway
from routing.models import Delivery, Series, Workitem

log = structlog.get_logger(__name__)

RESULT_KINDS = (Delivery.Kind.DICOM, Delivery.Kind.RESULT)
# What is delivered of a Workitem in any other state takes a result back.
STANDING = (Workitem.State.WRITING_BACK, Workitem.State.WRITTEN_BACK)

# All that is read of a Workitem and what it hangs on, where there may be many a second.
_COLUMNS = (
    "uid", "state", "revision", "fence", "purpose", "input_series", "finished_at", "study_id",
    "version_id", "line_id", "study__study_instance_uid", "study__site__code",
    "version__algorithm_id", "line__algorithm_id", "line__site__code",
    "line__call_off__framework__valid_from",
)  # fmt: skip


@transaction.atomic
def delivered(told: Sequence[tuple[Delivery, str]], *, why: Phrase) -> None:
    """A destination has these, and gave each its answer: all are noted, or none.

    The usage events are written in the same transaction.
    """
    workitems = _locked({delivery.workitem_id for delivery, _answer in told})
    alike: defaultdict[str, list[Delivery]] = defaultdict(list)
    for delivery, answer in told:
        delivery.workitem = workitems[delivery.workitem_id]
        alike[answer].append(delivery)
    now = timezone.now()
    for answer, deliveries in alike.items():
        pathway.advance_together(
            deliveries, Delivery.State.DELIVERED, why=why, answer=answer, delivered_at=now,
            due_at=None, last_error={},
        )  # fmt: skip
    results = {
        delivery.workitem_id for delivery, _answer in told if delivery.kind in RESULT_KINDS
    }
    meter([one for one in workitems.values() if one.pk in results and one.state in STANDING])
    settle(list(workitems.values()))


@transaction.atomic
def dead(delivery: Delivery, *, why: Phrase, answer: str = "", **fields: Any) -> None:
    """The destination refuses it for good: a dead letter that a person can replay."""
    workitems = _locked({delivery.workitem_id})
    delivery.workitem = workitems[delivery.workitem_id]
    pathway.advance(
        delivery, Delivery.State.DEAD, why=why, answer=answer, due_at=None,
        last_error=why.stored(), **fields,
    )  # fmt: skip
    settle(list(workitems.values()))


def settle(workitems: Sequence[Workitem]) -> None:
    """Move Workitems to ``written_back`` once nothing of them is pending; inside a transaction."""
    writing = [one for one in workitems if one.state == Workitem.State.WRITING_BACK]
    states: dict[int, list[str]] = {one.pk: [] for one in writing}
    deliveries = Delivery.objects.filter(workitem__in=states, kind__in=RESULT_KINDS)
    for workitem_id, state in deliveries.values_list("workitem_id", "state"):
        states[workitem_id].append(state)
    ended = [one for one in writing if Delivery.State.PENDING not in states[one.pk]]
    meter([one for one in ended if not states[one.pk]])
    alike: defaultdict[tuple[int, int], list[Workitem]] = defaultdict(list)
    for one in ended:
        told = states[one.pk].count(Delivery.State.DELIVERED)
        alike[told, len(states[one.pk])].append(one)
    for (told, count), some in alike.items():
        why = phrase(_("%(told)s of %(count)s destinations have it"), told=told, count=count)
        pathway.advance_together(some, Workitem.State.WRITTEN_BACK, why=why, due_at=None)


def meter(workitems: Sequence[Workitem]) -> None:
    """One usage event for a delivered clinical result, whatever comes twice or is run again."""
    counted = [one for one in workitems if one.purpose == "clinical" and one.line is not None]
    modalities = _modalities(counted)
    reports = [_report(one, modality=modalities[one.pk]) for one in counted]
    for fault in metering.record_all(reports):
        # Counted before, in other words: no reason to undo the delivery and tell it for ever.
        log.error("settling.usage_conflict", exc_info=fault)


def _report(workitem: Workitem, *, modality: str) -> metering.Report:
    study = workitem.study
    assert workitem.line is not None
    return metering.Report(
        study_ref_of=(study.site.code, study.study_instance_uid),
        line=workitem.line,
        version=workitem.version,
        source=f"urn:hub:site:{study.site.code}",
        event_id=str(workitem.uid),
        at=workitem.finished_at or timezone.now(),
        details={"modality": modality, "purpose": workitem.purpose},
    )


def _modalities(workitems: Sequence[Workitem]) -> dict[int, str]:
    """The modality of each one's input: that of its study may change when more series come."""
    if not workitems:
        return {}
    found: defaultdict[int, list[tuple[str, str]]] = defaultdict(list)
    rows = Series.objects.filter(study__in={one.study_id for one in workitems})
    for study_id, uid, modality in rows.values_list("study", "series_instance_uid", "modality"):
        found[study_id].append((uid, modality))
    return {
        one.pk: "\\".join(
            sorted({name for uid, name in found[one.study_id] if uid in one.input_series})
        )
        for one in workitems
    }


def _locked(workitem_ids: set[int]) -> dict[int, Workitem]:
    """The Workitems, locked: two deliveries that end at once must not both see the other pending.

    In the order of their numbers, so that two destinations that have the same ones end in turn.
    """
    rows = (
        Workitem.objects.select_for_update(of=("self",), no_key=True)
        .select_related(
            "study__site", "version", "line__site", "line__call_off__framework"
        )
        .only(*_COLUMNS)
        .filter(pk__in=workitem_ids)
        .order_by("pk")
    )
    return {row.pk: row for row in rows}

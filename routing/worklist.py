"""The order in which people should read, and why each study stands where it stands.

1. STAT comes first: a STAT study with a critical finding (band 0), then STAT without (band 1).
2. All else (band 2) stands by the time by which it should be read: since when it has waited, plus
   the patience its priority has. So waiting raises a study by itself, without any recount, and
   routine work never starves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from hub.phrases import Phrase, phrase
from marketplace.models import Deployment
from routing.models import Finding, Order, Priority, Study, Workitem

PATIENCE: dict[int, timedelta] = {
    Priority.STAT: timedelta(0),
    Priority.HIGH: timedelta(hours=1),
    Priority.MEDIUM: timedelta(hours=4),
    Priority.ROUTINE: timedelta(hours=24),
    Priority.LOW: timedelta(hours=72),
}
URGENCY: dict[str, int] = {
    "stat": Priority.STAT,
    "high": Priority.HIGH,
    "medium": Priority.MEDIUM,
    "routine": Priority.ROUTINE,
    "low": Priority.LOW,
}
# as they stand inside a sentence
PRIORITY_WORDS: dict[int, str] = {
    Priority.STAT: _("STAT"),
    Priority.HIGH: _("high priority"),
    Priority.MEDIUM: _("medium priority"),
    Priority.ROUTINE: _("routine"),
    Priority.LOW: _("low priority"),
}
PURPOSE_WORDS: dict[str, Phrase] = {
    "shadow": phrase(_("shadow")),
    "validation": phrase(_("validation")),
    "clinical": phrase(_("clinical")),
}
# Workitems that no Performer has yet
WAITING = ("matched", "entitled")
# Workitems whose findings a reader may see
SHOWN = ("writing_back", "written_back")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a study stands, and the sentence that says why."""

    priority: int
    band: int
    reason: Phrase
    ai_state: str


@transaction.atomic
def place(study: Study) -> None:
    """Work out where ``study`` stands and write it to the row, unless it stands there already."""
    # Locked first, so that of two results released at once the second sees the first.
    row = Study.objects.lock(study.pk)
    order = row.order
    workitems = list(row.workitems.exclude(state__in=["superseded", "refused"]))
    found = stand(row, order=order, findings=list(shown_findings(row)), workitems=workitems)
    changes: dict[str, Any] = {
        "priority": found.priority,
        "reading_band": found.band,
        "read_by": row.waiting_since + PATIENCE[found.priority],
        "reason": found.reason.stored(),
        "ai_state": found.ai_state,
    }
    if _is_over(order):
        changes["is_read"] = True
    if any(getattr(row, name) != value for name, value in changes.items()):
        Study.objects.filter(pk=row.pk).update(changed_at=timezone.now(), **changes)
    # What has not started yet starts by the priority that the study has now.
    row.workitems.filter(state__in=WAITING).exclude(priority=found.priority).update(
        priority=found.priority
    )
    for name, value in changes.items():
        setattr(study, name, value)


def shown_findings(study: Study) -> QuerySet[Finding]:
    """The findings a reader may see: of clinical use, released, not superseded or rejected."""
    return Finding.objects.filter(
        workitem__study=study,
        workitem__state__in=SHOWN,
        workitem__purpose=Deployment.State.CLINICAL,
    ).select_related("workitem__version__algorithm")


def critical_findings(study: Study) -> list[Finding]:
    """The findings that raise the study, the most urgent and most probable first."""
    return _most_urgent_first(shown_findings(study))


def _most_urgent_first(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(
        (finding for finding in findings if finding.is_critical),
        key=lambda finding: (URGENCY[finding.urgency], -(finding.probability or 0)),
    )


def stand(
    study: Study,
    *,
    order: Order | None,
    findings: Sequence[Finding],
    workitems: Sequence[Workitem],
) -> Place:
    """The place of a study by its order and by what algorithms found; touches no row."""
    is_ordered = order is not None and order.status == Order.Status.ORDERED
    base = (order.priority if order and is_ordered else None) or Priority.ROUTINE
    critical = _most_urgent_first(findings)
    raised = URGENCY[critical[0].urgency] if critical else base
    priority = min(base, raised)
    band = 2 if priority != Priority.STAT else 0 if critical else 1
    state = ai_state(study, workitems)
    return Place(priority, band, _reason(order, critical, findings, state), state)


def ai_state(study: Study, workitems: Sequence[Workitem]) -> str:
    """One word for what AI has done on this study, over all of its Workitems."""
    states = {item.state for item in workitems if item.purpose in ("", "clinical")}
    if study.state != Study.State.MATCHED:
        return Study.AiState.PENDING
    if states & {"matched", "entitled", "dispatched", "collected"}:
        return Study.AiState.RUNNING
    if "failed" in states:
        return Study.AiState.FAILED
    if "held" in states:
        return Study.AiState.HELD
    if states:
        return Study.AiState.DONE
    return Study.AiState.NONE


def _is_over(order: Order | None) -> bool:
    return order is not None and order.status == Order.Status.COMPLETED


def _reason(
    order: Order | None, critical: Sequence[Finding], findings: Sequence[Finding], state: str
) -> Phrase:
    """The first that applies: a critical finding, another finding, AI's failure, the order."""
    present = [finding for finding in findings if finding.status == "present"]
    if critical or present:
        return _finding_reason((critical or present)[0])
    if state == Study.AiState.FAILED:
        return phrase(_("AI failed; %(order)s"), order=_order_reason(order))
    if findings:
        # What stays open must never read as a clean bill.
        is_open = [finding for finding in findings if finding.status != "absent"]
        first = (is_open or findings)[0]
        words = _("%(finding)s not found by %(algorithm)s; %(order)s")
        if is_open:
            words = _("%(finding)s left open by %(algorithm)s; %(order)s")
        return phrase(
            words,
            finding=first.code.get("meaning", ""),
            algorithm=str(first.workitem.version),
            order=_order_reason(order),
        )
    return _order_reason(order)


def _finding_reason(finding: Finding) -> Phrase:
    words = _("%(finding)s suspected by %(algorithm)s")
    if finding.probability is not None:
        words = _("%(finding)s suspected by %(algorithm)s, %(percent)s %%")
    return phrase(
        words,
        finding=finding.code.get("meaning", ""),
        algorithm=str(finding.workitem.version),
        percent=round((finding.probability or 0) * 100),
    )


def _order_reason(order: Order | None) -> Phrase:
    if order is None:
        return phrase(_("no order known: routine"))
    if order.status in ("cancelled", "discontinued"):
        return phrase(_("the order was cancelled"))
    if order.priority is None:
        return phrase(_("ordered without a priority: routine"))
    return phrase(_("ordered as %(priority)s"), priority=phrase(PRIORITY_WORDS[order.priority]))

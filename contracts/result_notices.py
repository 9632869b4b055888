"""The result notice of a procedure: until when it must be sent, that it was, and who is late.

eForms type 29 (2014/24/EU Art. 50). Of a framework it tells the maximum value (BT-118, BT-709). The
days are data of the law; a late notice stops nothing, and is told on pages and in the audit trail.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from contracts.agreements import CONTRACT_ZONE
from contracts.models import Procedure
from contracts.tenders import ENDED, refuse_move
from hub import audit
from hub.models import AuditEvent
from vendors import legal

LATE = "result_notice_late"
_WATCH = "notice watch"


@dataclass(frozen=True, slots=True)
class Duty:
    """Until when the notice must be sent, and how that stands: due, late or sent."""

    due: date
    state: str


def duty(procedure: Procedure, *, on: date) -> Duty | None:
    """What is owed for a procedure, None where nothing is."""
    was_announced = procedure.published_at is not None
    if procedure.state not in ENDED or procedure.ended_at is None or not was_announced:
        return None
    ended = procedure.ended_at.astimezone(CONTRACT_ZONE).date()
    days = legal.limit(f"{procedure.kind}.result_notice_days", on=ended)
    if days is None:
        return None
    due = ended + timedelta(days=int(days))
    if procedure.result_notice:
        return Duty(due, "sent")
    return Duty(due, "late" if on > due else "due")


@transaction.atomic
def announce(
    procedure: Procedure, *, reference: str, on: date, value: Decimal | None, by: Any
) -> Procedure:
    """Keep that the notice was sent; of a framework with its maximum value. Once, for ever."""
    if procedure.state not in ENDED:
        raise refuse_move(_("The result is announced when the procedure has ended."))
    if procedure.result_notice:
        raise refuse_move(_("The result was announced already."))
    today = timezone.localdate(timezone=CONTRACT_ZONE)
    ended = procedure.ended_at.astimezone(CONTRACT_ZONE).date() if procedure.ended_at else today
    if not ended <= on <= today:
        raise refuse_move(
            _("result_notice_on: expected a day from %(first)s to today."), first=ended
        )
    is_framework = procedure.kind == Procedure.Kind.COMPETITIVE_DIALOGUE
    if is_framework and procedure.state == Procedure.State.CONCLUDED and not value:
        raise refuse_move(
            _("result_value: expected the maximum value of the framework (BT-118, BT-709).")
        )
    said = {"result_notice": reference, "result_notice_on": on, "result_value": value}
    rows = Procedure.objects.filter(pk=procedure.pk, result_notice="")
    if not rows.update(**said):
        raise refuse_move(_("The result was announced already."))
    procedure.refresh_from_db()
    audit.record("result_announced", actor=by, subject=procedure.code, reference=reference)
    return procedure


def watch(*, on: date) -> None:
    """Leave on record, once, each notice that is late."""
    open_ = Procedure.objects.filter(state__in=ENDED, result_notice="")
    told = set(AuditEvent.objects.filter(action=LATE).values_list("subject", flat=True))
    for one in open_.exclude(code__in=told):
        owed = duty(one, on=on)
        if owed is not None and owed.state == "late":
            audit.record(LATE, actor=_WATCH, subject=one.code, due=owed.due.isoformat())

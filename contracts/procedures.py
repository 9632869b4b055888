"""Plans procedures, and finds the verb behind each move that a person asks for."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from contracts import evaluating, submitting
from contracts.models import Procedure
from contracts.tenders import State, advance, refuse_move
from hub import audit

# What may be changed when: all of it while planning, and then only what is not announced yet.
_LATER: dict[str, frozenset[str]] = {
    State.PUBLISHED: frozenset({"strategy", "requests_due_at", "notice_reference"}),
    State.PREQUALIFICATION: frozenset({"strategy", "tenders_due_at"}),
    State.DIALOGUE: frozenset({"strategy", "tenders_due_at"}),
    State.FINAL_TENDER: frozenset({"tenders_due_at"}),
}

# what people plan, by the names of the columns
PLANNED = (
    "title", "framework", "lot", "sites", "purpose", "strategy", "estimated_value", "maximum_value",
    "notice_type", "notice_reference", "requests_due_at", "tenders_due_at",
    "reduces_successively", "least_candidates", "most_candidates", "dialogue_plan",
    "evaluation_model",
)  # fmt: skip


@transaction.atomic
def plan(*, by: Any, **fields: Any) -> Procedure:
    """A new procedure, in planning."""
    row = Procedure.objects.create(**fields)
    audit.record("procedure_planned", actor=by, subject=row.code)
    return row


@transaction.atomic
def replan(procedure: Procedure, *, by: Any, **fields: Any) -> Procedure:
    """Change what is planned; a deadline is only ever put off once it is announced."""
    demand_change(procedure, fields)
    for name, value in fields.items():
        setattr(procedure, name, value)
    rows = Procedure.objects.filter(pk=procedure.pk, state=procedure.state)
    if fields and not rows.update(**fields):
        raise refuse_move(_("Somebody else was faster: look at it again."))
    audit.record(
        "procedure_changed", actor=by, subject=procedure.code,
        fields={name: str(value) for name, value in fields.items()},
    )  # fmt: skip
    return procedure


def changeable(procedure: Procedure) -> frozenset[str]:
    """What of the plan may still be changed."""
    if procedure.state == State.PLANNING:
        return frozenset(PLANNED)
    return _LATER.get(procedure.state, frozenset())


def demand_change(procedure: Procedure, fields: dict[str, Any]) -> None:
    """Refuse what the state does not allow to change any more."""
    if procedure.state == State.PLANNING:
        return
    for name in sorted(set(fields) - changeable(procedure)):
        raise refuse_move(_("%(field)s: cannot be changed after the notice."), field=name)
    for name in ("requests_due_at", "tenders_due_at"):
        _must_be_put_off(procedure, name, fields)


def moment(text: str | None) -> datetime | None:
    """A moment of the set-up file."""
    return None if text is None else datetime.fromisoformat(text)


def move(procedure: Procedure, *, to: str, why: str, by: Any, **said: Any) -> Procedure:
    """Move a procedure by the verb that its new state has."""
    if to == State.EVALUATION:
        return submitting.open_tenders(procedure, by=by, why=why)
    if to == State.AWARD_NOTIFIED:
        number: int = said.get("winner") or 0
        winner = procedure.participants.filter(number=number).first()
        if winner is None:
            raise refuse_move(_("winner: say who is awarded the contract."))
        return evaluating.notify_award(
            procedure, winner=winner, reason=said.get("award_reason", ""), by=by, why=why
        )
    fields: dict[str, Any] = {
        name: said[name] for name in ("contract_reference", "end_reason") if name in said
    }
    if to == State.PUBLISHED:
        fields["published_at"] = timezone.now()
    return advance(procedure, to, by=by, why=why, **fields)


def _must_be_put_off(procedure: Procedure, name: str, fields: dict[str, Any]) -> None:
    before = getattr(procedure, name)
    if name in fields and before is not None and (
        fields[name] is None or fields[name] < before or before <= timezone.now()
    ):
        raise refuse_move(
            _("%(field)s: a deadline that is announced can only be put off."), field=name
        )

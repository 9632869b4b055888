"""The way of a procedure: its states, what each of them demands, and advance(), the only writer.

    competitive dialogue: planning -> published -> prequalification -> dialogue -> final_tender
                          -> evaluation -> award_notified -> concluded
    mini-competition:     planning -> final_tender -> evaluation -> award_notified -> concluded

From every open state it may end in ``cancelled`` or ``no_award``, with a reason (eForms BT-144).
What a state demands is in tender_guards.py, one sentence for each thing that is missing.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from contracts.agreements import CONTRACT_ZONE
from contracts.models import Procedure, ProcedureMove
from contracts.tender_guards import GUARDS
from hub import audit
from hub.phrases import Phrase, phrase
from vendors import legal

State, Kind = Procedure.State, Procedure.Kind
_ENDS = (State.CANCELLED, State.NO_AWARD)
ENDED = (State.CONCLUDED, *_ENDS)

MOVES: dict[str, dict[str, frozenset[str]]] = {
    Kind.COMPETITIVE_DIALOGUE: {
        State.PLANNING: frozenset({State.PUBLISHED, *_ENDS}),
        State.PUBLISHED: frozenset({State.PREQUALIFICATION, *_ENDS}),
        State.PREQUALIFICATION: frozenset({State.DIALOGUE, *_ENDS}),
        State.DIALOGUE: frozenset({State.FINAL_TENDER, *_ENDS}),
        State.FINAL_TENDER: frozenset({State.EVALUATION, *_ENDS}),
        State.EVALUATION: frozenset({State.AWARD_NOTIFIED, *_ENDS}),
        # back to evaluation: an award that was found wrong within the standstill
        State.AWARD_NOTIFIED: frozenset({State.CONCLUDED, State.EVALUATION, *_ENDS}),
        State.CONCLUDED: frozenset(),
        State.CANCELLED: frozenset(),
        State.NO_AWARD: frozenset(),
    },
}
MOVES[Kind.MINI_COMPETITION] = {
    State.PLANNING: frozenset({State.FINAL_TENDER, *_ENDS}),
    **{
        state: MOVES[Kind.COMPETITIVE_DIALOGUE][state]
        for state in (
            State.FINAL_TENDER, State.EVALUATION, State.AWARD_NOTIFIED, State.CONCLUDED, *_ENDS,
        )
    },
}  # fmt: skip


class ProcedureMoveRefused(Exception):
    """The table has no such move, or something is missing; ``reasons`` says each in a sentence."""

    def __init__(self, reasons: list[Phrase]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("; ".join(map(str, reasons)))


def refuse_move(text: str, /, **args: Any) -> ProcedureMoveRefused:
    """A refusal of one sentence."""
    return ProcedureMoveRefused([phrase(text, **args)])


@transaction.atomic
def advance(procedure: Procedure, to: str, *, by: Any, why: str, **fields: Any) -> Procedure:
    """Move the procedure to the state ``to`` and write ``fields`` with it.

    Raises ProcedureMoveRefused where the table has no such move, a guard is not met, or somebody
    else moved it meanwhile. Keeps the move, and an event in the audit trail.
    """
    seen = procedure.state
    if to not in MOVES[procedure.kind].get(seen, frozenset()):
        raise refuse_move(
            _('It stands at "%(state)s", from where "%(to)s" is not reached.'),
            state=State(seen).label, to=State(to).label if to in State.values else to,
        )  # fmt: skip
    now = timezone.now()
    if to in ENDED:
        fields["ended_at"] = now
    for name, value in fields.items():
        setattr(procedure, name, value)
    if missing := guards(procedure, to):
        raise ProcedureMoveRefused(missing)
    rows = Procedure.objects.filter(pk=procedure.pk, state=seen)
    if not rows.update(state=to, **fields):
        raise refuse_move(_("Somebody else was faster: look at it again."))
    procedure.state = to
    ProcedureMove.objects.create(
        procedure=procedure, at=now, by=str(getattr(by, "username", by)), from_state=seen,
        to_state=to, why=why,
    )  # fmt: skip
    audit.record(
        "procedure_moved", actor=by, subject=procedure.code, from_state=seen, to_state=to, why=why
    )
    return procedure


def next_states(procedure: Procedure) -> list[tuple[str, list[Phrase]]]:
    """Each state that may follow, with what is still missing for it; in the order of the way."""
    following = MOVES[procedure.kind].get(procedure.state, frozenset())
    return [(one.value, guards(procedure, one)) for one in State if one in following]


def guards(procedure: Procedure, to: str) -> list[Phrase]:
    """What is missing for the move, one sentence each."""
    return [one for guard in GUARDS.get(to, ()) for one in guard(procedure)]


def standstill_days(procedure: Procedure, *, on: date) -> int:
    """How many days of standstill the law demands on a day; 0 where it demands none."""
    return int(legal.limit(f"{procedure.kind}.standstill_days", on=on) or 0)


def standstill_end(procedure: Procedure, *, notified_at: datetime) -> date:
    """The last day of the standstill after letters sent at a moment."""
    on = notified_at.astimezone(CONTRACT_ZONE).date()
    return on + timedelta(days=standstill_days(procedure, on=on))

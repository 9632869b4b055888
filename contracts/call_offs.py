"""The life of a call-off: which state may follow which, and who moved it there."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from contracts.models import CallOff
from hub import audit

State = CallOff.State

MOVES: dict[str, frozenset[str]] = {
    State.DRAFT: frozenset({State.APPROVED, State.CANCELLED}),
    State.APPROVED: frozenset({State.ORDERED, State.CANCELLED}),
    State.ORDERED: frozenset({State.ACTIVE, State.CANCELLED}),
    State.ACTIVE: frozenset({State.CLOSED}),
    State.CLOSED: frozenset(),
    State.CANCELLED: frozenset(),
}


class CallOffMoveError(Exception):
    """The call-off may not go from its present state to the one asked for."""


@transaction.atomic
def move(call_off: CallOff, *, to: str, by: Any) -> CallOff:
    """Bring a call-off to the state ``to``; from then on entitlement judges by it.

    Raises CallOffMoveError where the move is not allowed or somebody else moved it meanwhile.
    """
    seen = call_off.state
    if to not in MOVES[seen]:
        raise CallOffMoveError(f"{call_off.code} cannot go from {seen} to {to}")
    if not CallOff.objects.filter(pk=call_off.pk, state=seen).update(state=to):
        raise CallOffMoveError(f"{call_off.code} is no longer {seen}")
    audit.record("call_off_moved", actor=by, subject=call_off.code, from_state=seen, to_state=to)
    call_off.state = to
    return call_off

"""The way of a study: its steps, the states between them, and advance(), the only writer of state.

    receive -> complete -> match ==> entitle -> dispatch -> collect -> write_back
    `------- one Study ---------'    `-- one Workitem for each algorithm that matched --'

1. receive.py takes instances in; the Study stands at ``receiving``.
2. complete.py decides that all of it has come; a late instance opens a new revision.
3. match.py gives every algorithm a verdict; each that matched gets a Workitem.
4. entitle.py asks the contracts whether this hospital may use it on this study.
5. dispatch.py stages the input and hands the Workitem to a Performer.
6. collect.py takes findings and objects back, and refuses what is not fit to be shown.
7. write_back.py tells PACS, RIS and worklist, through one Delivery for each destination.

A Celery message is only a nudge: the row says what is to be done. Workers act on a row while they
hold its lease (lease.py), and the sweep (tasks.py) finds the rows that nobody nudged.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from hub.phrases import Phrase, phrase
from routing.models import Delivery, Study, Transition, Workitem

Row = Study | Workitem | Delivery

STUDY_MOVES: dict[str, frozenset[str]] = {
    "receiving": frozenset({"complete"}),
    "complete": frozenset({"matched", "receiving"}),
    "matched": frozenset({"receiving"}),
}
WORKITEM_MOVES: dict[str, frozenset[str]] = {
    "matched": frozenset({"entitled", "refused", "failed", "superseded"}),
    "entitled": frozenset({"dispatched", "failed", "superseded"}),
    "dispatched": frozenset({"collected", "failed", "entitled", "superseded"}),
    "collected": frozenset({"writing_back", "held", "withheld", "failed", "superseded"}),
    "held": frozenset({"collected", "rejected", "superseded"}),
    "writing_back": frozenset({"written_back", "superseded", "rejected"}),
    "written_back": frozenset({"superseded", "rejected"}),
    "withheld": frozenset({"superseded"}),
    "failed": frozenset({"matched", "superseded"}),
    "refused": frozenset({"matched", "superseded"}),
    "rejected": frozenset({"superseded"}),
    "superseded": frozenset(),
}
DELIVERY_MOVES: dict[str, frozenset[str]] = {
    "pending": frozenset({"delivered", "dead", "cancelled"}),
    "dead": frozenset({"pending", "cancelled"}),
    "delivered": frozenset(),
    "cancelled": frozenset({"pending"}),
}
MOVES: dict[type[Row], dict[str, frozenset[str]]] = {
    Study: STUDY_MOVES,
    Workitem: WORKITEM_MOVES,
    Delivery: DELIVERY_MOVES,
}
# where a Workitem still has something to do by itself
ACTIVE = ("matched", "entitled", "dispatched", "collected", "writing_back")


class MoveRefused(Exception):
    """The table has no such move: ``str()`` is a sentence for the person who asked for it."""


class Overtaken(Exception):
    """Another worker moved the row first, or took its lease; the loser's work is a no-op."""


def advance(row: Row, to: str, *, why: Phrase, by: str = "hub", **fields: Any) -> None:
    """Move ``row`` to state ``to``, write ``fields`` with it, and keep the move as a Transition.

    1. Look the move up in the table: MoveRefused where it is not there.
    2. UPDATE where the row still has the state (and the fencing number) last seen here.
    3. Only if that moved exactly one row, write the Transition; otherwise Overtaken.
    """
    if to not in MOVES[type(row)][row.state]:
        raise MoveRefused(str(_refusal(row, to)))
    seen = {"pk": row.pk, "state": row.state, "revision": getattr(row, "revision", None)}
    if not isinstance(row, Study):
        seen |= {"fence": row.fence}
    if isinstance(row, Delivery):
        del seen["revision"]
    with transaction.atomic():
        changes = {"state": to, **_of_every_move(row, to), **fields}
        if isinstance(row, Workitem):
            changes["why"] = why.stored()
        if type(row).objects.filter(**seen).update(**changes) != 1:
            raise Overtaken(f"{row} was no longer {row.state}")
        from_state = row.state
        for name, value in changes.items():
            setattr(row, name, value)
        note(row, from_state=from_state, to_state=to, why=why, by=by)


def _refusal(row: Row, to: str) -> Phrase:
    """Why the table has no such move, in the words in which people know the states."""
    state, wanted = (str(type(row).State(name).label) for name in (row.state, to))
    return phrase(
        _('This cannot be done now: it stands at "%(state)s", from where "%(to)s" is not reached'),
        state=state,
        to=wanted,
    )


def _of_every_move(row: Row, to: str) -> dict[str, Any]:
    """What is written beside the state, whatever the move."""
    if isinstance(row, Study):
        return {"changed_at": timezone.now()}
    if Delivery.State.CANCELLED in (row.state, to):
        # It may be on its way at this moment: who sends it still holds it.
        return {}
    # What comes next may be taken at once, while whoever made the move still tidies up.
    return {"lease_owner": "", "lease_until": None}


def note(row: Row, *, from_state: str, to_state: str, why: Phrase, by: str = "hub") -> None:
    """Write the Transition of a move, or of a row's beginning (``from_state`` empty)."""
    workitem = row if isinstance(row, Workitem) else None
    delivery = row if isinstance(row, Delivery) else None
    if delivery is not None:
        workitem = delivery.workitem
    study = row if isinstance(row, Study) else workitem.study  # type: ignore[union-attr]
    Transition.objects.create(
        study=study,
        workitem=workitem,
        delivery=delivery,
        revision=(workitem or study).revision,
        at=timezone.now(),
        from_state=from_state,
        to_state=to_state,
        why=why.stored(),
        by=by,
    )

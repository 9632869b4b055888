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

tests/model/way.py is this as a model in small, of which every state is looked through: whoever
changes a table, or what is done under a lease, changes it too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
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
    advance_together([row], to, why=why, by=by, **fields)


def advance_together(
    rows: Sequence[Row], to: str, *, why: Phrase, by: str = "hub", **fields: Any
) -> None:
    """Move rows of one kind as advance() does one: all of them, or none where one was overtaken."""
    for row in rows:
        if to not in MOVES[type(row)][row.state]:
            raise MoveRefused(str(_refusal(row, to)))
    alike: defaultdict[tuple[tuple[str, Any], ...], list[Row]] = defaultdict(list)
    for row in rows:
        alike[tuple(_seen(row).items())].append(row)
    with transaction.atomic():
        changes = [_moved(some, to, why=why, fields=fields) for some in alike.values()]
        moves = [_move(row, row.state, to, why=why, by=by) for row in rows]
        for some, changed in zip(alike.values(), changes, strict=True):
            for row in some:
                _take_over(row, changed)
        Transition.objects.bulk_create(moves)


def _moved(
    rows: Sequence[Row], to: str, *, why: Phrase, fields: dict[str, Any]
) -> dict[str, Any]:
    """Move rows that were alike when they were last seen; what was written to each."""
    first = rows[0]
    changes = {"state": to, **_of_every_move(first, to), **fields}
    if isinstance(first, Workitem):
        changes |= {"why": why.stored(), "waits_for": "", "waits_since": None}
    if type(first).objects.filter(**_among(rows), **_seen(first)).update(**changes) != len(rows):
        raise Overtaken(f"{first} was no longer {first.state}")
    return changes


def _take_over(row: Row, changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        setattr(row, name, value)


def _seen(row: Row) -> dict[str, Any]:
    """What the row must still be in the database for a move to be made."""
    seen: dict[str, Any] = {"state": row.state}
    if not isinstance(row, Delivery):
        seen["revision"] = row.revision
    if not isinstance(row, Study):
        seen["fence"] = row.fence
    return seen


def _among(rows: Sequence[Row]) -> dict[str, Any]:
    return {"pk": rows[0].pk} if len(rows) == 1 else {"pk__in": [row.pk for row in rows]}


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
    _move(row, from_state, to_state, why=why, by=by).save(force_insert=True)


def _move(row: Row, from_state: str, to_state: str, *, why: Phrase, by: str) -> Transition:
    """The Transition of a move, not written yet."""
    delivery = row if isinstance(row, Delivery) else None
    of = row.workitem if isinstance(row, Delivery) else row
    return Transition(
        study_id=of.pk if isinstance(of, Study) else of.study_id,
        workitem=of if isinstance(of, Workitem) else None,
        delivery=delivery,
        revision=of.revision,
        at=timezone.now(),
        from_state=from_state,
        to_state=to_state,
        why=why.stored(),
        by=by,
    )

"""Who takes part in a procedure, and how far they are taken.

The people of a company (vendors.models.VendorMember) act for it, in every procedure and in none but
its own; they are let in where vendors are kept, and hold no role in a hospital.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext_noop as _

from contracts import supplying
from contracts.models import Participant, Procedure
from contracts.tenders import Kind, State, refuse_move
from hub import audit
from vendors.models import Vendor

Taking = Participant.State
# where a participant may be taken from one state to another, and in which state of the procedure
DECISIONS: dict[str, frozenset[str]] = {
    Taking.CANDIDATE: frozenset({Taking.QUALIFIED, Taking.EXCLUDED, Taking.WITHDRAWN}),
    Taking.QUALIFIED: frozenset({Taking.INVITED, Taking.EXCLUDED, Taking.WITHDRAWN}),
    Taking.EXCLUDED: frozenset(),
    Taking.INVITED: frozenset({Taking.REDUCED, Taking.EXCLUDED, Taking.WITHDRAWN}),
    Taking.REDUCED: frozenset(),
    Taking.WITHDRAWN: frozenset(),
}
JOINING = {
    Kind.COMPETITIVE_DIALOGUE: (State.PUBLISHED, State.PREQUALIFICATION),
    Kind.MINI_COMPETITION: (State.PLANNING,),
}
_ONWARD = (Taking.QUALIFIED, Taking.INVITED)
_QUALIFYING = (State.PUBLISHED, State.PREQUALIFICATION)


@transaction.atomic
def add(procedure: Procedure, *, vendor: Vendor, by: Any) -> Participant:
    """Take a company in as candidate, or as invited in a mini-competition, which is for suppliers.

    Raises ProcedureMoveRefused.
    """
    if procedure.state not in JOINING[Kind(procedure.kind)]:
        raise refuse_move(_("Nobody can join any more."))
    if procedure.participants.filter(vendor=vendor).exists():
        raise refuse_move(_("%(vendor)s takes part already."), vendor=vendor.name)
    _must_supply(procedure, vendor)
    last = procedure.participants.aggregate(Max("number"))["number__max"] or 0
    is_mini = procedure.kind == Kind.MINI_COMPETITION
    participant = Participant.objects.create(
        procedure=procedure, vendor=vendor, number=last + 1,
        state=Taking.INVITED if is_mini else Taking.CANDIDATE,
    )  # fmt: skip
    audit.record("participant_added", actor=by, subject=procedure.code, vendor=vendor.code)
    return participant


def decisions_now(participant: Participant) -> list[str]:
    """The states that the participant may be taken to where its procedure stands."""
    procedure = participant.procedure
    return sorted(
        to for to in DECISIONS[participant.state]
        if not (to in _ONWARD and procedure.state not in _QUALIFYING)
        and (to != Taking.REDUCED or _reduces_now(procedure))
    )


def _reduces_now(procedure: Procedure) -> bool:
    return procedure.state == State.DIALOGUE and bool(procedure.reduces_successively)


@transaction.atomic
def decide(participant: Participant, *, to: str, why: str, by: Any) -> Participant:
    """Take a participant to another state, with the reason that it will be told."""
    seen, procedure = participant.state, participant.procedure
    if to not in DECISIONS.get(seen, frozenset()):
        raise refuse_move(
            _('It is "%(state)s", from where "%(to)s" is not reached.'),
            state=Taking(seen).label, to=Taking(to).label if to in Taking.values else to,
        )  # fmt: skip
    if to in _ONWARD and procedure.state not in _QUALIFYING:
        raise refuse_move(_("Qualification is over."))
    if to == Taking.REDUCED and not _reduces_now(procedure):
        raise refuse_move(
            _("Solutions are left out only in the dialogue, and where the notice said so (BT-52).")
        )
    if not why.strip():
        raise refuse_move(_("why: say why."))
    if not Participant.objects.filter(pk=participant.pk, state=seen).update(state=to, why=why):
        raise refuse_move(_("Somebody else was faster: look at it again."))
    participant.state, participant.why = to, why
    audit.record(
        "participant_decided", actor=by, subject=procedure.code,
        vendor=participant.vendor.code, from_state=seen, to_state=to, why=why,
    )  # fmt: skip
    return participant


def people_of(participant: Participant) -> list[str]:
    """Who acts for the company, by their names of account."""
    people = participant.vendor.people.select_related("user").order_by("user__username")
    return [one.user.username for one in people]


def _must_supply(procedure: Procedure, vendor: Vendor) -> None:
    if procedure.kind != Kind.MINI_COMPETITION or procedure.framework is None:
        return
    if vendor.pk not in supplying.suppliers_of(procedure.framework, lot=procedure.lot):
        where = " ".join(filter(None, (procedure.framework.code, procedure.lot)))
        raise refuse_move(
            _("%(vendor)s is no supplier of %(where)s."), vendor=vendor.name, where=where
        )

"""Who takes part in a procedure, who acts for them, and how far they are taken."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext_noop as _

from contracts.models import Participant, ParticipantMember, Procedure
from contracts.tenders import Kind, State, refuse_move
from hub import audit
from hub.models import User
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
_JOINING = {
    Kind.COMPETITIVE_DIALOGUE: (State.PUBLISHED, State.PREQUALIFICATION),
    Kind.MINI_COMPETITION: (State.PLANNING,),
}
_QUALIFYING = (State.PUBLISHED, State.PREQUALIFICATION)


@transaction.atomic
def add(procedure: Procedure, *, vendor: Vendor, users: list[User], by: Any) -> Participant:
    """Take a company in as candidate (invited, in a mini-competition), with who acts for it."""
    if procedure.state not in _JOINING[Kind(procedure.kind)]:
        raise refuse_move(_("Nobody can join any more."))
    if procedure.participants.filter(vendor=vendor).exists():
        raise refuse_move(_("%(vendor)s takes part already."), vendor=vendor.name)
    last = procedure.participants.aggregate(Max("number"))["number__max"] or 0
    is_mini = procedure.kind == Kind.MINI_COMPETITION
    participant = Participant.objects.create(
        procedure=procedure, vendor=vendor, number=last + 1,
        state=Taking.INVITED if is_mini else Taking.CANDIDATE,
    )  # fmt: skip
    for user in users:
        admit(participant, user=user, by=by)
    audit.record("participant_added", actor=by, subject=procedure.code, vendor=vendor.code)
    return participant


@transaction.atomic
def admit(participant: Participant, *, user: User, by: Any) -> None:
    """Let a person act for the participant; nobody acts for two of one procedure, or buys in it."""
    procedure = participant.procedure
    others = ParticipantMember.objects.filter(participant__procedure=procedure, user=user)
    if others.exclude(participant=participant).exists():
        raise refuse_move(
            _("%(user)s acts for another participant already."), user=user.username
        )
    if user.memberships.exists():
        raise refuse_move(
            _("%(user)s has a role in a hospital and cannot act for a supplier."),
            user=user.username,
        )
    ParticipantMember.objects.get_or_create(participant=participant, user=user)
    audit.record(
        "participant_member_added", actor=by, subject=procedure.code,
        vendor=participant.vendor.code, user=user.username,
    )  # fmt: skip


@transaction.atomic
def decide(participant: Participant, *, to: str, why: str, by: Any) -> Participant:
    """Take a participant to another state, with the reason that it will be told."""
    seen, procedure = participant.state, participant.procedure
    if to not in DECISIONS.get(seen, frozenset()):
        raise refuse_move(
            _('It is "%(state)s", from where "%(to)s" is not reached.'),
            state=Taking(seen).label, to=Taking(to).label if to in Taking.values else to,
        )  # fmt: skip
    if to in (Taking.QUALIFIED, Taking.INVITED) and procedure.state not in _QUALIFYING:
        raise refuse_move(_("Qualification is over."))
    if to == Taking.REDUCED and not (
        procedure.state == State.DIALOGUE and procedure.reduces_successively
    ):
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

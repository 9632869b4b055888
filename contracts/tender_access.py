"""Who may see which procedure: those who buy for its organisation, and those who take part.

A participant sees its own rows and what is told to all; never who else takes part. There is no
other way from a request to these rows.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django.http import Http404

from contracts import competed
from contracts.models import (
    EvaluationModel,
    NeedList,
    Participant,
    Procedure,
    Protocol,
    Question,
    Submission,
    SuggestedRequirement,
    ValueModel,
)
from contracts.models.procedures import DialogueNote
from hub.access import CONTRACT_ROLES, organisation_clause, organisations_of
from vendors.belonging import own_vendor

State = Submission.State


def buyers_procedures(user: Any) -> QuerySet[Procedure]:
    """The procedures of the organisations that the user buys for."""
    rows = Procedure.objects.filter(_bought_by(user))
    return rows.select_related("organisation", "evaluation_model")


def procedures(user: Any) -> QuerySet[Procedure]:
    """Those that the user buys in; for a person of a vendor those in which it takes part."""
    own = own_vendor(user)
    if own is None:
        return buyers_procedures(user)
    rows = Procedure.objects.filter(participants__vendor=own)
    return rows.select_related("organisation")


def procedure_for_buyer(user: Any, code: str) -> Procedure:
    """The procedure, for one who buys; the same 404 for what is not there and not theirs."""
    return _one(buyers_procedures(user), code)


def protocol_for(user: Any, code: str) -> Protocol | None:
    """The newest protocol, for one who buys; of a mini-competition that was concluded also for who
    buys for an organisation that took part in it: its call-off rests on it.
    """
    row = buyers_procedures(user).filter(code=code).first()
    if row is None and own_vendor(user) is None:
        ended = Procedure.objects.filter(
            code=code, kind=Procedure.Kind.MINI_COMPETITION, state=Procedure.State.CONCLUDED
        ).first()
        mine = organisations_of(user, roles=CONTRACT_ROLES) or frozenset()
        row = ended if ended and competed.organisations_of(ended) & mine else None
    return row.protocols.last() if row else None


def participant_of(user: Any, code: str) -> Participant:
    """The participant whose company the user belongs to; 404 for everybody else."""
    own = own_vendor(user)
    rows = Participant.objects.filter(vendor=own, procedure__code=code)
    found = rows.select_related("procedure__organisation", "vendor").first() if own else None
    if found is None:
        raise Http404
    return found


def either(user: Any, code: str) -> tuple[Procedure, Participant | None]:
    """The procedure, with the participant the user acts for, or None for one who buys.

    A person of a vendor is no buyer, whatever roles somebody gave the account by mistake.
    """
    try:
        participant = participant_of(user, code)
    except Http404:
        return procedure_for_buyer(user, code), None
    return participant.procedure, participant


def questions(procedure: Procedure, participant: Participant | None) -> QuerySet[Question]:
    """All for the buyer; for a participant its own, and those answered to all."""
    rows = procedure.questions.select_related("participant__vendor")
    if participant is None:
        return rows
    return rows.filter(Q(participant=participant) | Q(is_for_all=True, answered_at__isnull=False))


def suggestions(
    procedure: Procedure, participant: Participant | None
) -> QuerySet[SuggestedRequirement]:
    """All for the buyer; its own for a participant: accepted ones are requirements for all."""
    rows = procedure.suggestions.select_related("participant__vendor")
    return rows if participant is None else rows.filter(participant=participant)


def notes(procedure: Procedure, participant: Participant | None) -> QuerySet[DialogueNote]:
    """All for the buyer; for a participant those with it, and those for all."""
    rows = DialogueNote.objects.filter(round__procedure=procedure).select_related(
        "round", "participant__vendor"
    )
    if participant is None:
        return rows
    return rows.filter(Q(participant=participant) | Q(participant=None))


def submissions(procedure: Procedure, participant: Participant | None) -> QuerySet[Submission]:
    """A participant sees its own; the buyer none of the sealed, not even that there are some."""
    rows = Submission.objects.filter(participant__procedure=procedure).select_related(
        "participant__vendor", "spec", "round"
    )
    if participant is not None:
        return rows.filter(participant=participant)
    hidden = Q(kind=Submission.Kind.FINAL, opened_at=None)
    return rows if procedure.opened_at is not None else rows.exclude(hidden)


def evaluation_models(user: Any) -> QuerySet[EvaluationModel]:
    """Those of the organisations that the user buys for."""
    return EvaluationModel.objects.filter(_bought_by(user)).select_related("organisation")


def value_models(user: Any) -> QuerySet[ValueModel]:
    """Those of the organisations that the user buys for."""
    return ValueModel.objects.filter(_bought_by(user)).select_related("organisation")


def need_lists(user: Any) -> QuerySet[NeedList]:
    """Those of the organisations that the user buys for."""
    return NeedList.objects.filter(_bought_by(user)).select_related("organisation")


def _bought_by(user: Any) -> Q:
    """The rows of the organisations that the user buys for; none for a person of a vendor."""
    if own_vendor(user) is not None:
        return Q(pk__in=[])
    return organisation_clause(user, path="organisation", roles=CONTRACT_ROLES)


def _one(rows: QuerySet[Procedure], code: str) -> Procedure:
    found = rows.filter(code=code).first()
    if found is None:
        raise Http404
    return found

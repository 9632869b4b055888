"""Who may see which procedure: those who buy for its organisation, and those who take part.

A participant sees its own rows and what is told to all; never who else takes part. There is no
other way from a request to these rows.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django.http import Http404

from contracts.models import (
    EvaluationModel,
    NeedList,
    Participant,
    ParticipantMember,
    Procedure,
    Question,
    Submission,
    SuggestedRequirement,
    ValueModel,
)
from contracts.models.procedures import DialogueNote
from hub.access import CONTRACT_ROLES, organisation_clause

State = Submission.State


def buyers_procedures(user: Any) -> QuerySet[Procedure]:
    """The procedures of the organisations that the user buys for."""
    clause = organisation_clause(user, path="organisation", roles=CONTRACT_ROLES)
    return Procedure.objects.filter(clause).select_related("organisation", "evaluation_model")


def procedures(user: Any) -> QuerySet[Procedure]:
    """Also those in which the user acts for a participant."""
    taking_part = (
        user.participations.values("participant__procedure")
        if getattr(user, "is_authenticated", False) and user.is_active
        else ParticipantMember.objects.none().values("participant__procedure")
    )
    clause = organisation_clause(user, path="organisation", roles=CONTRACT_ROLES)
    return Procedure.objects.filter(clause | Q(pk__in=taking_part)).select_related("organisation")


def procedure_for_buyer(user: Any, code: str) -> Procedure:
    """The procedure, for one who buys; the same 404 for what is not there and not theirs."""
    return _one(buyers_procedures(user), code)


def participant_of(user: Any, code: str) -> Participant:
    """The participant that the user acts for in a procedure; 404 for everybody else."""
    if not getattr(user, "is_authenticated", False) or not user.is_active:
        raise Http404
    found = (
        Participant.objects.filter(members__user=user, procedure__code=code)
        .select_related("procedure__organisation", "vendor")
        .first()
    )
    if found is None:
        raise Http404
    return found


def either(user: Any, code: str) -> tuple[Procedure, Participant | None]:
    """The procedure, with the participant the user acts for, or None for one who buys.

    Who acts for a participant is no buyer, whatever roles the account holds besides.
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
    clause = organisation_clause(user, path="organisation", roles=CONTRACT_ROLES)
    return EvaluationModel.objects.filter(clause).select_related("organisation")


def value_models(user: Any) -> QuerySet[ValueModel]:
    """Those of the organisations that the user buys for."""
    clause = organisation_clause(user, path="organisation", roles=CONTRACT_ROLES)
    return ValueModel.objects.filter(clause).select_related("organisation")


def need_lists(user: Any) -> QuerySet[NeedList]:
    """Those of the organisations that the user buys for."""
    clause = organisation_clause(user, path="organisation", roles=CONTRACT_ROLES)
    return NeedList.objects.filter(clause).select_related("organisation")


def _one(rows: QuerySet[Procedure], code: str) -> Procedure:
    found = rows.filter(code=code).first()
    if found is None:
        raise Http404
    return found

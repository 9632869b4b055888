"""Writes the protocol of a procedure: a page to print and sign, kept with its digest."""

from __future__ import annotations

import hashlib
from typing import Any

from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.translation import gettext_noop as _

from contracts import evaluating, submitting
from contracts.evaluation import IN_MONEY
from contracts.models import EvaluationModel, Procedure, Protocol, Submission
from contracts.tenders import State, refuse_move
from contracts.zone import CONTRACT_ZONE
from hub import audit

_LANGUAGES = {"NO": "nb", "DK": "da"}
_WRITTEN_AT = (
    State.EVALUATION, State.AWARD_NOTIFIED, State.CONCLUDED, State.CANCELLED, State.NO_AWARD,
)  # fmt: skip


@transaction.atomic
def write(procedure: Procedure, *, by: Any) -> Protocol:
    """Keep the protocol as it is now; an earlier one stays beside it."""
    if procedure.state not in _WRITTEN_AT:
        raise refuse_move(_("The protocol is written when tenders are open, or at the end."))
    now, who = timezone.now(), str(getattr(by, "username", by))
    told = {**facts(procedure), "made_at": now, "made_by": str(by)}
    language = _LANGUAGES.get(procedure.organisation.country, "en")
    # of the buyer, not of who happens to press the button: it is signed and archived
    with translation.override(language), timezone.override(CONTRACT_ZONE):
        document = render_to_string("contracts/protocol.html", told)
    made = Protocol.objects.create(
        procedure=procedure, made_at=now, made_by=who, document=document,
        sha256=hashlib.sha256(document.encode()).hexdigest(),
    )  # fmt: skip
    audit.record("protocol_written", actor=by, subject=procedure.code, sha256=made.sha256)
    return made


def facts(procedure: Procedure) -> dict[str, Any]:
    """All that the protocol tells."""
    found = evaluating.outcome(procedure)
    freeze = getattr(procedure, "frozen_evaluation", None)
    kept: dict[str, Any] = freeze.snapshot if freeze else {"criteria": (), "formula": ""}
    criteria = {one["code"]: one["name"] for one in kept["criteria"]}
    tenders = [
        {"submission": one, "unmet": submitting.unmet(one), "scores": [
            (score, criteria.get(score.criterion, score.criterion))
            for score in one.scores.select_related("evaluator", "requirement")
        ]}
        for one in Submission.objects.filter(
            participant__procedure=procedure, state=Submission.State.OPENED
        ).select_related("participant__vendor")
    ]  # fmt: skip
    names = {str(one.number): one.vendor.name for one in procedure.participants.all()}
    return {
        "procedure": procedure,
        "moves": procedure.moves.all(),
        "contacts": procedure.market_contacts.all(),
        "participants": procedure.participants.select_related("vendor"),
        "rounds": procedure.rounds.all(),
        "specs": procedure.specs.filter(frozen_at__isnull=False),
        "freeze": freeze,
        "formula": dict(EvaluationModel.Formula.choices).get(kept["formula"], kept["formula"]),
        "is_lowest": kept["formula"] in IN_MONEY,
        "tenders": tenders,
        "ranked": [(one, names.get(one.code, one.code)) for one in found.ranked],
        "reversals": found.reversals,
    }

"""What each state of a procedure demands: one sentence for each thing that is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_noop as _

from contracts import competed, evaluation_models, supplying
from contracts.agreements import CONTRACT_ZONE
from contracts.models import (
    Participant,
    Procedure,
    RequirementSpec,
    Submission,
    SuggestedRequirement,
)
from contracts.naming import MAY_CALL_OFF
from hub.phrases import Phrase, phrase
from vendors import legal
from vendors.models import Vendor

State, Kind, Taking = Procedure.State, Procedure.Kind, Participant.State


def _must(is_met: object, text: str, **args: Any) -> Iterator[Phrase]:
    if not is_met:
        yield phrase(text, **args)


def _is_dialogue(procedure: Procedure) -> bool:
    return procedure.kind == Kind.COMPETITIVE_DIALOGUE


def _today() -> date:
    return timezone.now().astimezone(CONTRACT_ZONE).date()


# -- what each state demands -------------------------------------------------------------------
def _announced(procedure: Procedure) -> Iterator[Phrase]:
    yield from _must(procedure.purpose, _("purpose: say what is to be bought."))
    yield from _must(
        procedure.estimated_value is not None, _("estimated_value: expected an amount (BT-27).")
    )
    yield from _must(procedure.notice_reference, _("notice_reference: say where the notice is."))
    yield from _must(
        procedure.reduces_successively is not None,
        _("reduces_successively: say whether solutions are left out in stages (BT-52)."),
    )
    yield from _must(
        procedure.dialogue_plan, _("dialogue_plan: tell the number of rounds and what is in them.")
    )
    yield from _must(
        _frozen(procedure, RequirementSpec.Stage.ESPD),
        _("espd: freeze the requirements of qualification first."),
    )


def _due_in_time(procedure: Procedure) -> Iterator[Phrase]:
    days = legal.limit("comp-dial.request_days", on=_today()) or 0
    due = procedure.requests_due_at
    if due is None:
        yield phrase(_("requests_due_at: expected the deadline for requests (BT-1311)."))
    else:
        yield from _must(
            due >= timezone.now() + timedelta(days=int(days)),
            _("requests_due_at: expected at least %(days)s days from now."), days=int(days),
        )  # fmt: skip


def _candidates_in_order(procedure: Procedure) -> Iterator[Phrase]:
    least = int(legal.limit("comp-dial.least_candidates", on=_today()) or 1)
    if procedure.most_candidates is None:
        return
    yield from _must(
        (procedure.least_candidates or 0) >= least,
        _("least_candidates: expected at least %(least)s, as the number is capped (BT-50)."),
        least=least,
    )
    yield from _must(
        procedure.most_candidates >= (procedure.least_candidates or 0),
        _("most_candidates: expected no fewer than least_candidates (BT-51)."),
    )
    espd = _frozen(procedure, RequirementSpec.Stage.ESPD)
    yield from _must(
        espd is None or espd.requirements.filter(group="selection").exists(),
        _("espd: expected criteria of selection, as the number of candidates is capped."),
    )


def _criteria_in_order(procedure: Procedure) -> Iterator[Phrase]:
    if procedure.evaluation_model is None:
        yield phrase(_("evaluation_model: expected award criteria and how they are weighed."))
        return
    for field, rule in evaluation_models.problems(procedure.evaluation_model, on=_today()):
        yield phrase(_("evaluation_model.%(field)s: %(rule)s"), field=field, rule=rule)


def _requests_are_in(procedure: Procedure) -> Iterator[Phrase]:
    due = procedure.requests_due_at
    yield from _must(due and due <= timezone.now(), _("The deadline for requests is not over."))


def _all_candidates_are_judged(procedure: Procedure) -> Iterator[Phrase]:
    rows = list(procedure.participants.values_list("state", flat=True))
    waiting = rows.count(Taking.CANDIDATE)
    yield from _must(not waiting, _("%(number)s candidates are not judged yet."), number=waiting)
    invited, qualified = rows.count(Taking.INVITED), rows.count(Taking.QUALIFIED)
    least = procedure.least_candidates or int(
        legal.limit("comp-dial.least_candidates", on=_today()) or 1
    )
    yield from _must(invited, _("No candidate is invited."))
    yield from _must(
        invited >= least or not qualified,
        _("Only %(invited)s are invited, and others qualify: expected at least %(least)s."),
        invited=invited, least=least,
    )  # fmt: skip
    most = procedure.most_candidates
    yield from _must(
        most is None or invited <= most,
        _("%(invited)s are invited: expected at most %(most)s (BT-51)."),
        invited=invited,
        most=most,
    )
    yield from _must(
        _frozen(procedure, RequirementSpec.Stage.SPECIFICATION),
        _("specification: freeze the first version, so that all get the same."),
    )


def _dialogue_is_over(procedure: Procedure) -> Iterator[Phrase]:
    if not _is_dialogue(procedure):
        return
    rounds = procedure.rounds.all()
    yield from _must(rounds, _("There was no round of dialogue."))
    yield from _must(
        not rounds.filter(closed_at=None).exists(), _("A round of dialogue is still open.")
    )
    yield from _must(
        not procedure.questions.filter(answered_at=None).exists(),
        _("A question is not answered."),
    )
    yield from _must(
        not procedure.suggestions.filter(
            disposition=SuggestedRequirement.Disposition.PENDING
        ).exists(),
        _("A suggested requirement is neither accepted nor rejected."),
    )


def _tenders_can_be_made(procedure: Procedure) -> Iterator[Phrase]:
    stage = RequirementSpec.Stage.SPECIFICATION
    yield from _must(
        _frozen(procedure, stage)
        and not procedure.specs.filter(stage=stage, frozen_at=None).exists(),
        _("specification: freeze the newest version of the requirements first."),
    )
    due = procedure.tenders_due_at
    yield from _must(
        due and due > timezone.now(), _("tenders_due_at: expected a moment in the future.")
    )
    yield from _must(
        procedure.participants.filter(state=Taking.INVITED).exists(), _("Nobody is invited.")
    )


def _invites_whom_it_must(procedure: Procedure) -> Iterator[Phrase]:
    """A mini-competition is for every supplier of its lot, and for nobody else."""
    if _is_dialogue(procedure):
        return
    if procedure.framework is None:
        yield phrase(_("framework: expected the framework that is competed under."))
        return
    lots = list(procedure.framework.lots.order_by("code").values_list("code", flat=True))
    if lots and procedure.lot not in lots:
        yield phrase(_("lot: expected one of %(lots)s."), lots=", ".join(lots))
        return
    asked = set(procedure.participants.values_list("vendor", flat=True))
    wanted = supplying.suppliers_of(procedure.framework, lot=procedure.lot)
    missing = Vendor.objects.filter(pk__in=wanted - asked).order_by("name")
    yield from _must(
        not missing,
        _("participants: every supplier of the lot is to be invited; missing: %(names)s."),
        names=", ".join(one.name for one in missing),
    )


def _is_for_sites_that_buy(procedure: Procedure) -> Iterator[Phrase]:
    """Call-offs follow for its sites, and only who is named in the agreement calls off."""
    if _is_dialogue(procedure) or procedure.framework is None:
        return
    buyers = procedure.framework.authorities.filter(role__in=MAY_CALL_OFF).values("organisation")
    known = competed.sites_of(procedure)
    missing = sorted(set(procedure.sites or []) - set(known.values_list("code", flat=True)))
    yield from _must(not missing, _("sites: there is no site %(names)s."), names=", ".join(missing))
    others = known.exclude(organisation__in=buyers).values_list("name", flat=True)
    yield from _must(
        not others,
        _("sites: %(names)s: no organisation of these buys under %(framework)s."),
        names=", ".join(others), framework=procedure.framework.code,
    )  # fmt: skip


def _keeps_to_the_framework(procedure: Procedure) -> Iterator[Phrase]:
    """The criteria of a mini-competition are some of those of its framework (Art. 33(5))."""
    if _is_dialogue(procedure) or procedure.framework is None:
        return
    known = evaluation_models.criteria_of(procedure.framework)
    model = procedure.evaluation_model
    if known is None or model is None:
        return
    for code in sorted(set(model.criteria.values_list("code", flat=True)) - known):
        yield phrase(
            _("evaluation_model.criteria: %(code)s is no award criterion of the framework."),
            code=code,
        )


def _may_be_opened(procedure: Procedure) -> Iterator[Phrase]:
    due = procedure.tenders_due_at
    is_over = due is not None and due <= timezone.now()
    yield from _must(is_over, _("The deadline for tenders is not over."))
    yield from _must(
        hasattr(procedure, "frozen_evaluation"),
        _("evaluation_model: freeze it before tenders are opened."),
    )
    if not is_over:  # until then the buyer is not told whether there is one
        return
    kept = Submission.objects.filter(
        participant__procedure=procedure,
        kind=Submission.Kind.FINAL,
        state__in=(Submission.State.SEALED, Submission.State.OPENED),
    )
    yield from _must(kept.exists(), _("No tender was handed in."))


def _is_decided(procedure: Procedure) -> Iterator[Phrase]:
    opened = Submission.objects.filter(
        participant__procedure=procedure, state=Submission.State.OPENED
    )
    open_ = opened.filter(decision=Submission.Decision.OPEN).count()
    yield from _must(
        not open_, _("%(number)s tenders are neither admitted nor rejected."), number=open_
    )
    yield from _must(procedure.winner, _("winner: say who is awarded the contract."))
    yield from _winner_takes_part(procedure)
    yield from _must(procedure.award_reason.strip(), _("award_reason: say why."))
    yield from _must(
        procedure.protocols.exists(), _("protocol: write the protocol before letters are sent.")
    )


def _winner_takes_part(procedure: Procedure) -> Iterator[Phrase]:
    """Who was excluded or withdrew is awarded nothing; that its tender is out, a person decides."""
    yield from _must(
        procedure.winner is None or procedure.winner.state == Taking.INVITED,
        _("winner: takes part no longer; reject its tender in the evaluation."),
    )


def _standstill_is_over(procedure: Procedure) -> Iterator[Phrase]:
    until = procedure.standstill_until
    days = legal.limit(f"{procedure.kind}.standstill_days", on=_today())
    yield from _must(
        until and (until < _today() or not days), _("The standstill is not over.")
    )
    yield from _winner_takes_part(procedure)
    yield from _must(
        procedure.contract_reference, _("contract_reference: say which contract was signed.")
    )


def _has_a_reason(procedure: Procedure) -> Iterator[Phrase]:
    known = legal.words("non-award-justification", on=_today())
    yield from _must(
        procedure.end_reason in known,
        _("end_reason: expected one of %(known)s (BT-144)."), known=", ".join(known),
    )  # fmt: skip


Guard = Callable[[Procedure], Iterator[Phrase]]
GUARDS: dict[str, tuple[Guard, ...]] = {
    State.PUBLISHED: (_announced, _due_in_time, _candidates_in_order, _criteria_in_order),
    State.PREQUALIFICATION: (_requests_are_in,),
    State.DIALOGUE: (_all_candidates_are_judged,),
    State.FINAL_TENDER: (
        _dialogue_is_over, _tenders_can_be_made, _invites_whom_it_must, _criteria_in_order,
        _is_for_sites_that_buy, _keeps_to_the_framework,
    ),
    State.EVALUATION: (_may_be_opened,),
    State.AWARD_NOTIFIED: (_is_decided,),
    State.CONCLUDED: (_standstill_is_over,),
    State.CANCELLED: (_has_a_reason,),
    State.NO_AWARD: (_has_a_reason,),
}  # fmt: skip


def _frozen(procedure: Procedure, stage: str) -> RequirementSpec | None:
    """The newest frozen version of a stage."""
    return procedure.specs.filter(stage=stage, frozen_at__isnull=False).order_by("-version").first()

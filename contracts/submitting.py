"""Takes what participants hand in; a final tender is sealed at once, and opened with all others."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from contracts import answers, competed, offered, sealing, specifying
from contracts.evaluation_models import digest, snapshot
from contracts.models import (
    Participant,
    Procedure,
    RequirementResponse,
    RequirementSpec,
    Submission,
)
from contracts.priced_scenario import evaluated_price
from contracts.pricing import PriceTermsError
from contracts.tenders import ProcedureMoveRefused, State, advance, refuse_move
from hub import audit
from vendors.models import Vendor

Kind, Stage = Submission.Kind, RequirementSpec.Stage
# what is handed in: to which requirements it answers, and while the procedure stands where
_TAKEN: dict[str, tuple[str, tuple[str, ...]]] = {
    Kind.REQUEST: (Stage.ESPD, (State.PUBLISHED,)),
    Kind.DIALOGUE: (Stage.SPECIFICATION, (State.DIALOGUE,)),
    Kind.FINAL: (Stage.SPECIFICATION, (State.FINAL_TENDER,)),
}


# what its participant may take back
TAKEN_BACK = (Submission.State.SUBMITTED, Submission.State.SEALED)


class ContentRefused(Exception):
    """What was handed in does not answer what was asked: ``problems`` has field and rule."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{field}: {rule}" for field, rule in problems))


@transaction.atomic
def submit(
    participant: Participant, *, kind: str, content: dict[str, Any], by: Any
) -> Submission:
    """Take a submission and give its receipt, ``sha256``; a later one of its kind replaces it.

    Raises ContentRefused where it does not answer the requirements, ProcedureMoveRefused where it
    is not the time for it or the participant takes part no longer.
    """
    procedure = Procedure.objects.select_for_update().get(pk=participant.procedure_id)
    stage, states = _TAKEN[kind]
    _must_be_time(procedure, participant, kind, states)
    spec = specifying.newest_frozen(procedure, stage)
    if spec is None:
        raise refuse_move(_("There are no requirements to answer yet."))
    _must_answer(procedure, participant.vendor, spec, content, is_final=kind == Kind.FINAL)
    earlier = participant.submissions.filter(
        kind=kind, state__in=TAKEN_BACK
    )
    current = procedure.rounds.filter(closed_at=None).first() if kind == Kind.DIALOGUE else None
    if kind == Kind.DIALOGUE:
        earlier = earlier.filter(round=current)
    earlier.update(state=Submission.State.REPLACED)
    made = Submission(
        participant=participant, spec=spec, round=current, kind=kind,
        state=Submission.State.SUBMITTED, received_at=timezone.now(),
        received_by=by.username, sha256=digest(content),
    )  # fmt: skip
    if kind == Kind.FINAL:
        _seal(procedure, made, content)
    made.save()
    if kind != Kind.FINAL:
        _unfold(made, content)
    audit.record(
        "submission_received", actor=by, subject=procedure.code, kind=kind,
        participant=participant.number, sha256=made.sha256,
    )  # fmt: skip
    return made


@dataclass(frozen=True, slots=True)
class Asked:
    """What a participant is to hand in now, to which requirements; or ``why_not``."""

    kind: str
    spec: RequirementSpec
    due: datetime | None
    why_not: str

    @property
    def label(self) -> str:
        """What it is called."""
        return str(Kind(self.kind).label)


def asked_of(participant: Participant) -> Asked | None:
    """What the participant is asked for where the procedure stands; None where it is nothing."""
    procedure = participant.procedure
    for kind, (stage, states) in _TAKEN.items():
        spec = specifying.newest_frozen(procedure, stage) if procedure.state in states else None
        if spec is not None:
            why_not = ""
            try:
                _must_be_time(procedure, participant, kind, states)
            except ProcedureMoveRefused as refused:
                why_not = str(refused)
            return Asked(kind, spec, _due(procedure, kind), why_not)
    return None


def may_be_taken_back(submission: Submission) -> bool:
    """Until its deadline; an answer in the dialogue while its round is open. What was judged stays.
    """
    procedure = submission.participant.procedure
    if submission.state not in TAKEN_BACK or procedure.state not in _TAKEN[submission.kind][1]:
        return False
    if submission.kind == Kind.DIALOGUE:
        return submission.round is not None and submission.round.closed_at is None
    due = _due(procedure, submission.kind)
    return due is None or due > timezone.now()


@transaction.atomic
def withdraw(submission: Submission, *, by: Any) -> Submission:
    """Take back what was handed in, while it may be."""
    rows = Submission.objects.filter(pk=submission.pk, state__in=TAKEN_BACK)
    may = may_be_taken_back(submission)
    if not may or not rows.update(state=Submission.State.WITHDRAWN, sealed=""):
        raise refuse_move(_("It can be taken back no longer."))
    submission.refresh_from_db()
    audit.record(
        "submission_withdrawn", actor=by, subject=submission.participant.procedure.code,
        participant=submission.participant.number, sha256=submission.sha256,
    )  # fmt: skip
    return submission


@transaction.atomic
def open_tenders(procedure: Procedure, *, by: Any, why: str) -> Procedure:
    """Open all sealed tenders at one moment, with the move to evaluation.

    Nothing else in the hub opens one. The guards of that state hold the door: the deadline is over
    and the evaluation model was frozen before.
    """
    now = timezone.now()
    advance(procedure, State.EVALUATION, by=by, why=why, opened_at=procedure.opened_at or now)
    sealed = Submission.objects.select_for_update().filter(
        participant__procedure=procedure, kind=Kind.FINAL, state=Submission.State.SEALED
    )
    numbers = []
    rows = sealed.select_related("participant__procedure", "spec")
    for one in rows.order_by("participant__number"):
        try:
            content = _opened(procedure, one)
        except sealing.SealBroken:
            raise refuse_move(
                _("The tenders were sealed with another secret of the hub (HUB_SECRET_KEY).")
            ) from None
        one.state, one.opened_at = Submission.State.OPENED, procedure.opened_at
        one.offer = content["offer"]
        with suppress(PriceTermsError):  # without a price it has no place: the outcome says so
            one.evaluated_price = _price_of(procedure, one.offer)
        one.save()
        _unfold(one, content)
        numbers.append(one.participant.number)
    audit.record("tenders_opened", actor=by, subject=procedure.code, participants=numbers)
    return procedure


@transaction.atomic
def decide(
    submission: Submission, *, to: str, why: str, by: Any, seen: str | None = None
) -> Submission:
    """Admit or reject an opened tender: a person decides, also on requirements that are not met.

    ``seen`` is what was decided when the person looked: another may have decided since.
    """
    submission = Submission.objects.select_for_update(of=("self",)).get(pk=submission.pk)
    if seen is not None and submission.decision != seen:
        raise refuse_move(_("Somebody else was faster: look at it again."))
    if submission.state != Submission.State.OPENED:
        raise refuse_move(_("Only a tender that was opened is admitted or rejected."))
    if submission.participant.procedure.state != State.EVALUATION:
        raise refuse_move(_("The evaluation is over."))
    missing = unmet(submission)
    if not why.strip() and missing:
        raise refuse_move(
            _("why: say why; requirements that must be met and are not: %(codes)s."),
            codes=", ".join(missing),
        )
    if not why.strip() and to == Submission.Decision.REJECTED:
        raise refuse_move(_("why: say why."))
    submission.decision, submission.decision_reason = to, why
    submission.decided_by = str(getattr(by, "username", by))
    submission.save(update_fields=["decision", "decision_reason", "decided_by"])
    audit.record(
        "tender_decided", actor=by, subject=submission.participant.procedure.code,
        participant=submission.participant.number, to=to, why=why, unmet=missing,
    )  # fmt: skip
    return submission


def unmet(submission: Submission) -> list[str]:
    """Codes of the requirements that must be met and are not."""
    given = dict(submission.responses.values_list("requirement__code", "compliance"))
    return answers.unmet(given, specifying.plain_requirements(submission.spec))


def _must_be_time(
    procedure: Procedure, participant: Participant, kind: str, states: tuple[str, ...]
) -> None:
    if procedure.state not in states:
        raise refuse_move(
            _('This is not handed in at "%(now)s".'), now=State(procedure.state).label
        )
    taking = Participant.State
    wanted = (taking.CANDIDATE,) if kind == Kind.REQUEST else (taking.INVITED,)
    if participant.state not in wanted:
        raise refuse_move(_("The participant takes part no longer."))
    due = _due(procedure, kind)
    if due is not None and due <= timezone.now():
        raise refuse_move(_("The deadline is over."))
    if kind == Kind.DIALOGUE and not procedure.rounds.filter(closed_at=None).exists():
        raise refuse_move(_("No round of dialogue is open."))


def _due(procedure: Procedure, kind: str) -> datetime | None:
    moments = {Kind.REQUEST: procedure.requests_due_at, Kind.FINAL: procedure.tenders_due_at}
    return moments.get(Kind(kind))


def _must_answer(
    procedure: Procedure, vendor: Vendor, spec: RequirementSpec, content: dict[str, Any], *,
    is_final: bool,
) -> None:
    problems = answers.problems(content, specifying.plain_requirements(spec), is_final=is_final)
    if is_final:
        problems += competed.problems_of_offer(procedure, vendor, content["offer"])
        problems += offered.problems_of(procedure, content["offer"])
        try:
            _price_of(procedure, content["offer"])
        except PriceTermsError as fault:
            problems.append(("offer", str(fault)))
    if problems:
        raise ContentRefused(problems)


def _price_of(procedure: Procedure, offer: dict[str, Any]) -> Decimal:
    """The price for comparison, on the volumes of the frozen model or of the one announced."""
    model = procedure.evaluation_model
    if hasattr(procedure, "frozen_evaluation"):
        kept = procedure.frozen_evaluation.snapshot
    else:
        kept = snapshot(model) if model else {"scenario": []}
    price = evaluated_price(offer, kept["scenario"])
    if price <= 0:
        raise PriceTermsError(gettext("expected a price above 0 on the published volumes"))
    return price


def _seal(procedure: Procedure, made: Submission, content: dict[str, Any]) -> None:
    if not procedure.seal:
        procedure.seal = sealing.new_seal(procedure.code)
        procedure.save(update_fields=["seal"])
    made.state = Submission.State.SEALED
    made.sealed = sealing.close(procedure.seal, procedure.code, content, of=_bound_to(made))


def _bound_to(one: Submission) -> str:
    """What a sealed text belongs to, by names that are the same in another hub."""
    return f"{one.participant.procedure.code} {one.participant.number} {one.sha256}"


def _opened(procedure: Procedure, one: Submission) -> dict[str, Any]:
    """The content; tenders of earlier versions of the hub were bound to the number of the row."""
    try:
        content = sealing.disclose(procedure.seal, procedure.code, one.sealed, of=_bound_to(one))
    except sealing.SealBroken:
        earlier = f"{one.participant_id} {one.sha256}"
        content = sealing.disclose(procedure.seal, procedure.code, one.sealed, of=earlier)
    said: dict[str, Any] = content
    return said


def _unfold(made: Submission, content: dict[str, Any]) -> None:
    """The answers as rows, once they may be read."""
    requirements = {one.code: one for one in made.spec.requirements.all()}
    RequirementResponse.objects.bulk_create(
        RequirementResponse(
            submission=made,
            requirement=requirements[one["requirement"]],
            **{
                name: one[name]
                for name in ("compliance", "answer", "comment", "comment_kind", "documents")
            },
            price_impact=None if one["price_impact"] is None else Decimal(one["price_impact"]),
        )
        for one in content["responses"]
    )

"""Makes versions of requirements: drafts that are edited, and frozen ones that never change."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from contracts import specification
from contracts.evaluation_models import digest
from contracts.models import Procedure, Requirement, RequirementSpec, Submission
from contracts.tenders import Kind, State, refuse_move
from hub import audit

Stage = RequirementSpec.Stage
# until when a stage may get a new version
_OPEN = {
    Stage.ESPD: (State.PLANNING,),
    Stage.SPECIFICATION: (
        State.PLANNING, State.PUBLISHED, State.PREQUALIFICATION, State.DIALOGUE,
        State.FINAL_TENDER,
    ),
}  # fmt: skip


def plain_requirements(spec: RequirementSpec) -> list[dict[str, Any]]:
    """The requirements of a version as JSON, by code."""
    return [specification.plain(one) for one in spec.requirements.order_by("code")]


def _must_be_time(spec: RequirementSpec) -> None:
    """Not where tenders on an earlier version could not be made anew: they would all be lost."""
    procedure = Procedure.objects.get(pk=spec.procedure_id)
    if procedure.state not in _OPEN[Stage(spec.stage)]:
        raise refuse_move(
            _('Requirements are not changed at "%(now)s".'), now=State(procedure.state).label
        )
    due = procedure.tenders_due_at
    if procedure.state == State.FINAL_TENDER and due is not None and due <= timezone.now():
        raise refuse_move(_("The deadline for tenders is over: their requirements stand."))


@transaction.atomic
def draft(procedure: Procedure, *, stage: str, by: Any) -> RequirementSpec:
    """The draft of a stage; made as a copy of the newest version where there is none."""
    if procedure.state not in _OPEN[Stage(stage)]:
        raise refuse_move(
            _('Requirements are not changed at "%(now)s".'), now=State(procedure.state).label
        )
    newest = procedure.specs.filter(stage=stage).order_by("-version").first()
    if newest is not None and newest.frozen_at is None:
        return newest
    made = RequirementSpec.objects.create(
        procedure=procedure, stage=stage, version=newest.version + 1 if newest else 1
    )
    if newest is not None:
        _fill(made, plain_requirements(newest))
    audit.record(
        "specification_drafted", actor=by, subject=procedure.code, stage=stage,
        version=made.version,
    )  # fmt: skip
    return made


@transaction.atomic
def replace(spec: RequirementSpec, requirements: list[dict[str, Any]], *, by: Any) -> None:
    """Set the requirements of a draft."""
    _must_be_draft(spec)
    spec.requirements.all().delete()
    _fill(spec, requirements)
    audit.record(
        "specification_written", actor=by, subject=spec.procedure.code, stage=spec.stage,
        version=spec.version, requirements=len(requirements),
    )  # fmt: skip


@transaction.atomic
def add_requirement(procedure: Procedure, requirement: dict[str, Any], *, by: Any) -> Requirement:
    """Add one requirement to the draft of the specification, made where there is none."""
    spec = draft(procedure, stage=Stage.SPECIFICATION, by=by)
    if spec.requirements.filter(code=requirement["code"]).exists():
        raise refuse_move(
            _("code: %(code)s is in the specification already."), code=requirement["code"]
        )
    return Requirement.objects.create(spec=spec, **requirement)


@transaction.atomic
def write_requirement(
    spec: RequirementSpec, requirement: dict[str, Any], *, replaced: str, by: Any
) -> Requirement:
    """Add a requirement to a draft, or put it in place of the one of the code ``replaced``."""
    _must_be_draft(spec)
    code = requirement["code"]
    if code != replaced and spec.requirements.filter(code=code).exists():
        raise refuse_move(_("code: %(code)s is in the specification already."), code=code)
    held = spec.requirements.filter(code=replaced).first() or Requirement(spec=spec)
    for name, value in requirement.items():
        setattr(held, name, value)
    held.save()
    audit.record(
        "requirement_written", actor=by, subject=spec.procedure.code, stage=spec.stage,
        version=spec.version, code=code,
    )  # fmt: skip
    return held


@transaction.atomic
def remove_requirement(spec: RequirementSpec, code: str, *, by: Any) -> None:
    """Take a requirement out of a draft."""
    _must_be_draft(spec)
    if spec.requirements.filter(code=code).delete()[0]:
        audit.record(
            "requirement_removed", actor=by, subject=spec.procedure.code, stage=spec.stage,
            version=spec.version, code=code,
        )  # fmt: skip


@transaction.atomic
def freeze(spec: RequirementSpec, *, by: Any) -> RequirementSpec:
    """Fix a version for ever; tenders on an earlier one become invalid and must be made anew."""
    _must_be_draft(spec)
    _must_be_time(spec)
    requirements = plain_requirements(spec)
    if not requirements:
        raise refuse_move(_("A version without requirements cannot be frozen."))
    rows = RequirementSpec.objects.filter(pk=spec.pk, frozen_at=None)
    name = str(getattr(by, "username", by))
    if not rows.update(frozen_at=timezone.now(), frozen_by=name, sha256=digest(requirements)):
        raise refuse_move(_("Somebody else was faster: look at it again."))
    spec.refresh_from_db()
    # No join: Django would put all of the condition below it, and PostgreSQL, which waits for who
    # withdraws a tender at this moment, looks again only at what stands above.
    Submission.objects.filter(
        participant__in=spec.procedure.participants.all(), kind=Submission.Kind.FINAL,
        state=Submission.State.SEALED,
        spec__in=spec.procedure.specs.filter(stage=spec.stage),
    ).update(state=Submission.State.INVALID)  # fmt: skip
    audit.record(
        "specification_frozen", actor=by, subject=spec.procedure.code, stage=spec.stage,
        version=spec.version, sha256=spec.sha256,
    )  # fmt: skip
    return spec


def differences(
    spec: RequirementSpec, *, since: RequirementSpec
) -> list[specification.Difference]:
    """What changed from an earlier version to this one."""
    return specification.difference(plain_requirements(since), plain_requirements(spec))


def newest_frozen(procedure: Procedure, stage: str) -> RequirementSpec | None:
    """The version that holds."""
    return procedure.specs.filter(stage=stage, frozen_at__isnull=False).order_by("-version").first()


def _must_be_draft(spec: RequirementSpec) -> None:
    if spec.frozen_at is not None:
        raise refuse_move(
            _("Version %(version)s is frozen: make a new one."), version=spec.version
        )
    procedure = spec.procedure
    may = _OPEN[Stage(spec.stage)]
    if procedure.kind == Kind.MINI_COMPETITION:
        may = (State.PLANNING, State.FINAL_TENDER)
    if procedure.state not in may:
        raise refuse_move(
            _('Requirements are not changed at "%(now)s".'), now=State(procedure.state).label
        )


def _fill(spec: RequirementSpec, requirements: list[dict[str, Any]]) -> None:
    Requirement.objects.bulk_create(Requirement(spec=spec, **one) for one in requirements)

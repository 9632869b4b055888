"""Records what was decided at a gate of a deployment; refuses a decision that its rules forbid."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from hub import audit
from hub.models import User
from marketplace.clearance import facts_of, judge
from marketplace.gates import udi_di_of
from marketplace.models import AlgorithmVersion, Deployment, Gate
from marketplace.validation import Counts, sample_size
from vendors.shapes import problems_in, unfit_values

FOLDER = Path(__file__).parent
Kind = Gate.Kind


class DecisionRefused(Exception):
    """What was to be recorded breaks a rule; ``problems`` has the field and the rule of each."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{path}: {text}" for path, text in problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided at one gate, on what evidence, and for how long it holds."""

    is_passed: bool
    evidence: str = ""
    owner: str = ""
    decided_on: date | None = None
    valid_until: date | None = None
    details: dict[str, Any] = field(default_factory=dict)


@transaction.atomic
def decide(deployment: Deployment, kind: Kind, decision: Decision, *, by: User) -> Gate:
    """Record the decision in place of the one before; raises DecisionRefused."""
    if kind == Kind.CALL_OFF_LINE:
        text = _("expected a gate that people decide: the call-offs say by themselves whether a "
                 "line is active")  # fmt: skip
        raise DecisionRefused([("kind", text)])
    details = dict(decision.details)
    if kind == Kind.REGULATORY_SNAPSHOT:
        details |= _seen(deployment.version)
    if faults := problems_with(kind, decision, details, deployment=deployment):
        raise DecisionRefused(faults)
    # nobody signs for the gates while one of them is decided
    Deployment.objects.select_for_update(of=("self",)).get(pk=deployment.pk)
    gate, _made = Gate.objects.update_or_create(
        deployment=deployment,
        kind=kind,
        defaults={
            "is_passed": decision.is_passed,
            "evidence": decision.evidence,
            "owner": decision.owner,
            "decided_by": str(by),
            "decided_on": decision.decided_on or timezone.localdate(),
            "valid_until": decision.valid_until,
            "details": details,
            "udi_di": udi_di_of(deployment.version),
        },
    )
    audit.record(
        "gate.decided", actor=by, site=deployment.site, subject=str(deployment.version),
        gate=kind, is_passed=decision.is_passed, evidence=decision.evidence, details=details,
    )  # fmt: skip
    return gate


def problems_with(
    kind: str, decision: Decision, details: dict[str, Any], *, deployment: Deployment
) -> list[tuple[str, str]]:
    """(field, rule) of everything that keeps the decision from being recorded."""
    faults = [
        _split(line) for line in details_faults(kind, details, is_passed=decision.is_passed)
    ]
    has_evidence = decision.evidence.strip() or deployment.files.filter(gate=kind).exists()
    if decision.is_passed and not has_evidence:
        text = _("expected where the evidence is found, or a file of it, found nothing")
        faults.append(("evidence", text))
    if problem := day_problem(decision.decided_on):
        faults.append(("decided_on", problem))
    is_snapshot = kind == Kind.REGULATORY_SNAPSHOT and decision.is_passed
    if is_snapshot and (why := _unfit(deployment.version)):
        faults.append(("is_passed", _("expected false: %(why)s") % {"why": why}))
    return faults


def day_problem(day: date | None) -> str:
    """Why nothing can have been decided on a day, or nothing."""
    if day is None or day <= timezone.localdate():
        return ""
    return _("expected no day to come, found %(found)s") % {"found": day}


def _unfit(version: AlgorithmVersion) -> str:
    refusal = judge(facts_of(version), on=timezone.localdate())
    return str(refusal.why) if refusal else ""


def details_faults(kind: str, details: dict[str, Any], *, is_passed: bool) -> list[str]:
    """Each departure of the details of one kind, as ``path: rule``."""
    faults = problems_in({kind: details}, "gate_details", folder=FOLDER) if details or (
        kind in (Kind.LOCAL_VALIDATION, Kind.MINI_HTA, Kind.MONITORING_PLAN) and is_passed
    ) else []  # fmt: skip
    faults = faults or list(unfit_values({kind: details}))
    if not faults and is_passed:
        faults = _rules_of(kind, details)
    return [f"details.{line.removeprefix(f'{kind}.')}" for line in faults]


def _rules_of(kind: str, details: dict[str, Any]) -> list[str]:
    if kind == Kind.MINI_HTA and details["decision"] == "reject":
        text = _("expected introduce or introduce_with_conditions for a gate that stands")
        return [f"decision: {text}"]
    if kind == Kind.LOCAL_VALIDATION:
        return _validation_faults(details)
    return []


def counts_of(details: dict[str, Any]) -> Counts:
    """The four counts of a local validation."""
    return Counts(
        details["true_positive"], details["false_negative"], details["true_negative"],
        details["false_positive"],
    )  # fmt: skip


def _validation_faults(details: dict[str, Any]) -> list[str]:
    """The sample-size rule, and the lower bounds against what was agreed beforehand."""
    counts, confidence = counts_of(details), details.get("confidence", 0.95)
    needed = sample_size(
        details["expected_sensitivity"], margin=details["margin"],
        prevalence=details["prevalence"], confidence=confidence,
    )  # fmt: skip
    faults = []
    if counts.positives < needed.positives:
        text = _("expected at least %(least)s studies with the finding (sample-size rule), found "
                 "%(found)s")  # fmt: skip
        told = {"least": needed.positives, "found": counts.positives}
        faults.append(f"true_positive: {text % told}")
    if counts.total < needed.total:
        text = _("expected at least %(least)s studies in all (sample-size rule), found %(found)s")
        told = {"least": needed.total, "found": counts.total}
        faults.append(f"true_negative: {text % told}")
    for name, interval in (
        ("sensitivity", counts.sensitivity(confidence)),
        ("specificity", counts.specificity(confidence)),
    ):
        least = details[f"least_{name}"]
        if interval.low < least:
            text = _("expected a lower bound (Clopper-Pearson) of at least %(least)s, found "
                     "%(found)s")  # fmt: skip
            bound = {"least": least, "found": f"{interval.low:.4f}"}
            faults.append(f"least_{name}: {text % bound}")
    return faults


def _seen(version: AlgorithmVersion) -> dict[str, Any]:
    facts = facts_of(version)
    seen = {
        "certificate": facts.certificate_number, "regime": facts.regime,
        "class": facts.risk_class, "expires": str(facts.expires or ""),
    }  # fmt: skip
    return {name: value for name, value in seen.items() if value}


def _split(line: str) -> tuple[str, str]:
    path, _colon, text = line.partition(": ")
    return path, text

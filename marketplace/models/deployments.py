"""Where each version is in use, and what stands behind that: gates, signatures, moves."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from hub.access import SiteScopedQuerySet
from hub.models import Site, User
from marketplace.models.algorithms import AlgorithmVersion


class Deployment(models.Model):
    """May this version be used on patients at this site, and how."""

    class State(models.TextChoices):
        SHADOW = "shadow", _("Shadow")
        VALIDATION = "validation", _("Validation")
        CLINICAL = "clinical", _("Clinical")
        SUSPENDED = "suspended", _("Suspended")
        RETIRED = "retired", _("Retired")

    class WriteBack(models.TextChoices):
        AUTOMATIC = "automatic", _("Automatic")
        AFTER_ACCEPTANCE = "after_acceptance", _("After acceptance")

    site = models.ForeignKey(Site, models.PROTECT, related_name="deployments")
    version = models.ForeignKey(AlgorithmVersion, models.PROTECT, related_name="deployments")
    state = models.CharField(max_length=20, choices=State.choices, default=State.SHADOW)
    write_back = models.CharField(
        max_length=20, choices=WriteBack.choices, default=WriteBack.AUTOMATIC
    )

    # the last state of which a move is kept: tells what a set-up file changed
    known_state = models.CharField(max_length=20, blank=True)
    # who vouched for gates that stand in no row, by applying a set-up file that says so
    attested_by = models.CharField(max_length=200, blank=True)
    attested_at = models.DateTimeField(null=True, blank=True)
    attested_state = models.CharField(max_length=20, blank=True)
    attested_udi_di = models.CharField(max_length=40, blank=True)
    # a suspension made in the hub, which no set-up file lifts
    suspended_by = models.CharField(max_length=200, blank=True)
    suspended_at = models.DateTimeField(null=True, blank=True)
    suspended_why = models.JSONField(default=str, blank=True)  # a text, or a stored phrase

    objects: SiteScopedQuerySet[Deployment] = SiteScopedQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["site", "version"], name="deployment_once"),
        ]

    def __str__(self) -> str:
        return f"{self.version_id} at {self.site_id}: {self.state}"


class Gate(models.Model):
    """One condition of clinical use at a site: what was decided, on what evidence, by whom."""

    class Kind(models.TextChoices):
        REGULATORY_SNAPSHOT = "regulatory_snapshot", _("Regulatory snapshot")
        MINI_HTA = "mini_hta", _("Mini-HTA")
        DPIA = "dpia", _("Data protection impact assessment")
        DPA = "dpa", _("Data processing agreement")
        RISK_ANALYSIS = "risk_analysis", _("Risk analysis")
        LOCAL_VALIDATION = "local_validation", _("Local validation")
        TRAINING = "training", _("Training")
        CALL_OFF_LINE = "call_off_line", _("Active call-off line")
        MONITORING_PLAN = "monitoring_plan", _("Monitoring plan")

    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="gates")
    kind = models.CharField(max_length=30, choices=Kind.choices)
    is_passed = models.BooleanField(default=False)
    evidence = models.TextField(blank=True)
    owner = models.CharField(max_length=200, blank=True)
    decided_by = models.CharField(max_length=200)
    decided_on = models.DateField()
    valid_until = models.DateField(null=True, blank=True)
    # what only this kind has: counts of a validation, metrics of a monitoring plan
    details = models.JSONField(default=dict, blank=True)
    # the UDI-DI for which it was decided: another one opens the validation again
    udi_di = models.CharField(max_length=40, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["deployment", "kind"], name="gate_once"),
        ]

    def __str__(self) -> str:
        return f"{self.deployment_id} {self.kind}"


class Signature(models.Model):
    """One person's consent that a deployment goes on to a state; two of them move it."""

    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="signatures")
    to = models.CharField(max_length=20)
    user = models.ForeignKey(User, models.PROTECT, related_name="+")
    at = models.DateTimeField()
    # what the gates said then; a second signature counts only where they still say the same
    facts = models.JSONField(null=True)
    # the move that it was part of; none as long as the second signature is missing
    move = models.ForeignKey(
        "DeploymentMove", models.CASCADE, null=True, blank=True, related_name="signatures"
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["deployment", "user"],
                condition=models.Q(move__isnull=True),
                name="signature_waits_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.deployment_id} {self.to} {self.user_id}"


class DeploymentMove(models.Model):
    """From which state a deployment went to which, when, by whom and why."""

    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="moves")
    was = models.CharField(max_length=20, blank=True)
    became = models.CharField(max_length=20)
    at = models.DateTimeField()
    by = models.CharField(max_length=200)
    why = models.JSONField(default=str, blank=True)  # a text, or a stored phrase

    class Meta:
        ordering: ClassVar = ["at", "pk"]

    def __str__(self) -> str:
        return f"{self.deployment_id} {self.was} {self.became}"

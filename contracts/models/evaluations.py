"""How tenders are compared: criteria and models, what was frozen, scores, and the protocol."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from contracts.models.procedures import Procedure
from contracts.models.specifications import Requirement, Submission
from hub.models import Organisation, User


class EvaluationModel(models.Model):
    """How price and quality are brought together; edited until a procedure freezes it."""

    class Formula(models.TextChoices):
        LINEAR = "linear", _("Linear")
        PROPORTIONAL = "proportional", _("Proportional")
        HYBRID = "hybrid", _("Linear, then proportional")
        PRICED_QUALITY = "priced_quality", _("Priced quality")
        MARK_UP = "mark_up", _("Mark-up")

    code = models.SlugField(max_length=40, unique=True)
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    title = models.CharField(max_length=300)
    formula = models.CharField(max_length=20, choices=Formula.choices)
    max_points = models.DecimalField(max_digits=6, decimal_places=2, default=10)
    # hybrid: up to this multiple of the lowest price points fall linearly
    break_point = models.DecimalField(max_digits=6, decimal_places=3, null=True, blank=True)
    environment_exemption = models.TextField(blank=True)
    # [{"item", "start", "months", "monthly"}]: the volumes that tenders are priced on
    scenario = models.JSONField(default=list, blank=True)

    def __str__(self) -> str:
        return f"{self.code} {self.formula}"


class AwardCriterion(models.Model):
    """One award criterion and its weight (eForms BT-734, 539, 541)."""

    class Kind(models.TextChoices):
        PRICE = "price", _("Price")
        COST = "cost", _("Cost")
        QUALITY = "quality", _("Quality")

    model = models.ForeignKey(EvaluationModel, models.CASCADE, related_name="criteria")
    code = models.CharField(max_length=20)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    weight = models.DecimalField(max_digits=6, decimal_places=3)
    # how the notice tells the weight (eForms number-weight)
    weight_kind = models.CharField(max_length=10, default="per-exa")
    is_environment = models.BooleanField(default=False)
    # priced quality: what full points are worth
    value = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["model", "code"], name="criterion_once"),
        ]

    def __str__(self) -> str:
        return f"{self.model_id} {self.code}"


class EvaluationFreeze(models.Model):
    """The evaluation model of a procedure as it was fixed before tenders were opened."""

    procedure = models.OneToOneField(Procedure, models.PROTECT, related_name="frozen_evaluation")
    snapshot = models.JSONField()
    sha256 = models.CharField(max_length=64)
    frozen_at = models.DateTimeField()
    frozen_by = models.CharField(max_length=200)

    def __str__(self) -> str:
        return f"{self.procedure_id} {self.sha256}"


class Score(models.Model):
    """Points of one evaluator, or of the moderation, with the justification; never changed.

    Whoever scores again adds a row, and the newest counts.
    """

    submission = models.ForeignKey(Submission, models.PROTECT, related_name="scores")
    criterion = models.CharField(max_length=20)
    requirement = models.ForeignKey(
        Requirement, models.PROTECT, null=True, blank=True, related_name="+"
    )
    evaluator = models.ForeignKey(User, models.PROTECT, related_name="+")
    points = models.DecimalField(max_digits=6, decimal_places=2)
    justification = models.TextField()
    is_moderated = models.BooleanField(default=False)
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return f"{self.submission_id} {self.criterion} {self.points}"


class Protocol(models.Model):
    """The protocol of a procedure as it was written at one moment: a page that stands alone."""

    procedure = models.ForeignKey(Procedure, models.PROTECT, related_name="protocols")
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=200)
    document = models.TextField()
    sha256 = models.CharField(max_length=64)

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return f"{self.procedure_id} {self.made_at}"

"""Requirements by version, what participants suggest, and what they answer.

One shape carries the European single procurement document (stage ``espd``: exclusion,
qualification, selection) and the requirement specification.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from contracts.models.procedures import DialogueRound, Participant, Procedure


class RequirementSpec(models.Model):
    """One version; once frozen nothing in it changes, and its digest says what it was."""

    class Stage(models.TextChoices):
        ESPD = "espd", _("Qualification (ESPD)")
        SPECIFICATION = "specification", _("Requirement specification")

    procedure = models.ForeignKey(Procedure, models.PROTECT, related_name="specs")
    stage = models.CharField(max_length=20, choices=Stage.choices)
    version = models.PositiveSmallIntegerField()
    frozen_at = models.DateTimeField(null=True, blank=True)
    frozen_by = models.CharField(max_length=200, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering: ClassVar = ["stage", "version"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["procedure", "stage", "version"], name="spec_once"),
        ]

    def __str__(self) -> str:
        return f"{self.procedure_id} {self.stage} {self.version}"


class Requirement(models.Model):
    """One requirement of one version."""

    class Group(models.TextChoices):
        EXCLUSION = "exclusion", _("Exclusion")
        QUALIFICATION = "qualification", _("Qualification")
        SELECTION = "selection", _("Selection")
        GENERAL = "general", _("General")
        FUNCTIONAL = "functional", _("Functional")
        TECHNICAL = "technical", _("Technical")
        SECURITY = "security", _("Security")
        LEGAL = "legal", _("Legal")
        COMMERCIAL = "commercial", _("Commercial")

    class Kind(models.TextChoices):
        MUST = "must", _("Must")
        SHOULD = "should", _("Should")
        INFO = "info", _("Information")

    class Answer(models.TextChoices):
        YES_NO = "yes_no", _("Yes or no")
        TEXT = "text", _("Text")
        NUMBER = "number", _("Number")
        CHOICE = "choice", _("Choice")
        DOCUMENT = "document", _("Document")
        PRICE = "price", _("Price")
        TABLE = "table", _("Table")

    spec = models.ForeignKey(RequirementSpec, models.PROTECT, related_name="requirements")
    code = models.CharField(max_length=20)
    parent = models.CharField(max_length=20, blank=True)
    group = models.CharField(max_length=20, choices=Group.choices)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    text = models.TextField()
    text_no = models.TextField(blank=True)
    rationale = models.TextField(blank=True)
    answer_type = models.CharField(max_length=10, choices=Answer.choices, default=Answer.YES_NO)
    choices = models.JSONField(default=list)
    # code of the award criterion that its points count for
    criterion = models.CharField(max_length=20, blank=True)
    max_points = models.DecimalField(max_digits=6, decimal_places=2, null=True, blank=True)
    min_points = models.DecimalField(max_digits=6, decimal_places=2, null=True, blank=True)
    needs_document = models.BooleanField(default=False)
    # buyer, or supplier_suggestion
    source = models.CharField(max_length=20, default="buyer")
    supersedes = models.CharField(max_length=20, blank=True)

    class Meta:
        ordering: ClassVar = ["group", "code"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["spec", "code"], name="requirement_once"),
        ]

    def __str__(self) -> str:
        return f"{self.spec_id} {self.code}"


class SuggestedRequirement(models.Model):
    """A requirement that a participant suggests; accepted, it is one for all of them."""

    class Disposition(models.TextChoices):
        PENDING = "pending", _("Pending")
        ACCEPTED = "accepted", _("Accepted")
        REJECTED = "rejected", _("Rejected")

    procedure = models.ForeignKey(Procedure, models.PROTECT, related_name="suggestions")
    participant = models.ForeignKey(Participant, models.PROTECT, related_name="suggestions")
    text = models.TextField()
    rationale = models.TextField(blank=True)
    suggested_at = models.DateTimeField()
    disposition = models.CharField(
        max_length=10, choices=Disposition.choices, default=Disposition.PENDING
    )
    # the words in which all get it: nobody can tell whose it was
    anonymised_text = models.TextField(blank=True)
    accepted_as = models.CharField(max_length=20, blank=True)
    reply = models.TextField(blank=True)
    decided_by = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return f"{self.procedure_id} {self.pk}"


class Submission(models.Model):
    """What a participant handed in: a request to take part, an answer in a round, its tender.

    A final tender is only a sealed text until all are opened at one moment.
    """

    class Kind(models.TextChoices):
        REQUEST = "request", _("Request to participate")
        DIALOGUE = "dialogue", _("Answer in the dialogue")
        FINAL = "final", _("Final tender")

    class State(models.TextChoices):
        SUBMITTED = "submitted", _("Submitted")
        SEALED = "sealed", _("Sealed")
        OPENED = "opened", _("Opened")
        REPLACED = "replaced", _("Replaced")
        WITHDRAWN = "withdrawn", _("Withdrawn")
        INVALID = "invalid", _("Invalid")

    class Decision(models.TextChoices):
        OPEN = "open", _("Not decided")
        ADMITTED = "admitted", _("Admitted")
        REJECTED = "rejected", _("Rejected")

    participant = models.ForeignKey(Participant, models.PROTECT, related_name="submissions")
    spec = models.ForeignKey(RequirementSpec, models.PROTECT, related_name="+")
    round = models.ForeignKey(
        DialogueRound, models.PROTECT, null=True, blank=True, related_name="submissions"
    )
    kind = models.CharField(max_length=10, choices=Kind.choices)
    state = models.CharField(max_length=10, choices=State.choices)
    received_at = models.DateTimeField()
    received_by = models.CharField(max_length=200)
    # of what was handed in, as on the receipt
    sha256 = models.CharField(max_length=64)
    sealed = models.TextField(blank=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    # the price book that is offered; see contracts/priced_scenario.py
    offer = models.JSONField(default=dict, blank=True)
    evaluated_price = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    decision = models.CharField(max_length=10, choices=Decision.choices, default=Decision.OPEN)
    decision_reason = models.TextField(blank=True)
    decided_by = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return f"{self.participant_id} {self.kind} {self.pk}"


class RequirementResponse(models.Model):
    """The answer of one submission to one requirement, and the comment beside it."""

    class Compliance(models.TextChoices):
        FULL = "full", _("Full")
        PARTIAL = "partial", _("Partial")
        NONE = "none", pgettext_lazy("compliance", "None")
        NOT_APPLICABLE = "na", _("Not applicable")

    class Comment(models.TextChoices):
        UNCLEAR = "unclear", _("Unclear")
        HARD_TO_COMPLY = "hard_to_comply", _("Hard to comply with")
        COSTLY = "costly", _("Costly")
        ALTERNATIVE = "alternative", _("Alternative")
        OTHER = "other", _("Other")

    submission = models.ForeignKey(Submission, models.PROTECT, related_name="responses")
    requirement = models.ForeignKey(Requirement, models.PROTECT, related_name="+")
    compliance = models.CharField(max_length=10, choices=Compliance.choices)
    answer = models.TextField(blank=True)
    comment = models.TextField(blank=True)
    comment_kind = models.CharField(max_length=20, choices=Comment.choices, blank=True)
    price_impact = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    # [{"name", "sha256", "reference"}]: documents are kept where the parties exchange them
    documents = models.JSONField(default=list, blank=True)

    class Meta:
        ordering: ClassVar = ["requirement__code"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["submission", "requirement"], name="response_once"),
        ]

    def __str__(self) -> str:
        return f"{self.submission_id} {self.requirement_id}"

"""Procedures by which something is bought: their states, who takes part, and what was said."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from contracts.models.agreements import FrameworkAgreement
from hub.models import Organisation
from vendors.models import Vendor


class Procedure(models.Model):
    """A competitive dialogue, or a mini-competition inside a framework; ``code`` is its number."""

    class Kind(models.TextChoices):
        COMPETITIVE_DIALOGUE = "comp-dial", _("Competitive dialogue")
        MINI_COMPETITION = "mini-competition", _("Mini-competition")

    class State(models.TextChoices):
        PLANNING = "planning", _("Planning")
        PUBLISHED = "published", _("Published")
        PREQUALIFICATION = "prequalification", _("Prequalification")
        DIALOGUE = "dialogue", _("Dialogue")
        FINAL_TENDER = "final_tender", _("Final tenders")
        EVALUATION = "evaluation", _("Evaluation")
        AWARD_NOTIFIED = "award_notified", _("Award notified")
        CONCLUDED = "concluded", _("Concluded")
        NO_AWARD = "no_award", _("No award")
        CANCELLED = "cancelled", _("Cancelled")

    code = models.SlugField(max_length=40, unique=True)
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    title = models.CharField(max_length=300)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    framework = models.ForeignKey(
        FrameworkAgreement, models.PROTECT, null=True, blank=True, related_name="mini_competitions"
    )
    # of a framework that has lots: the one that is competed for
    lot = models.CharField(max_length=40, blank=True)
    # mini-competition: codes of the sites that it is for; None: all of the organisation's own
    sites = models.JSONField(null=True, blank=True)
    state = models.CharField(max_length=20, choices=State.choices, default=State.PLANNING)
    purpose = models.TextField(blank=True)
    strategy = models.TextField(blank=True)
    estimated_value = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    maximum_value = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    # the notice: eForms type 16, or 20 in the light regime; where it stands
    notice_type = models.CharField(max_length=2, default="16")
    notice_reference = models.CharField(max_length=200, blank=True)
    # BT-1311(d), BT-52, BT-50 and BT-51 of eForms
    requests_due_at = models.DateTimeField(null=True, blank=True)
    reduces_successively = models.BooleanField(null=True, blank=True)
    least_candidates = models.PositiveSmallIntegerField(null=True, blank=True)
    most_candidates = models.PositiveSmallIntegerField(null=True, blank=True)
    dialogue_plan = models.TextField(blank=True)
    tenders_due_at = models.DateTimeField(null=True, blank=True)
    evaluation_model = models.ForeignKey(
        "contracts.EvaluationModel", models.PROTECT, null=True, blank=True, related_name="+"
    )
    published_at = models.DateTimeField(null=True, blank=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    winner = models.ForeignKey(
        "contracts.Participant", models.PROTECT, null=True, blank=True, related_name="+"
    )
    award_reason = models.TextField(blank=True)
    # the last day of the standstill
    standstill_until = models.DateField(null=True, blank=True)
    contract_reference = models.CharField(max_length=200, blank=True)
    # BT-144: why there is no winner
    end_reason = models.CharField(max_length=40, blank=True)
    # when it was concluded, or ended without a winner
    ended_at = models.DateTimeField(null=True, blank=True)
    # the result notice (eForms type 29), and the maximum value in it (BT-118, BT-709)
    result_notice = models.CharField(max_length=200, blank=True)
    result_notice_on = models.DateField(null=True, blank=True)
    result_value = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    # the data key of sealed tenders, wrapped; see contracts/sealing.py
    seal = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"{self.code} {self.title}"

    @property
    def evaluation_frozen(self) -> bool:
        """Whether it is fixed how tenders are compared."""
        return hasattr(self, "frozen_evaluation")


class ProcedureMove(models.Model):
    """One move of a procedure; added by contracts/tenders.py alone, never changed."""

    procedure = models.ForeignKey(Procedure, models.PROTECT, related_name="moves")
    at = models.DateTimeField()
    by = models.CharField(max_length=200)
    from_state = models.CharField(max_length=20)
    to_state = models.CharField(max_length=20)
    why = models.TextField()

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return f"{self.procedure_id} {self.from_state} -> {self.to_state}"

    @property
    def to_label(self) -> str:
        """The state it came to, for people."""
        return str(Procedure.State(self.to_state).label)


class MarketContact(models.Model):
    """Something said with the market before the notice, told to all later; never changed."""

    procedure = models.ForeignKey(Procedure, models.PROTECT, related_name="market_contacts")
    on = models.DateField()
    with_whom = models.CharField(max_length=300)
    summary = models.TextField()
    by = models.CharField(max_length=200)

    class Meta:
        ordering: ClassVar = ["on", "pk"]

    def __str__(self) -> str:
        return f"{self.procedure_id} {self.on} {self.with_whom}"


class Participant(models.Model):
    """A company in a procedure; ``number`` stands for it where others may not know its name.

    Its people are those of the vendor (vendors.models.VendorMember), and nobody else.
    """

    class State(models.TextChoices):
        CANDIDATE = "candidate", _("Candidate")
        QUALIFIED = "qualified", _("Qualified")
        EXCLUDED = "excluded", _("Excluded")
        INVITED = "invited", _("Invited")
        REDUCED = "reduced", _("Not taken further")
        WITHDRAWN = "withdrawn", _("Withdrawn")

    procedure = models.ForeignKey(Procedure, models.PROTECT, related_name="participants")
    vendor = models.ForeignKey(Vendor, models.PROTECT, related_name="+")
    number = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=20, choices=State.choices, default=State.CANDIDATE)
    why = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar = ["number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["procedure", "vendor"], name="participant_once"),
            models.UniqueConstraint(fields=["procedure", "number"], name="participant_number_once"),
        ]

    def __str__(self) -> str:
        return f"{self.procedure_id} {self.vendor_id}"


class DialogueRound(models.Model):
    """One round of the dialogue: its agenda, and the decision at its end."""

    procedure = models.ForeignKey(Procedure, models.PROTECT, related_name="rounds")
    number = models.PositiveSmallIntegerField()
    agenda = models.TextField()
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    # which solutions go on, and why
    decision = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar = ["number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["procedure", "number"], name="round_once"),
        ]

    def __str__(self) -> str:
        return f"{self.procedure_id} {self.number}"


class DialogueNote(models.Model):
    """Minutes or a document of a round with one participant, or for all; never changed."""

    class Kind(models.TextChoices):
        MINUTES = "minutes", _("Minutes")
        SOLUTION = "solution", _("Solution description")
        DOCUMENT = "document", _("Document")

    round = models.ForeignKey(DialogueRound, models.PROTECT, related_name="notes")
    # without one it is for every participant
    participant = models.ForeignKey(
        Participant, models.PROTECT, null=True, blank=True, related_name="notes"
    )
    kind = models.CharField(max_length=20, choices=Kind.choices)
    text = models.TextField()
    # why it is kept from the public
    confidential_because = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField()
    by = models.CharField(max_length=200)

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return f"{self.round_id} {self.kind}"


class Question(models.Model):
    """What a participant asked, and what it, or without its name everybody, was answered."""

    procedure = models.ForeignKey(Procedure, models.PROTECT, related_name="questions")
    participant = models.ForeignKey(Participant, models.PROTECT, related_name="questions")
    text = models.TextField()
    asked_at = models.DateTimeField()
    # the question as others may read it
    anonymised_text = models.TextField(blank=True)
    answer = models.TextField(blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    answered_by = models.CharField(max_length=200, blank=True)
    is_for_all = models.BooleanField(default=False)

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return f"{self.procedure_id} {self.pk}"

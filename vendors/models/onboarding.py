"""What a vendor has to show before its algorithms are taken in: a checklist with evidence."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from vendors.models.suppliers import Vendor


class OnboardingItem(models.Model):
    """One line of the checklist: its evidence, who is in charge of it, and what was decided."""

    class Kind(models.TextChoices):
        COMPANY = "company", _("Company and SRN")
        CERTIFICATE = "certificate", _("Certificate of the notified body")
        DECLARATION = "declaration", _("Declaration of conformity")
        IFU = "ifu", _("Instructions for use")
        DPA = "dpa", _("Data processing agreement, sub-processors, transfers")
        SECURITY = "security", _("Security questionnaire")
        NO_LEARNING = "no_learning", _("Undertaking not to learn from our images")
        SUPPORT = "support", _("Support contact")
        INSURANCE = "insurance", _("Insurance")

    class State(models.TextChoices):
        OPEN = "open", _("Open")
        SUBMITTED = "submitted", _("Submitted")
        ACCEPTED = "accepted", _("Accepted")
        RETURNED = "returned", _("Returned")

    vendor = models.ForeignKey(Vendor, models.CASCADE, related_name="onboarding")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    state = models.CharField(max_length=20, choices=State.choices, default=State.OPEN)
    # where the document lies, in words: the archive of the buyer keeps it
    evidence = models.TextField(blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    owner = models.CharField(max_length=200, blank=True)
    dated = models.DateField(null=True, blank=True)
    due = models.DateField(null=True, blank=True)
    valid_until = models.DateField(null=True, blank=True)
    submitted_by = models.CharField(max_length=200, blank=True)
    submitted_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.CharField(max_length=200, blank=True)
    decided_on = models.DateField(null=True, blank=True)
    comment = models.TextField(blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["vendor", "kind"], name="onboarding_item_once"),
        ]

    def __str__(self) -> str:
        return f"{self.vendor_id} {self.kind}"


class SubProcessor(models.Model):
    """Who else handles personal data for a vendor (GDPR Art. 28(2)), and where."""

    vendor = models.ForeignKey(Vendor, models.CASCADE, related_name="sub_processors")
    name = models.CharField(max_length=200)
    country = models.CharField(max_length=2)
    purpose = models.CharField(max_length=300)
    # GDPR Art. 45, 46 or 49, where the country lies outside of the EEA
    transfer_basis = models.CharField(max_length=20, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["vendor", "name"], name="sub_processor_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.country})"

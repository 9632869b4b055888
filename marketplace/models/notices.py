"""Field safety notices, and the warnings that went out before a certificate ended."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from marketplace.models.algorithms import AlgorithmVersion
from vendors.models import Vendor


class SafetyNotice(models.Model):
    """A field safety notice of a manufacturer (MDR Art. 89): as long as it is open, it suspends."""

    class Action(models.TextChoices):
        STOP = "stop", _("Stop using it")
        RECALL = "recall", _("Recall")
        UPDATE = "update", _("Update")
        ADVISE = "advise", _("Advice on its use")

    code = models.CharField(max_length=60, unique=True)
    vendor = models.ForeignKey(Vendor, models.PROTECT, related_name="safety_notices")
    title = models.CharField(max_length=300)
    action = models.CharField(max_length=20, choices=Action.choices)
    description = models.TextField(blank=True)
    received = models.DateField()
    # off for advice that was read and found to stop nothing
    is_suspending = models.BooleanField(default=True)
    decided_by = models.CharField(max_length=200)
    decided_at = models.DateTimeField(null=True, blank=True)
    lifted_on = models.DateField(null=True, blank=True)
    lifted_by = models.CharField(max_length=200, blank=True)
    lifted_why = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"{self.code} {self.title}"

    @property
    def is_open(self) -> bool:
        """Whether it keeps its versions out of use."""
        return self.is_suspending and self.lifted_on is None


class NoticeVersion(models.Model):
    """A version that a notice is about."""

    notice = models.ForeignKey(SafetyNotice, models.CASCADE, related_name="versions")
    version = models.ForeignKey(AlgorithmVersion, models.PROTECT, related_name="notices")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["notice", "version"], name="notice_version_once"),
        ]

    def __str__(self) -> str:
        return f"{self.notice_id} {self.version_id}"


class ExpiryWarning(models.Model):
    """That somebody was warned, so many days before the end of a certificate (or of a period)."""

    version = models.ForeignKey(
        AlgorithmVersion, models.CASCADE, related_name="expiry_warnings"
    )
    ends = models.DateField()
    days = models.PositiveIntegerField()
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["version", "ends", "days"], name="expiry_warning_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.version_id} {self.ends} {self.days}"

"""What organisations order under framework agreements."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from contracts.models.agreements import FrameworkAgreement
from hub.models import Organisation, Site
from marketplace.models import Algorithm


class CallOff(models.Model):
    """What one organisation orders under a framework agreement."""

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        APPROVED = "approved", _("Approved")
        ORDERED = "ordered", _("Ordered")
        ACTIVE = "active", _("Active")
        CLOSED = "closed", _("Closed")
        CANCELLED = "cancelled", _("Cancelled")

    code = models.CharField(max_length=40, unique=True)
    framework = models.ForeignKey(FrameworkAgreement, models.PROTECT, related_name="call_offs")
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="call_offs")
    state = models.CharField(max_length=20, choices=State.choices, default=State.ACTIVE)
    valid_from = models.DateField()
    valid_to = models.DateField(null=True, blank=True)

    def __str__(self) -> str:
        return self.code


class CallOffLine(models.Model):
    """One algorithm at one site, from its day of activation."""

    call_off = models.ForeignKey(CallOff, models.CASCADE, related_name="lines")
    algorithm = models.ForeignKey(Algorithm, models.PROTECT, related_name="+")
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    activated = models.DateField()
    volume_estimate = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["call_off", "algorithm", "site"], name="call_off_line_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.call_off_id} {self.algorithm_id} {self.site_id}"

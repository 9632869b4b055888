"""Framework agreements, call-offs and what was used under them."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from hub.models import Organisation, Site
from marketplace.models import Algorithm, AlgorithmVersion
from vendors.models import Vendor


class FrameworkAgreement(models.Model):
    """An agreement that several organisations share; ``maximum_value`` is a hard stop (C-23/20)."""

    code = models.CharField(max_length=40, unique=True)
    title = models.CharField(max_length=300)
    holder = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    supplier = models.ForeignKey(Vendor, models.PROTECT, related_name="frameworks")
    valid_from = models.DateField()
    valid_to = models.DateField()
    estimated_value = models.DecimalField(max_digits=14, decimal_places=2)
    maximum_value = models.DecimalField(max_digits=14, decimal_places=2)
    currency = models.CharField(max_length=3, default="NOK")

    def __str__(self) -> str:
        return f"{self.code} {self.title}"


class Authority(models.Model):
    """An organisation named in a framework agreement, which alone may call off."""

    framework = models.ForeignKey(
        FrameworkAgreement, models.CASCADE, related_name="authorities"
    )
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    role = models.CharField(max_length=40, default="contracting_authority")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["framework", "organisation", "role"], name="authority_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.organisation_id} {self.role}"


class PriceBookEntry(models.Model):
    """What one algorithm costs under one framework agreement, as agreed (``terms``)."""

    framework = models.ForeignKey(
        FrameworkAgreement, models.CASCADE, related_name="price_book"
    )
    algorithm = models.ForeignKey(Algorithm, models.PROTECT, related_name="+")
    model = models.CharField(max_length=20)
    # tiers, introduction and the further terms of the set-up file, amounts as strings
    terms = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["framework", "algorithm"], name="price_once"),
        ]

    def __str__(self) -> str:
        return f"{self.algorithm_id} {self.model}"


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


class UsageEvent(models.Model):
    """One delivered clinical result: added once for a study, algorithm and call-off, never edited.

    ``study_ref`` is a keyed hash of site and Study Instance UID: no patient's identity is here.
    """

    source = models.CharField(max_length=200)
    event_id = models.CharField(max_length=100)
    at = models.DateTimeField(db_index=True)
    study_ref = models.CharField(max_length=80)
    call_off = models.ForeignKey(CallOff, models.PROTECT, related_name="usage")
    line = models.ForeignKey(CallOffLine, models.PROTECT, related_name="usage")
    algorithm = models.ForeignKey(Algorithm, models.PROTECT, related_name="+")
    version = models.ForeignKey(AlgorithmVersion, models.PROTECT, related_name="+")
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    units = models.PositiveIntegerField(default=1)
    details = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "event_id"], name="usage_source_id_once"),
            models.UniqueConstraint(
                fields=["study_ref", "algorithm", "call_off"], name="usage_once_per_study"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.event_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add the row; what was metered is never edited, corrections are further events."""
        if self.pk is not None:
            raise UsageIsAppendOnly(f"usage event {self.event_id} cannot be changed")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Refused always."""
        raise UsageIsAppendOnly(f"usage event {self.event_id} cannot be deleted")


class UsageIsAppendOnly(Exception):
    """Somebody tried to change or delete a usage event."""


class VolumeCounter(models.Model):
    """How much of an algorithm was used under a framework in one contract year, counted up."""

    framework = models.ForeignKey(FrameworkAgreement, models.PROTECT, related_name="volumes")
    algorithm = models.ForeignKey(Algorithm, models.PROTECT, related_name="+")
    contract_year = models.DateField()
    quantity = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["framework", "algorithm", "contract_year"], name="volume_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.framework_id} {self.algorithm_id} {self.contract_year}: {self.quantity}"

"""What was used under call-offs: events that are added and never edited, and their counters."""

from __future__ import annotations

from typing import Any

from django.db import models

from contracts.models.agreements import FrameworkAgreement
from contracts.models.call_offs import CallOff, CallOffLine
from hub.models import Site
from marketplace.models import Algorithm, AlgorithmVersion


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

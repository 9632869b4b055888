"""What was measured of a service: how much of a month it was available, and what it led to.

Rows are added and never edited; of several about the same the newest holds.
"""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone

from contracts.models.agreements import FrameworkAgreement
from contracts.models.billing import Final
from contracts.models.call_offs import CallOffLine
from marketplace.models import Algorithm


class AvailabilityReading(Final):
    """The share (0 to 1) of a month (its first day) in which the service of a line was there."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    line = models.ForeignKey(CallOffLine, models.PROTECT, related_name="availability")
    month = models.DateField()
    share = models.DecimalField(max_digits=7, decimal_places=6)
    recorded_at = models.DateTimeField(default=timezone.now)
    recorded_by = models.CharField(max_length=200)

    def __str__(self) -> str:
        return f"{self.line_id} {self.month:%Y-%m}: {self.share}"


class OutcomeReading(Final):
    """What was measured of an algorithm in the contract year that begins on ``contract_year``."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    framework = models.ForeignKey(FrameworkAgreement, models.PROTECT, related_name="outcomes")
    algorithm = models.ForeignKey(Algorithm, models.PROTECT, related_name="+")
    kpi = models.CharField(max_length=80)
    contract_year = models.DateField()
    successes = models.PositiveIntegerField()
    n = models.PositiveIntegerField()
    recorded_at = models.DateTimeField(default=timezone.now)
    recorded_by = models.CharField(max_length=200)

    def __str__(self) -> str:
        return f"{self.framework_id} {self.kpi} {self.contract_year}: {self.successes}/{self.n}"

"""Runs that turn usage into invoices: which events each took, what was read, and at what terms."""

from __future__ import annotations

import uuid

from django.db import models

from contracts.models.agreements import FrameworkAgreement
from contracts.models.call_offs import CallOffLine
from contracts.models.usage import UsageAdjustment, UsageEvent
from hub.added_once import AddedOnce


class BilledIsFinal(Exception):  # noqa: N818 (named by what failed)
    """Somebody tried to change or delete what was invoiced."""


class Final(AddedOnce):
    """What was invoiced; the database refuses its change as well."""

    refusal = BilledIsFinal

    class Meta:
        abstract = True


class BillingRun(Final):
    """One run over the usage up to the end of ``period`` (the first day of a month)."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    period = models.DateField()
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=200)

    def __str__(self) -> str:
        return f"{self.period:%Y-%m} {self.uid}"


class EventBooking(Final):
    """The run that took a usage event; there is one for an event, for ever."""

    event = models.OneToOneField(UsageEvent, models.PROTECT, related_name="booking")
    run = models.ForeignKey(BillingRun, models.PROTECT, related_name="events")

    def __str__(self) -> str:
        return f"{self.event_id} in {self.run_id}"


class AdjustmentBooking(Final):
    """The run that took an adjustment of usage; there is one for an adjustment, for ever."""

    adjustment = models.OneToOneField(UsageAdjustment, models.PROTECT, related_name="booking")
    run = models.ForeignKey(BillingRun, models.PROTECT, related_name="adjustments")

    def __str__(self) -> str:
        return f"{self.adjustment_id} in {self.run_id}"


class MeterReading(Final):
    """What one run took for one line of a call-off and one local day; adjustments may make it < 0.

    ``failures`` are those of the supplier, ``late`` is counted as the price book said then,
    ``rejected`` by the customer's fault.
    """

    run = models.ForeignKey(BillingRun, models.PROTECT, related_name="readings")
    line = models.ForeignKey(CallOffLine, models.PROTECT, related_name="readings")
    day = models.DateField()
    units = models.IntegerField()
    failures = models.PositiveIntegerField(default=0)
    late = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "line", "day"], name="meter_reading_once"),
        ]

    def __str__(self) -> str:
        return f"{self.line_id} {self.day}: {self.units}"


class RatingSnapshot(Final):
    """The terms and the usage that one run rated for a framework, so that it can be done again."""

    run = models.ForeignKey(BillingRun, models.PROTECT, related_name="snapshots")
    framework = models.ForeignKey(FrameworkAgreement, models.PROTECT, related_name="+")
    facts = models.JSONField()
    sha256 = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "framework"], name="rating_snapshot_once"),
        ]

    def __str__(self) -> str:
        return f"{self.framework_id} in {self.run_id}"

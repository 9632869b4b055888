"""What was used under call-offs: events that are added and never edited, and their counters."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from contracts.models.agreements import FrameworkAgreement
from contracts.models.call_offs import CallOff, CallOffLine
from hub.added_once import AddedOnce
from hub.models import Organisation, Site
from marketplace.models import Algorithm, AlgorithmVersion


class UsageIsAppendOnly(Exception):
    """Somebody tried to change or delete a usage event."""


class Metered(AddedOnce):
    """A row of usage; what is wrong with it is said in a further one."""

    refusal = UsageIsAppendOnly

    class Meta:
        abstract = True


class UsageEvent(Metered):
    """One result that was delivered, or one that failed: added once, never edited.

    ``units`` of a clinical result are counted once for a study, algorithm and call-off; failures
    and whatever else is not paid for are events of 0 units. ``tenant`` is the organisation whose
    call-off it is: (tenant, source, event_id) is unique for ever. ``study_ref`` is a keyed hash of
    site and Study Instance UID: no patient's identity is here.
    """

    class Purpose(models.TextChoices):
        CLINICAL = "clinical", _("Clinical")
        VALIDATION = "validation", _("Validation")
        SHADOW = "shadow", _("Shadow")
        RESEARCH = "research", _("Research")

    class Fault(models.TextChoices):
        NONE = "none", _("None")
        SUPPLIER = "supplier", _("Of the supplier")
        CUSTOMER = "customer", _("Of the customer")

    # null only in rows that were added while the hub was being upgraded
    tenant = models.ForeignKey(Organisation, models.PROTECT, null=True, related_name="+")
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
    purpose = models.CharField(
        max_length=12, choices=Purpose.choices, default=Purpose.CLINICAL, db_default="clinical"
    )
    fault = models.CharField(
        max_length=12, choices=Fault.choices, default=Fault.NONE, db_default="none"
    )
    # from request to result, for the clauses on late results; None: not known
    latency_ms = models.PositiveBigIntegerField(null=True)
    # of what was reported over the API; empty for what the hub delivered itself
    payload_sha256 = models.CharField(max_length=64, blank=True, default="", db_default="")
    recorded_at = models.DateTimeField(null=True, default=timezone.now)
    details = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "source", "event_id"], name="usage_tenant_source_id_once"
            ),
            models.UniqueConstraint(
                fields=["study_ref", "algorithm", "call_off"],
                condition=models.Q(units__gt=0),
                name="usage_paid_once_per_study",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.event_id}"


# by the customer's fault, of a patient, and no run that was done again
REJECTED = models.Q(
    fault=UsageEvent.Fault.CUSTOMER, purpose=UsageEvent.Purpose.CLINICAL, units=0,
    details__rerun_of__isnull=True,
)  # fmt: skip


class UsageAdjustment(Metered):
    """A correction of one usage event, in a row of its own: the event itself stays as it was."""

    tenant = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    source = models.CharField(max_length=200)
    event_id = models.CharField(max_length=100)
    corrects = models.ForeignKey(UsageEvent, models.PROTECT, related_name="adjustments")
    delta_units = models.IntegerField()
    reason = models.CharField(max_length=300)
    at = models.DateTimeField()
    recorded_at = models.DateTimeField(default=timezone.now)
    recorded_by = models.CharField(max_length=200)
    payload_sha256 = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "source", "event_id"], name="adjustment_tenant_source_id_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.event_id}: {self.delta_units:+d}"


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

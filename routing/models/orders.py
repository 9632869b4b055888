"""What the RIS told: orders, and the messages that brought them."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from hub.access import SiteScopedQuerySet
from hub.models import Node, Site


class Priority(models.IntegerChoices):
    """Requested Procedure Priority (0040,1003), the most urgent first."""

    STAT = 1, "STAT"
    HIGH = 2, "HIGH"
    MEDIUM = 3, "MEDIUM"
    ROUTINE = 4, "ROUTINE"
    LOW = 5, "LOW"


class Order(models.Model):
    """A request for a procedure, as the RIS last told it."""

    class Status(models.TextChoices):
        ORDERED = "ordered", _("Ordered")
        COMPLETED = "completed", _("Completed")
        CANCELLED = "cancelled", _("Cancelled")
        DISCONTINUED = "discontinued", _("Discontinued")

    site = models.ForeignKey(Site, models.PROTECT, related_name="orders")
    node = models.ForeignKey(Node, models.PROTECT, null=True, related_name="+")
    # what tells two orders of a site apart: filler or placer number and requested procedure
    key = models.CharField(max_length=200)
    placer_order_number = models.CharField(max_length=80, blank=True)
    filler_order_number = models.CharField(max_length=80, blank=True)
    accession_number = models.CharField(max_length=64, blank=True)
    requested_procedure_id = models.CharField(max_length=64, blank=True)
    study_instance_uid = models.CharField(max_length=64, blank=True)
    modality = models.CharField(max_length=16, blank=True)
    procedure = models.JSONField(default=dict)
    # identifiers [{value, assigning_authority, type}], name, birth_date, sex
    patient = models.JSONField(default=dict)
    priority = models.PositiveSmallIntegerField(
        choices=Priority.choices, null=True, blank=True
    )
    # what the hub has asked the RIS to raise it to; only ever upward
    raised_to = models.PositiveSmallIntegerField(
        choices=Priority.choices, null=True, blank=True
    )
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.ORDERED)
    order_status = models.CharField(max_length=8, blank=True)
    expected_instances = models.PositiveIntegerField(null=True, blank=True)
    details = models.JSONField(default=dict)
    # when the message that was last taken over was written (MSH-7), by its sender's clock
    told_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[SiteScopedQuerySet[Order]] = SiteScopedQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [models.UniqueConstraint(fields=["site", "key"], name="order_once")]
        indexes = [
            models.Index(fields=["site", "accession_number"], name="order_accession"),
            models.Index(fields=["site", "study_instance_uid"], name="order_study_uid"),
            # what every message is looked up by
            models.Index(fields=["site", "filler_order_number"], name="order_filler"),
            models.Index(fields=["site", "placer_order_number"], name="order_placer"),
        ]

    def __str__(self) -> str:
        return f"order {self.pk}"


class Message(models.Model):
    """An HL7 message as it came, stored before it was answered, and the answer it got."""

    # the unique constraint begins with the node
    node = models.ForeignKey(Node, models.PROTECT, related_name="messages", db_index=False)
    control_id = models.CharField(max_length=200)
    message_type = models.CharField(max_length=20)
    raw = models.BinaryField()
    charset = models.CharField(max_length=40, blank=True)
    answer = models.BinaryField(default=bytes)
    is_accepted = models.BooleanField(default=False)
    received_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["node", "control_id"], name="message_once"),
        ]
        # when a peer was last heard
        indexes = [models.Index(fields=["node", "received_at"], name="message_heard")]

    def __str__(self) -> str:
        return f"{self.message_type} {self.control_id}"


class PatientMerge(models.Model):
    """A Patient ID that is no more at a site, and the one that survives it, whatever came after."""

    # the unique constraint begins with the site
    site = models.ForeignKey(Site, models.PROTECT, related_name="+", db_index=False)
    prior_id = models.CharField(max_length=64)
    # who gave it out, as HL7 names it (CX-4); empty where nobody says
    issuer = models.CharField(max_length=250, blank=True)
    universal_id = models.CharField(max_length=250, blank=True)
    surviving_id = models.CharField(max_length=64)
    merged_at = models.DateTimeField()

    objects: ClassVar[SiteScopedQuerySet[PatientMerge]] = SiteScopedQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["site", "prior_id", "issuer"], name="patient_merged_once"
            ),
        ]

    def __str__(self) -> str:
        return f"merge {self.pk}"

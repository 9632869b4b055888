"""One algorithm on one study, and what came of it."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from contracts.models import CallOffLine
from hub.models import User
from marketplace.models import AlgorithmVersion
from routing.models.orders import Priority
from routing.models.studies import Instance, Study

# where a Workitem has something to do, or somebody to wait for
OPEN = (
    "matched", "entitled", "dispatched", "collected", "writing_back", "held", "failed",
)  # fmt: skip


class Actor(models.Model):
    """Common to rows a worker holds: the lease, its fencing number, and when to look again."""

    fence = models.PositiveBigIntegerField(default=0)
    lease_owner = models.CharField(max_length=100, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)

    class Meta:
        abstract = True


class Workitem(Actor):
    """One algorithm on one study (DICOM UPS, PS3.4 CC; IHE AIW-I)."""

    class State(models.TextChoices):
        MATCHED = "matched", _("Matched")
        REFUSED = "refused", _("Not entitled")
        ENTITLED = "entitled", _("Entitled")
        DISPATCHED = "dispatched", _("Running")
        COLLECTED = "collected", _("Collected")
        HELD = "held", _("Waits for acceptance")
        WRITING_BACK = "writing_back", _("Writing back")
        WRITTEN_BACK = "written_back", _("Written back")
        WITHHELD = "withheld", _("Kept inside (shadow)")
        FAILED = "failed", _("Failed")
        REJECTED = "rejected", _("Rejected by a radiologist")
        SUPERSEDED = "superseded", _("Superseded")

    class WaitsFor(models.TextChoices):
        ROOM = "room", _("Room on the disk")
        ENGINE = "engine", _("The container engine")
        STORE = "store", _("The object store")

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    study = models.ForeignKey(Study, models.CASCADE, related_name="workitems")
    revision = models.PositiveIntegerField()
    version = models.ForeignKey(AlgorithmVersion, models.PROTECT, related_name="+")
    state = models.CharField(max_length=16, choices=State.choices, default=State.MATCHED)
    # how the version was deployed when entitled: shadow, validation, clinical
    purpose = models.CharField(max_length=20, blank=True)
    write_back_mode = models.CharField(max_length=20, blank=True)
    line = models.ForeignKey(CallOffLine, models.PROTECT, null=True, related_name="+")
    priority = models.PositiveSmallIntegerField(choices=Priority.choices)
    # Series Instance UIDs of the input, and a hash over its SOP Instance UIDs
    input_series = models.JSONField(default=list)
    input_fingerprint = models.CharField(max_length=64)
    # how often the algorithm was started anew; part of the run's name
    runs = models.PositiveIntegerField(default=0)
    replaces = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="replaced_by"
    )
    why = models.JSONField(default=dict)
    # what holds it up where it stands, by no fault of its own, and since when
    waits_for = models.CharField(max_length=10, choices=WaitsFor.choices, blank=True)
    waits_since = models.DateTimeField(null=True, blank=True)
    # told to give way to a STAT, and not gone yet
    preempt_at = models.DateTimeField(null=True, blank=True)
    # how often it gave way
    preemptions = models.PositiveIntegerField(default=0, db_default=0)
    log_tail = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    dispatched_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    reviewed_by = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    reviewed_at = models.DateTimeField(null=True, blank=True)
    review = models.CharField(max_length=20, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["study", "version", "input_fingerprint"], name="workitem_once_per_input"
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_at"], condition=Q(due_at__isnull=False), name="workitem_due"
            ),
            models.Index(fields=["version", "state"], name="workitem_running"),
            models.Index(
                fields=["version", "finished_at"],
                condition=Q(finished_at__isnull=False),
                name="workitem_ended",
            ),
            models.Index(
                fields=["state", "created_at"], condition=Q(state__in=OPEN), name="workitem_open"
            ),
        ]

    def __str__(self) -> str:
        return f"workitem {self.uid}"

    def input_instances(self) -> models.QuerySet[Instance]:
        """What is analysed, in order; instances that came later are of a later revision."""
        return (
            Instance.objects.filter(
                study=self.study_id,
                series__series_instance_uid__in=self.input_series,
                revision__lte=self.revision,
            )
            # A few series for hundreds of instances: not read anew with each.
            .prefetch_related("series")
            .order_by("series__series_number", "instance_number", "sop_instance_uid")
        )


class Finding(models.Model):
    """A coded statement that an algorithm made about a study."""

    workitem = models.ForeignKey(Workitem, models.CASCADE, related_name="findings")
    ordinal = models.PositiveSmallIntegerField()
    code = models.JSONField()
    status = models.CharField(max_length=20)
    probability = models.FloatField(null=True, blank=True)
    urgency = models.CharField(max_length=10, blank=True)
    is_critical = models.BooleanField(default=False)
    site_code = models.JSONField(null=True, blank=True)
    laterality = models.CharField(max_length=20, blank=True)
    tracking_id = models.CharField(max_length=64, blank=True)
    measurements = models.JSONField(default=list)
    regions = models.JSONField(default=list)

    class Meta:
        ordering = ["workitem", "ordinal"]
        constraints = [
            models.UniqueConstraint(fields=["workitem", "ordinal"], name="finding_once"),
        ]

    def __str__(self) -> str:
        return f"{self.code.get('meaning')} {self.status}"


class Result(models.Model):
    """A DICOM object that came of a Workitem: returned by the algorithm, or written by the hub."""

    workitem = models.ForeignKey(Workitem, models.CASCADE, related_name="results")
    kind = models.CharField(max_length=10)
    sop_class_uid = models.CharField(max_length=64)
    sop_instance_uid = models.CharField(max_length=64, unique=True)
    series_instance_uid = models.CharField(max_length=64, db_index=True)
    title = models.CharField(max_length=200, blank=True)
    # a report: the Patient ID that it bears
    patient_id = models.CharField(max_length=64, blank=True)
    key = models.CharField(max_length=300)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.kind} {self.sop_instance_uid}"

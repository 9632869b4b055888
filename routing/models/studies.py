"""What the modalities and the PACS sent: studies, series, instances, and what was set aside."""

from __future__ import annotations

import uuid
from typing import ClassVar, Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from hub.access import SiteScopedQuerySet
from hub.models import Node, Site
from hub.phrases import render
from routing.models.orders import Order, Priority


class StudyQuerySet(SiteScopedQuerySet["Study"]):
    """Studies, scoped by site."""

    def lock(self, pk: int) -> Study:
        """The study, locked until the transaction ends.

        Whoever moves a Workitem, or changes an Order that has studies, locks the Study first: with
        one order for all (Study, Order, Workitem, Delivery) no two ever wait for each other.
        """
        return self.select_for_update(of=("self",), no_key=True).get(pk=pk)

    def lock_to_close(self, pk: int) -> Study:
        """The study, locked also against new rows that refer to it, as those of the inbox do."""
        return self.select_for_update(of=("self",)).get(pk=pk)

    def in_reading_order(self) -> Self:
        """Studies as people should read them: the sickest patient first."""
        return self.order_by("reading_band", "read_by", "pk")

    def unread(self) -> Self:
        """Studies that still wait for a reader."""
        return self.filter(is_read=False, has_images=True)


class Study(models.Model):
    """A DICOM Study at one site; the same UID at two sites is two rows that never meet."""

    class State(models.TextChoices):
        RECEIVING = "receiving", _("Receiving")
        COMPLETE = "complete", _("Complete")
        MATCHED = "matched", _("Matched")

    class AiState(models.TextChoices):
        PENDING = "pending", _("Waiting")
        NONE = "none", _("No AI")
        RUNNING = "running", _("AI running")
        HELD = "held", _("AI result waits for acceptance")
        DONE = "done", _("AI done")
        FAILED = "failed", _("AI failed")

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    # the unique constraint begins with the site
    site = models.ForeignKey(Site, models.PROTECT, related_name="studies", db_index=False)
    study_instance_uid = models.CharField(max_length=64)
    state = models.CharField(max_length=16, choices=State.choices, default=State.RECEIVING)
    revision = models.PositiveIntegerField(default=1)
    source = models.ForeignKey(
        Node, models.PROTECT, null=True, related_name="+", db_index=False
    )

    accession_number = models.CharField(max_length=64, blank=True)
    patient_id = models.CharField(max_length=64, blank=True)
    issuer_of_patient_id = models.CharField(max_length=64, blank=True)
    patient_name = models.CharField(max_length=324, blank=True)
    modality = models.CharField(max_length=64, blank=True)
    study_description = models.CharField(max_length=64, blank=True)
    # the rest of StudyHeader, as normalised
    header = models.JSONField(default=dict)

    instance_count = models.PositiveIntegerField(default=0)
    expected_instances = models.PositiveIntegerField(null=True, blank=True)
    has_images = models.BooleanField(default=True)
    first_instance_at = models.DateTimeField()
    last_instance_at = models.DateTimeField()
    completed_by = models.CharField(max_length=40, blank=True)
    # when the study should next be looked at by the sweep
    due_at = models.DateTimeField(null=True, blank=True)

    order = models.ForeignKey(
        Order, models.SET_NULL, null=True, blank=True, related_name="studies"
    )
    priority = models.PositiveSmallIntegerField(
        choices=Priority.choices, default=Priority.ROUTINE
    )
    reading_band = models.PositiveSmallIntegerField(default=2)
    read_by = models.DateTimeField()
    waiting_since = models.DateTimeField()
    reason = models.JSONField(default=dict)
    ai_state = models.CharField(
        max_length=16, choices=AiState.choices, default=AiState.PENDING
    )
    is_read = models.BooleanField(default=False)
    # kept, whatever the retention of its site: a complaint, a court, an inquiry
    is_on_legal_hold = models.BooleanField(default=False)
    changed_at = models.DateTimeField(auto_now=True, db_index=True)

    objects: ClassVar[StudyQuerySet] = StudyQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name_plural = "studies"
        constraints = [
            models.UniqueConstraint(
                fields=["site", "study_instance_uid"], name="study_once_per_site"
            ),
        ]
        indexes = [
            models.Index(
                fields=["site", "reading_band", "read_by", "id"],
                condition=Q(is_read=False, has_images=True),
                name="study_reading_order",
            ),
            models.Index(
                fields=["reading_band", "read_by", "id"],
                condition=Q(is_read=False, has_images=True),
                name="study_reading_order_all",
            ),
            models.Index(
                fields=["due_at"], condition=Q(due_at__isnull=False), name="study_due"
            ),
            models.Index(fields=["site", "accession_number"], name="study_accession"),
            models.Index(fields=["patient_id"], name="study_patient"),
            models.Index(fields=["reading_band", "read_by", "id"], name="study_order_of_all"),
            # what few studies are at a time: not matched yet, or with AI that is not over
            models.Index(
                fields=["state", "last_instance_at"],
                condition=~Q(state="matched"),
                name="study_on_its_way",
            ),
            models.Index(
                fields=["ai_state", "reading_band", "read_by", "id"],
                condition=Q(ai_state__in=["pending", "running", "held", "failed"]),
                name="study_ai_open",
            ),
            # when a peer was last heard
            models.Index(fields=["source", "last_instance_at"], name="study_source"),
            # what few studies are: kept by order of somebody
            models.Index(
                fields=["site"], condition=Q(is_on_legal_hold=True), name="study_on_hold"
            ),
        ]

    def __str__(self) -> str:
        return f"study {self.pk}"


class Series(models.Model):
    """A DICOM Series; ``attributes`` holds the distinct values over all of its instances."""

    study = models.ForeignKey(Study, models.CASCADE, related_name="series")
    series_instance_uid = models.CharField(max_length=64)
    series_number = models.IntegerField(null=True, blank=True)
    modality = models.CharField(max_length=16, blank=True)
    # {keyword in snake case: [distinct values]}
    attributes = models.JSONField(default=dict)
    instance_count = models.PositiveIntegerField(default=0)
    expected_instances = models.PositiveIntegerField(null=True, blank=True)
    is_own = models.BooleanField(default=False)

    class Meta:
        verbose_name_plural = "series"
        constraints = [
            models.UniqueConstraint(
                fields=["study", "series_instance_uid"], name="series_once_per_study"
            ),
        ]
        indexes = [
            # a UID that what an algorithm returned may not take
            models.Index(fields=["series_instance_uid"], name="series_series_instance_uid"),
        ]

    def __str__(self) -> str:
        return f"series {self.pk}"


class Instance(models.Model):
    """One received SOP Instance and where its bytes lie."""

    study = models.ForeignKey(Study, models.CASCADE, related_name="instances")
    series = models.ForeignKey(Series, models.CASCADE, related_name="instances")
    sop_instance_uid = models.CharField(max_length=64)
    sop_class_uid = models.CharField(max_length=64)
    transfer_syntax_uid = models.CharField(max_length=64)
    instance_number = models.IntegerField(null=True, blank=True)
    number_of_frames = models.PositiveIntegerField(default=1)
    rows = models.PositiveIntegerField(null=True, blank=True)
    columns = models.PositiveIntegerField(null=True, blank=True)
    key = models.CharField(max_length=300)
    digest = models.CharField(max_length=64, db_column="sha256")  # ADR 48
    size = models.PositiveBigIntegerField()
    revision = models.PositiveIntegerField(default=1)
    received_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["study", "sop_instance_uid"], name="instance_once_per_study"
            ),
        ]
        indexes = [
            # a UID that a sender used before, in whatever study of the site
            models.Index(fields=["sop_instance_uid"], name="instance_sop_instance_uid"),
        ]

    def __str__(self) -> str:
        return f"instance {self.pk}"


class Arrived(models.Model):
    """An instance that was answered with Success and is not yet part of its study.

    ``header`` is hub.dicom.headers.plain() as JSON. Only a study that is still receiving has any.
    """

    site = models.ForeignKey(Site, models.PROTECT, related_name="+", db_index=False)
    study = models.ForeignKey(Study, models.CASCADE, related_name="arrived")
    node = models.ForeignKey(Node, models.PROTECT, related_name="+", db_index=False)
    sop_instance_uid = models.CharField(max_length=64)
    key = models.CharField(max_length=300)
    digest = models.CharField(max_length=64, db_column="sha256")  # ADR 48
    size = models.PositiveBigIntegerField()
    sender = models.CharField(max_length=200)
    header = models.TextField()
    received_at = models.DateTimeField()

    objects: ClassVar[SiteScopedQuerySet[Arrived]] = SiteScopedQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name_plural = "arrived"
        constraints = [
            models.UniqueConstraint(
                fields=["sop_instance_uid", "site"], name="arrived_once_at_site"
            ),
        ]

    def __str__(self) -> str:
        return f"arrived {self.pk}"


class Discarded(models.Model):
    """A file of the spool whose rows were deleted; the row goes once the file has gone."""

    key = models.CharField(max_length=300, unique=True)

    def __str__(self) -> str:
        return f"discarded {self.pk}"


class SetAside(models.Model):
    """Input that could not be taken, with the reason; the bytes are kept under ``key``."""

    at = models.DateTimeField(db_index=True)
    site = models.ForeignKey(Site, models.PROTECT, null=True, blank=True)
    node = models.ForeignKey(Node, models.PROTECT, null=True, blank=True)
    study = models.ForeignKey(
        Study, models.SET_NULL, null=True, blank=True, related_name="set_aside"
    )
    protocol = models.CharField(max_length=10)
    sender = models.CharField(max_length=200)
    reason = models.JSONField(default=dict)
    field = models.CharField(max_length=100, blank=True)
    key = models.CharField(max_length=300)

    objects: ClassVar[SiteScopedQuerySet[SetAside]] = SiteScopedQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name_plural = "set aside"

    def __str__(self) -> str:
        return f"{self.protocol} from {self.sender}: {render(self.reason)}"

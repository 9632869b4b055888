"""What must be told to whom, how far it got, and every move of every row."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from hub.models import Node
from hub.phrases import render
from routing.models.orders import Priority
from routing.models.studies import Study
from routing.models.workitems import Actor, Workitem


class Delivery(Actor):
    """One thing to tell one destination; ``name`` makes telling it twice harmless."""

    class State(models.TextChoices):
        PENDING = "pending", _("Pending")
        DELIVERED = "delivered", _("Delivered")
        DEAD = "dead", _("Dead letter")
        CANCELLED = "cancelled", _("Cancelled")

    class Kind(models.TextChoices):
        DICOM = "dicom", _("DICOM objects")
        RESULT = "result", _("HL7 result")
        PRIORITY = "priority", _("HL7 priority change")

    workitem = models.ForeignKey(Workitem, models.CASCADE, related_name="deliveries")
    node = models.ForeignKey(
        Node, models.PROTECT, related_name="deliveries", db_index=False
    )
    kind = models.CharField(max_length=10, choices=Kind.choices)
    name = models.CharField(max_length=120, unique=True)
    state = models.CharField(max_length=12, choices=State.choices, default=State.PENDING)
    # HL7: the message as sent, and its MSH-10
    message = models.BinaryField(default=bytes)
    control_id = models.CharField(max_length=40, blank=True)
    # OBR-25 of a result: P preliminary, C correction, X cancelled
    result_status = models.CharField(max_length=1, default="P")
    new_priority = models.PositiveSmallIntegerField(
        choices=Priority.choices, null=True, blank=True
    )
    # it was sent, or may have been: by a worker that died, or without an answer
    may_have_arrived = models.BooleanField(default=False)
    answer = models.TextField(blank=True)
    last_error = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "deliveries"
        indexes = [
            # what few deliveries are at a time: not told yet, or being told
            models.Index(
                fields=["node", "state", "due_at"],
                condition=Q(state__in=["pending", "dead"]),
                name="delivery_open",
            ),
            models.Index(
                fields=["node"], condition=Q(lease_until__isnull=False), name="delivery_held"
            ),
            # when a peer was last told
            models.Index(fields=["node", "delivered_at"], name="delivery_told"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.node_id}: {self.state}"


class Breaker(models.Model):
    """The circuit breaker of one destination: open after repeated failure, tried again later."""

    node = models.OneToOneField(Node, models.CASCADE, related_name="breaker")
    failures = models.PositiveIntegerField(default=0)
    open_until = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.node_id}: {self.failures}"


class Transition(models.Model):
    """One move of one row from a state to the next, with the reason; written by advance()."""

    study = models.ForeignKey(Study, models.CASCADE, related_name="transitions")
    workitem = models.ForeignKey(
        Workitem, models.CASCADE, null=True, blank=True, related_name="transitions"
    )
    delivery = models.ForeignKey(
        Delivery, models.CASCADE, null=True, blank=True, related_name="transitions"
    )
    revision = models.PositiveIntegerField()
    at = models.DateTimeField()
    from_state = models.CharField(max_length=20, blank=True)
    to_state = models.CharField(max_length=20)
    why = models.JSONField(default=dict)
    by = models.CharField(max_length=200, default="hub")

    class Meta:
        indexes = [models.Index(fields=["study", "at"], name="transition_timeline")]

    def __str__(self) -> str:
        return f"{self.from_state} -> {self.to_state}: {render(self.why)}"

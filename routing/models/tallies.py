"""What the moves of rows add up to, for /metrics: kept by routing.tallying alone."""

from __future__ import annotations

from django.db import models


class Tally(models.Model):
    """How often rows of a kind came to a state, and how long they had stood in the one before."""

    # study, workitem or delivery; the code of its site, algorithm or node
    kind = models.CharField(max_length=10)
    label = models.CharField(max_length=80)
    state = models.CharField(max_length=20)
    count = models.PositiveBigIntegerField(default=0)
    seconds = models.FloatField(default=0)
    # how many stood no longer than each of tallying.BUCKETS, and how many longer than all
    buckets = models.JSONField(default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "label", "state"], name="tally_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.label} {self.state}: {self.count}"


class TallyMark(models.Model):
    """The last Transition that is in the tallies; one row."""

    last = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.last)

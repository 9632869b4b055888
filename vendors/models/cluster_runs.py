"""What was seen in a cluster of the runs that the hub has there, and that somebody looks."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class ClusterRun(models.Model):
    """One run that was handed to a cluster: from before its Job is made until it is cleaned up.

    ``seen`` is what the informer saw (hub.cluster.seen), ``state`` what it came to. Nobody sees
    these rows but the hub: what they say is shown with the Workitem.
    """

    name = models.CharField(max_length=100, unique=True)
    job_uid = models.CharField(max_length=64, blank=True)
    # 1 is the most urgent
    priority = models.PositiveSmallIntegerField(default=4)
    state = models.CharField(max_length=16, default="unknown")
    seen = models.JSONField(default=dict)
    log_tail = models.TextField(blank=True)
    submitted_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["priority", "submitted_at"],
                condition=models.Q(state="waiting"),
                name="cluster_run_waiting",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.state}"


class ClusterWatch(models.Model):
    """That a namespace is watched: ``alive_at`` is when the informer last had all there is."""

    namespace = models.CharField(max_length=63, unique=True)
    alive_at = models.DateTimeField()
    trouble = models.CharField(max_length=500, blank=True)

    def __str__(self) -> str:
        return f"{self.namespace} {self.alive_at}"

"""Warm servers in a cluster, and the runs that are given to them; nobody sees these but the hub."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class WarmServer(models.Model):
    """One server: from before its Deployment is made until that is known to be deleted.

    ``number`` is its place among those of its group, of which each is taken once; ``run`` the name
    of the run that it has, and ``pod`` who took it. One that is stopping is given none any more.
    """

    name = models.CharField(max_length=63, unique=True)
    group = models.CharField(max_length=40)
    number = models.PositiveSmallIntegerField()
    fingerprint = models.CharField(max_length=60)
    made_at = models.DateTimeField()
    ready_at = models.DateTimeField(null=True, blank=True)
    heard_at = models.DateTimeField(null=True, blank=True)
    idle_since = models.DateTimeField()
    is_stopping = models.BooleanField(default=False)
    run = models.CharField(max_length=100, blank=True)
    pod = models.CharField(max_length=253, blank=True)
    # of the question that was answered with this run: the same again is answered alike
    ask = models.CharField(max_length=64, blank=True)
    served = models.PositiveIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["group", "number"], name="warm_server_number_once"),
        ]

    def __str__(self) -> str:
        return self.name


class WarmRun(models.Model):
    """One run of a warm algorithm: it waits, is given to a server, and is over; then cleaned up."""

    class State(models.TextChoices):
        """Where it stands."""

        WAITING = "waiting"
        GIVEN = "given"
        OVER = "over"

    name = models.CharField(max_length=100, unique=True)
    group = models.CharField(max_length=40)
    # 1 is the most urgent
    priority = models.PositiveSmallIntegerField(default=4)
    state = models.CharField(max_length=16, choices=State.choices, default=State.WAITING)
    server = models.CharField(max_length=63, blank=True)
    submitted_at = models.DateTimeField()
    given_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    # how it ended, as a performer tells it
    outcome = models.JSONField(default=dict)

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["group", "priority", "submitted_at"],
                condition=models.Q(state="waiting"),
                name="warm_run_waiting",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.state}"

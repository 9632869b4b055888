"""Where the files of the spool lie, where their place of rest is an object store."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class Kept(models.Model):
    """One file of the spool: on the disk of ``host`` alone, or in the store since ``stored_at``."""

    key = models.CharField(max_length=300, unique=True)
    host = models.CharField(max_length=100, blank=True)
    noticed_at = models.DateTimeField()
    stored_at = models.DateTimeField(null=True, blank=True)
    size = models.PositiveBigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    # deleted by retention on another host, before this one has brought it
    is_doomed = models.BooleanField(default=False)

    class Meta:
        indexes = [
            models.Index(
                fields=["noticed_at"], condition=Q(stored_at__isnull=True), name="kept_outgoing"
            ),
        ]

    def __str__(self) -> str:
        return self.key

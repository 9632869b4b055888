"""GPUs that the algorithms of all sites share, as the set-up file describes them."""

from __future__ import annotations

from django.db import models

from hub.models import Site


class GpuPool(models.Model):
    """Some GPUs, what may take them, and how they are shared out."""

    code = models.SlugField(unique=True)
    # none: as many as the cluster says that it has
    size = models.PositiveIntegerField(null=True, blank=True)
    # what the cluster last said
    seen_size = models.PositiveIntegerField(null=True, blank=True)
    seen_at = models.DateTimeField(null=True, blank=True)
    # how many of them only STAT may take
    stat_reserve = models.PositiveIntegerField(default=0)
    # ways of running whose algorithms take them; empty: all
    performers = models.JSONField(default=list, blank=True)
    # how often a run gave way to a STAT, for the metrics
    preemptions = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return self.code

    @property
    def gpus(self) -> int | None:
        """How many there are; None where nobody has said so yet."""
        return self.seen_size if self.size is None else self.size

    def takes(self, kind: str) -> bool:
        """Whether algorithms that run this way take GPUs of this pool."""
        return not self.performers or kind in self.performers


class GpuShare(models.Model):
    """The weight of a site among those that share a pool; a site without one has the weight 1."""

    pool = models.ForeignKey(GpuPool, models.CASCADE, related_name="shares")
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    weight = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["pool", "site"], name="gpu_share_once"),
        ]

    def __str__(self) -> str:
        return f"{self.pool_id} {self.site_id}: {self.weight}"

"""Which studies an algorithm wants, and what was decided about each."""

from __future__ import annotations

from django.db import models

from hub.models import Site
from hub.phrases import render
from marketplace.models import Algorithm, AlgorithmVersion
from routing.models.studies import Study


class Rule(models.Model):
    """Which studies an algorithm wants at a site, beyond what its manifest demands."""

    code = models.SlugField(max_length=80, unique=True)
    site = models.ForeignKey(Site, models.PROTECT, related_name="rules")
    algorithm = models.ForeignKey(Algorithm, models.PROTECT, related_name="rules")
    when = models.JSONField()

    def __str__(self) -> str:
        return self.code


class Verdict(models.Model):
    """What was decided about one algorithm for one revision of a study, and by which clause."""

    study = models.ForeignKey(Study, models.CASCADE, related_name="verdicts")
    revision = models.PositiveIntegerField()
    algorithm = models.ForeignKey(Algorithm, models.PROTECT, related_name="+")
    version = models.ForeignKey(AlgorithmVersion, models.PROTECT, null=True, related_name="+")
    rule_code = models.CharField(max_length=80, blank=True)
    is_match = models.BooleanField()
    clause = models.JSONField(default=dict)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["study", "revision"], name="verdict_revision")]

    def __str__(self) -> str:
        return f"{self.algorithm_id}: {render(self.clause)}"

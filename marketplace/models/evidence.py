"""What was published about an algorithm, by level of efficacy."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from marketplace.models.algorithms import Algorithm


class Evidence(models.Model):
    """One reference; ``use`` is the column of the evidence matrix in which it stands."""

    class Use(models.TextChoices):
        VALIDATION = "validation", _("Validation")
        CLINICAL = "clinical", _("Testing in a clinical setting")

    class Level(models.TextChoices):
        """The levels of efficacy of van Leeuwen et al. (European Radiology 2021)."""

        TECHNICAL = "1t", _("1t: technical efficacy")
        POTENTIAL = "1c", _("1c: potential clinical efficacy")
        ACCURACY = "2", _("2: diagnostic accuracy")
        THINKING = "3", _("3: diagnostic thinking")
        THERAPEUTIC = "4", _("4: therapeutic efficacy")
        OUTCOME = "5", _("5: patient outcome")
        SOCIETAL = "6", _("6: societal efficacy")

    algorithm = models.ForeignKey(Algorithm, models.CASCADE, related_name="evidence")
    reference = models.CharField(max_length=200)
    title = models.CharField(max_length=500)
    year = models.PositiveIntegerField()
    use = models.CharField(max_length=20, choices=Use.choices)
    level = models.CharField(max_length=2, choices=Level.choices)
    design = models.CharField(max_length=100, blank=True)
    sample_size = models.PositiveIntegerField(null=True, blank=True)
    is_multicentre = models.BooleanField(default=False)
    is_independent = models.BooleanField(default=False)
    country = models.CharField(max_length=2, blank=True)
    reference_standard = models.CharField(max_length=200, blank=True)
    version_tested = models.CharField(max_length=40, blank=True)
    results = models.TextField(blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["algorithm", "reference", "use"], name="evidence_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.year})"

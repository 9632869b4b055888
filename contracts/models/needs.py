"""Needs for algorithms, the rules of breadth among them, and the runs that chose."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from hub.models import Organisation


class NeedList(models.Model):
    """The needs of an organisation that are chosen among, and how they are weighed."""

    code = models.SlugField(max_length=40, unique=True)
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    title = models.CharField(max_length=300)
    gain_unit = models.CharField(max_length=40, default="seconds")
    pick = models.PositiveSmallIntegerField()
    weight_gain = models.DecimalField(max_digits=5, decimal_places=3)
    weight_competence = models.DecimalField(max_digits=5, decimal_places=3)

    def __str__(self) -> str:
        return f"{self.code} {self.title}"


class Need(models.Model):
    """One need: how many examinations a year, and what one of them would gain."""

    class Risk(models.TextChoices):
        LOW = "low", _("Low")
        MEDIUM = "medium", _("Medium")
        HIGH = "high", _("High")

    need_list = models.ForeignKey(NeedList, models.CASCADE, related_name="needs")
    code = models.CharField(max_length=40)
    title = models.CharField(max_length=200)
    modality = models.CharField(max_length=16)
    organ = models.CharField(max_length=60)
    pathology = models.CharField(max_length=100, blank=True)
    volume = models.PositiveIntegerField()
    gain = models.DecimalField(max_digits=10, decimal_places=2)
    # of radiologists, 1 to 5: how well they know the question, and how much they want it
    competence = models.PositiveSmallIntegerField()
    risk = models.CharField(max_length=10, choices=Risk.choices)
    # the highest class of a solution on the market, as certified; empty: there is none
    best_class = models.CharField(max_length=10, blank=True)

    class Meta:
        ordering: ClassVar = ["code"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["need_list", "code"], name="need_once"),
        ]

    def __str__(self) -> str:
        return f"{self.need_list_id} {self.code}"


class BreadthRule(models.Model):
    """What the chosen needs must be spread over."""

    class Dimension(models.TextChoices):
        MODALITY = "modality", _("Modality")
        ORGAN = "organ", _("Organ")
        PATHOLOGY = "pathology", _("Pathology")
        RISK = "risk", _("Risk")

    need_list = models.ForeignKey(NeedList, models.CASCADE, related_name="breadth")
    dimension = models.CharField(max_length=10, choices=Dimension.choices)
    at_least = models.PositiveSmallIntegerField(default=0)
    at_most_each = models.PositiveSmallIntegerField(null=True, blank=True)
    every = models.JSONField(default=list, blank=True)

    class Meta:
        ordering: ClassVar = ["dimension"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["need_list", "dimension"], name="breadth_once"),
        ]

    def __str__(self) -> str:
        return f"{self.need_list_id} {self.dimension}"


class SelectionRun(models.Model):
    """What was chosen, from which inputs, by what; never changed."""

    need_list = models.ForeignKey(NeedList, models.PROTECT, related_name="runs")
    at = models.DateTimeField()
    by = models.CharField(max_length=200)
    inputs = models.JSONField()
    sha256 = models.CharField(max_length=64)
    engine = models.CharField(max_length=60)
    results = models.JSONField()

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return f"{self.need_list_id} {self.at}"

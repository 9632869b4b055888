"""Value simulations: their parameters with sources, the runs, and what was measured since."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from hub.models import Organisation


class ValueModel(models.Model):
    """What an organisation expects of one algorithm."""

    code = models.SlugField(max_length=40, unique=True)
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    title = models.CharField(max_length=300)
    years = models.PositiveSmallIntegerField(default=4)
    # the price of examinations as in a price book: {"model", "tiers" or "unit_price"}
    price = models.JSONField(default=dict)
    # by year, as shares and factors
    discounts = models.JSONField(default=list, blank=True)
    index = models.JSONField(default=list, blank=True)
    # item -> stakeholder -> share; what is not said is as in marketplace/value.py
    allocation = models.JSONField(default=dict, blank=True)

    def __str__(self) -> str:
        return f"{self.code} {self.title}"


class ValueParameter(models.Model):
    """One number of a model, where it comes from, and how sure it is."""

    class Quality(models.TextChoices):
        MEASURED = "measured", _("Measured")
        PUBLISHED = "published", _("Published")
        EXPERT = "expert", _("Expert opinion")
        ASSUMED = "assumed", _("Assumed")

    model = models.ForeignKey(ValueModel, models.CASCADE, related_name="parameters")
    name = models.CharField(max_length=40)
    value = models.FloatField()
    low = models.FloatField(null=True, blank=True)
    high = models.FloatField(null=True, blank=True)
    # {"kind": "beta", "mean": 0.92, "sd": 0.01}; see marketplace/uncertainty.py
    distribution = models.JSONField(default=dict, blank=True)
    source = models.CharField(max_length=500, blank=True)
    quality = models.CharField(max_length=10, choices=Quality.choices, default=Quality.ASSUMED)
    stakeholder = models.CharField(max_length=20, blank=True)

    class Meta:
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["model", "name"], name="value_parameter_once"),
        ]

    def __str__(self) -> str:
        return f"{self.model_id} {self.name}"


class SimulationRun(models.Model):
    """One simulation: its inputs, its seed, what made it, and all results; never changed."""

    model = models.ForeignKey(ValueModel, models.PROTECT, related_name="runs")
    at = models.DateTimeField()
    by = models.CharField(max_length=200)
    inputs = models.JSONField()
    sha256 = models.CharField(max_length=64)
    seed = models.BigIntegerField()
    draws = models.PositiveIntegerField()
    engine = models.CharField(max_length=40)
    roi_definition = models.CharField(max_length=200)
    results = models.JSONField()

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return f"{self.model_id} {self.at}"


class OutcomeMeasurement(models.Model):
    """What a driver was in one quarter; who measures again adds a row, and the newest counts."""

    model = models.ForeignKey(ValueModel, models.PROTECT, related_name="outcomes")
    # the first day of the quarter
    quarter = models.DateField()
    name = models.CharField(max_length=40)
    value = models.FloatField()
    source = models.CharField(max_length=500)
    at = models.DateTimeField()
    by = models.CharField(max_length=200)

    class Meta:
        ordering: ClassVar = ["quarter", "pk"]

    def __str__(self) -> str:
        return f"{self.model_id} {self.quarter} {self.name}"

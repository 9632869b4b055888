"""Dated reference data that prices and invoices follow: index series, rates of value added tax."""

from __future__ import annotations

from django.db import models


class IndexSeries(models.Model):
    """A published series that prices may follow, such as a consumer price index."""

    code = models.CharField(max_length=80, unique=True)
    title = models.CharField(max_length=300, blank=True)
    source = models.CharField(max_length=300, blank=True)

    class Meta:
        verbose_name_plural = "index series"

    def __str__(self) -> str:
        return self.code


class IndexValue(models.Model):
    """The value of a series for a month; ``month`` is its first day."""

    series = models.ForeignKey(IndexSeries, models.CASCADE, related_name="values")
    month = models.DateField()
    value = models.DecimalField(max_digits=14, decimal_places=6)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["series", "month"], name="index_value_once"),
        ]

    def __str__(self) -> str:
        return f"{self.series_id} {self.month:%Y-%m}: {self.value}"


class VatRate(models.Model):
    """The standard rate of value added tax of a country from a day on."""

    country = models.CharField(max_length=2)
    valid_from = models.DateField()
    rate = models.CharField(max_length=7)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["country", "valid_from"], name="vat_rate_once"),
        ]

    def __str__(self) -> str:
        return f"{self.country} {self.valid_from}: {self.rate}"

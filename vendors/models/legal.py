"""Facts of law, with the day from which each holds: data that is edited, never a constant."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class LegalFact(models.Model):
    """A fact that replaces the one of the same code that ships with the hub, from ``since`` on."""

    # a dot in it tells a limit: ``value`` is then the text of a number
    code = models.CharField(max_length=60)
    since = models.DateField()
    # a day, a number, a list of words
    value = models.JSONField()
    source = models.CharField(max_length=300)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["code", "since"], name="legal_fact_once"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.since}"

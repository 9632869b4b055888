"""Framework agreements, the organisations that they name, and what was agreed on prices."""

from __future__ import annotations

from django.db import models

from hub.models import Organisation
from marketplace.models import Algorithm
from vendors.models import Vendor


class FrameworkAgreement(models.Model):
    """An agreement that several organisations share; ``maximum_value`` is a hard stop (C-23/20)."""

    code = models.CharField(max_length=40, unique=True)
    title = models.CharField(max_length=300)
    holder = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    supplier = models.ForeignKey(Vendor, models.PROTECT, related_name="frameworks")
    valid_from = models.DateField()
    valid_to = models.DateField()
    estimated_value = models.DecimalField(max_digits=14, decimal_places=2)
    maximum_value = models.DecimalField(max_digits=14, decimal_places=2)
    currency = models.CharField(max_length=3, default="NOK")
    # how its invoices are taxed: standard, reverse_charge, exempt, out_of_scope
    vat = models.CharField(max_length=20, default="standard")

    def __str__(self) -> str:
        return f"{self.code} {self.title}"


class Authority(models.Model):
    """An organisation named in a framework agreement, which alone may call off."""

    framework = models.ForeignKey(FrameworkAgreement, models.CASCADE, related_name="authorities")
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    role = models.CharField(max_length=40, default="contracting_authority")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["framework", "organisation", "role"], name="authority_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.organisation_id} {self.role}"


class PriceBookEntry(models.Model):
    """What one algorithm costs under one framework agreement, as agreed (``terms``).

    A version holds from ``valid_from`` (None: from the first day of the agreement) until the next
    one. Once an examination was counted on or after its first day it is in use, and the database
    refuses to change or remove it.
    """

    framework = models.ForeignKey(FrameworkAgreement, models.CASCADE, related_name="price_book")
    algorithm = models.ForeignKey(Algorithm, models.PROTECT, related_name="+")
    valid_from = models.DateField(null=True, blank=True)
    model = models.CharField(max_length=20)
    # tiers, introduction and the further terms of the set-up file, amounts as strings
    terms = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["framework", "algorithm"],
                condition=models.Q(valid_from=None),
                name="price_once",
            ),
            models.UniqueConstraint(
                fields=["framework", "algorithm", "valid_from"], name="price_version_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.algorithm_id} {self.model} {self.valid_from or ''}".rstrip()

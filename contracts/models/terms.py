"""What an agreement consists of besides its parties: lots, further suppliers, and its changes."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from contracts.models.agreements import FrameworkAgreement
from vendors.models import Vendor


class Lot(models.Model):
    """A part of an agreement that was tendered by itself, with a maximum of its own if it has."""

    framework = models.ForeignKey(FrameworkAgreement, models.CASCADE, related_name="lots")
    code = models.CharField(max_length=40)
    title = models.CharField(max_length=300)
    estimated_value = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    maximum_value = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["framework", "code"], name="lot_once")]

    def __str__(self) -> str:
        return f"{self.code} {self.title}"


class FrameworkSupplier(models.Model):
    """A supplier besides the first one; ``lot`` is empty where it supplies all lots."""

    framework = models.ForeignKey(FrameworkAgreement, models.CASCADE, related_name="suppliers")
    vendor = models.ForeignKey(Vendor, models.PROTECT, related_name="+")
    lot = models.CharField(max_length=40, blank=True)
    # the order in which suppliers are asked, where the agreement ranks them
    rank = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["framework", "vendor", "lot"], name="framework_supplier_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.vendor_id} {self.lot}"


class Amendment(models.Model):
    """A change of the agreement after it was signed, with the reason as eForms has it (BT-200)."""

    class Reason(models.TextChoices):
        REVIEW = "mod-rev", _("Clear review clause or option")
        ADDITIONAL = "add-wss", _("Additional works, services or supplies needed")
        CIRCUMSTANCES = "mod-cir", _("Circumstances that could not be foreseen")
        REPLACEMENT = "mod-repl", _("Another supplier in place of the first")
        NOT_SUBSTANTIAL = "mod-nons", _("Not substantial")
        MINIMUM = "mod-minv", _("Below the minimum value")

    framework = models.ForeignKey(FrameworkAgreement, models.CASCADE, related_name="amendments")
    number = models.PositiveIntegerField()
    agreed = models.DateField()
    reason = models.CharField(max_length=10, choices=Reason.choices)
    value_before = models.DecimalField(max_digits=14, decimal_places=2)
    value_after = models.DecimalField(max_digits=14, decimal_places=2)
    description = models.TextField(blank=True)
    # of the notice of the modification (BT-1501)
    notice = models.CharField(max_length=80, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["framework", "number"], name="amendment_once"),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.reason}"

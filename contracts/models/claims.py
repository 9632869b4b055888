"""What vendors claim with invoices of their own, and how it compares with what was metered."""

from __future__ import annotations

import uuid

from django.db import models

from contracts.models.billing import Final
from hub.models import Organisation
from vendors.models import Vendor


class VendorInvoice(Final):
    """A vendor's own invoice or credit note; its number is taken once, for ever.

    ``kind`` is 380 or 381, ``net`` is signed. ``findings`` are those of the day it was reconciled,
    ``faults`` those of the form of its file.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    supplier = models.ForeignKey(Vendor, models.PROTECT, related_name="+")
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    number = models.CharField(max_length=80)
    kind = models.CharField(max_length=3)
    month = models.DateField()
    currency = models.CharField(max_length=3)
    net = models.DecimalField(max_digits=14, decimal_places=2)
    sha256 = models.CharField(max_length=64)
    received_at = models.DateTimeField()
    received_by = models.CharField(max_length=200)
    findings = models.JSONField(default=list)
    # what is wrong with the form of the file, "rule: what it demands"; null: nobody kept it
    faults = models.JSONField(null=True, blank=True, default=None)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["supplier", "number"], name="vendor_invoice_once"),
        ]

    def __str__(self) -> str:
        return f"{self.supplier_id} {self.number}"


class VendorInvoiceLine(Final):
    """What is claimed for one algorithm at one site; ``amount`` is signed."""

    invoice = models.ForeignKey(VendorInvoice, models.PROTECT, related_name="lines")
    call_off = models.CharField(max_length=40)
    algorithm = models.CharField(max_length=64)
    site = models.CharField(max_length=64)
    month = models.DateField()
    quantity = models.IntegerField()
    amount = models.DecimalField(max_digits=14, decimal_places=2)

    def __str__(self) -> str:
        return f"{self.call_off} {self.algorithm} {self.site} {self.month:%Y-%m}: {self.amount}"

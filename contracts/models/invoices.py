"""Invoices and credit notes as they were issued, and their files; nothing in them ever changes."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from contracts.models.billing import BillingRun, Final, RatingSnapshot
from contracts.models.call_offs import CallOff, CallOffLine
from hub.access import CONTRACT_ROLES, organisation_clause
from hub.models import Organisation
from vendors.models import Vendor


class InvoiceQuerySet(models.QuerySet["Invoice"]):
    """Invoices, and who may see which."""

    def visible_to(self, user: Any, roles: tuple[str, ...] = CONTRACT_ROLES) -> Self:
        """Those of the organisations that the user buys for, and of the agreements they hold."""
        return self.filter(_visible(user, roles))


class InvoiceFileQuerySet(models.QuerySet["InvoiceFile"]):
    """Files of invoices, and who may see which."""

    def visible_to(self, user: Any, roles: tuple[str, ...] = CONTRACT_ROLES) -> Self:
        """Those of the invoices that the user may see."""
        return self.filter(_visible(user, roles, path="invoice__"))


def _visible(user: Any, roles: tuple[str, ...], *, path: str = "") -> Q:
    own = organisation_clause(user, path=f"{path}organisation", roles=roles)
    held = organisation_clause(user, path=f"{path}call_off__framework__holder", roles=roles)
    return own | held


class Invoice(Final):
    """One document of a supplier to an organisation under a call-off, for one month.

    ``sequence`` counts the documents of a supplier without a gap. ``call_off_sequence`` counts
    those of a call-off: two runs at once cannot both bill what came since the last. ``document``
    holds parties and references as they were on the day of issue. Amounts are as booked: those of
    a credit note are negative here, and positive where it is written as a document.
    """

    class Kind(models.TextChoices):
        INVOICE = "380", _("Invoice")
        CREDIT_NOTE = "381", _("Credit note")

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=3, choices=Kind.choices)
    number = models.CharField(max_length=80, unique=True)
    supplier = models.ForeignKey(Vendor, models.PROTECT, related_name="+")
    sequence = models.PositiveIntegerField()
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    call_off = models.ForeignKey(CallOff, models.PROTECT, related_name="invoices")
    call_off_sequence = models.PositiveIntegerField()
    # of a credit note that a person made: the invoice that it credits
    credits = models.ForeignKey("self", models.PROTECT, null=True, related_name="credit_notes")
    run = models.ForeignKey(BillingRun, models.PROTECT, null=True, related_name="invoices")
    period_from = models.DateField()
    period_to = models.DateField()
    issued_on = models.DateField()
    due_on = models.DateField()
    currency = models.CharField(max_length=3)
    net = models.DecimalField(max_digits=14, decimal_places=2)
    vat = models.DecimalField(max_digits=14, decimal_places=2)
    gross = models.DecimalField(max_digits=14, decimal_places=2)
    document = models.JSONField()

    objects: ClassVar[InvoiceQuerySet] = InvoiceQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["supplier", "sequence"], name="invoice_sequence_once"),
            models.UniqueConstraint(
                fields=["call_off", "call_off_sequence"], name="invoice_once_in_call_off"
            ),
        ]

    def __str__(self) -> str:
        return self.number


class InvoiceLine(Final):
    """One charge: ``key`` names what it is a charge of, alike in every run (what was booked).

    ``month`` is the first day of the month it is of, ``span_from`` that of its tier period.
    """

    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="lines")
    position = models.PositiveIntegerField()
    line = models.ForeignKey(CallOffLine, models.PROTECT, null=True, related_name="charges")
    snapshot = models.ForeignKey(RatingSnapshot, models.PROTECT, null=True, related_name="charges")
    kind = models.CharField(max_length=20)
    key = models.CharField(max_length=200, db_index=True)
    month = models.DateField()
    span_from = models.DateField()
    description = models.CharField(max_length=300)
    quantity = models.DecimalField(max_digits=14, decimal_places=0)
    unit_price = models.DecimalField(max_digits=14, decimal_places=4)
    amount = models.DecimalField(max_digits=14, decimal_places=2)
    vat_rate = models.DecimalField(max_digits=5, decimal_places=4)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["invoice", "position"], name="invoice_position_once"),
        ]

    def __str__(self) -> str:
        return f"{self.invoice_id} {self.position} {self.description}"


class InvoiceFile(Final):
    """An invoice as a file, as its buyer gets it: the same bytes for ever.

    ``version`` is that of the hub that wrote it. ``made_at`` is the moment of issue, or where the
    invoice is older than this table that of its first reading.
    """

    class Kind(models.TextChoices):
        """What it is; the value is how its name ends."""

        UBL = "ubl.xml", "EHF"
        PDF = "pdf", "PDF"
        CSV = "csv", "CSV"

    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="files")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    media_type = models.CharField(max_length=100)
    size = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    content = models.BinaryField()
    made_at = models.DateTimeField()
    version = models.CharField(max_length=40)

    objects: ClassVar[InvoiceFileQuerySet] = (
        InvoiceFileQuerySet.as_manager()  # type: ignore[assignment]
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["invoice", "kind"], name="invoice_file_once"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """What the file is called."""
        return f"{self.invoice.number}.{self.kind}"

"""The rows of the procurement side; each module has those of one part of it."""

from contracts.models.agreements import Authority, FrameworkAgreement, PriceBookEntry
from contracts.models.billing import (
    AdjustmentBooking,
    BilledIsFinal,
    BillingRun,
    EventBooking,
    MeterReading,
    RatingSnapshot,
)
from contracts.models.call_offs import CallOff, CallOffLine
from contracts.models.invoices import Invoice, InvoiceLine
from contracts.models.reference import IndexSeries, IndexValue, VatRate
from contracts.models.usage import UsageAdjustment, UsageEvent, UsageIsAppendOnly, VolumeCounter

__all__ = [
    "AdjustmentBooking",
    "Authority",
    "BilledIsFinal",
    "BillingRun",
    "CallOff",
    "CallOffLine",
    "EventBooking",
    "FrameworkAgreement",
    "IndexSeries",
    "IndexValue",
    "Invoice",
    "InvoiceLine",
    "MeterReading",
    "PriceBookEntry",
    "RatingSnapshot",
    "UsageAdjustment",
    "UsageEvent",
    "UsageIsAppendOnly",
    "VatRate",
    "VolumeCounter",
]

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
from contracts.models.call_offs import CallOff, CallOffApproval, CallOffLine
from contracts.models.invoices import Invoice, InvoiceLine
from contracts.models.options import AuthorityOption, OptionState, TermOption
from contracts.models.reference import IndexSeries, IndexValue, VatRate
from contracts.models.terms import Amendment, FrameworkSupplier, LegalLimit, Lot
from contracts.models.usage import UsageAdjustment, UsageEvent, UsageIsAppendOnly, VolumeCounter

__all__ = [
    "AdjustmentBooking",
    "Amendment",
    "Authority",
    "AuthorityOption",
    "BilledIsFinal",
    "BillingRun",
    "CallOff",
    "CallOffApproval",
    "CallOffLine",
    "EventBooking",
    "FrameworkAgreement",
    "FrameworkSupplier",
    "IndexSeries",
    "IndexValue",
    "Invoice",
    "InvoiceLine",
    "LegalLimit",
    "Lot",
    "MeterReading",
    "OptionState",
    "PriceBookEntry",
    "RatingSnapshot",
    "TermOption",
    "UsageAdjustment",
    "UsageEvent",
    "UsageIsAppendOnly",
    "VatRate",
    "VolumeCounter",
]

"""The rows of the procurement side; each module has those of one part of it."""

from contracts.models.agreements import Authority, FrameworkAgreement, PriceBookEntry
from contracts.models.call_offs import CallOff, CallOffLine
from contracts.models.reference import IndexSeries, IndexValue, VatRate
from contracts.models.usage import UsageEvent, UsageIsAppendOnly, VolumeCounter

__all__ = [
    "Authority",
    "CallOff",
    "CallOffLine",
    "FrameworkAgreement",
    "IndexSeries",
    "IndexValue",
    "PriceBookEntry",
    "UsageEvent",
    "UsageIsAppendOnly",
    "VatRate",
    "VolumeCounter",
]

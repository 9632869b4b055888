"""What usage costs under agreed terms: pure rules over Decimal, no rows, no clock.

One entry for whoever invoices::

    lines = rate(agreement, usages, as_of=date(2026, 6, 30))

``Agreement`` is a framework with the price versions of each algorithm (read by ``price_of``), its
call-off ``Line``s and index series; ``Usages`` what was used, already added up by line and local
day (a million events are some ten thousand ``Usage``s; more of one line and day add up too).
``rate`` gives ``ChargeLine``s: for each line of a call-off, kind of charge and calendar month one
signed ``amount`` without VAT, with a ``key`` that is the same in every rating and the ``Snapshot``
it was reckoned on. The lines of an organisation and month add up to its invoice; below 0 it is a
credit note (381).

Annual tiers are invoiced by difference: the amounts of a kind and period up to a month add up to
what its volume costs by then. Late usage changes the amounts of closed months, which is why an
invoice run bills, for each key up to its month, ``amount`` less what was booked under that key.
"""

from contracts.pricing.agreement import (
    Agreement,
    Availability,
    FixedAmount,
    Line,
    Measured,
    Usage,
    Usages,
    Version,
)
from contracts.pricing.basis import NoPriceError, UnknownLineError
from contracts.pricing.charging import amount, discount, discount_on
from contracts.pricing.indexing import UnknownIndexError
from contracts.pricing.ledger import ChargeLine, Kind, Snapshot
from contracts.pricing.money import rounded, shared, value_added_tax
from contracts.pricing.periods import Length, Period, contract_year_of, month_of, months_after
from contracts.pricing.rating import rate
from contracts.pricing.reading import price_of
from contracts.pricing.terms import Model, Phase, Price, PriceTermsError, Scope, Tier

__all__ = [
    "Agreement",
    "Availability",
    "ChargeLine",
    "FixedAmount",
    "Kind",
    "Length",
    "Line",
    "Measured",
    "Model",
    "NoPriceError",
    "Period",
    "Phase",
    "Price",
    "PriceTermsError",
    "Scope",
    "Snapshot",
    "Tier",
    "UnknownIndexError",
    "UnknownLineError",
    "Usage",
    "Usages",
    "Version",
    "amount",
    "contract_year_of",
    "discount",
    "discount_on",
    "month_of",
    "months_after",
    "price_of",
    "rate",
    "rounded",
    "shared",
    "value_added_tax",
]

"""What was used under an agreement, rated: the one entry, ``rate()``."""

from __future__ import annotations

from datetime import date

from contracts.pricing.agreement import Agreement, Usages
from contracts.pricing.basis import Basis
from contracts.pricing.ledger import ChargeLine, Ledger
from contracts.pricing.tiers import charge_tiers


def rate(agreement: Agreement, usages: Usages, *, as_of: date) -> list[ChargeLine]:
    """Everything that the agreement charges from its first day to the end of the day ``as_of``.

    The amounts of a charge line are those of its calendar month; a month's amount depends on all
    that is known of the months before it, so that usage which comes late changes amounts of closed
    months too: what is due is the sum up to a month, less what was invoiced of it. The order of
    ``usages`` means nothing. Raises UnknownLineError for usage of a line that the agreement has
    not, NoPriceError for usage before any price is valid, UnknownIndexError for an index without
    the values that the prices follow.
    """
    basis, ledger = Basis.of(agreement, usages, as_of=as_of), Ledger()
    for algorithm in basis.algorithms:
        charge_tiers(basis, ledger, algorithm=algorithm)
    return list(ledger.charge_lines())

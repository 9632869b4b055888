"""What was used under an agreement, rated: the one entry, ``rate()``."""

from __future__ import annotations

from datetime import date
from decimal import localcontext

from contracts.pricing.agreement import Agreement, Usages
from contracts.pricing.basis import Basis
from contracts.pricing.commitments import hold_to_commitments
from contracts.pricing.fees import charge_fees
from contracts.pricing.fixed import charge_fixed_amounts
from contracts.pricing.ledger import ChargeLine, Ledger
from contracts.pricing.outcomes import adjust_for_outcome
from contracts.pricing.percentages import charge_percentages
from contracts.pricing.rejections import charge_rejections
from contracts.pricing.service_levels import credit_service
from contracts.pricing.tiers import charge_tiers

DIGITS = 100
# The order of operations is part of the agreement: each step reads what those before it posted.
# Included units and indexed prices are part of the tier charge, introductions follow it at once.
# Fixed amounts come last: no discount, commitment or credit is reckoned on them.
STEPS = (
    charge_tiers,
    charge_rejections,
    charge_fees,
    charge_percentages,
    hold_to_commitments,
    credit_service,
    adjust_for_outcome,
)


def rate(agreement: Agreement, usages: Usages, *, as_of: date) -> list[ChargeLine]:
    """Everything that the agreement charges from its first day to the end of the day ``as_of``.

    The amounts of a charge line are those of its calendar month; a month's amount depends on all
    that is known of the months before it, so that usage which comes late changes amounts of closed
    months too: what is due is the sum up to a month, less what was invoiced of it. The order of
    ``usages`` means nothing. Raises UnknownLineError for usage of a line that the agreement has
    not, NoPriceError for usage before any price is valid, UnknownIndexError for an index without
    the values that the prices follow.
    """
    # enough digits that nothing is rounded but where an agreement says so
    with localcontext(prec=DIGITS):
        basis, ledger = Basis.of(agreement, usages, as_of=as_of), Ledger()
        for step in STEPS:
            for name in basis.priced:
                step(basis, ledger, priced_as=name)
        charge_fixed_amounts(basis, ledger)
        return list(ledger.charge_lines())

"""How much may still be used under a framework agreement: its maximum value is a hard stop.

Whoever asks holds the locks: of the agreement, so that two reports at once are judged one after
the other, and of its counters, so that none moves meanwhile.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal

from contracts import pricing
from contracts.agreements import contract_year
from contracts.models import FrameworkAgreement, VolumeCounter


class NoRoomError(Exception):
    """One more unit would pass the maximum value, or has no price; the message is for people."""


class Headroom:
    """The value used of a locked framework agreement, moved along by what is taken."""

    def __init__(self, framework: FrameworkAgreement) -> None:
        self.framework = framework
        rows = VolumeCounter.objects.filter(framework=framework).select_for_update()
        keys = ("algorithm_id", "contract_year")
        counters = rows.order_by("algorithm_id", "contract_year")  # as metering moves them
        self._volumes = {
            (row.algorithm_id, row.contract_year): row.quantity
            for row in counters.only(*keys, "quantity")
        }
        self._prices = {}
        for entry in framework.price_book.all():
            with suppress(pricing.PriceTermsError):
                self._prices[entry.algorithm_id] = pricing.price_of(entry.model, entry.terms)
        self._used = sum(map(self._cost, self._volumes), Decimal("0.00"))

    @classmethod
    def of(cls, framework_id: int) -> Headroom:
        """That of the agreement, which is locked until the transaction ends."""
        framework = FrameworkAgreement.objects.select_for_update(no_key=True).get(pk=framework_id)
        return cls(framework)

    def take(self, algorithm_id: int, *, at: datetime, units: int) -> None:
        """Use so many units more (or, below 0, fewer). Raises NoRoomError, and then takes none."""
        if not units:
            return
        if algorithm_id not in self._prices:
            raise NoRoomError(f"framework agreement {self.framework.code} has no price for it")
        key = (algorithm_id, contract_year(self.framework, at=at))
        before = self._cost(key) if key in self._volumes else Decimal(0)
        earlier = self._volumes.get(key, 0)
        self._volumes[key] = earlier + units
        used = self._used - before + self._cost(key)
        if units > 0 and used > self.framework.maximum_value:
            self._volumes[key] = earlier
            left = max(self.framework.maximum_value - self._used, Decimal("0.00"))
            raise NoRoomError(
                f"it would pass the maximum value of framework agreement {self.framework.code}: "
                f"{left} {self.framework.currency} is left"
            )
        self._used = used

    def _cost(self, key: tuple[int, date]) -> Decimal:
        price = self._prices.get(key[0])
        return pricing.amount(price, self._volumes[key]) if price else Decimal(0)

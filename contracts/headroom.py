"""How much may still be used under a framework agreement: its maximum value is a hard stop.

Whoever asks holds the locks: of the agreement, so that two reports at once are judged one after
the other, and of its counters, so that none moves meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from django.utils.translation import gettext as _

from contracts import pricing
from contracts.agreements import (
    CONTRACT_ZONE,
    are_told_by_volume,
    contract_year,
    has_own_prices,
)
from contracts.models import CallOffLine, FrameworkAgreement, VolumeCounter
from contracts.priced import agreement_held, line_key
from contracts.pricing import Usage
from contracts.rated_value import usage_counted, value_of


class NoRoomError(Exception):
    """One more unit would pass the maximum value, or has no price; the message is for people."""


class Headroom(Protocol):
    """The value used of a locked framework agreement, moved along by what is taken."""

    def expect(self, usages: Iterable[Usage]) -> None:
        """Hear what will be asked for at most, before it is taken one by one."""

    def take(self, line: CallOffLine, *, at: datetime, units: int) -> None:
        """Use so many units more (or, below 0, fewer). Raises NoRoomError, and then takes none."""


def of(framework_id: int) -> Headroom:
    """That of the agreement, which is locked until the transaction ends."""
    framework = FrameworkAgreement.objects.select_for_update(no_key=True).get(pk=framework_id)
    entries, prices = list(framework.price_book.all()), {}
    for entry in entries:
        with suppress(pricing.PriceTermsError):
            prices[entry.algorithm_id] = pricing.price_of(entry.model, entry.terms)
    has_versions = len({entry.algorithm_id for entry in entries}) < len(entries)
    is_told = not has_versions and are_told_by_volume(prices.values())
    if not is_told or has_own_prices(framework):
        return _Rated(framework)
    begins = {entry.algorithm_id: entry.valid_from for entry in entries}
    return _Counted(framework, prices, begins)


class _Counted:
    """Told by the volume of each contract year, as most prices are."""

    def __init__(
        self, framework: FrameworkAgreement, prices: dict[int, pricing.Price],
        begins: dict[int, date | None],
    ) -> None:  # fmt: skip
        self.framework, self._prices, self._begins = framework, prices, begins
        rows = VolumeCounter.objects.filter(framework=framework).select_for_update()
        keys = ("algorithm_id", "contract_year")
        counters = rows.order_by("algorithm_id", "contract_year")  # as metering moves them
        self._volumes = {
            (row.algorithm_id, row.contract_year): row.quantity
            for row in counters.only(*keys, "quantity")
        }
        self._used = sum(map(self._cost, self._volumes), Decimal("0.00"))

    def expect(self, usages: Iterable[Usage]) -> None:
        """Each is told at once anyway."""

    def take(self, line: CallOffLine, *, at: datetime, units: int) -> None:
        """By what the volume costs with it."""
        if not units:
            return
        begins = self._begins.get(line.algorithm_id)
        is_early = begins is not None and at.astimezone(CONTRACT_ZONE).date() < begins
        if line.algorithm_id not in self._prices or (is_early and units > 0):
            raise _has_no_price(self.framework)
        key = (line.algorithm_id, contract_year(self.framework, at=at))
        before = self._cost(key) if key in self._volumes else Decimal(0)
        earlier = self._volumes.get(key, 0)
        self._volumes[key] = earlier + units
        used = self._used - before + self._cost(key)
        if units > 0 and used > self.framework.maximum_value:
            self._volumes[key] = earlier
            raise _would_pass(self.framework, used=self._used)
        self._used = used

    def _cost(self, key: tuple[int, date]) -> Decimal:
        price = self._prices.get(key[0])
        return pricing.amount(price, self._volumes[key]) if price else Decimal(0)


class _Rated:
    """Rated anew: where prices have versions, scopes, fees or commitments, volumes tell not all.

    All that is expected is rated once; only where it does not fit is it rated one by one.
    """

    def __init__(self, framework: FrameworkAgreement) -> None:
        self.framework, self._agreement = framework, agreement_held(framework)
        self._priced = {line.key for line in self._agreement.lines}
        list(VolumeCounter.objects.filter(framework=framework).select_for_update()
             .order_by("algorithm_id", "contract_year"))  # fmt: skip
        self._taken = list(usage_counted(framework))
        self._expected: list[Usage] = []
        self._has_room_for_all: bool | None = None

    def expect(self, usages: Iterable[Usage]) -> None:
        """Those of lines that the agreement has."""
        self._expected = [one for one in usages if one.units and one.line in self._priced]

    def take(self, line: CallOffLine, *, at: datetime, units: int) -> None:
        """By what all that was used costs with it."""
        if not units:
            return
        key = line_key(line.call_off.code, line.algorithm.code, line.site.code)
        if line.algorithm.code not in self._agreement.prices or key not in self._priced:
            raise _has_no_price(self.framework)
        more = Usage(key, at.astimezone(CONTRACT_ZONE).date(), units)
        if more in self._expected and self._fit_all():
            self._taken.append(more)
            self._expected.remove(more)
            return
        if units > 0 and self._value(more) > self.framework.maximum_value:
            raise _would_pass(self.framework, used=self._value())
        self._taken.append(more)
        self._has_room_for_all = None

    def _fit_all(self) -> bool:
        if self._has_room_for_all is None:
            try:
                value = self._value(*self._expected)
                self._has_room_for_all = value <= self.framework.maximum_value
            except NoRoomError:  # one that cannot be rated keeps no other out
                self._has_room_for_all = False
        return self._has_room_for_all

    def _value(self, *more: Usage) -> Decimal:
        used = (*self._taken, *more)
        on = max((one.day for one in used), default=self._agreement.begins)
        try:
            return value_of(self._agreement, used, on=on)
        except pricing.PriceTermsError as fault:
            text = _("%(agreement)s cannot be rated: %(fault)s")
            told = {"agreement": self.framework.code, "fault": fault}
            raise NoRoomError(text % told) from fault


def _has_no_price(framework: FrameworkAgreement) -> NoRoomError:
    text = _("framework agreement %(agreement)s has no price for it")
    return NoRoomError(text % {"agreement": framework.code})


def _would_pass(framework: FrameworkAgreement, *, used: Decimal) -> NoRoomError:
    left = max(framework.maximum_value - used, Decimal("0.00"))
    text = _("it would pass the maximum value of framework agreement %(agreement)s: %(left)s "
             "%(currency)s is left")  # fmt: skip
    told = {"agreement": framework.code, "left": left, "currency": framework.currency}
    return NoRoomError(text % told)

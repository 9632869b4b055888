"""Unit prices that follow a published index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal

from django.utils.translation import gettext as _

from contracts.pricing.money import ONE, rounded
from contracts.pricing.terms import Indexation, Price


class UnknownIndexError(LookupError):
    """The series that prices follow is not known, or not for a month that is needed."""


def factor(clause: Indexation, *, base: Decimal, reference: Decimal) -> Decimal:
    """``min(1 + cap, max(1 + floor, 1 + share * (reference / base - 1)))``."""
    found = ONE + clause.share * (reference / base - ONE)
    if clause.floor is not None:
        found = max(ONE + clause.floor, found)
    if clause.cap is not None:
        found = min(ONE + clause.cap, found)
    return found


def indexed(
    price: Price, *, day: date, series: Mapping[str, Mapping[date, Decimal]], is_final: bool = True
) -> Price:
    """The price as it is on a day: every unit price times the factor, rounded; tiers as agreed.

    Fees, packages and introductory unit prices follow as well; minimum and cap do not. Raises
    UnknownIndexError; a price that is not final stays as it was last known instead.
    """
    clause = price.indexation
    if clause is None:
        return price
    begun = [one for one in clause.adjustments if one.effective <= day]
    for adjustment in sorted(begun, key=lambda one: one.effective, reverse=True):
        try:
            base = _value(series, clause.series, clause.base_month)
            reference = _value(series, clause.series, adjustment.ref_month)
        except UnknownIndexError:
            if is_final:
                raise
            continue
        by = factor(clause, base=base, reference=reference)
        return _times(price, by, decimals=clause.decimals)
    return price


def _times(price: Price, by: Decimal, *, decimals: int) -> Price:
    step = Decimal(1).scaleb(-decimals)

    def new(amount: Decimal) -> Decimal:
        return rounded(amount * by, to=step)

    return replace(
        price,
        tiers=tuple(
            replace(tier, unit_price=new(tier.unit_price), flat_fee=rounded(tier.flat_fee * by))
            for tier in price.tiers
        ),
        introduction=tuple(
            phase if phase.unit_price is None else replace(phase, unit_price=new(phase.unit_price))
            for phase in price.introduction
        ),
        package=price.package and replace(price.package, price=rounded(price.package.price * by)),
        fee=price.fee and replace(price.fee, amount=rounded(price.fee.amount * by)),
    )


def _value(series: Mapping[str, Mapping[date, Decimal]], name: str, month: date) -> Decimal:
    if name not in series:
        raise UnknownIndexError(_("the index %(name)s is not known") % {"name": name})
    found = series[name].get(month)
    if found is None:
        text = _("the index %(name)s has no value for %(month)s")
        raise UnknownIndexError(text % {"name": name, "month": f"{month:%Y-%m}"})
    return found

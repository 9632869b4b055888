"""The value used under a framework agreement where volumes alone do not tell it: by rating all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count, QuerySet, Sum
from django.db.models.functions import TruncDate

from contracts.models import FrameworkAgreement, UsageAdjustment, UsageEvent
from contracts.models.usage import REJECTED
from contracts.priced import agreement_held, line_key
from contracts.pricing import (
    Agreement,
    Kind,
    Line,
    NoPriceError,
    PriceTermsError,
    UnknownIndexError,
    UnknownLineError,
    Usage,
    Usages,
    contract_year_of,
    rate,
)
from contracts.zone import CONTRACT_ZONE

# What is given back for a month does not make room for more.
COUNTED = (
    Kind.USAGE, Kind.REJECTED, Kind.FEE, Kind.MINIMUM, Kind.CAP, Kind.ONCE, Kind.YEARLY,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ValueUsed:
    """What has been used under a framework, and what it would be with one more examination."""

    used: Decimal
    with_one_more: Decimal


def rated_value(framework: FrameworkAgreement, *, algorithm: str, at: datetime) -> ValueUsed:
    """The value to the end of the contract year of ``at``, with its fees and minimum.

    One more is the most that one examination can add, whichever line it is of. Raises
    PriceTermsError where what was used cannot be rated.
    """
    agreement = agreement_held(framework)
    day = at.astimezone(CONTRACT_ZONE).date()
    as_of = contract_year_of(max(day, agreement.begins), begins=agreement.begins).last
    used = usage_counted(framework)
    try:
        now = _value(agreement, used, as_of=as_of)
        further = [
            _value(agreement, (*used, Usage(line.key, day, 1)), as_of=as_of)
            for line in _one_of_each_group(agreement, algorithm)
        ]
    except (NoPriceError, UnknownIndexError, UnknownLineError) as fault:
        raise PriceTermsError(str(fault)) from fault
    return ValueUsed(now, max(further, default=now))


def usage_counted(framework: FrameworkAgreement) -> tuple[Usage, ...]:
    """What was counted under the agreement, by line of a call-off and local day."""
    events = UsageEvent.objects.filter(call_off__framework=framework)
    corrections = UsageAdjustment.objects.filter(corrects__call_off__framework=framework)
    return (
        *_added_up(events, path="", units="units"),
        *_rejected(events),
        *_added_up(corrections, path="corrects__", units="delta_units"),
    )


def _added_up(rows: QuerySet[Any], *, path: str, units: str) -> Iterator[Usage]:
    """By line and local day of the event that stands at the path."""
    names = (f"{path}call_off__code", f"{path}algorithm__code", f"{path}site__code")
    counted = (
        rows.annotate(day_=TruncDate(f"{path}at", tzinfo=CONTRACT_ZONE))
        .values_list(*names, "day_")
        .annotate(sum_=Sum(units))
        .order_by()
    )
    for *of_line, day, total in counted:
        yield Usage(line_key(*of_line), day, total)


def _rejected(events: QuerySet[Any]) -> Iterator[Usage]:
    """What was rejected by the customer's fault; it may have a price of its own."""
    counted = (
        events.filter(REJECTED)
        .annotate(day_=TruncDate("at", tzinfo=CONTRACT_ZONE))
        .values_list("call_off__code", "algorithm__code", "site__code", "day_")
        .annotate(sum_=Count("study_ref", distinct=True))
        .order_by()
    )
    for *of_line, day, total in counted:
        yield Usage(line_key(*of_line), day, 0, rejected=total)


def _one_of_each_group(agreement: Agreement, algorithm: str) -> list[Line]:
    """Lines that count together cost the same: one of each call-off stands for all of it."""
    lines = [one for one in agreement.lines if one.algorithm == algorithm]
    return list({one.call_off: one for one in lines}.values())


def value_of(agreement: Agreement, used: tuple[Usage, ...], *, on: date) -> Decimal:
    """What all that was used comes to by the end of the contract year of a day.

    Raises PriceTermsError where it cannot be rated.
    """
    as_of = contract_year_of(max(on, agreement.begins), begins=agreement.begins).last
    try:
        return _value(agreement, used, as_of=as_of)
    except (NoPriceError, UnknownIndexError, UnknownLineError) as fault:
        raise PriceTermsError(str(fault)) from fault


def _value(agreement: Agreement, used: tuple[Usage, ...], *, as_of: date) -> Decimal:
    lines = rate(_without_credits(agreement), Usages(used), as_of=as_of)
    return sum((one.amount for one in lines if one.kind in COUNTED), Decimal("0.00"))


def _without_credits(agreement: Agreement) -> Agreement:
    """The agreement as if nobody was introduced: a cap and a minimum are held at full prices."""
    return replace(
        agreement,
        prices={
            algorithm: tuple(
                replace(version, price=replace(version.price, introduction=()))
                for version in versions
            )
            for algorithm, versions in agreement.prices.items()
        },
    )

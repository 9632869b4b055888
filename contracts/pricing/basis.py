"""What every step of a rating reads: slots of days, prices by slot, usage by line and slot."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.utils.translation import gettext as _

from contracts.pricing.agreement import Agreement, Line, Usages
from contracts.pricing.charging import Part, phase_on
from contracts.pricing.indexing import indexed
from contracts.pricing.money import shared
from contracts.pricing.periods import Period, slots
from contracts.pricing.terms import Phase, Price


class UnknownLineError(LookupError):
    """Something was used of a line that the agreement has not."""


class NoPriceError(LookupError):
    """Something was used for which no price was valid on that day."""


@dataclass(slots=True)
class Count:
    """What was used of a line in a slot; ``phases`` are units by introduction phase."""

    units: int
    late: int
    failed: int
    phases: Counter[Phase | None]
    rejected: int = 0


NOTHING = Count(0, 0, 0, Counter())


@dataclass(frozen=True, slots=True)
class Basis:
    """An agreement up to a day, cut into slots in each of which prices and periods stand still."""

    agreement: Agreement
    usages: Usages
    as_of: date
    slots: tuple[Period, ...]
    counts: Mapping[tuple[str, Period], Count]
    prices: Mapping[tuple[str, Period], Price]

    @classmethod
    def of(cls, agreement: Agreement, usages: Usages, *, as_of: date) -> Basis:
        """Raises UnknownLineError, NoPriceError, UnknownIndexError: see rate()."""
        days = [used.day for used in usages.used]
        first, last = min([agreement.begins, *days]), max(days, default=agreement.begins)
        cut = tuple(slots(first, as_of, begins=agreement.begins, cuts=_turns(agreement)))
        prices = {
            (name, slot): price
            for name in agreement.prices
            for slot in cut
            if (price := _price_on(agreement, name, slot.start, last_used=last)) is not None
        }
        return cls(agreement, usages, as_of, cut, _counts(agreement, usages, cut, prices), prices)

    @property
    def begins(self) -> date:
        """The day that contract years count from."""
        return self.agreement.begins

    @property
    def priced(self) -> list[str]:
        """The names of all prices, in order: algorithms, and what some lines are priced as."""
        return sorted(self.agreement.prices)

    def lines_of(self, priced_as: str) -> list[Line]:
        """The call-off lines that have a price."""
        return [one for one in self.agreement.lines if one.priced_as == priced_as]

    def count(self, line: Line, slot: Period) -> Count:
        """What was used of a line in a slot."""
        return self.counts.get((line.key, slot), NOTHING)

    def price(self, priced_as: str, slot: Period) -> Price | None:
        """A price in a slot, indexed; None where no version is valid yet."""
        return self.prices.get((priced_as, slot))


def active_days(lines: Iterable[Line], within: Period) -> int:
    """From the first activation to the last end of the lines: how many days of a period."""
    held = list(lines)
    first = max(within.start, min(one.activated for one in held))
    last = min(within.last, max(one.ends for one in held))
    return max(0, (last - first).days + 1)


def active_part(lines: Iterable[Line], within: Period) -> Part:
    """How much of a period the lines are active in."""
    return Part(active_days(lines, within), within.days)


def allocated(
    total: Decimal, lines: Iterable[Line], weights: Mapping[str, int | Decimal], within: Period
) -> dict[str, Decimal]:
    """``total`` by line: shared among organisations, then among the lines of each.

    Where nothing weighs anything, by the days that a line is active in the period.
    """
    held = list(lines)
    weights = {one.key: max(0, weights.get(one.key, 0)) for one in held}
    if not any(weights.values()):
        weights = {one.key: active_days([one], within) for one in held}
    of: dict[str, dict[str, int | Decimal]] = {}
    for line in held:
        of.setdefault(line.organisation, {})[line.key] = weights[line.key]
    totals = shared(total, {name: sum(own.values()) for name, own in of.items()})
    return {
        key: share for name, own in of.items() for key, share in shared(totals[name], own).items()
    }


def _turns(agreement: Agreement) -> set[date]:
    """The days on which a price changes."""
    turns = set()
    for versions in agreement.prices.values():
        for version in versions:
            turns.add(version.valid_from)
            if version.price.indexation:
                turns |= {one.effective for one in version.price.indexation.adjustments}
    return turns


def _price_on(agreement: Agreement, name: str, day: date, *, last_used: date) -> Price | None:
    """After the last use an index may still be unpublished: fees then go on as they were."""
    known = [one for one in agreement.prices[name] if one.valid_from <= day]
    if not known:
        return None
    price = max(known, key=lambda one: one.valid_from).price
    return indexed(price, day=day, series=agreement.series, is_final=day <= last_used)


def _counts(
    agreement: Agreement, usages: Usages, cut: tuple[Period, ...],
    prices: Mapping[tuple[str, Period], Price],
) -> dict[tuple[str, Period], Count]:  # fmt: skip
    lines, starts = {one.key: one for one in agreement.lines}, [one.start for one in cut]
    counts: defaultdict[tuple[str, Period], Count] = defaultdict(lambda: Count(0, 0, 0, Counter()))
    for used in usages.used:
        if (line := lines.get(used.line)) is None:
            text = _("%(agreement)s has no line %(line)s")
            raise UnknownLineError(text % {"agreement": agreement.code, "line": used.line})
        if not cut or used.day > cut[-1].last:
            continue
        slot = cut[bisect_right(starts, used.day) - 1]
        if (price := prices.get((line.priced_as, slot))) is None:
            text = _("%(agreement)s has no price for %(algorithm)s on %(day)s")
            told = {"agreement": agreement.code, "algorithm": line.algorithm, "day": used.day}
            raise NoPriceError(text % told)
        count = counts[line.key, slot]
        count.units += used.units
        count.late += used.late
        count.failed += used.failed
        count.rejected += used.rejected
        phase = phase_on(price.introduction, activated=line.activated, completed=used.day)
        count.phases[phase] += used.units
    return counts

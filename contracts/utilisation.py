"""How much of the maximum value of an agreement is bound: pure rules, and the sums of the rows.

``U`` is the sum over all call-offs of the greater of what was committed and what was invoiced. It
binds the framework as a whole (C-23/20): what would pass the maximum is refused, whoever buys.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from contracts.models import CallOff, FrameworkAgreement, Lot

# Percent of the maximum at which those concerned are told.
WARNINGS = (70, 85, 95)
# A draft binds nobody yet. Of a cancelled call-off only what was invoiced is left.
COMMITTED = (
    CallOff.State.APPROVED, CallOff.State.ORDERED, CallOff.State.ACTIVE, CallOff.State.CLOSED,
)  # fmt: skip
ZERO = Decimal("0.00")


@dataclass(frozen=True, slots=True)
class Bound:
    """What one call-off binds: its commitment, if it stands, and what was invoiced under it."""

    committed: Decimal
    invoiced: Decimal
    is_committed: bool = True

    @property
    def value(self) -> Decimal:
        """The greater of both."""
        return max(self.committed if self.is_committed else ZERO, self.invoiced)


@dataclass(frozen=True, slots=True)
class Utilisation:
    """How much is bound of how much, in one currency."""

    used: Decimal
    maximum: Decimal

    @property
    def headroom(self) -> Decimal:
        """What may still be approved; below zero where more was invoiced than agreed."""
        return self.maximum - self.used

    @property
    def percent(self) -> Decimal:
        """Of the maximum, with two decimals; 100 where the maximum is nothing."""
        return percent(self.used, self.maximum)

    @property
    def warning(self) -> int | None:
        """The highest threshold that is reached, of WARNINGS."""
        reached = [one for one in WARNINGS if self.used * 100 >= self.maximum * one]
        return max(reached, default=None)

    def has_room_for(self, value: Decimal) -> bool:
        """Whether ``value`` more stays within the maximum, or meets it."""
        return self.used + value <= self.maximum

    def with_more(self, value: Decimal) -> Utilisation:
        """What it would be with ``value`` more."""
        return Utilisation(self.used + value, self.maximum)


def percent(part: Decimal, whole: Decimal) -> Decimal:
    """A share in percent with two decimals, half up; all of nothing is 100."""
    if not whole:
        return Decimal("100.00")
    return (part * 100 / whole).quantize(Decimal("0.01"), ROUND_HALF_UP)


def total(bounds: Iterable[Bound]) -> Decimal:
    """U."""
    return sum((bound.value for bound in bounds), ZERO)


def bound_by(call_off: CallOff) -> Bound:
    """What a call-off binds as its row has it."""
    return Bound(
        call_off.committed_value, call_off.invoiced_to_date, call_off.state in COMMITTED
    )


def of_framework(framework: FrameworkAgreement) -> Utilisation:
    """The utilisation of an agreement; its call-offs may have been fetched before."""
    bounds = map(bound_by, framework.call_offs.all())
    return Utilisation(total(bounds), framework.maximum_value)


def of_lot(lot: Lot) -> Utilisation | None:
    """The utilisation of a lot that has a maximum of its own."""
    if lot.maximum_value is None:
        return None
    rows = CallOff.objects.filter(framework=lot.framework_id, lot=lot.code)
    return Utilisation(total(map(bound_by, rows)), lot.maximum_value)
